"""The generative model of SynthSeg: an image of random contrast and resolution from a label map.

Source: Billot et al. 2023, Medical Image Analysis 86:102789, and the code's defaults.
"""

from millimorph.distributions import Choice, LogUniform, Uniform
from millimorph.ops import (
    Affine,
    AnyOp,
    BiasField,
    Clamp,
    Diffeomorphic,
    Flip,
    Gamma,
    LabelClass,
    LabelsToImage,
    LowResolution,
    OneOf,
    Rescale,
)
from millimorph.recipe import Pipeline

Pairs = tuple[tuple[int, int], ...]

FREESURFER_PAIRS: Pairs = (
    (2, 41), (3, 42), (4, 43), (5, 44), (7, 46), (8, 47), (10, 49), (11, 50), (12, 51), (13, 52),
    (17, 53), (18, 54), (25, 57), (26, 58), (28, 60), (30, 62), (136, 137), (163, 164),
)  # fmt: skip
"""Left and right labels of FreeSurfer's convention that SynthSeg's label maps have."""


def synthseg(*, label_pairs: Pairs = FREESURFER_PAIRS, labels: str | None = None) -> Pipeline:
    """What SynthSeg trains on: the label map deformed, and an image made from it.

    `label_pairs`: labels of left and right, which a mirror image exchanges and which share one
    grey level; those of FreeSurfer by default. Other labels are classes by themselves; more
    classes are given to `LabelsToImage`. `labels`: the role name of the label map; left out, the
    case's only one. The image is named "synthetic" and its grey levels are 0 to 1.

    Where it differs on purpose:

    - the deformation is the flow of a cubic B-spline; its largest displacement is 0 to 15 mm, what
      velocities of SD 0 to 4 voxels give;
    - the bias field is a cubic B-spline as well, of the same spread;
    - gamma is log-uniform from 0.42 to 2.38, which has the SD 0.5 of SynthSeg's log-normal;
    - slices of a low resolution are Gaussian, with a thickness of 1 to 5 mm and up to 3 mm between
      them, or 1 to 4 mm in all directions; SynthSeg draws the thickness up to the distance;
    - lengths that SynthSeg has in voxels of 1 mm are in mm.
    """
    return Pipeline(
        dimension=3,
        spatial=(
            Affine(
                rotation_deg=Uniform(-15.0, 15.0),
                scale=(Uniform(0.8, 1.2),) * 3,
                shear=Uniform(-0.012, 0.012),
            ),
            Diffeomorphic(control_spacing_mm=25.0, magnitude_mm=Uniform(0.0, 15.0)),
            Flip(label_pairs=label_pairs, probability=0.5),
        ),
        intensity=(
            _painting(label_pairs, labels),
            BiasField(log_sd=Uniform(0.0, 0.38), control_spacing_mm=40.0, black_level=0.0),
            Clamp(low=0.0, high=300.0),
            Gamma(gamma=LogUniform(0.42, 2.38), keep_statistics=True),
            Rescale(),
            OneOf(
                id="resolution",
                ops=(
                    LowResolution(
                        id="isotropic",
                        thickness_mm=Uniform(1.0, 4.0),
                        axis="all",
                        profile="gaussian",
                    ),
                    LowResolution(
                        id="slices",
                        thickness_mm=Uniform(1.0, 5.0),
                        gap_mm=Uniform(0.0, 3.0),
                        axis=Choice(("i", "j", "k")),
                        profile="gaussian",
                    ),
                ),
                weights=(0.1, 0.85),
                probability=0.95,
            ),
        ),
    )


def _painting(label_pairs: Pairs, labels: str | None) -> AnyOp:
    """The background is like any label, dark in a quarter of all samples, black in a twentieth."""
    shared = tuple(LabelClass(labels=pair) for pair in label_pairs)
    dark = LabelClass(labels=(0,), means=(0.0, 15.0), stds=(0.0, 5.0))
    black = LabelClass(labels=(0,), means=(0.0, 0.0), stds=(0.0, 0.0))
    return OneOf(
        id="contrast",
        ops=(
            LabelsToImage(id="any_background", labels=labels, classes=shared),
            LabelsToImage(id="dark_background", labels=labels, classes=(dark, *shared)),
            LabelsToImage(id="black_background", labels=labels, classes=(black, *shared)),
        ),
        weights=(0.7, 0.25, 0.05),
    )
