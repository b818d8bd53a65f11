"""From a pipeline to recipes: numbers only, the same for the same seed, case and index."""

import itertools
import json
import math
import pickle
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from millimorph import ops
from millimorph.designs import Explicit, FullFactorial, LatinHypercube, Random, Sobol
from millimorph.distributions import Choice, LogUniform, Normal, Uniform
from millimorph.errors import PipelineError
from millimorph.kernels.philox import stream_key, uniforms
from millimorph.recipe import (
    ENGINE,
    ImageSampling,
    LabelSampling,
    Pipeline,
    Recipe,
    Reference,
    coordinate_list,
    describe_design,
    draw,
    sample_count,
)

EXAMPLE = Pipeline(
    reference=Reference(size=(128, 128, 128)),
    spatial=(
        ops.Affine(rotation_deg=Uniform(-10, 10), scale=Uniform(0.9, 1.1)),
        ops.Elastic(control_spacing_mm=40, magnitude_mm=Uniform(0, 6)),
        ops.Flip(axis="left-right", probability=0.5, label_pairs=((2, 3),)),
    ),
    intensity=(
        ops.Gamma(gamma=LogUniform(0.7, 1.5)),
        ops.GaussianNoise(std_fraction=Uniform(0, 0.05)),
    ),
)
NOTEBOOK = Pipeline(
    spatial=(
        ops.Affine(
            rotation_deg=(Uniform(-22.5, 22.5),),
            scale=Uniform(0.9, 1.1),
            translation_mm=(Uniform(-10, 10), Uniform(-10, 10)),
        ),
    )
)
BRANCHED = Pipeline(
    spatial=(
        ops.OneOf(
            ops=(ops.Affine(rotation_deg=Uniform(-1, 1)), ops.Elastic(), ops.Flip(probability=0.5)),
            weights=(1, 2, 3),
        ),
        ops.SomeOf(
            ops=(ops.Flip(axis="i"), ops.Flip(axis="j"), ops.Affine(scale=Uniform(1, 2))),
            count=Choice((1, 2)),
        ),
    ),
    intensity=(ops.Gamma(probability=0.3),),
)
PIPELINES = {"example": EXAMPLE, "notebook": NOTEBOOK, "branched": BRANCHED}


def recipes(pipeline, count=None, **choices):
    return list(itertools.islice(draw(pipeline, **choices), count))


def applied(recipe):
    return [op.id for op in (*recipe.spatial, *recipe.intensity)]


def test_a_recipe_holds_the_numbers_of_its_sample():
    recipe = recipes(EXAMPLE, 1, seed=7, case="p01")[0]
    assert (recipe.case, recipe.seed, recipe.index) == ("p01", 7, 0)
    assert recipe.engine == ENGINE
    assert recipe.pipeline == EXAMPLE.digest
    assert recipe.reference == EXAMPLE.reference
    affine = recipe.spatial[0]
    assert affine.id == "affine"
    assert len(set(affine.rotation_deg)) == 3
    assert all(-10 <= angle <= 10 for angle in affine.rotation_deg)
    assert len(set(affine.scale)) == 1
    for op in (*recipe.spatial, *recipe.intensity):
        assert op.is_realised()
        assert op.probability == 1.0


def test_a_coordinate_is_the_keyed_uniform_number():
    """The law that documents a recipe: u = uniforms(("design", seed, case, index, name))."""
    recipe = recipes(EXAMPLE, 5, seed=7, case="p01")[4]
    u = float(uniforms(stream_key("design", 7, "p01", 4, "elastic.magnitude_mm"), 1)[0])
    assert recipe.spatial[1].magnitude_mm == Uniform(0, 6).quantile(u)


def test_a_stream_is_keyed_by_seed_case_index_and_op():
    recipe = recipes(EXAMPLE, 5, seed=7, case="p01")[4]
    assert recipe.stream("elastic") == stream_key("op", 7, "p01", 4, "elastic")


