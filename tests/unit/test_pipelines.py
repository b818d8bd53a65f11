"""Ready pipelines: they draw, survive a file, and have the numbers of those they are named for."""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from millimorph.compiler import compile as compile_recipe
from millimorph.errors import FileError, PipelineError
from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, ScalarImage
from millimorph.ops import Transform
from millimorph.pipelines import (
    find_pipeline,
    get_pipeline,
    named_pipelines,
    nnunet,
    nnunet_da5,
    notebook_intensity,
    synthseg,
)
from millimorph.recipe import draw, dump_pipeline, sample_count

_NAMES = (
    "starter",
    "ct",
    "mr",
    "xray",
    "ultrasound",
    "endoscopy",
    "nnunet",
    "nnunet-da5",
    "synthseg",
    "notebook-intensity",
    "similarity-grid",
    "similarity-random-3d",
)
_DRAWN = 1000


def _case(dimension: int, name: str = "") -> Case:
    grid = ImageGrid((24, 20, 16)[:dimension], (8.0, 8.0, 10.0)[:dimension])
    if name == "synthseg":
        return Case("p01", labels={"brain": LabelMap(np.zeros(grid.shape, np.int16), grid)})
    shape = (3, *grid.shape) if name == "endoscopy" else grid.shape
    return Case("p01", images={"image": ScalarImage(np.zeros(shape, np.float32), grid)})


def test_names_are_those_of_the_documentation():
    """People type them."""
    assert tuple(one.name for one in named_pipelines()) == _NAMES
    assert all(one.summary and len(one.summary) < 90 for one in named_pipelines())


@pytest.mark.parametrize("name", _NAMES)
def test_every_pipeline_draws_recipes_that_compile(name):
    """Also the general ones in 2D."""
    pipeline = get_pipeline(name)
    dimensions = {2, 3} if pipeline.dimension is None else {pipeline.dimension}
    for dimension in dimensions:
        recipes = list(draw(pipeline, seed=1, case="p01", start=0, stop=3))
        assert len({recipe.digest for recipe in recipes}) == 3
        for recipe in recipes:
            compile_recipe(recipe, _case(dimension, name))


@pytest.mark.parametrize("name", _NAMES)
def test_every_pipeline_survives_a_file(name, tmp_path):
    """They are there to be written out and changed."""
    dump_pipeline(get_pipeline(name), tmp_path / "pipeline.yaml")
    assert find_pipeline(str(tmp_path / "pipeline.yaml")) == get_pipeline(name)


def test_similarity_grid_is_that_of_the_notebook():
    """Scale, angle, x and y of ITK's Similarity2D: every combination of three values each."""
    pipeline = get_pipeline("similarity-grid")
    assert sample_count(pipeline) == 81
    drawn = []
    for recipe in draw(pipeline):
        (op,) = recipe.spatial
        assert isinstance(op, Transform)
        assert op.kind == "Similarity2D"
        drawn.append(op.parameters)
    expected = itertools.product(
        np.linspace(0.9, 1.1, 3),
        np.linspace(-np.pi / 18.0, np.pi / 18.0, 3),
        np.linspace(-10, 10, 3),
        np.linspace(-10, 10, 3),
    )
    np.testing.assert_allclose(drawn, list(expected), atol=1e-15)


def test_similarity_sample_stays_in_the_notebook_s_ranges():
    """Ten random similarities in 3D."""
    recipes = list(draw(get_pipeline("similarity-random-3d"), seed=5))
    assert len(recipes) == 10
    for recipe in recipes:
        (op,) = recipe.spatial
        assert all(abs(angle) <= 10.0 for angle in op.rotation_deg)
        assert all(abs(shift) <= 10.0 for shift in op.translation_mm)
        assert len(set(np.ravel(op.scale))) == 1
        assert 0.9 <= np.ravel(op.scale)[0] <= 1.1


