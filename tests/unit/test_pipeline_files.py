"""Pipeline files: what a person writes, both ways, and what is told of mistakes."""

import json
import time

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millimorph import ops
from millimorph.designs import Explicit, FullFactorial, LatinHypercube, Random, Sobol
from millimorph.distributions import Choice, LogUniform, Normal, TruncatedNormal, Uniform
from millimorph.errors import FileError, OutputError, PipelineError
from millimorph.recipe import (
    ImageSampling,
    LabelSampling,
    Pipeline,
    Reference,
    dump_pipeline,
    load_pipeline,
    parse_pipeline,
    pipeline_schema,
)
from millimorph.values import plain, spelled

DOCUMENTED = """\
# yaml-language-server: $schema=pipeline.schema.json
schema_version: 1
reference: {size: [128, 128, 128]}           # left out: every image keeps its own grid
spatial:
  - op: affine
    rotation_deg: {uniform: [-10, 10]}       # one value or distribution for all axes
    scale: {uniform: [0.9, 1.1]}
  - op: elastic
    control_spacing_mm: 40
    magnitude_mm: {uniform: [0, 6]}
    probability: 0.5
intensity:
  - op: gamma
    gamma: {log_uniform: [0.7, 1.5]}
design: {random: {count: 100}}
seed: 7
"""
SAME = Pipeline(
    reference=Reference(size=(128, 128, 128)),
    spatial=(
        ops.Affine(rotation_deg=Uniform(-10, 10), scale=Uniform(0.9, 1.1)),
        ops.Elastic(control_spacing_mm=40, magnitude_mm=Uniform(0, 6), probability=0.5),
    ),
    intensity=(ops.Gamma(gamma=LogUniform(0.7, 1.5)),),
    design=Random(count=100),
    seed=7,
)

finite = st.floats(-350, 350)
ratios = st.floats(1e-6, 100)
words = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable())


@st.composite
def distributions(draw, values):
    low, high = sorted((draw(values), draw(values)))
    kinds = [st.just(low), st.just(Uniform(low, high)), st.just(Choice((low,), (2.0,)))]
    if low < high:
        kinds.append(st.just(Choice((low, high))))
        kinds.append(st.just(TruncatedNormal(low, high - low, low, high)))
    if low > 0:
        kinds.append(st.just(LogUniform(low, high)))
    return draw(st.one_of(kinds))


def one_or_each(values):
    return st.one_of(values, st.tuples(values, values, values))


pairs = st.one_of(
    st.none(),
    st.just(()),
    st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2, unique=True).map(
        lambda pair: (tuple(pair),)
    ),
    st.lists(words, min_size=2, max_size=2, unique=True).map(lambda pair: (tuple(pair),)),
)
chance = st.one_of(st.just(1.0), st.floats(0, 1))
spatial = st.one_of(
    st.builds(
        ops.Affine,
        rotation_deg=one_or_each(distributions(finite)),
        scale=one_or_each(distributions(ratios)),
        translation_mm=one_or_each(distributions(finite)),
        probability=chance,
    ),
    st.builds(ops.Affine, rotation_deg=st.just(0)),
    st.builds(ops.Rotation, max_angle_deg=distributions(st.floats(0, 180))),
    st.builds(ops.Flip, axis=st.sampled_from(["left-right", "k"]), label_pairs=pairs),
    st.builds(ops.QuarterTurn, turns=st.sampled_from([1, 3, Choice((1, 2))])),
    st.builds(ops.Elastic, control_points=st.integers(4, 9), magnitude_mm=distributions(ratios)),
    st.builds(ops.Diffeomorphic, control_spacing_mm=one_or_each(distributions(ratios))),
    st.builds(ops.RadialDistortion),
    st.builds(
        ops.RadialDistortion,
        coefficients=st.lists(distributions(finite), min_size=1, max_size=3),
        unit=st.sampled_from(["mm", "half_diagonal"]),
    ),
    st.builds(ops.RadialDistortion, coefficients=st.tuples(finite)),
    st.builds(ops.Warp, transform=words.filter(lambda word: len(word) < 90)),
    st.builds(ops.Crop, size=st.integers(1, 99)),
    st.builds(ops.Crop, fraction=one_or_each(distributions(st.floats(0.01, 1)))),
    st.builds(ops.Pad, margin=st.integers(0, 99)),
    st.builds(ops.Transform, kind=st.just("Euler3D"), parameters=st.tuples(*[finite] * 6)),
)
intensity = st.one_of(
    st.builds(ops.Gamma, gamma=distributions(ratios), probability=chance),
    st.builds(ops.GaussianNoise, std=distributions(ratios)),
    st.builds(ops.GaussianNoise),
)