DESIGNS = [
    Random(),
    Random(count=16),
    LatinHypercube(count=16),
    Sobol(count=16),
    FullFactorial(levels=2, limit=10**6),
]


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.KEYWORD)
def test_a_slice_has_the_recipes_of_the_whole(name, design):
    choices = {"design": design, "seed": 3, "case": "p"}
    whole = recipes(PIPELINES[name], 16, **choices)
    for start, stop in ((0, 3), (5, 11), (11, 12), (4, 4)):
        assert recipes(PIPELINES[name], start=start, stop=stop, **choices) == whole[start:stop]


def test_a_slice_ends_with_its_design():
    assert len(recipes(EXAMPLE, design=Random(count=5), start=3, stop=90)) == 2
    assert recipes(EXAMPLE, design=Random(count=5), start=7, stop=9) == []


def test_drawing_is_lazy():
    endless = draw(EXAMPLE, Random())
    assert [next(endless).index for _ in range(3)] == [0, 1, 2]
    vast = draw(EXAMPLE, LatinHypercube(count=1000), start=999)
    assert next(vast).index == 999


def test_the_pipeline_design_and_seed_are_the_defaults():
    own = EXAMPLE.replace(design=Sobol(count=4), seed=11)
    assert [recipe.seed for recipe in recipes(own)] == [11] * 4
    assert sample_count(own) == 4
    assert sample_count(own, Random(count=9)) == 9
    with pytest.raises(PipelineError, match="never ends"):
        sample_count(EXAMPLE)


@pytest.mark.parametrize("choices", [{"start": -1}, {"start": 3, "stop": 2}, {"seed": -1}])
def test_draw_refuses_what_makes_no_sense_before_it_starts(choices):
    with pytest.raises(PipelineError):
        draw(EXAMPLE, **choices)


def test_draw_refuses_a_case_without_a_name():
    with pytest.raises(PipelineError, match="case"):
        draw(EXAMPLE, case="")
    with pytest.raises(PipelineError, match="case"):
        draw(EXAMPLE, case="\ud800")


inserted = st.sampled_from(
    [
        ops.Rotation(),
        ops.Diffeomorphic(),
        ops.QuarterTurn(probability=0.5),
        ops.Affine(id="other"),
        ops.Affine(probability=0.0),
        ops.Elastic(probability=0.0),
        ops.Flip(probability=0.0, axis="i"),
        ops.OneOf(ops=(ops.Affine(), ops.Elastic(), ops.Flip())),
        ops.SomeOf(ops=(ops.Affine(), ops.Elastic()), count=1),
    ]
)


@settings(max_examples=40, deadline=None)
@given(
    op=inserted,
    place=st.integers(0, 3),
    seed=st.integers(0, 2**64 - 1),
    design=st.sampled_from([Random(count=3), LatinHypercube(count=3)]),
)
def test_an_inserted_op_changes_the_numbers_of_no_other(op, place, seed, design):
    spatial = (*EXAMPLE.spatial[:place], op, *EXAMPLE.spatial[place:])
    longer = EXAMPLE.replace(spatial=spatial)
    known = {"affine", "elastic", "flip", "gamma", "gaussian_noise"}
    pairs = zip(
        recipes(EXAMPLE, design=design, seed=seed),
        recipes(longer, design=design, seed=seed),
        strict=True,
    )
    for before, after in pairs:
        kept = [one for one in (*after.spatial, *after.intensity) if one.id in known]
        assert kept == [*before.spatial, *before.intensity]


def test_an_op_of_probability_0_changes_the_pipeline_but_no_number():
    longer = EXAMPLE.replace(spatial=(ops.Affine(probability=0.0), *EXAMPLE.spatial))
    assert coordinate_list(longer) == coordinate_list(EXAMPLE)
    before, after = (recipes(one, 1)[0] for one in (EXAMPLE, longer))
    assert after.replace(pipeline=before.pipeline) == before


def test_ids_are_names_numbered_by_occurrence():
    pipeline = Pipeline(
        spatial=(ops.Flip(), ops.Flip(axis="i"), ops.Flip(axis="j", id="mine")),
        intensity=(ops.OneOf(ops=(ops.Gamma(), ops.Gamma(id="dark"))),),
    )
    recipe = recipes(pipeline, 1)[0]
    assert applied(recipe)[:3] == ["flip", "flip_2", "mine"]
    assert applied(recipe)[3] in {"one_of.gamma", "one_of.dark"}


