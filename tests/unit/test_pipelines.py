"""Starter pipelines: they draw, survive a file, and the notebook's grid is the notebook's."""

import itertools

import numpy as np
import pytest

from millimorph.compiler import compile as compile_recipe
from millimorph.errors import FileError, PipelineError
from millimorph.geometry import ImageGrid
from millimorph.images import Case, ScalarImage
from millimorph.ops import Transform
from millimorph.pipelines import find_pipeline, get_pipeline, named_pipelines
from millimorph.recipe import draw, dump_pipeline, sample_count

_NAMES = ("starter", "ct", "mr", "xray", "similarity-grid", "similarity-random-3d")


def _case(dimension: int) -> Case:
    grid = ImageGrid((24, 20, 16)[:dimension], (8.0, 8.0, 10.0)[:dimension])
    return Case("p01", images={"image": ScalarImage(np.zeros(grid.shape, np.float32), grid)})


def test_names_are_those_of_the_documentation():
    """People type them."""
    assert tuple(one.name for one in named_pipelines()) == _NAMES
    assert all(one.summary for one in named_pipelines())


@pytest.mark.parametrize("name", _NAMES)
def test_every_starter_draws_recipes_that_compile(name):
    """Also the general ones in 2D."""
    pipeline = get_pipeline(name)
    dimensions = {2, 3} if pipeline.dimension is None else {pipeline.dimension}
    for dimension in dimensions:
        recipes = list(draw(pipeline, seed=1, case="p01", start=0, stop=3))
        assert len({recipe.digest for recipe in recipes}) == 3
        for recipe in recipes:
            compile_recipe(recipe, _case(dimension))


@pytest.mark.parametrize("name", _NAMES)
def test_every_starter_survives_a_file(name, tmp_path):
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