def with_choices(simple):
    lists = st.lists(simple, min_size=1, max_size=3)
    return st.one_of(
        simple,
        st.builds(ops.OneOf, ops=lists, probability=chance),
        st.builds(ops.SomeOf, ops=lists, count=st.integers(0, 1)),
    )


pipelines = st.builds(
    Pipeline,
    dimension=st.sampled_from([None, 3]),
    reference=st.sampled_from([None, Reference(size_x=9), Reference(spacing_mm=(1, 2, 0.1))]),
    images=st.builds(ImageSampling, fill=st.one_of(finite, st.just("edge"))),
    labels=st.builds(LabelSampling, interpolation=st.sampled_from(["nearest", "label_linear"])),
    sampling=st.dictionaries(
        words, st.sampled_from([ImageSampling(nan=0.0), LabelSampling(fill=3), LabelSampling()])
    ),
    spatial=st.lists(with_choices(spatial), max_size=3).map(tuple),
    intensity=st.lists(with_choices(intensity), max_size=2).map(tuple),
    design=st.sampled_from(
        [
            *(None, Random(), Random(count=3), FullFactorial(levels=2, limit=5)),
            *(LatinHypercube(count=9), Sobol(count=8)),
            *(Explicit(points=((0.5, 1e-7),)), Explicit(values=((1, "no"), (2.5, "b c")))),
        ]
    ),
    seed=st.integers(0, 2**64 - 1),
)
thorough = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def test_the_documented_file_is_the_documented_pipeline():
    pipeline = parse_pipeline(DOCUMENTED)
    assert pipeline == SAME
    assert pipeline.digest == SAME.digest


@thorough
@given(pipelines)
def test_what_is_written_reads_back_equal(pipeline):
    for name in ("p.yaml", "p.json"):
        text = dump_pipeline(pipeline) if name == "p.yaml" else json.dumps(spelled(pipeline))
        again = parse_pipeline(text, name)
        assert again == pipeline
        assert again.digest == pipeline.digest


@thorough
@given(pipelines)
def test_yaml_1_1_reads_the_same(pipeline):
    """Many editors and programs still read the older YAML."""
    from ruamel.yaml import YAML

    text = "%YAML 1.1\n---\n" + dump_pipeline(pipeline)
    assert YAML(typ="safe", pure=True).load(text) == spelled(pipeline)


@thorough
@given(pipelines)
def test_the_schema_accepts_what_is_written(pipeline):
    VALIDATOR.validate(spelled(pipeline))
    VALIDATOR.validate(json.loads(json.dumps(plain(pipeline))))


def test_a_written_file_is_short():
    assert dump_pipeline(SAME) == (
        "schema_version: 1\n"
        "reference: {size: [128, 128, 128]}\n"
        "spatial:\n"
        "  - op: affine\n"
        "    rotation_deg: {uniform: [-10, 10]}\n"
        "    scale: {uniform: [0.9, 1.1]}\n"
        "  - op: elastic\n"
        "    magnitude_mm: {uniform: [0, 6]}\n"
        "    probability: 0.5\n"
        "intensity:\n"
        "  - op: gamma\n"
        "design: {random: {count: 100}}\n"
        "seed: 7\n"
    )


def test_the_schema_line_is_written_only_where_an_address_is_given():
    text = dump_pipeline(SAME, schema="https://example.org/s.json")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=https://example.org/s.json"
    assert parse_pipeline(text) == SAME


