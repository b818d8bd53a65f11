"""The default training augmentation of nnU-Net v2, with its numbers and probabilities.

Source: nnUNetTrainer, method get_training_transforms (Isensee 2021, Nature Methods 18:203).
"""

from typing import Literal

from millimorph.distributions import Uniform
from millimorph.errors import PipelineError
from millimorph.ops import (
    Affine,
    AnyOp,
    Contrast,
    Flip,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    LinearMap,
    LowResolution,
    Transform,
    ZScore,
)
from millimorph.pipelines.channels import Make, Part, below_or_above, each, parts, some
from millimorph.recipe import Pipeline

Pairs = tuple[tuple[int, int] | tuple[str, str], ...]
Dimension = Literal[2, 3]

_AXES = ("i", "j", "k")


def nnunet(
    *,
    channels: int = 1,
    images: tuple[str, ...] | None = None,
    dimension: Dimension = 3,
    rotation_deg: float | None = None,
    label_pairs: Pairs = (),
) -> Pipeline:
    """What nnU-Net does to its training patches by default.

    `channels`: how many an image has; or `images`: the names of the images that are its channels.
    Each of them has parameters of its own wherever it has in nnU-Net. `dimension`: 2 or 3.
    `rotation_deg`: the largest angle about each axis; left out, 30 in 3D and 180 in 2D.
    `label_pairs`: labels that a mirror image exchanges; none by default, as in nnU-Net, which is
    wrong for left and right organs.

    Where it differs on purpose:

    - it begins with a z-score of each channel, for the numbers are in standard deviations; drop
      that op for images that are normalised already. It comes after the resample, whose fill is
      the background and not 0;
    - rotations are in mm and rigid, about the patient's axes; nnU-Net turns voxels, and turns
      anisotropic ones only within slices: say so with `Affine(rotation_deg=(0, 0, ...))`;
    - spatial ops act on the whole image on its own grid, in one resample with the mirror images;
      patches are cut with `Crop`;
    - no oversampling of foreground, no cascade and no deep supervision, which are no augmentation.
    """
    check_dimension(dimension)
    of = parts(channels, images)
    turn = (30.0 if dimension == 3 else 180.0) if rotation_deg is None else rotation_deg
    return Pipeline(
        dimension=dimension,
        spatial=(
            Affine(id="rotation", rotation_deg=Uniform(-turn, turn), probability=0.2),
            zoom(dimension),
            *mirrors(dimension, label_pairs),
        ),
        intensity=(
            ZScore(images=images),
            GaussianNoise(id="noise", std=Uniform(0.0, 0.1), images=images, probability=0.1),
            some("blur", _blur(dimension), of, 0.2),
            each("brightness", _brightness, of, 0.15),
            each("contrast", _contrast, of, 0.15),
            some("low_resolution", _low_resolution, of, 0.25),
            each("gamma_inverted", inverted_gamma, of, 0.1),
            each("gamma", _gamma, of, 0.3),
        ),
    )


def check_dimension(dimension: int) -> None:
    """Refuse what is neither 2 nor 3."""
    if dimension not in {2, 3}:
        raise PipelineError(f"dimension must be 2 or 3, got {dimension}")


def zoom(dimension: Dimension) -> AnyOp:
    """One factor for all axes, uniform in the map from the result to the image, as it is there."""
    factor = Uniform(0.7, 1.4)
    if dimension == 3:
        still = (0.0,) * 6
        return Transform(
            id="scaling", kind="Similarity3D", parameters=(*still, factor), probability=0.2
        )
    return Transform(
        id="scaling", kind="Similarity2D", parameters=(factor, 0.0, 0.0, 0.0), probability=0.2
    )


def mirrors(dimension: Dimension, label_pairs: Pairs) -> tuple[Flip, ...]:
    """A mirror image along each axis with probability 1/2."""
    return tuple(
        Flip(id=f"mirror_{axis}", axis=axis, label_pairs=label_pairs, probability=0.5)
        for axis in _AXES[:dimension]
    )


def _blur(dimension: Dimension) -> Make:
    sigma = (Uniform(0.5, 1.0),) * dimension

    def make(part: Part) -> AnyOp:
        return GaussianBlur(sigma_voxels=sigma, images=part.images, channels=part.channels)

    return make


def _brightness(part: Part) -> AnyOp:
    return LinearMap(scale=Uniform(0.75, 1.25), images=part.images, channels=part.channels)


def _contrast(part: Part) -> AnyOp:
    return Contrast(factor=Uniform(0.75, 1.25), images=part.images, channels=part.channels)


def _low_resolution(part: Part) -> AnyOp:
    return LowResolution(
        zoom=Uniform(0.5, 1.0), profile="nearest", images=part.images, channels=part.channels
    )


def inverted_gamma(part: Part) -> AnyOp:
    """Gamma of the inverted grey levels."""
    return below_or_above(
        lambda gamma: Gamma(
            gamma=gamma,
            invert=True,
            keep_statistics=True,
            images=part.images,
            channels=part.channels,
        ),
        0.7,
        1.5,
    )


def _gamma(part: Part) -> AnyOp:
    return below_or_above(
        lambda gamma: Gamma(
            gamma=gamma, keep_statistics=True, images=part.images, channels=part.channels
        ),
        0.7,
        1.5,
    )
