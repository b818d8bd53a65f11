"""Random pipelines on random cases: what the compiled backend makes is what the reference makes.

The other tests take one rule at a time; here grids, types, ops, samplings and fills meet as they
come, since parts of a case share a traversal.
"""

import numpy as np
import oracles
import pytest
import worlds

import millimorph as mm

PROGRAMS = 60
# Kernels are compiled for each pair of types; the rarer ones have tests of their own.
IMAGE_TYPES = ("int16", "float32")
LABEL_TYPES = ("uint8",)
INTERPOLATIONS = ("linear", "cubic", "nearest")
FILLS = ("background", "minimum", "edge", 7.0)
OPS = (
    mm.Affine(translation_mm=mm.Uniform(-9, 9)),
    mm.Rotation(max_angle_deg=90.0),
    mm.Elastic(magnitude_mm=2.0, control_spacing_mm=8.0),
    mm.Elastic(magnitude_mm=2.0, control_spacing_mm=8.0, lock_border=False),
    mm.Diffeomorphic(magnitude_mm=2.0, control_spacing_mm=8.0),
    mm.RadialDistortion(coefficients=(0.1,), unit="half_diagonal"),
    mm.Flip(axis="left-right", label_pairs=((1, 2), (3, 70_000))),
    mm.Flip(axis="j", label_pairs=((1, 2),)),
    mm.QuarterTurn(),
    mm.Crop(fraction=0.7, position=mm.Uniform(0, 1)),
    mm.Pad(margin=2),
)


def any_grid(generator, d):
    """Draw a small grid: straight, with its axes in any order and sense, or oblique in 3D."""
    size = generator.integers(1, 14, d).tolist()
    direction = np.eye(d)[:, generator.permutation(d)] * generator.choice([-1.0, 1.0], d)
    kind = generator.integers(3)
    if kind == 0:
        direction = np.eye(d)
    elif kind == 1 and d == 3:
        direction = worlds.OBLIQUE
    return mm.ImageGrid(size, generator.uniform(0.5, 3, d), generator.uniform(-5, 5, d), direction)


def any_case(generator, d):
    """Draw two images and two label maps, two of each grid; one image may have channels."""
    one, other = any_grid(generator, d), any_grid(generator, d)
    channels = generator.integers(1, 4)
    shape = one.shape if channels == 1 else (channels, *one.shape)
    ct = (generator.random(shape) * 100).astype(generator.choice(IMAGE_TYPES))
    pet = (generator.random(other.shape) * 100).astype(np.float32)
    maps = [
        mm.LabelMap(generator.integers(0, 3, g.shape).astype(generator.choice(LABEL_TYPES)), g)
        for g in (one, other)
    ]
    return mm.Case(
        id="p",
        images={"ct": mm.ScalarImage(ct, one), "pet": mm.ScalarImage(pet, other)},
        labels={"organs": maps[0], "lesions": maps[1]},
    )


def any_sampling(generator):
    return mm.ImageSampling(
        interpolation=str(generator.choice(INTERPOLATIONS)), fill=FILLS[generator.integers(4)]
    )


def any_pipeline(generator, d):
    references = (
        None,
        mm.Reference(size=generator.integers(1, 12, d).tolist()),
        mm.Reference(spacing_mm=float(generator.uniform(1, 4))),
    )
    return mm.Pipeline(
        dimension=d,
        reference=references[generator.integers(3)],
        spatial=tuple(OPS[k] for k in generator.permutation(len(OPS))[: generator.integers(5)]),
        intensity=(mm.Gamma(), mm.GaussianNoise())[: generator.integers(3)],
        images=any_sampling(generator),
        sampling={"pet": any_sampling(generator)},
        labels=mm.LabelSampling(
            interpolation=str(generator.choice(["nearest", "label_linear"])),
            fill=int(generator.integers(4)),
        ),
    )


def without_doubt(program, case, name):
    """Say which voxels lie so far from ties, and so from borders, that no rounding decides."""
    source, target = case.grid_of(name), program.target(name)
    pull = program.source_from_target(name)
    index = oracles.source_indices(source, target, pull.map_points)
    return (np.abs(index - np.floor(index) - 0.5) > 1e-4).all(axis=1).reshape(target.shape)


@pytest.mark.parametrize("number", range(PROGRAMS))
def test_the_backends_agree(number):
    generator = np.random.default_rng(number)
    d = int(generator.integers(2, 4))
    case, pipeline = any_case(generator, d), any_pipeline(generator, d)
    program = mm.compile(next(mm.draw(pipeline, case=case.id, seed=number)), case)
    fast, slow = (mm.run(program, case, backend=backend) for backend in ("cpu", "reference"))
    for name, image in case.images.items():
        sure = without_doubt(program, case, name)
        actual, expected = (made.images[name].array[..., sure] for made in (fast, slow))
        limit = 3e-3 * image.array.std() + (1e-3 if image.dtype.kind == "f" else 1.0)
        if sure.any():
            oracles.check_close(actual, expected, limit, f"{name}: {program}")
    for name in case.labels:
        sure = without_doubt(program, case, name)
        actual, expected = (made.labels[name].array[sure] for made in (fast, slow))
        np.testing.assert_array_equal(actual, expected, f"{name}: {program}")
