"""Artefacts of k-space: against whole complex spectra, closed forms and SimpleITK's resampling."""

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it

import millimorph as mm
from millimorph.backends.cpu import fourier as cpu_fourier
from millimorph.backends.cpu import panels
from millimorph.backends.reference import fourier as reference_fourier
from millimorph.backends.scene import Scene
from millimorph.program.fourier import Pose, SegmentMix

BACKENDS = ("reference", "cpu")
TURNED = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
GRID = mm.ImageGrid((31, 28, 18), (1.2, 0.9, 3.5), (3, -4, 5), TURNED)
EVEN = mm.ImageGrid((24, 36, 12), (1.0, 1.5, 2.0))
FLAT = mm.ImageGrid((57, 64), (0.4, 0.7))
OPS = {
    "motion along x": mm.Motion(axis="i", movements=3),
    "motion along y": mm.Motion(axis="j", movements=2),
    "motion along z": mm.Motion(axis="inferior-superior", movements=2),
    "ghosts along x": mm.Ghosting(axis="i", ghosts=1, restored=0.0),
    "ghosts along y": mm.Ghosting(axis="left-right", ghosts=2),
    "ghosts along z": mm.Ghosting(axis="k", ghosts=4, restored=0.2),
    "spikes": mm.Spike(spikes=3),
    "a spike": mm.Spike(frequency=(0.3, -1.0, 0.5), intensity=1.0),
    "ringing": mm.Gibbs(cutoff=0.5),
    "ringing along z": mm.Gibbs(cutoff=(1.0, 1.0, 0.4)),
    "ringing within slices": mm.Gibbs(cutoff=(0.6, 0.3, 1.0)),
}
IN_2D = [name for name in OPS if "z" not in name and "a spike" not in name and "sl" not in name]
NOTHING = {
    "motion": mm.Motion(max_rotation_deg=0.0, max_translation_mm=0.0),
    "ghosts": mm.Ghosting(intensity=0.0),
    "all restored": mm.Ghosting(restored=1.0),
    "spike": mm.Spike(intensity=0.0),
    "gibbs": mm.Gibbs(cutoff=1.0),
    "probability": mm.Gibbs(probability=0.0),
}


def made(source, *ops, index=0, backend="cpu", threads=None):
    case = mm.Case(id="p01", images={"mr": source})
    pipeline = mm.Pipeline(intensity=ops)
    return mm.augment(case, pipeline, seed=4, index=index, backend=backend, threads=threads).images[
        "mr"
    ]


def textured(grid=GRID, dtype="float32", channels=None, low=0.0):
    shape = grid.shape if channels is None else (channels, *grid.shape)
    voxels = np.random.default_rng(9).gamma(0.7, 60.0, shape).clip(0, 250) + low
    return mm.ScalarImage(voxels.astype(dtype), grid)


def k_space(voxels):
    return np.fft.fftshift(np.fft.fftn(voxels.astype(np.float64)))


def image_of(spectrum):
    return np.fft.ifftn(np.fft.ifftshift(spectrum)).real


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_cpu_agrees_with_the_reference(name, dtype):
    """Half spectra along one axis against the whole k-space: 2e-6 of the range, and a rounding."""
    for grid in (GRID, EVEN, FLAT) if name in IN_2D else (GRID, EVEN):
        source = textured(grid, dtype, 2, -500.0 if dtype == "int16" else 0.0)
        slow, fast = (made(source, OPS[name], backend=b).array for b in BACKENDS)
        limit = 2e-6 * np.ptp(slow.astype(float)) + (1.0 if np.dtype(dtype).kind != "f" else 0.0)
        oracles.check_close(fast, slow, limit, name)
        assert fast.dtype == dtype
        assert (fast != source.array).mean() > 0.1


def mixed(step, voxels, grid, backend):
    """Run one step in a backend; voxels (z, y, x)."""
    image = mm.ScalarImage(voxels, grid)
    scene = Scene("mr", grid, image)
    if backend == "reference":
        return reference_fourier.run(step, voxels[None].astype(np.float64), scene)[0]
    out = np.empty(voxels.size, np.float32)

    def write(_, first, values):
        out[first : first + len(values)] = values

    cpu_fourier.run(step, voxels[None], scene, write)
    return out.reshape(voxels.shape)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_lines_of_a_pose_are_those_of_simpleitks_resampled_image(backend, axis):
    """A turn and a shift in mm on an oblique, anisotropic grid; a dark rim has no border."""
    voxels = textured().array.copy()
    inner = np.zeros(voxels.shape, bool)
    inner[4:-4, 6:-6, 6:-6] = True
    voxels[~inner] = 0.0
    itk = sitk.Euler3DTransform()
    itk.SetCenter(GRID.centre_mm)
    itk.SetRotation(0.04, -0.03, 0.06)
    itk.SetTranslation((1.5, -0.8, 2.0))
    linear = np.array(itk.GetMatrix()).reshape(3, 3)
    pull = mm.AffineTransform.from_linear(linear, itk.GetTranslation(), GRID.centre_mm)
    lines = voxels.shape[2 - axis]
    step = SegmentMix(axis, (Pose(0, 4, pull), Pose(lines - 3, lines, pull)))
    moved = oracles.itk_resample(oracles.itk_image(voxels, GRID), GRID, itk, "linear", 0.0)
    spectrum, other = k_space(voxels), k_space(moved)
    chosen = [slice(None)] * 3
    for part in (slice(0, 4), slice(lines - 3, lines)):
        chosen[2 - axis] = part
        spectrum[tuple(chosen)] = other[tuple(chosen)]
    limit = 1e-4 * voxels.std()
    oracles.check_close(mixed(step, voxels, GRID, backend), image_of(spectrum), limit, "motion")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_motion_displaces_nothing(backend, axis):
    """The central line is that of the image as it is: sums along the phase axis stay."""
    source = textured()
    for index in range(3):
        op = mm.Motion(axis="ijk"[axis], max_translation_mm=9.0)
        found = made(source, op, index=index, backend=backend).array.astype(np.float64)
        sums = source.array.astype(np.float64).sum(axis=2 - axis)
        oracles.check_close(found.sum(axis=2 - axis), sums, 1e-5 * sums.max(), "sums")