def test_a_taken_name_is_not_given_again():
    pipeline = Pipeline(spatial=(ops.Flip(id="affine"), ops.Affine(rotation_deg=0)))
    assert applied(recipes(pipeline, 1)[0]) == ["affine", "affine_2"]


def test_doubled_ids_are_refused():
    with pytest.raises(PipelineError, match=r'spatial\[1\] \(flip\): has the id "a"'):
        Pipeline(spatial=(ops.Flip(id="a"), ops.Flip(id="a")))
    choice = ops.OneOf(id="c", ops=(ops.Flip(id="x"),))
    with pytest.raises(PipelineError, match=r'has the id "c\.x"'):
        Pipeline(spatial=(choice, ops.Flip(id="c.x")))


def test_the_notebooks_grid_has_81_recipes_with_the_ends():
    assert NOTEBOOK.axes == 2
    assert [coordinate.name for coordinate in coordinate_list(NOTEBOOK)] == [
        *("affine.rotation_deg.z", "affine.scale"),
        *("affine.translation_mm.x", "affine.translation_mm.y"),
    ]
    design = FullFactorial(levels=3)
    assert describe_design(NOTEBOOK, design) == "4 parameters × 3 values = 3^4 = 81 images"
    drawn = [recipe.spatial[0] for recipe in draw(NOTEBOOK, design)]
    found = [(*op.rotation_deg, op.scale[0], *op.translation_mm) for op in drawn]
    middle = Uniform(0.9, 1.1).quantile(0.5)
    shifts = (-10.0, 0.0, 10.0)
    assert found == list(itertools.product((-22.5, 0.0, 22.5), (0.9, middle, 1.1), shifts, shifts))
    assert middle == pytest.approx(1.0, abs=1e-15)


def test_a_full_factorial_over_branches_makes_no_image_twice():
    design = FullFactorial(levels=2, limit=10**6)
    drawn = recipes(BRANCHED, design=design)
    assert len(drawn) == sample_count(BRANCHED, design)
    assert len({recipe.replace(index=0).digest for recipe in drawn}) == len(drawn)


def test_a_full_factorial_above_its_limit_says_what_to_do():
    with pytest.raises(PipelineError, match=r"3\^3 = 27 images, above the limit of 20; .* raise"):
        draw(Pipeline(spatial=(ops.Affine(translation_mm=Uniform(0, 1)),)), FullFactorial(limit=20))


def test_an_op_takes_part_as_often_as_its_probability_says():
    drawn = recipes(EXAMPLE, 600)
    count = sum("flip" in applied(recipe) for recipe in drawn)
    assert stats.binomtest(count, 600, 0.5).pvalue > 1e-4


def test_a_latin_hypercube_stratifies_probabilities_and_branches():
    drawn = recipes(BRANCHED, design=LatinHypercube(count=60))
    counts = Counter(name for recipe in drawn for name in applied(recipe))
    assert counts["one_of.affine"] == 10
    assert counts["one_of.elastic"] == 20
    assert counts["gamma"] == 18


def test_one_of_chooses_by_its_weights():
    """The flip, chosen half of the time, then takes part half of the time."""
    drawn = recipes(BRANCHED, 800)
    counts = Counter(name for recipe in drawn for name in applied(recipe))
    found = [counts[f"one_of.{name}"] for name in ("affine", "elastic", "flip")]
    shares = [1 / 6, 1 / 3, 1 / 4]
    for count, share in zip(found, shares, strict=True):
        assert stats.binomtest(count, 800, share).pvalue > 1e-4


def test_an_op_of_weight_0_is_never_chosen_and_has_no_coordinates():
    choice = ops.OneOf(
        ops=(ops.Affine(scale=Uniform(1, 2)), ops.Flip(), ops.Elastic()), weights=(0, 1, 1)
    )
    pipeline = Pipeline(spatial=(choice,))
    names = [coordinate.name for coordinate in coordinate_list(pipeline)]
    assert names == ["one_of.branch", "one_of.elastic.magnitude_mm"]
    drawn = recipes(pipeline, design=FullFactorial(levels=3))
    assert Counter(applied(recipe)[0] for recipe in drawn) == {
        "one_of.flip": 1,
        "one_of.elastic": 3,
    }


