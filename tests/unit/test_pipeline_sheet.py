"""The sheet of a pipeline: its rows, their settings and what each picture shows."""

import numpy as np
import pytest
from PIL import Image

from millimorph.distributions import Choice, Normal, Uniform
from millimorph.errors import ImageError
from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, ScalarImage
from millimorph.ops import (
    Affine,
    Erode,
    Flip,
    Gamma,
    GaussianNoise,
    LabelsToImage,
    OneOf,
    QuarterTurn,
    Remap,
    Rescale,
    Rotation,
    Transform,
    ZScore,
)
from millimorph.recipe import Pipeline
from millimorph.report import contact_sheet, pipeline_sheet
from millimorph.report.captions import describe_numbers
from millimorph.report.details import SIDE_VOXELS, changed_mm, detail_of, textured_mm
from millimorph.report.op_sheet import _row, _Seen, _words
from millimorph.report.planes import View, plane_through
from millimorph.report.render import Window
from millimorph.report.trials import trials
from millimorph.runner import augment

GRID = ImageGrid((40, 36), (2.0, 2.0))
SOLID = ImageGrid((24, 20, 10), (2.0, 2.0, 4.0))


def case(grid=GRID, *, image=True, labels=False):
    ramp = np.indices(grid.shape).sum(axis=0).astype(np.float32)
    return Case(
        "p01",
        images={"image": ScalarImage(ramp, grid)} if image else {},
        labels={"labels": LabelMap((ramp > 20).astype(np.uint8), grid)} if labels else {},
    )


def only(*ops, **options):
    return list(trials(Pipeline(dimension=2, **options, intensity=ops)))


def settings(trial, field):
    return [getattr(recipe.intensity[-1], field) for _, recipe in trial.recipes("p01")]


def test_each_op_has_a_row_and_those_of_a_choice_one_each():
    choice = OneOf(ops=(Gamma(), GaussianNoise(probability=0.3)))
    listed = only(Gamma(), choice, spatial=(Affine(),))
    assert [(t.place, t.op.id) for t in listed] == [
        ((), "affine"),
        ((), "gamma"),
        (("one_of",), "one_of.gamma"),
        (("one_of",), "one_of.gaussian_noise"),
    ]
    assert [t.is_spatial for t in listed] == [True, False, False, False]


def test_settings_are_the_ends_and_the_middle_of_the_range():
    """The recipe's op is certain to take part, whatever its probability was."""
    (trial,) = only(GaussianNoise(std=Uniform(2, 6), probability=0.1))
    assert [name for name, _ in trial.recipes("p01")] == ["low", "middle", "high"]
    assert settings(trial, "std") == [2.0, 4.0, 6.0]
    (trial,) = only(Gamma(gamma=Choice((3.0, 0.5, 2.0))))
    assert settings(trial, "gamma") == [0.5, 2.0, 3.0]


def test_settings_that_are_the_same_are_shown_once():
    (fixed,) = only(Gamma(gamma=2.0))
    assert [name for name, _ in fixed.recipes("p01")] == [""]
    (two,) = only(Gamma(gamma=Choice((0.5, 2.0))))
    assert settings(two, "gamma") == [0.5, 2.0]


@pytest.mark.parametrize("op", [Rotation(), QuarterTurn(), Flip(axis=Choice(("i", "j")))])
def test_every_kind_of_coordinate_has_settings(op):
    (trial,) = trials(Pipeline(dimension=2, spatial=(op,)))
    assert len(trial.recipes("p01")) >= 2


def test_the_randomness_of_an_op_is_the_same_at_every_setting():
    """Pictures must differ by the parameters alone."""
    (trial,) = only(GaussianNoise(std=Uniform(1, 3)))
    keys = {recipe.stream("gaussian_noise") for _, recipe in trial.recipes("p01")}
    assert len(keys) == 1


