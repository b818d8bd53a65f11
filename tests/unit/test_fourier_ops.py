"""How ops on k-space are drawn, compiled and printed."""

import numpy as np
import pytest
from scipy import stats

import millimorph as mm
from millimorph.compiler.axes import grid_axis
from millimorph.compiler.subject import Subject

GRID = mm.ImageGrid((40, 30, 20), (1, 2, 3))


def compiled(op, grid=GRID, index=0):
    image = mm.ScalarImage(np.zeros(grid.shape, np.float32), grid)
    case = mm.Case(id="p01", images={"mr": image})
    (recipe,) = mm.draw(
        mm.Pipeline(intensity=(op,)), seed=1, case="p01", start=index, stop=index + 1
    )
    return mm.compile(recipe, case)


def step_of(op, grid=GRID, index=0):
    stages = compiled(op, grid, index).stages
    return stages[1].step if len(stages) > 1 else None


def test_movements_happen_at_any_time_and_the_centre_lies_still():
    """Lines of poses never hold the central one; their ends are uniform over the acquisition."""
    grid = mm.ImageGrid((1000, 2))
    ends = []
    for index in range(150):
        step = step_of(mm.Motion(axis="i", movements=2), grid, index)
        assert not any(pose.first <= 500 < pose.last for pose in step.poses)
        ends += [e for pose in step.poses for e in (pose.first, pose.last)]
    times = np.unique([e for e in ends if 0 < e < 1000]) / 1000
    assert stats.kstest(times, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("grid", [GRID, mm.ImageGrid((40, 30), (1, 2))])
def test_poses_turn_and_shift_within_their_limits(grid):
    """About the centre of the image; some come near the limits."""
    angles, shifts = [], []
    for index in range(60):
        op = mm.Motion(axis="i", movements=3, max_rotation_deg=10, max_translation_mm=4)
        for pose in step_of(op, grid, index).poses:
            linear = pose.pull.linear
            cosine = 0.5 * (np.trace(linear) - 1) if grid.dimension == 3 else linear[0, 0]
            angles.append(np.rad2deg(np.arccos(min(cosine, 1.0))))
            centre = np.array([grid.centre_mm])
            shifts += (pose.pull.inverse().map_points(centre) - centre).ravel().tolist()
            np.testing.assert_allclose(linear @ linear.T, np.eye(grid.dimension), atol=1e-12)
    assert 8.0 < max(angles) <= 10.0 + 1e-6
    assert 3.5 < max(np.abs(shifts)) <= 4.0
    assert stats.kstest(shifts, stats.uniform(-4, 8).cdf).pvalue > 1e-4


def test_axes_are_the_grids_or_the_patients():
    turned = mm.ImageGrid((5, 6, 7), (1, 1, 1), (0, 0, 0), np.eye(3)[[2, 0, 1]])
    subject = Subject.__new__(Subject)
    object.__setattr__(subject, "grid", turned)
    found = [grid_axis(name, subject, "op") for name in ("i", "j", "k")]
    assert found == [0, 1, 2]
    found = [
        grid_axis(name, subject, "op")
        for name in ("left-right", "anterior-posterior", "inferior-superior")
    ]
    assert found == [2, 0, 1]


@pytest.mark.parametrize("op", [mm.Motion(axis="k"), mm.Ghosting(axis="inferior-superior")])
def test_a_flat_image_has_no_third_axis(op):
    with pytest.raises(mm.CompileError, match='"mr" is 2D; choose'):
        compiled(op, mm.ImageGrid((40, 30)))


def test_ghosts_need_room():
    assert step_of(mm.Ghosting(axis="k", ghosts=19)) is not None
    assert step_of(mm.Ghosting(axis="k", ghosts=20)) is None


def test_a_frequency_is_for_one_spike():
    assert mm.Spike(frequency=(0.1, 0.2, 0.3)).spikes == 1
    step = step_of(mm.Spike(frequency=(0.5, -1.0, 0.26)))
    assert [wave.cycles for wave in step.waves] == [(10, -15, 3)]
    with pytest.raises(mm.PipelineError, match="frequency is for one spike"):
        mm.Spike(frequency=(0.1, 0.2, 0.3), spikes=2)


def test_spikes_lie_anywhere_in_k_space():
    places = np.array(
        [
            wave.cycles
            for index in range(60)
            for wave in step_of(mm.Spike(spikes=4), GRID, index).waves
        ]
    )
    for axis, half in enumerate((20, 15, 10)):
        law = stats.uniform(-1, 2)
        assert stats.kstest(places[:, axis] / half, law.cdf).pvalue > 1e-4


def test_steps_print_what_they_do_and_whose_fft_they_use():
    assert "motion: k-space lines" in str(compiled(mm.Motion(axis="i")))
    assert "along x from moved copies (SciPy FFT)" in str(compiled(mm.Motion(axis="i")))
    ghosts = mm.Ghosting(ghosts=2, axis="j", intensity=0.1)
    assert "2 ghosts along y, each 0.1 of the image (SciPy FFT)" in str(compiled(ghosts))
    text = str(compiled(mm.Gibbs(cutoff=(0.5, 1.0, 0.5))))
    assert "k-space cut beyond 10 x all x 5 cycles over the image (SciPy FFT)" in text
    assert "2 k-space spikes of 0.3 of the largest" in str(
        compiled(mm.Spike(spikes=2, intensity=0.3))
    )
