"""Prints the seconds of this process's first `augment`; its messages go to standard error."""

from time import perf_counter

import millimorph as mm
from benchmarks.ours import IMAGE, LABELS, image_case, with_labels

SIZE = 64


def pipeline() -> mm.Pipeline:
    """Return what a user starts with: affine, elastic, gamma and noise."""
    return mm.Pipeline(
        spatial=(
            mm.Affine(rotation_deg=mm.Uniform(-10, 10), scale=mm.Uniform(0.9, 1.1)),
            mm.Elastic(control_spacing_mm=20, magnitude_mm=4),
        ),
        intensity=(mm.Gamma(gamma=1.2), mm.GaussianNoise(std_fraction=0.02)),
    )


def first_augment_s() -> float:
    """Time one augment of an image with labels."""
    case = with_labels(image_case(SIZE))
    start = perf_counter()
    augmented = mm.augment(case, pipeline(), seed=7, index=0)
    seconds = perf_counter() - start
    if augmented.images[IMAGE].array.shape != augmented.labels[LABELS].array.shape:
        raise ValueError("the image and its labels came out on different grids")
    return seconds


if __name__ == "__main__":
    print(first_augment_s())