def test_some_of_chooses_every_subset_alike_and_keeps_the_listed_order():
    four = tuple(ops.Flip(axis=axis, id=axis) for axis in ("i", "j", "k"))
    pipeline = Pipeline(spatial=(ops.SomeOf(ops=four, count=2),))
    drawn = [tuple(op.axis for op in recipe.spatial) for recipe in recipes(pipeline, 900)]
    counts = Counter(drawn)
    assert set(counts) == {("i", "j"), ("i", "k"), ("j", "k")}
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


def test_names_of_coordinates_do_not_depend_on_the_branch():
    names = [coordinate.name for coordinate in coordinate_list(BRANCHED)]
    assert names == [
        "one_of.branch",
        *(f"one_of.affine.rotation_deg.{axis}" for axis in "xyz"),
        "one_of.elastic.magnitude_mm",
        "one_of.flip.probability",
        "some_of.count",
        *("some_of.flip.rank", "some_of.flip_2.rank", "some_of.affine.rank"),
        "some_of.affine.scale",
        *("gamma.probability", "gamma.gamma"),
    ]


def test_explicit_values_are_taken_as_they_are():
    pipeline = Pipeline(
        spatial=(
            ops.OneOf(ops=(ops.Flip(), ops.Affine(scale=Uniform(0.9, 1.1)))),
            ops.Pad(probability=0.5),
        )
    )
    design = Explicit(values=(("one_of.affine", 1.5, 0), ("one_of.flip", 1, 1)))
    first, second = recipes(pipeline, design=design)
    assert (applied(first), first.spatial[0].scale) == (["one_of.affine"], (1.5,) * 3)
    assert applied(second) == ["one_of.flip", "pad"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("affine", 1, 0), "branch must be one of one_of.flip, one_of.affine"),
        (("one_of.affine", -1, 0), "point 0 of the design: Affine: scale entry 0 must be"),
        (("one_of.affine", "big", 0), "scale entry 0 must be"),
        (("one_of.affine", 1, 0.5), r"pad.probability must be 1 \(takes part\) or 0"),
        ((1, 1), "needs 3 entries"),
    ],
)
def test_explicit_values_are_checked(values, told):
    pipeline = Pipeline(
        spatial=(
            ops.OneOf(ops=(ops.Flip(), ops.Affine(scale=Uniform(0.9, 1.1)))),
            ops.Pad(probability=0.5),
        )
    )
    with pytest.raises(PipelineError, match=told):
        recipes(pipeline, design=Explicit(values=(values,)))