@pytest.mark.parametrize("name", ["p.yaml", "p.yml", "p.json", "P.JSON"])
def test_files_round_trip(tmp_path, name):
    path = tmp_path / name
    text = dump_pipeline(SAME, path)
    assert path.read_text(encoding="utf-8") == text
    assert load_pipeline(path) == SAME
    assert load_pipeline(str(path)) == SAME


def test_a_byte_order_mark_and_crlf_are_read(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + DOCUMENTED.replace("\n", "\r\n").encode())
    assert load_pipeline(path) == SAME


def test_aliases_of_a_sensible_size_are_read():
    text = "spatial:\n  - &a {op: flip}\n  - *a\n"
    assert parse_pipeline(text) == Pipeline(spatial=(ops.Flip(), ops.Flip()))


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        *(("1e-3", 0.001), ("0.5", 0.5), ("2", 2.0), ("1_000", 1000.0), ("0x10", 16.0)),
        *(("012", 12.0), ("+3", 3.0), (".5", 0.5), ("1.5E+2", 150.0), ("0o17", 15.0)),
    ],
)
def test_numbers_are_those_of_yaml_1_2(spelling, value):
    text = f"intensity: [{{op: gamma, gamma: {spelling}}}]"
    assert parse_pipeline(text).intensity[0].gamma == value


@pytest.mark.parametrize("word", ["no", "on", "12:30", "2024-01-01", "y", "0x", "~x"])
def test_words_of_yaml_1_2_stay_words(word):
    pipeline = parse_pipeline(f"sampling: {{{word}: {{role: labels}}}}")
    assert list(pipeline.sampling) == [word]


