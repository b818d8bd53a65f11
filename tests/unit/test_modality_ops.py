"""Ops on the physics of modalities: what is accepted, what a program says, and what is decided."""

import json

import numpy as np
import pytest
from scipy.fft import next_fast_len

import millimorph as mm
from millimorph.compiler.places import fast_length
from millimorph.ops.modality import ModalityOp
from millimorph.program.ct import Planes

KINDS = ModalityOp.__args__


def program_of(op, grid, dtype="float32", channels=None):
    shape = grid.shape if channels is None else (channels, *grid.shape)
    image = mm.ScalarImage(np.zeros(shape, dtype), grid)
    case = mm.Case(id="p01", images={"scan": image})
    (recipe,) = mm.draw(mm.Pipeline(intensity=(op,), seed=4), case="p01", stop=1)
    return mm.compile(recipe, case)


def step_of(op, grid, **options):
    stages = program_of(op, grid, **options).stages
    found = [s.step for s in stages if hasattr(s, "step")]
    return found[0] if found else stages[0].samples[0].pointwise[0].step


@pytest.mark.parametrize(
    "places", [[], [[1.0]], [[1.0, 2.0], [1.0, 2.0, 3.0]], [["a", 1.0]], 3.0, [[1.0, float("nan")]]]
)
def test_places_are_points_in_mm(places):
    with pytest.raises(mm.PipelineError, match="places_mm must be a list of points in mm"):
        mm.CtMetalStreaks(places_mm=places)


@pytest.mark.parametrize("kind", KINDS)
def test_an_op_survives_its_file(kind):
    """Defaults with their distributions, written and read again."""
    pipeline = mm.Pipeline(intensity=(kind(),), seed=4, dimension=2)
    text = mm.dump_pipeline(pipeline)
    assert kind.model_fields["op"].default in text
    (recipe,) = mm.draw(pipeline, case="p01", stop=1)
    again = mm.Recipe.from_json(recipe.json())
    assert again == recipe
    assert json.loads(recipe.json())["intensity"][0]["op"] == kind.model_fields["op"].default


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_take_2d_and_3d(kind):
    """No default has one number for each axis, which would settle the pipeline's dimension."""
    assert kind().implied_dimensions() == {}


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (mm.CtDoseNoise(dose_fraction=0.5), "dose noise 10 HU"),
        (mm.CtRings(count=3, amplitude_hu=20.0), "3 rings up to 20 HU"),
        (mm.CtMetalStreaks(count=1, streak_hu=70.0), "1 metal pin, streaks of 70 HU"),
        (mm.CtCupping(depth_hu=33.0), "cupping 33 HU deep"),
        (mm.CtKernelChange(sharpness=2.0, mtf50_per_mm=0.2), "kernel from 0.2 to 0.4 per mm"),
        (mm.XrayScatter(scatter_to_primary=0.7), "scatter 0.7 of the primary"),
        (mm.UltrasoundSpeckle(looks=2, strength=0.5), "speckle of 2 looks, strength 0.5"),
        (mm.PetCounts(dose_fraction=0.5, full_dose_counts=80.0), "Poisson noise of 80 counts"),
    ],
)
def test_a_program_says_what_will_be_done(op, text):
    assert text in str(program_of(op, mm.ImageGrid((20, 20))))


@pytest.mark.parametrize(
    ("direction", "axis"),
    [
        (np.eye(3), 2),
        ([[1, 0, 0], [0, 0, 1], [0, -1, 0]], 1),
        ([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], 0),
    ],
)
def test_planes_lie_across_the_patient(direction, axis):
    """Scans stored sagittally or coronally have their axial planes elsewhere."""
    grid = mm.ImageGrid((6, 7, 8), (1.0, 2.0, 3.0), None, direction)
    assert step_of(mm.CtCupping(), grid).planes == Planes(axis, (1.0, 2.0, 3.0))


def test_the_usual_kernel_is_limited_by_the_voxel():
    """A quarter cycle per voxel for coarse images, 0.4 per mm for fine ones."""
    coarse, fine = (
        step_of(mm.CtKernelChange(sharpness=1.2), mm.ImageGrid((9, 9), (s, s))) for s in (2.5, 0.3)
    )
    assert coarse.mtf50_per_mm == pytest.approx(0.1)
    assert fine.mtf50_per_mm == pytest.approx(0.4)


def test_lengths_with_fast_transforms_are_the_least():
    for count in (*range(1, 700), 4097, 9999):
        assert fast_length(count) == next_fast_len(count, real=True)
