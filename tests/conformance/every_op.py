"""Every op on voxels as it comes, on small cases; run as a program it prints a digest of each."""

import hashlib
import json
import sys
import warnings
from typing import get_args

import numpy as np

import millimorph as mm
from millimorph.ops import IntensityOp

NEEDED = {
    "clamp": {"low": 20.0, "high": 180.0},
    "histogram_standardization": {"landmarks": tuple(np.linspace(0.0, 100.0, 11).tolist())},
    "histogram_matching": {"quantiles": tuple(np.linspace(10.0, 90.0, 11).tolist())},
    "remap": {"pairs": ((1, 4), (2, 1))},
}
KINDS = {kind.model_fields["op"].default: kind for kind in get_args(IntensityOp)}
ON_COLOURS = {"colour_jitter", "specular_highlights"}
ON_INTEGERS = {"histogram_equalization"}
SMALL = {"median", "bilateral", "adaptive_histogram_equalization"}

VOLUME = mm.ImageGrid((23, 19, 11), (0.9, 1.1, 2.5), (3, -4, 5))
PLANE = mm.ImageGrid((37, 29), (0.8, 1.1))


def op_of(name, **options):
    return KINDS[name](**NEEDED.get(name, {}), **options)


def grey(name, grid, dtype):
    """Make a bright ball with texture on a dark ground, three channels for ops on colours."""
    middle = [(n - 1) / 2 for n in grid.shape]
    place = np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij")
    distance = sum(((p - m) / (m + 1)) ** 2 for p, m in zip(place, middle, strict=True))
    generator = np.random.default_rng(5)
    channels = [
        np.where(distance < 0.6, 120 + 10 * c, 20) + generator.normal(0, 8, grid.shape)
        for c in range(3 if name in ON_COLOURS else 1)
    ]
    array = np.stack(channels).clip(0, 255).astype(dtype)
    return mm.ScalarImage(array if len(array) > 1 else array[0], grid)


def case_of(name, grid, dtype):
    labels = (grey("", grid, "float32").array > 70).astype(np.uint8)
    labels[tuple(n // 2 for n in grid.shape)] = 2
    role = {"labels": {"organs": mm.LabelMap(labels, grid)}}
    return mm.Case(id="p01", images={"image": grey(name, grid, dtype)}, **role)


def made(name, case, backend="cpu", threads=1, **options):
    pipeline = mm.Pipeline(intensity=(op_of(name, **options),), seed=4)
    (recipe,) = mm.draw(pipeline, case=case.id, stop=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = mm.run(mm.compile(recipe, case), case, backend=backend, threads=threads)
    images = {role: image.array for role, image in result.images.items()}
    return images | {role: labels.array for role, labels in result.labels.items()}


def type_for(name):
    return "int16" if name in ON_INTEGERS or name.startswith("ct_") else "float32"


def digests():
    """Digest what each op makes of its case."""
    found = {}
    for name in KINDS:
        result = made(name, case_of(name, VOLUME, type_for(name)))
        text = hashlib.sha256()
        for role in sorted(result):
            text.update(np.ascontiguousarray(result[role]).tobytes())
        found[name] = text.hexdigest()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(digests()))