WRONG_YAML = [
    (
        "spatial:\n  - op: flip\n  - op: affine\n    scale: 1\n\n    rotatoin_deg: 3\n",
        'p.yaml:6: spatial[1] (affine): unknown key "rotatoin_deg"; did you mean "rotation_deg"?',
    ),
    ("sptial: []\n", 'p.yaml:1: unknown key "sptial"; did you mean "spatial"?'),
    (
        "spatial:\n  - op: afine\n",
        'p.yaml:2: spatial[0]: unknown op "afine"; did you mean "affine"?',
    ),
    ("spatial:\n  - {}\n", 'p.yaml:2: spatial[0]: "op" is missing'),
    ("spatial:\n  - op: flip\n  - flip\n", 'p.yaml:3: spatial[1]: must be a mapping, got "flip"'),
    (
        "spatial:\n  - op: affine\n    rotation_deg: {unifrom: [1, 2]}\n",
        (
            "p.yaml:3: spatial[0] (affine): rotation_deg has an unknown distribution "
            '"unifrom"; did you mean "uniform"?'
        ),
    ),
    (
        "spatial:\n  - op: affine\n    rotation_deg: {uniform: [10, -10]}\n",
        (
            "p.yaml:3: spatial[0] (affine): rotation_deg uniform [10, -10]: low must not be above "
            "high; swap them"
        ),
    ),
    (
        "spatial:\n  - op: affine\n    rotation_deg: 1000\n",
        (
            "p.yaml:3: spatial[0] (affine): rotation_deg must be a number from -360 to 360 "
            "degrees, got 1000"
        ),
    ),
    (
        "spatial:\n  - op: affine\n    scale: '1.1'\n",
        (
            "p.yaml:3: spatial[0] (affine): scale must be a number above 0, or a distribution of "
            'such; got "1.1"'
        ),
    ),
    (
        "spatial:\n  - op: affine\n    scale: 1e400\n",
        (
            "p.yaml:3: spatial[0] (affine): scale must be a number above 0, or a distribution of "
            "such; got Infinity"
        ),
    ),
    (
        "spatial:\n  - op: one_of\n    ops:\n      - op: flip\n      - op: flip\n        axis: q\n",
        (
            "p.yaml:6: spatial[0] (one_of).ops[1] (flip): axis must be one of left-right, "
            'anterior-posterior, inferior-superior, i, j, k; got "q"'
        ),
    ),
    (
        "intensity: []\nspatial:\n\n  - op: gamma\n",
        "p.yaml:4: spatial[0] (gamma): belongs under intensity, not spatial",
    ),
    ("spatial: {op: flip}\n", 'p.yaml:1: spatial must be a list, got {"op": "flip"}'),
    (
        "spatial:\n  - op: flip\n    id: a\n  - op: flip\n    id: a\n",
        'p.yaml:5: spatial[1] (flip): has the id "a" of another op',
    ),
    (
        "reference:\n  size: [1, 2]\n  spacing: 3\n",
        'p.yaml:3: reference: unknown key "spacing"; did you mean "spacing_mm"?',
    ),
    (
        "reference:\n  size: [1, 2.5]\n",
        "p.yaml:2: reference: size entry 1 must be a whole number from 1 up, got 2.5",
    ),
    (
        "reference: {}\n",
        "p.yaml:1: reference: takes exactly one of size, spacing_mm, size_x and like",
    ),
    (
        "design:\n  sobl: {count: 4}\n",
        'p.yaml:2: design: unknown design "sobl"; did you mean "sobol"?',
    ),
    (
        "design:\n  sobol:\n    count: 100\n",
        "p.yaml:3: design.sobol: count must be a power of two, got 100; the nearest are 64 and 128",
    ),
    (
        "design:\n  random:\n    cuont: 3\n",
        'p.yaml:3: design.random: unknown key "cuont"; did you mean "count"?',
    ),
    (
        "design: random\n",
        (
            "p.yaml:1: design must be one design with its fields, such as {random: {count: 100}}, "
            'got "random"'
        ),
    ),
    (
        "images:\n  interpolation: cubc\n",
        "p.yaml:2: images: interpolation must be 'linear', 'nearest' or 'cubic', got \"cubc\"",
    ),
    (
        "sampling:\n  ct:\n    interpolation: cubc\n",
        'p.yaml:3: sampling.ct: interpolation "cubc" is unknown; did you mean "cubic"?',
    ),
    (
        "sampling:\n  ct:\n    fill: 3\n",
        "p.yaml:2: sampling.ct: fits images and labels alike; add role: images or role: labels",
    ),
    ("seed: -1\n", "p.yaml:1: seed must be a whole number from 0 to 18446744073709551615, got -1"),
    (
        "seed: true\n",
        "p.yaml:1: seed must be a whole number from 0 to 18446744073709551615, got true",
    ),
    ("schema_version: 2\n", "p.yaml:1: schema_version is 2; this version of millimorph reads 1"),
    ("seed: 1\nspatial: []\nseed: 2\n", 'p.yaml:3: the key "seed" is given twice'),
    ("seed: 1\nspatial: [\n", "p.yaml:3: not YAML: expected the node content"),
    ("seed: 1\n\tspatial: []\n", "p.yaml:2: not YAML: found character '\\t'"),
    ("a: b: c\n", "p.yaml:1: not YAML: mapping values are not allowed here"),
    ("seed: 1\n--- \nseed: 2\n", "p.yaml:2: not YAML: but found another document"),
    ("seed: \x00\n", "p.yaml: not YAML: unacceptable character"),
    ("", "p.yaml: is empty"),
    ("# nothing\n", "p.yaml: is empty"),
    ("- op: flip\n", "p.yaml:1: must be a mapping with keys such as spatial, got"),
    ("just words\n", "p.yaml:1: must be a mapping with keys such as spatial, got"),
    ("null\n", "p.yaml:1: must be a mapping with keys such as spatial, got null"),
    ("1: 2\n", "p.yaml:1: a key must be a text; put quotes around it"),
    ("? [a]\n: 2\n", "p.yaml:1: a key must be a text"),
    (
        "seed: !!python/object/apply:os.system ['true']\n",
        "p.yaml:1: the tag tag:yaml.org,2002:python/object/apply:os.system is not read",
    ),
    ("seed: !mine 3\n", "p.yaml:1: the tag !mine is not read"),
    ("a: &a {b: 1}\nc:\n  <<: *a\n", "p.yaml:3: merge keys (<<) are not read"),
    ("seed: *nowhere\n", "p.yaml:1: not YAML: found undefined alias"),
    ("a: &a [*a]\n", "p.yaml:1: nested too deeply"),
    ("seed: " + "9" * 5000 + "\n", "is no number that can be read"),
    ("seed: !!int abc\n", 'p.yaml:1: "abc" is no number that can be read'),
]