def test_an_op_on_a_made_image_comes_after_its_maker():
    listed = only(LabelsToImage(), Gamma(), Remap(pairs=[(1, 2)]))
    assert [len(t.pipeline.intensity) for t in listed] == [1, 2, 1]
    row = _row(listed[1], _Seen(case(image=False, labels=True), None))
    assert not row.problem
    assert row.tiles[0].image.array.std() > 1.0


def tiles_of(op, *, window=None, source=None):
    (trial,) = only(op)
    return _row(trial, _Seen(source or case(), window)).tiles


def test_tiles_hold_what_the_op_makes():
    """The third one is gamma 2: a parabola between the ends."""
    tiles = tiles_of(Gamma(gamma=Uniform(0.5, 2.0)))
    assert [tile.heading for tile in tiles] == ["original", "low", "middle", "high"]
    original = tiles[0].image.array
    expected = (original / original.max()) ** 2 * original.max()
    np.testing.assert_allclose(tiles[3].image.array, expected, atol=0.01)
    assert [tile.caption for tile in tiles[1:]] == ["0.5", "1.25", "2"]


def test_all_tiles_of_a_row_share_the_window_unless_the_result_leaves_it():
    tiles = tiles_of(Gamma(gamma=0.9), window=Window(3.0, 70.0))
    assert {tile.window for tile in tiles} == {Window(3.0, 70.0)}
    noisy = tiles_of(GaussianNoise(std=5000.0))
    assert noisy[1].window.high > 5000
    assert "shown from" in noisy[1].caption


def test_words_say_what_varies_and_how_often():
    (trial,) = trials(
        Pipeline(spatial=(Affine(rotation_deg=Uniform(-5, 5), scale=(1.0, Normal(1.0, 0.1), 1.0)),))
    )
    assert _words(trial) == (
        "rotation_deg x, y, z: -5 to 5",
        "scale y: normal, mean 1, SD 0.1",
    )
    (noise,) = only(GaussianNoise(std=Choice((1.0, 2.5)), probability=0.25))
    assert _words(noise) == ("std: 1, 2.5", "takes part with probability 0.25")


def test_an_op_that_does_not_fit_has_a_row_that_says_why():
    (trial,) = only(Gamma(images=("pet",)))
    row = _row(trial, _Seen(case(), None))
    assert not row.tiles
    assert "pet" in row.problem


@pytest.mark.parametrize("grid", [GRID, SOLID], ids=["2D", "3D"])
def test_a_sheet_has_a_row_for_each_op_and_one_for_samples(grid, tmp_path):
    """It grows with the ops, and tells how many rows are done."""
    heights, told = [], []
    ops = (Gamma(), GaussianNoise(), Erode(radius_voxels=1.0))
    for count in (1, 3):
        pipeline = Pipeline(spatial=(Flip(axis="i", label_pairs=[]),), intensity=ops[:count])
        pipeline_sheet(
            pipeline,
            case(grid, labels=True),
            tmp_path / "sheet.png",
            show=lambda done, total: told.append((done, total)),
        )
        with Image.open(tmp_path / "sheet.png") as sheet:
            heights.append(sheet.height)
    assert heights[1] > heights[0] + 2 * 150
    assert told == [(k, 3) for k in range(4)] + [(k, 5) for k in range(6)]


def test_labels_alone_are_enough_for_a_pipeline_that_makes_its_image(tmp_path):
    flip = Flip(axis="i", label_pairs=[])
    pipeline = Pipeline(spatial=(flip,), intensity=(LabelsToImage(), Gamma()))
    source = case(SOLID, image=False, labels=True)
    pipeline_sheet(pipeline, source, tmp_path / "sheet.png")
    sample = augment(source, pipeline, seed=1, backend="reference")
    contact_sheet([(source, [sample])], tmp_path / "contact.png")
    for name in ("sheet.png", "contact.png"):
        with Image.open(tmp_path / name) as sheet:
            assert np.asarray(sheet).std() > 5


def test_a_window_has_its_lower_end_first(tmp_path):
    with pytest.raises(ImageError, match="lower first"):
        pipeline_sheet(Pipeline(), case(), tmp_path / "sheet.png", (5.0, 5.0))
    assert not list(tmp_path.iterdir())