@pytest.mark.parametrize("name", OPS)
def test_grey_levels_may_be_counted_from_anywhere(name):
    """Twice as bright and lower by 3000 in, the same out: no artefact depends on what 0 means."""
    source = textured()
    shifted = source.with_array(source.array.astype(np.float64) * 2 - 3000)
    once, again = (made(image, OPS[name]).array for image in (source, shifted))
    oracles.check_close(again, once.astype(np.float64) * 2 - 3000, 0.01, name)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("ghosts", "axis"), [(1, "i"), (2, "j"), (3, "k")])
def test_ghosts_are_copies_wrapped_round_the_field_of_view(backend, ghosts, axis):
    """In closed form where the voxels are a multiple of ghosts + 1."""
    source = textured(EVEN, low=40.0)
    op = mm.Ghosting(ghosts=ghosts, axis=axis, intensity=0.125, restored=0.0)
    voxels = source.array.astype(np.float64)
    along = {"i": 2, "j": 1, "k": 0}[axis]
    step = voxels.shape[along] // (ghosts + 1)
    copies = sum(np.roll(voxels - voxels.min(), step * k, along) for k in range(1, ghosts + 1))
    found = made(source, op, backend=backend).array
    oracles.check_close(found, voxels + 0.125 * copies, 2e-4, "ghosts")


@pytest.mark.parametrize("backend", BACKENDS)
def test_restored_lines_make_the_image_no_brighter(backend):
    source = textured()
    found = made(source, mm.Ghosting(axis="j", intensity=0.3), backend=backend).array
    sums = source.array.astype(np.float64).sum(axis=1)
    oracles.check_close(found.astype(np.float64).sum(axis=1), sums, 1e-5 * sums.max(), "sums")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_spike_is_one_pair_of_coefficients(backend):
    """Its size is the intensity times the largest coefficient, that of frequency 0."""
    source = textured(low=30.0)
    op = mm.Spike(intensity=0.5, frequency=(0.4, -0.5, 1 / 3))
    change = made(source, op, backend=backend).array.astype(np.float64) - source.array
    spectrum = np.abs(k_space(change))
    nz, ny, nx = change.shape
    place = (nz // 2 + 3, ny // 2 - 7, nx // 2 + 6)
    largest = np.abs(k_space(source.array - source.array.min())).max()
    assert spectrum[place] == pytest.approx(0.25 * largest, rel=1e-4)
    pair = 2 * spectrum[place] ** 2
    assert (spectrum**2).sum() == pytest.approx(pair, rel=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grid", [GRID, EVEN, FLAT], ids=["odd", "even", "2D"])
def test_gibbs_keeps_low_frequencies_and_nothing_else(backend, grid):
    source = textured(grid)
    found = k_space(made(source, mm.Gibbs(cutoff=0.5), backend=backend).array)
    kept = np.ones(grid.shape, bool)
    for axis, n in enumerate(grid.shape):
        frequency = np.abs(np.arange(n) - n // 2)
        low = frequency <= n // 2 // 2
        kept &= low.reshape([-1 if k == axis else 1 for k in range(grid.dimension)])
    expected = np.where(kept, k_space(source.array), 0.0)
    limit = 1e-6 * np.abs(expected).max()
    oracles.check_close(np.abs(found - expected), np.zeros(grid.shape), limit, "spectrum")


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("threads", [2, 7])
def test_threads_change_no_bit(name, threads):
    """The FFT is SciPy's, which leaves each panel of lines to one thread."""
    source = textured(mm.ImageGrid((61, 58, 67), (1, 1, 2)), channels=2)
    one, many = (made(source, OPS[name], threads=n).array for n in (1, threads))
    np.testing.assert_array_equal(many, one)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("voxels", [1, 5000, 10**9])
def test_the_size_of_panels_changes_no_bit(name, voxels, monkeypatch):
    """SciPy's FFT takes several lines at once; which ones are together makes no difference."""
    expected = made(textured(), OPS[name]).array
    monkeypatch.setattr(panels, "PANEL_VOXELS", voxels)
    np.testing.assert_array_equal(made(textured(), OPS[name]).array, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NOTHING)
def test_parameters_of_no_artefact_change_no_bit(backend, name):
    source = textured(dtype="float64")
    found = made(source, NOTHING[name], backend=backend)
    np.testing.assert_array_equal(found.array, source.array)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 1, 1), (5, 1, 4), (1, 2, 3)])
@pytest.mark.parametrize("op", [mm.Motion(), mm.Ghosting(), mm.Spike(), mm.Gibbs()])
def test_constant_and_tiny_images_keep_their_grey_level(backend, size, op):
    for number in (0.0, -7.0, 300.0):
        source = mm.ScalarImage(np.full(size[::-1], number, np.float32), mm.ImageGrid(size))
        found = made(source, op, backend=backend).array
        oracles.check_close(found, source.array, 1e-4, f"{op.op} of {number}")


def test_channels_are_changed_one_by_one():
    source = textured(FLAT, channels=3)
    for name in IN_2D:
        found = made(source, OPS[name].replace(channels=(0, 2))).array
        np.testing.assert_array_equal(found[1], source.array[1])
        alone = made(mm.ScalarImage(source.array[2], FLAT), OPS[name]).array
        np.testing.assert_array_equal(found[2], alone)