@pytest.mark.parametrize(("text", "told"), WRONG_YAML)
def test_a_mistake_is_told_with_its_line(text, told):
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text, "p.yaml")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '{\n  "spatial": [\n    {"op": "flip",\n\t\t"axis": "q"}\n  ]\n}',
            "p.json:4: spatial[0] (flip): axis must be one of",
        ),
        ('{"seed": 1,\n "seed": 2}', 'p.json:2: the key "seed" is given twice'),
        ('{"seed": 1,\n "spatial": [\n}', "p.json:3: not JSON"),
        ('{\n"seed": NaN}', "p.json:2: seed must be a whole number"),
        ('{"seed":\n\n1e400}', "p.json:1: seed must be a whole number"),
        ("", "p.json: is empty"),
        ("[1]", "p.json:1: must be a mapping"),
        ("[" * 200_000, "p.json: nested too deeply"),
        ('{"seed": ' + "9" * 5000 + "}", "p.json: not JSON"),
    ],
)
def test_a_mistake_in_json_is_told_with_its_line(text, told):
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text, "p.json")
    assert told in str(caught.value)


def test_all_mistakes_are_told_each_on_its_line():
    text = "spatial:\n  - op: affine\n    scale: -1\n    shaer: 2\n  - op: aff\nsead: 3\n"
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text, "p.yaml")
    lines = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["6", "4", "3", "5"]


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [1, 1]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 40)),
        "x: &x " + "[" * 30 + "1" + "]" * 30 + "\n" + "y: [" + "*x, " * 60_000 + "1]\n",
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 100_000,
        "&a " * 10_000,
    ],
    ids=["aliases", "many aliases", "brackets", "braces", "dashes", "anchors"],
)
def test_hostile_texts_are_refused_soon(text):
    begin = time.perf_counter()
    with pytest.raises(PipelineError):
        parse_pipeline(text, "p.yaml")
    assert time.perf_counter() - begin < 30