def test_the_detail_is_where_the_texture_is():
    """In one corner of the inner part of the slice there is noise, elsewhere nothing."""
    grid = ImageGrid((300, 250, 4), (0.5, 0.5, 3.0), (7.0, 8.0, 9.0))
    voxels = np.zeros(grid.shape, np.float32)
    voxels[:, 60:110, 70:120] = np.random.default_rng(1).normal(size=(4, 50, 50))
    image = ScalarImage(voxels, grid)
    plane = plane_through(grid, View.AXIAL, np.array(grid.centre_mm))
    place = textured_mm(image, plane)
    found = grid.indices(place[None, :])[0]
    assert 70 <= found[0] <= 120
    assert 60 <= found[1] <= 110
    detail = detail_of(image, plane, place)
    assert detail.grid.size == (SIDE_VOXELS, SIDE_VOXELS, 1)
    assert detail.array.std() > 0.7


def test_a_small_slice_has_no_detail():
    source = case()
    plane = plane_through(GRID, View.FLAT, np.array(GRID.centre_mm))
    assert textured_mm(source.images["image"], plane) is None


def test_an_op_is_seen_on_the_scale_that_ops_before_it_give():
    """Noise of 0.1 standard deviations is not noise of 0.1 grey levels."""
    ops = (GaussianNoise(std=1.0), ZScore(), Gamma(probability=0.5), GaussianNoise(id="n", std=0.5))
    listed = only(*ops)
    assert [len(t.pipeline.intensity) for t in listed] == [1, 1, 2, 2]
    tiles = _row(listed[3], _Seen(case(), None)).tiles
    assert tiles[0].heading == "before"
    assert tiles[0].image.array.std() == pytest.approx(1.0, abs=1e-3)
    change = tiles[1].image.array - tiles[0].image.array
    assert change.std() == pytest.approx(0.5, rel=0.1)


def test_numbers_that_do_not_vary_are_left_out_of_captions():
    parameters = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, Uniform(0.8, 1.2))
    op = Transform(kind="Similarity3D", parameters=parameters)
    (trial,) = trials(Pipeline(spatial=(op,)))
    tiles = _row(trial, _Seen(case(SOLID), None)).tiles
    captions = [tile.caption for tile in tiles[1:]]
    assert captions == ["parameters 0.8", "parameters 1", "parameters 1.2"]


def test_the_slice_is_one_in_which_something_happens():
    """A box that is cut out lies anywhere."""
    grid = ImageGrid((12, 10, 9))
    voxels = np.zeros(grid.shape, np.float32)
    one = ScalarImage(voxels, grid)
    other = voxels.copy()
    other[7, 2:5, 3:6] = 4.0
    plane = plane_through(grid, View.AXIAL, np.array(grid.centre_mm))
    place = changed_mm(one, ScalarImage(other, grid), plane)
    assert plane_through(grid, View.AXIAL, place).index == 7
    everywhere = ScalarImage(voxels + 1.0, grid)
    assert changed_mm(one, everywhere, plane) is None
    assert changed_mm(one, one, plane) is None


def test_captions_have_percent_in_lists_too():
    op = {"op": "local_gamma", "centre_fraction": [0.5, -0.25, 1.0]}
    assert describe_numbers(op, ["centre_fraction"], 3) == "centre 50, -25, 100 %"


def test_what_is_in_front_of_an_op_stays_in_the_middle_of_its_range():
    """Only the op of the row is moved."""
    listed = only(Rescale(high=Uniform(1.0, 3.0)), Gamma(gamma=Uniform(0.5, 2.0)), Gamma(gamma=3.0))
    highs = {recipe.intensity[0].high for _, recipe in listed[1].recipes("p01")}
    assert highs == {2.0}
    assert len(listed[1].recipes("p01")) == 3
    assert len(listed[2].recipes("p01")) == 1
