"""The stronger training augmentation of nnU-Net, DA5, with its numbers and probabilities.

Source: nnUNetTrainerDA5 of nnU-Net v2.
"""

from millimorph.distributions import Choice, LogUniform, Normal, Uniform
from millimorph.ops import (
    Affine,
    AnyOp,
    Brightness,
    BrightnessGradient,
    Contrast,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    LocalGamma,
    LowResolution,
    Median,
    OneOf,
    QuarterTurn,
    Sharpen,
    SomeOf,
    Transform,
    ZScore,
)
from millimorph.pipelines.channels import Part, below_or_above, each, parts, some
from millimorph.pipelines.nnunet import Dimension, Pairs, check_dimension, inverted_gamma, mirrors
from millimorph.recipe import Pipeline

_HALF_CHANCES = Choice((0, 1, 2, 3), (1, 3, 3, 1))


def nnunet_da5(
    *,
    channels: int = 1,
    images: tuple[str, ...] | None = None,
    dimension: Dimension = 3,
    label_pairs: Pairs = (),
) -> Pipeline:
    """What nnU-Net's trainer DA5 does to its training patches.

    `channels`, `images`, `dimension`, `label_pairs` and what differs on purpose: as in `nnunet`.
    Beyond that:

    - DA5 has its inverted gamma twice and never the plain one; so has this;
    - a transposition of axes is a quarter turn here, which is the same next to the mirror images;
    - windows of the median are odd, 3 to 7 voxels, where DA5 has 2 to 7;
    - factors of the scaling are log-uniform: half below 1 and half above, as there;
    - local gamma comes first, because it is relative to the range of the original image.
    """
    check_dimension(dimension)
    of = parts(channels, images)
    return Pipeline(
        dimension=dimension,
        spatial=(
            _rotation(dimension),
            _scaling(dimension),
            *_turns(dimension),
            *mirrors(dimension, label_pairs),
        ),
        intensity=(
            some("local_gamma", _local_gamma, of, 0.3),
            ZScore(images=images),
            OneOf(
                id="smoothing",
                ops=(some("median", _median, of, 0.2), some("blur", _blur, of, 0.2)),
            ),
            GaussianNoise(id="noise", std=Uniform(0.0, 0.1), images=images, probability=0.1),
            some("brightness", _brightness, of, 0.1),
            OneOf(
                id="contrast",
                ops=(
                    some("in_range", _contrast_in_range, of, 0.2),
                    some("free", _free_contrast, of, 0.2),
                ),
            ),
            some("low_resolution", _low_resolution, of, 0.15),
            each("gamma", inverted_gamma, of, 0.1),
            each("gamma_again", inverted_gamma, of, 0.1),
            some("rectangles", _rectangles, of, 0.4),
            some("gradient", _gradient, of, 0.3),
            some("sharpening", _sharpening, of, 0.2),
        ),
    )


def _rotation(dimension: Dimension) -> AnyOp:
    """About each axis with probability 1/2, if at all; in 2D so about the only one."""
    if dimension == 2:
        whole = Uniform(-180.0, 180.0)
        return Affine(id="rotation", rotation_deg=whole, probability=0.2)
    angle = Uniform(-30.0, 30.0)
    ops = (
        Affine(id="x", rotation_deg=(angle, 0.0, 0.0)),
        Affine(id="y", rotation_deg=(0.0, angle, 0.0)),
        Affine(id="z", rotation_deg=(0.0, 0.0, angle)),
    )
    return SomeOf(id="rotation", ops=ops, count=_HALF_CHANCES, probability=0.4)


def _scaling(dimension: Dimension) -> AnyOp:
    """Each axis by itself."""
    factors = (LogUniform(0.7, 1.43),) * dimension
    return Transform(id="scaling", kind="Scale", parameters=factors, probability=0.2)


def _turns(dimension: Dimension) -> tuple[AnyOp, ...]:
    """A quarter turn (of four, one is none), then a permutation of the axes (of all, one is none).

    Beside mirror images of even chances, exchanging two axes is a quarter turn, and so two of them
    about different axes are a cyclic exchange of three.
    """
    if dimension == 2:
        return (
            QuarterTurn(id="turn", probability=0.5 * 3 / 4),
            QuarterTurn(id="transpose", turns=1, probability=0.5 * 1 / 2),
        )
    axis = Choice(("i", "j", "k"))
    exchange = QuarterTurn(id="two_axes", axis=axis, turns=1)
    cycles = tuple(
        SomeOf(id=name, ops=tuple(QuarterTurn(axis=a, turns=1) for a in order), count=2)
        for name, order in (("three_axes", "ik"), ("three_axes_back", "ki"))
    )
    return (
        QuarterTurn(id="turn", axis=axis, probability=0.5 * 3 / 4),
        OneOf(id="transpose", ops=(exchange, *cycles), weights=(3, 1, 1), probability=0.5 * 5 / 6),
    )


def _local_gamma(part: Part) -> AnyOp:
    return OneOf(
        ops=tuple(
            LocalGamma(
                gamma=gamma,
                centre_fraction=Uniform(-0.5, 1.5),
                sigma_fraction=LogUniform(1 / 6, 1.0),
                images=part.images,
                channels=part.channels,
            )
            for gamma in (Uniform(0.01, 0.8), Uniform(1.5, 4.0))
        )
    )


def _median(part: Part) -> AnyOp:
    return Median(radius=Choice((1, 2, 3)), images=part.images, channels=part.channels)


def _blur(part: Part) -> AnyOp:
    return GaussianBlur(sigma_voxels=Uniform(0.3, 1.5), images=part.images, channels=part.channels)


def _brightness(part: Part) -> AnyOp:
    return Brightness(shift=Normal(0.0, 0.5), images=part.images, channels=part.channels)


def _contrast_in_range(part: Part) -> AnyOp:
    return below_or_above(
        lambda factor: Contrast(factor=factor, images=part.images, channels=part.channels),
        0.5,
        2.0,
    )


def _free_contrast(part: Part) -> AnyOp:
    return below_or_above(
        lambda factor: Contrast(
            factor=factor, preserve_range=False, images=part.images, channels=part.channels
        ),
        0.5,
        2.0,
    )


def _low_resolution(part: Part) -> AnyOp:
    return LowResolution(
        zoom=Uniform(0.25, 1.0),
        profile="nearest",
        interpolation="cubic",
        images=part.images,
        channels=part.channels,
    )


def _rectangles(part: Part) -> AnyOp:
    return Cutout(
        count=Choice((1, 2, 3, 4)),
        size_fraction=1 / 3,
        least_share=0.3,
        fill="box_mean",
        images=part.images,
        channels=part.channels,
    )


def _gradient(part: Part) -> AnyOp:
    return OneOf(
        ops=tuple(
            BrightnessGradient(
                strength=strength,
                centre_fraction=Uniform(-0.5, 1.5),
                sigma_fraction=LogUniform(1 / 6, 1.0),
                images=part.images,
                channels=part.channels,
            )
            for strength in (Uniform(-5.0, -1.0), Uniform(1.0, 5.0))
        )
    )


def _sharpening(part: Part) -> AnyOp:
    return Sharpen(
        amount=Uniform(0.1, 1.0),
        method="laplacian",
        keep_range=True,
        images=part.images,
        channels=part.channels,
    )