def test_large_files_are_refused(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("seed: 1 #" + "x" * 10_000_000)
    with pytest.raises(FileError, match="too large for a pipeline"):
        load_pipeline(path)
    with pytest.raises(PipelineError, match="write it as JSON"):
        parse_pipeline("seed: 1 #" + "x" * 1_000_000)


def test_a_long_explicit_design_is_read_from_json(tmp_path):
    vectors = [[k / 50_000, 0.5] for k in range(50_000)]
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"design": {"explicit": {"points": vectors}}}))
    assert len(load_pipeline(path).design.points) == 50_000


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("p.toml", b"", "ends in .yaml, .yml, .json"),
        ("p.yaml", None, "no such file"),
        ("p.yaml", b"seed: \xff", "not UTF-8 at byte 6"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path, name, content, told):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=told) as caught:
        load_pipeline(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_pipeline(tmp_path):
    (tmp_path / "p.yaml").mkdir()
    with pytest.raises(FileError, match="no such file"):
        load_pipeline(tmp_path / "p.yaml")


def test_an_unwritable_path_is_named(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        dump_pipeline(SAME, tmp_path / "missing" / "p.yaml")
    with pytest.raises(FileError, match="ends in"):
        dump_pipeline(SAME, tmp_path / "p.txt")


SCHEMA = pipeline_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema_and_json():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA


def test_the_schema_accepts_the_documented_file():
    from ruamel.yaml import YAML

    VALIDATOR.validate(YAML(typ="safe", pure=True).load(DOCUMENTED))


@pytest.mark.parametrize(
    "spelling",
    [
        {"uniform": [1, 2]},
        {"normal": [1, 0.01]},
        {"truncated_normal": [1, 1, 0.5, 2]},
        {"choice": [1, 2]},
        {"choice": {"values": [1, 2], "weights": [1, 3]}},
        1.5,
    ],
)
def test_the_schema_accepts_every_spelling_of_a_parameter(spelling):
    data = {"intensity": [{"op": "gamma", "gamma": spelling}]}
    VALIDATOR.validate(data)
    parse_pipeline(json.dumps(data), "p.json")


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"sptial": []},
        {"schema_version": 2},
        {"dimension": 4},
        {"seed": -1},
        {"seed": 1.5},
        {"spatial": {"op": "flip"}},
        {"spatial": [{}]},
        {"spatial": [{"axis": "i"}]},
        {"spatial": [{"op": "afine"}]},
        {"spatial": [{"op": "gamma"}]},
        {"intensity": [{"op": "flip"}]},
        {"spatial": [{"op": "affine", "rotatoin_deg": 3}]},
        {"spatial": [{"op": "affine", "rotation_deg": 1000}]},
        {"spatial": [{"op": "affine", "rotation_deg": [1, 2]}]},
        {"spatial": [{"op": "affine", "scale": 0}]},
        {"spatial": [{"op": "affine", "scale": "1"}]},
        {"spatial": [{"op": "affine", "scale": {"unifrom": [1, 2]}}]},
        {"spatial": [{"op": "affine", "scale": {"uniform": [1]}}]},
        {"spatial": [{"op": "affine", "scale": {"uniform": [1, 2], "normal": [1, 2]}}]},
        {"spatial": [{"op": "flip", "probability": {"uniform": [0, 1]}}]},
        {"spatial": [{"op": "flip", "probability": 2}]},
        {"spatial": [{"op": "flip", "label_pairs": [[1, 2, 3]]}]},
        {"spatial": [{"op": "flip", "label_pairs": [[1, "a"]]}]},
        {"spatial": [{"op": "quarter_turn", "turns": 4}]},
        {"spatial": [{"op": "elastic", "control_points": 3}]},
        {"spatial": [{"op": "elastic", "control_points": 5, "control_spacing_mm": 3}]},
        {"spatial": [{"op": "radial_distortion", "unit": "mm"}]},
        {"spatial": [{"op": "transform", "kind": "Euler3D"}]},
        {"spatial": [{"op": "warp"}]},
        {"spatial": [{"op": "one_of", "ops": []}]},
        {"spatial": [{"op": "one_of", "ops": [{"op": "gamma"}]}]},
        {"spatial": [{"op": "some_of", "ops": [{"op": "flip"}]}]},
        {"intensity": [{"op": "gaussian_noise", "std": 1, "std_fraction": 0.1}]},
        {"reference": {}},
        {"reference": {"size": [1, 2], "size_x": 3}},
        {"reference": {"size": [1]}},
        {"images": {"interpolation": "label_linear"}},
        {"images": {"fill": "zero"}},
        {"labels": {"fill": 0.5}},
        {"sampling": {"ct": {"fill": 3}}},
        {"design": {}},
        {"design": "random"},
        {"design": {"sobol": {"count": 3}}},
        {"design": {"random": {"cuont": 3}}},
        {"design": {"random": {}, "sobol": {"count": 4}}},
        {"design": {"explicit": {}}},
        {"design": {"explicit": {"points": [[2]]}}},
    ],
    ids=json.dumps,
)
def test_schema_and_reader_refuse_the_same(data):
    assert not VALIDATOR.is_valid(data)
    with pytest.raises(PipelineError):
        parse_pipeline(json.dumps(data), "p.json")


def test_the_schema_explains_itself():
    """Editors show these texts and values."""
    affine = SCHEMA["$defs"]["Affine"]
    assert "Rotation, scaling, shear" in affine["description"]
    assert SCHEMA["$defs"]["Gamma"]["properties"]["gamma"]["default"] == {"log_uniform": [0.7, 1.5]}
    assert SCHEMA["$defs"]["Elastic"]["properties"]["control_spacing_mm"]["default"] == 40
    assert Normal.keyword in SCHEMA["$defs"]["distribution"]["properties"]


def test_a_parameter_may_be_named_like_a_list_of_ops():
    """Ghosts have an intensity, and so has a pipeline."""
    ghosts = ops.Ghosting(intensity=Uniform(0.1, 0.3))
    pipeline = Pipeline(intensity=(ops.OneOf(ops=(ghosts, ops.Gamma())),))
    assert parse_pipeline(dump_pipeline(pipeline)) == pipeline