def test_the_notebook_s_filters_come_one_by_one_in_its_order():
    recipes = list(draw(notebook_intensity(median_radius=3)))
    assert sample_count(get_pipeline("notebook-intensity")) == len(recipes) == 10
    ops = [recipe.intensity[0] for recipe in recipes]
    assert all(len(recipe.intensity) == 1 and not recipe.spatial for recipe in recipes)
    assert [op.id.removeprefix("filter.") for op in ops] == [
        "recursive_gaussian",
        "discrete_gaussian",
        "bilateral",
        "median",
        "gaussian_noise",
        "salt_and_pepper",
        "shot_noise",
        "speckle",
        "equalisation_alpha",
        "equalisation_beta",
    ]
    assert ops[0].sigma_mm == ops[1].sigma_mm == (2.0, 2.0, 2.0)
    assert (ops[2].domain_sigma_mm[0], ops[2].range_sigma) == (4.0, 8.0)
    assert ops[3].radius == (3, 3, 3)
    assert (ops[4].std, ops[5].density, ops[6].scale, ops[7].relative_std) == (1, 0.01, 1, 1)
    assert [(op.alpha, op.beta) for op in ops[8:]] == [(1.0, 0.0), (0.0, 1.0)]


def drawn_ops(pipeline, count=_DRAWN):
    """Draw many recipes: for each the ops that take part."""
    recipes = draw(pipeline, seed=3, start=0, stop=count)
    return [[*recipe.spatial, *recipe.intensity] for recipe in recipes]


def shares(drawn, name):
    """The share of recipes in which an op of the name takes part."""
    taking = sum(any(op.id.split(".")[0] == name for op in ops) for ops in drawn)
    return taking / len(drawn)


def check_share(drawn, name, probability):
    """Within four standard errors."""
    slack = 4 * np.sqrt(probability * (1 - probability) / len(drawn))
    assert abs(shares(drawn, name) - probability) <= slack, name


@pytest.fixture(scope="module")
def by_default():
    return drawn_ops(nnunet())


@pytest.mark.parametrize(
    ("name", "probability"),
    [
        ("rotation", 0.2),
        ("scaling", 0.2),
        ("mirror_i", 0.5),
        ("mirror_j", 0.5),
        ("mirror_k", 0.5),
        ("z_score", 1.0),
        ("noise", 0.1),
        ("blur", 0.1),
        ("brightness", 0.15),
        ("contrast", 0.15),
        ("low_resolution", 0.125),
        ("gamma_inverted", 0.1),
        ("gamma", 0.3),
    ],
)
def test_nnunet_has_its_probabilities(by_default, name, probability):
    """Blur and low resolution take part for each channel in half of the cases that they may."""
    check_share(by_default, name, probability)


def test_nnunet_has_its_ranges(by_default):
    """Each end is reached to within a tenth and not crossed."""
    reached = {
        ("rotation", "rotation_deg"): (-30, 30),
        ("scaling", "parameters"): (0.7, 1.4),
        ("noise", "std"): (0, 0.1),
        ("blur", "sigma_voxels"): (0.5, 1.0),
        ("brightness", "scale"): (0.75, 1.25),
        ("contrast", "factor"): (0.75, 1.25),
        ("low_resolution", "zoom"): (0.5, 1.0),
        ("gamma_inverted", "gamma"): (0.7, 1.5),
        ("gamma", "gamma"): (0.7, 1.5),
    }
    for (name, field), (low, high) in reached.items():
        found = [
            getattr(op, field) for ops in by_default for op in ops if op.id.split(".")[0] == name
        ]
        values = np.ravel([value[-1:] if name == "scaling" else value for value in found])
        slack = 0.1 * (high - low)
        assert low <= values.min() <= low + slack, name
        assert high - slack <= values.max() <= high, name


def test_half_of_nnunet_s_gammas_brighten(by_default):
    """Uniform from 0.7 to 1 in half of the draws, from 1 to 1.5 in the other half."""
    gammas = [op.gamma for ops in by_default for op in ops if op.id.startswith("gamma.")]
    assert stats.binomtest(sum(gamma < 1 for gamma in gammas), len(gammas)).pvalue > 1e-3
    above = [gamma for gamma in gammas if gamma > 1]
    assert stats.kstest(above, stats.uniform(1, 0.5).cdf).pvalue > 1e-3


def test_channels_have_numbers_of_their_own_and_take_part_by_themselves():
    """Of four channels a blur takes as many as four coins show heads."""
    drawn = drawn_ops(nnunet(channels=4))
    check_share(drawn, "blur", 0.2 * 15 / 16)
    counts = Counter(sum(op.id.startswith("blur.") for op in ops) for ops in drawn)
    expected = np.array([1, 4, 6, 4, 1]) / 16 * 0.2 * _DRAWN
    expected[0] += 0.8 * _DRAWN
    observed = [counts[k] for k in range(5)]
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    brightness = [[op for op in ops if op.id.startswith("brightness.")] for ops in drawn]
    assert {len(found) for found in brightness} == {0, 4}
    found = next(ops for ops in brightness if ops)
    assert [op.channels for op in found] == [(0,), (1,), (2,), (3,)]
    assert len({op.scale for op in found}) == 4