@pytest.mark.parametrize(
    ("pipeline", "axes"),
    [
        (Pipeline(), 3),
        (Pipeline(dimension=2), 2),
        (Pipeline(reference=Reference(size=(3, 4))), 2),
        (Pipeline(reference=Reference(spacing_mm=1.5)), 3),
        (Pipeline(reference=Reference(spacing_mm=(1.5, 1))), 2),
        (Pipeline(spatial=(ops.Affine(rotation_deg=(3,)),)), 2),
        (Pipeline(spatial=(ops.Affine(shear=(0.1,)),)), 2),
        (Pipeline(spatial=(ops.Flip(), ops.Crop(size=(3, 4)))), 2),
        (Pipeline(spatial=(ops.OneOf(ops=(ops.Affine(centre_mm=(0, 0)),)),)), 2),
        (Pipeline(spatial=(ops.Transform(kind="Euler2D", parameters=(0, 1, 2)),)), 2),
    ],
)
def test_the_dimension_is_told_or_read_off_the_lists(pipeline, axes):
    assert pipeline.axes == axes


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: Pipeline(reference=Reference(size=(3, 4)), dimension=3),
            "dimension is for 3D and reference.size for 2D",
        ),
        (
            lambda: Pipeline(
                spatial=(ops.Affine(translation_mm=(1, 2)), ops.Affine(scale=(1, 2, 3)))
            ),
            r"spatial\[0\] \(affine\).translation_mm is for 2D and spatial\[1\] \(affine\).scale",
        ),
        (
            lambda: Pipeline(dimension=2, spatial=(ops.QuarterTurn(axis="i"),)),
            'axis must be "k" in 2D',
        ),
        (lambda: Pipeline(spatial=(ops.Gamma(),)), r"spatial\[0\] \(gamma\): belongs under inten"),
        (lambda: Pipeline(intensity=(ops.Flip(),)), r"intensity\[0\] \(flip\): belongs under spat"),
        (lambda: Pipeline(spatial=ops.Flip()), "spatial must be a list"),
        (lambda: Pipeline(seed=-1), "seed must be a whole number from 0"),
        (lambda: Pipeline(dimension=4), "dimension must be a whole number from 2 to 3"),
        (lambda: Pipeline(schema_version=2), "schema_version"),
        (Reference, "exactly one of size, spacing_mm, size_x and like"),
        (lambda: Reference(size=(1, 2), size_x=3), "exactly one of"),
        (lambda: Reference(size=(0, 2)), "size entry 0 must be a whole number from 1"),
        (lambda: Reference(size_x=10, alignment="lps"), "alignment must be 'image' or 'patient'"),
        (lambda: ImageSampling(interpolation="cubc"), "interpolation must be 'linear'"),
        (lambda: ImageSampling(fill="zero"), "fill must be a number or one of background"),
        (lambda: LabelSampling(fill=0.5), "fill must be a whole number"),
        (lambda: LabelSampling(interpolation="linear"), "'nearest' or 'label_linear'"),
        (lambda: Pipeline(sampling={"ct": {"fill": 3}}), "add role: images or role: labels"),
    ],
)
def test_a_wrong_pipeline_says_what_is_wrong(make, told):
    with pytest.raises(PipelineError, match=told):
        make()


def test_the_sampling_of_a_role_is_told_by_its_words():
    pipeline = Pipeline(
        sampling={
            "ct": {"interpolation": "cubic"},
            "organs": {"interpolation": "label_linear"},
            "mr": {"fill": "edge"},
            "mask": {"role": "labels", "fill": 1},
        }
    )
    kinds = [type(one) for one in pipeline.sampling.values()]
    assert kinds == [ImageSampling, LabelSampling, ImageSampling, LabelSampling]


@pytest.mark.parametrize("name", PIPELINES)
def test_json_gives_back_the_recipe_with_every_bit(name):
    for recipe in recipes(PIPELINES[name], 5, seed=2**64 - 1, case="Ä \U0001f600"):
        again = Recipe.from_json(recipe.json())
        assert again == recipe
        assert again.digest == recipe.digest
        assert again.json() == recipe.json()
        assert Recipe.from_json(recipe.json().encode()) == recipe
        assert hash(again) == hash(recipe)
        assert pickle.loads(pickle.dumps(recipe)) == recipe  # noqa: S301 (our own bytes)


def test_the_json_text_is_canonical():
    text = recipes(EXAMPLE, 1)[0].json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert text.isascii()


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-300))
def test_every_number_survives_json(gamma):
    recipe = Recipe(
        case="c",
        seed=0,
        index=0,
        pipeline="0" * 64,
        intensity=(ops.Gamma(gamma=gamma, id="g"),),
    )
    assert Recipe.from_json(recipe.json()).intensity[0].gamma.hex() == float(gamma).hex()


def test_digests_tell_pipelines_apart():
    others = [
        EXAMPLE.replace(seed=1),
        EXAMPLE.replace(design=Random()),
        EXAMPLE.replace(spatial=EXAMPLE.spatial[:2]),
        EXAMPLE.replace(sampling={"ct": ImageSampling()}),
    ]
    assert len({one.digest for one in (EXAMPLE, *others)}) == 5
    assert EXAMPLE.replace().digest == EXAMPLE.digest
    assert hash(EXAMPLE.replace()) == hash(EXAMPLE)


