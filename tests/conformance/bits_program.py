"""Run three whole programs on a small case and print a digest of every result as JSON.

Imported by test_bits.py, and run by it in other processes whose Numba and NumPy are told to use
an older CPU. Arguments: the number of threads.
"""

import hashlib
import json
import sys

import numpy as np

import millimorph as mm

PIPELINES = {
    "affine": (mm.Affine(rotation_deg=mm.Uniform(-15, 15), scale=mm.Uniform(0.8, 1.2)),),
    "elastic": (
        mm.Affine(rotation_deg=mm.Uniform(-15, 15)),
        mm.Elastic(control_spacing_mm=12, magnitude_mm=mm.Uniform(1, 3)),
    ),
    "everything": (
        mm.Rotation(max_angle_deg=20),
        mm.Diffeomorphic(control_spacing_mm=15, magnitude_mm=2),
        mm.Elastic(control_spacing_mm=12, magnitude_mm=2),
        mm.RadialDistortion(coefficients=(mm.Uniform(0, 0.1),), unit="half_diagonal"),
        mm.Flip(axis="left-right", label_pairs=((1, 3),)),
    ),
}
INTENSITY = (mm.Gamma(), mm.GaussianNoise())
SAMPLING = {
    "mr": mm.ImageSampling(interpolation="cubic", fill="minimum"),
    "vessels": mm.LabelSampling(interpolation="label_linear"),
}


def made_case() -> mm.Case:
    """Make images of two types on two grids, two label maps and a few points, without a file."""
    fine = mm.ImageGrid((37, 33, 21), (1.1, 0.9, 1.7), (-20, 3, 900.5))
    turned = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    tilted = mm.ImageGrid((29, 31, 23), (1.2, 1.2, 1.6), (-15, -3, 900), turned)
    generator = np.random.Generator(np.random.PCG64(6))
    ct = generator.integers(-1000, 2000, fine.shape).astype(np.int16)
    mr = generator.integers(0, 2**20, tilted.shape).astype(np.float32) / 1024
    organs = generator.integers(0, 5, fine.shape).astype(np.uint16)
    return mm.Case(
        id="bits",
        images={"ct": mm.ScalarImage(ct, fine), "mr": mm.ScalarImage(mr, tilted)},
        labels={"organs": mm.LabelMap(organs, fine), "vessels": mm.LabelMap(organs, fine)},
        landmarks={"points": mm.Landmarks(fine.points_mm([[4, 5, 6], [30, 20, 10]]))},
    )


def plain_case() -> mm.Case:
    """Make one float32 image and one label map on its grid: what the fastest traversal takes."""
    grid = mm.ImageGrid((61, 47, 35), (1.0, 1.2, 1.5), (7, -30, 20))
    generator = np.random.Generator(np.random.PCG64(8))
    image = generator.integers(0, 2**20, grid.shape).astype(np.float32) / 1024
    labels = generator.integers(0, 5, grid.shape).astype(np.uint8)
    return mm.Case(
        id="plain",
        images={"t1": mm.ScalarImage(image, grid)},
        labels={"tissue": mm.LabelMap(labels, grid)},
    )


def digests(threads: int) -> dict[str, str]:
    """Digest every voxel, point and recipe that the programs make."""
    return {
        f"{case.id}/{name}": digest
        for case, sampling in ((made_case(), SAMPLING), (plain_case(), {}))
        for name, digest in of_case(case, sampling, threads).items()
    }


def of_case(case: mm.Case, sampling: dict[str, object], threads: int) -> dict[str, str]:
    """Digest what all pipelines make of a case."""
    found = {}
    for name, spatial in PIPELINES.items():
        pipeline = mm.Pipeline(spatial=spatial, intensity=INTENSITY, sampling=sampling, seed=5)
        (recipe,) = mm.draw(pipeline, case=case.id, start=2, stop=3)
        result = mm.run(mm.compile(recipe, case), case, threads=threads)
        arrays = {role: image.array for role, image in result.images.items()}
        arrays |= {role: labels.array for role, labels in result.labels.items()}
        arrays |= {role: points.points_mm for role, points in result.landmarks.items()}
        for role, array in arrays.items():
            found[f"{name}/{role}"] = hashlib.sha256(array.tobytes()).hexdigest()
        found[f"{name}/recipe"] = recipe.digest
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(digests(int(sys.argv[1]))))
