"""What a printed program says of passes and bytes is what will be done."""

import pickle
import re

import numpy as np
import pytest

import millimorph as mm

GRID = mm.ImageGrid((20, 10, 5))
VOXELS = 20 * 10 * 5
TURN = mm.Affine(rotation_deg=(0.0, 0.0, 10.0))
FLIP = mm.Flip(axis="k")
LABELS = mm.LabelMap(np.zeros(GRID.shape, np.uint8), GRID)


def program_of(spatial, *, dtype="float32", channels=None, labels=None, intensity=(), **options):
    """Compile a pipeline for an image of the grid; `options` are those of its sampling."""
    shape = GRID.shape if channels is None else (channels, *GRID.shape)
    image = mm.ScalarImage(np.zeros(shape, dtype), GRID)
    case = mm.Case(id="p", images={"ct": image}, labels=labels or {})
    pipeline = mm.Pipeline(
        reference=options.pop("reference", None),
        spatial=spatial,
        intensity=intensity,
        images=mm.ImageSampling(**options),
    )
    return mm.compile(next(mm.draw(pipeline, case="p")), case)


def cost_of(program):
    """Read passes and megabytes off the last line."""
    found = re.fullmatch(
        r"(\d+) pass(?:es)? over memory, ([\d.]+) MB read and written", last(program)
    )
    return int(found[1]), float(found[2])


def last(program):
    return str(program).splitlines()[-1]


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int16", "uint32", "int64", "float32", "float64"]
)
def test_every_type_counts_its_own_bytes(dtype):
    item = np.dtype(dtype).itemsize
    passes, megabytes = cost_of(program_of((TURN,), dtype=dtype, channels=100))
    assert passes == 1
    assert megabytes == pytest.approx(100 * item * 2 * VOXELS / 1e6, abs=0.06)


def test_image_and_labels_of_one_grid_are_one_pass():
    assert cost_of(program_of((TURN,), labels={"organs": LABELS}))[0] == 1


def test_a_spline_is_filtered_along_each_axis_and_a_copy_is_not():
    assert cost_of(program_of((TURN,), interpolation="cubic"))[0] == 1 + 3
    assert cost_of(program_of((FLIP,), interpolation="cubic"))[0] == 1


def test_smoothing_counts_the_axes_that_get_coarser():
    coarse = mm.Reference(size=(10, 10, 5))
    assert cost_of(program_of((TURN,), reference=coarse))[0] == 1 + 1
    assert cost_of(program_of((TURN,), reference=coarse, interpolation="cubic"))[0] == 1 + 1 + 3
    assert cost_of(program_of((TURN,), reference=coarse, antialias=False))[0] == 1


def test_grey_levels_ride_on_a_resample_and_follow_a_copy():
    resampled = program_of((TURN,), intensity=(mm.Gamma(),))
    copied = program_of((FLIP,), intensity=(mm.Gamma(),))
    assert "then in the same pass gamma" in str(resampled)
    assert cost_of(resampled)[0] == 1
    assert "exact copy, fill background, then gamma" in str(copied)
    assert cost_of(copied)[0] == 2


def test_an_elastic_field_alone_is_the_whole_map():
    """No identity stands beside it."""
    program = program_of((mm.Elastic(control_spacing_mm=5.0, magnitude_mm=1.0),))
    assert isinstance(program.source_from_target("ct"), mm.BSplineTransform)
    assert str(program).count("map: ") == 1


def test_one_pass_is_singular():
    assert last(program_of((TURN,))).startswith("1 pass over")


def test_a_program_travels_to_another_process():
    """Pickled and loaded it says and makes the same."""
    elastic = mm.Elastic(control_spacing_mm=5.0, magnitude_mm=1.0)
    program = program_of((TURN, elastic), labels={"organs": LABELS})
    loaded = pickle.loads(pickle.dumps(program))  # noqa: S301 - our own bytes
    assert str(loaded) == str(program)
    assert loaded.recipe == program.recipe
    points = GRID.points_mm([(3.0, 4.0, 2.0)])
    np.testing.assert_array_equal(
        loaded.source_from_target("ct").map_points(points),
        program.source_from_target("ct").map_points(points),
    )