def test_images_can_be_the_channels():
    pipeline = nnunet(images=("t1", "t2"))
    for ops in drawn_ops(pipeline, 50):
        assert all(op.images for op in ops if hasattr(op, "images"))
    with pytest.raises(PipelineError, match="either channels"):
        nnunet(channels=2, images=("t1",))
    with pytest.raises(PipelineError, match="at least 1"):
        nnunet(channels=0)


@pytest.fixture(scope="module")
def da5():
    return drawn_ops(nnunet_da5())


@pytest.mark.parametrize(
    ("name", "probability"),
    [
        ("rotation", 0.4 * 7 / 8),
        ("scaling", 0.2),
        ("turn", 0.5 * 3 / 4),
        ("transpose", 0.5 * 5 / 6),
        ("mirror_i", 0.5),
        ("smoothing", 0.1),
        ("noise", 0.1),
        ("brightness", 0.05),
        ("contrast", 0.1),
        ("low_resolution", 0.075),
        ("gamma", 0.1),
        ("gamma_again", 0.1),
        ("rectangles", 0.2),
        ("gradient", 0.15),
        ("local_gamma", 0.15),
        ("sharpening", 0.1),
    ],
)
def test_da5_has_its_probabilities(da5, name, probability):
    """What takes part for each channel has half its chances with one channel."""
    check_share(da5, name, probability)


def test_transpositions_of_da5_are_as_likely_as_permutations():
    """With mirror images, quarter turns make each of the six orders of the axes equally often."""
    pipeline = nnunet_da5()
    alone = pipeline.replace(
        spatial=tuple(
            op.replace(probability=5 / 6) for op in pipeline.spatial if op.id == "transpose"
        ),
        intensity=(),
    )
    grid = ImageGrid((5, 6, 7))
    case = Case("p01", images={"image": ScalarImage(np.zeros(grid.shape), grid)})
    orders = Counter(
        compile_recipe(recipe, case).target("image").size
        for recipe in draw(alone, case="p01", start=0, stop=600)
    )
    assert set(orders) == set(itertools.permutations((5, 6, 7)))
    assert stats.chisquare(list(orders.values())).pvalue > 1e-3


@pytest.mark.parametrize("make", [nnunet, nnunet_da5])
def test_both_have_a_form_for_slices(make):
    pipeline = make(dimension=2, channels=2)
    case = _case(2)
    image = case.images["image"]
    two = ScalarImage(np.stack([image.array] * 2), image.grid)
    for recipe in draw(pipeline, case="p01", start=0, stop=30):
        compile_recipe(recipe, Case("p01", images={"image": two}))
    with pytest.raises(PipelineError, match="2 or 3"):
        make(dimension=4)


def test_synthseg_s_background_is_dark_in_a_quarter_of_samples_and_black_in_a_twentieth():
    drawn = drawn_ops(synthseg())
    for name, probability in (("any", 0.7), ("dark", 0.25), ("black", 0.05)):
        taking = sum(any(op.id == f"contrast.{name}_background" for op in ops) for ops in drawn)
        assert abs(taking / len(drawn) - probability) < 4 * np.sqrt(0.25 / len(drawn))


def test_left_and_right_share_a_grey_level_in_synthseg():
    for recipe in draw(synthseg(), stop=5):
        (op,) = (op for op in recipe.intensity if op.op == "labels_to_image")
        assert (2, 41) in [one.labels for one in op.classes]
        assert op.means == (25, 225)
        assert op.stds == (5, 25)


def test_unknown_names_get_the_nearest_one():
    """A misspelt name is the usual mistake."""
    with pytest.raises(PipelineError, match='"starter"'):
        get_pipeline("stater")
    with pytest.raises(PipelineError, match='did you mean "similarity-grid"'):
        find_pipeline("similarity-gird")


def test_a_missing_pipeline_file_is_a_file_error(tmp_path):
    """A name with an ending is a path."""
    with pytest.raises((FileError, PipelineError), match=r"missing\.yaml"):
        find_pipeline(str(tmp_path / "missing.yaml"))