def test_the_digest_of_a_pipeline_stays_what_it_is():
    """It names samples in sidecars and manifests."""
    assert Pipeline(spatial=(ops.Flip(),)).digest == (
        "71c068ef52c36ffffa5d8585549048148ee4cc61997191b329e243d005203da5"
    )


def data_of(**changes):
    return {**json.loads(recipes(EXAMPLE, 1)[0].json()), **changes}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("[", "not JSON"),
        ("3", "must be a mapping"),
        (b"\xff", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', 'the key "a" is given twice'),
        (json.dumps(data_of(schema_version=2)), "schema_version is 2; .* reads 1"),
        (json.dumps(data_of(schema_version=True)), "schema_version is true"),
        (json.dumps(data_of(colour="red")), 'unknown key "colour"'),
        (json.dumps(data_of(seed=1.5)), "seed must be a whole number"),
        (json.dumps(data_of(seed=2**64)), "seed must be a whole number"),
        (json.dumps(data_of(pipeline="no digest")), "pipeline"),
        (
            json.dumps(
                data_of(intensity=[{"op": "gamma", "id": "g", "gamma": {"uniform": [1, 2]}}])
            ),
            r"intensity\[0\] \(gamma\): must hold numbers only",
        ),
        (json.dumps(data_of(intensity=[{"op": "gamma", "gamma": 1}])), "must hold numbers only"),
        (
            json.dumps(
                data_of(intensity=[{"op": "gamma", "id": "g", "gamma": 1, "probability": 0.5}])
            ),
            "must hold numbers only",
        ),
        (
            json.dumps(data_of(spatial=[{"op": "affine", "id": "a", "rotation_deg": 3}])),
            "must hold numbers only, one per axis",
        ),
        (json.dumps(data_of(spatial=[{"op": "rotation", "id": "r"}])), "must hold numbers only"),
        (json.dumps(data_of(spatial=[{"op": "one_of", "id": "r", "ops": []}])), "unknown op"),
        (json.dumps(data_of(spatial=[{"op": "flip", "id": "f"}] * 2)), 'the id "f" of another'),
        (json.dumps(data_of(spatial=[{"op": "gamma", "id": "f"}])), 'unknown op "gamma"'),
        (
            json.dumps(data_of(intensity=[{"op": "gamma", "id": "g", "gamma": 7.5}])).replace(
                "7.5", "1e400"
            ),
            "Infinity",
        ),
        (
            json.dumps(data_of(intensity=[{"op": "gamma", "id": "g", "gamma": math.nan}])),
            "NaN",
        ),
    ],
)
def test_a_wrong_recipe_is_refused(text, told):
    with pytest.raises(PipelineError, match=told):
        Recipe.from_json(text)


def test_a_recipe_without_a_key_is_refused():
    for key in ("case", "seed", "index", "pipeline", "schema_version"):
        data = data_of()
        del data[key]
        with pytest.raises(PipelineError, match=key):
            Recipe.from_data(data)


def test_a_program_can_record_how_far_a_field_was_shrunk():
    recipe = recipes(EXAMPLE, 1)[0]
    shrunk = tuple(
        op.replace(fold_shrink=0.5) if op.op == "elastic" else op for op in recipe.spatial
    )
    again = Recipe.from_json(recipe.replace(spatial=shrunk).json())
    assert again.spatial[1].fold_shrink == 0.5
    assert again.digest != recipe.digest


def test_unbounded_parameters_can_be_drawn_by_every_design():
    pipeline = Pipeline(spatial=(ops.Affine(translation_mm=Normal(0, 5)),))
    for design in (Random(count=4), LatinHypercube(count=4), Sobol(count=4), FullFactorial()):
        for recipe in draw(pipeline, design):
            assert all(map(math.isfinite, recipe.spatial[0].translation_mm))


def test_a_reference_like_an_image_takes_no_other_extent():
    """`like` names a whole grid; anything else that says where the grid lies contradicts it."""
    assert Reference(like="ct").like == "ct"
    for others in ({"size": (4, 4, 4)}, {"extent_mm": (9.0, 9.0, 9.0)}, {"alignment": "patient"}):
        with pytest.raises(PipelineError, match="like"):
            Reference(like="ct", **others)
