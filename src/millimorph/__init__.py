"""Medical image augmentation: every spatial change is one resample in physical space.

Start with `Pipeline`, `augment` and `resample`; docs/conventions.md says how space is measured.
Names load what they need when they are first used, so that importing the package stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from millimorph._version import __version__

if TYPE_CHECKING:
    from millimorph.compiler import compile  # noqa: A004 - the field's word
    from millimorph.designs import Explicit, FullFactorial, LatinHypercube, Random, Sobol
    from millimorph.distributions import Choice, LogUniform, Normal, TruncatedNormal, Uniform
    from millimorph.errors import (
        CompileError,
        FileError,
        GeometryError,
        ImageError,
        LabelError,
        MillimorphError,
        MillimorphWarning,
        OutputError,
        PipelineError,
        TransformError,
    )
    from millimorph.generate import DatasetRequest, generate_dataset, job_status, verify
    from millimorph.generate.replay import replay
    from millimorph.geometry import ImageGrid, reference_grid
    from millimorph.images import (
        Boxes,
        Case,
        FrameAxis,
        LabelMap,
        Landmarks,
        ScalarImage,
        crop_to_foreground,
        fit_histogram_landmarks,
        histogram_quantiles,
    )
    from millimorph.io import (
        from_sitk,
        labels_from_sitk,
        read_boxes,
        read_displacement_field,
        read_image,
        read_labels,
        read_landmarks,
        read_transform,
        to_sitk,
        write_boxes,
        write_image,
        write_labels,
        write_landmarks,
        write_transform,
    )
    from millimorph.ops import (
        AdaptiveHistogramEqualization,
        Affine,
        BiasField,
        Bilateral,
        Brightness,
        BrightnessGradient,
        Clamp,
        ColourJitter,
        Contrast,
        Crop,
        CtCupping,
        CtDoseNoise,
        CtKernelChange,
        CtMetalStreaks,
        CtRings,
        Cutout,
        Diffeomorphic,
        Dilate,
        Elastic,
        Erode,
        Flip,
        Gamma,
        GaussianBlur,
        GaussianNoise,
        Ghosting,
        Gibbs,
        HistogramEqualization,
        HistogramMatching,
        HistogramStandardization,
        IntensityCurve,
        Invert,
        KeepLargest,
        LabelClass,
        LabelsToImage,
        LinearMap,
        LocalGamma,
        LowResolution,
        Median,
        Motion,
        MultiplicativeAndAdditiveField,
        OneHot,
        OneOf,
        Pad,
        PetCounts,
        PetPointSpread,
        QuarterTurn,
        RadialDistortion,
        Remap,
        Rescale,
        RicianNoise,
        Rotation,
        SaltAndPepper,
        Sharpen,
        ShotNoise,
        Sigmoid,
        SomeOf,
        Speckle,
        SpecularHighlights,
        Spike,
        Swap,
        Transform,
        UltrasoundAttenuation,
        UltrasoundShadow,
        UltrasoundSpeckle,
        Vignette,
        Warp,
        Window,
        XrayCollimation,
        XrayScatter,
        ZScore,
    )
    from millimorph.phantoms import phantom_cases
    from millimorph.pipelines import get_pipeline, named_pipelines
    from millimorph.program import Program
    from millimorph.recipe import (
        ImageSampling,
        LabelSampling,
        Pipeline,
        Recipe,
        Reference,
        draw,
        dump_pipeline,
        load_pipeline,
        pipeline_schema,
    )
    from millimorph.report import contact_sheet, inspect_path, pipeline_sheet
    from millimorph.runner import AugmentedCase, augment, resample, run
    from millimorph.transforms import (
        AffineTransform,
        BSplineTransform,
        CompositeTransform,
        DisplacementFieldTransform,
        RadialDistortionTransform,
        StationaryVelocityField,
        to_displacement_field,
    )

_WHERE = {
    "compiler": "compile",
    "designs": "Explicit FullFactorial LatinHypercube Random Sobol",
    "distributions": "Choice LogUniform Normal TruncatedNormal Uniform",
    "errors": "CompileError FileError GeometryError ImageError LabelError MillimorphError "
    "MillimorphWarning OutputError PipelineError TransformError",
    "generate": "DatasetRequest generate_dataset job_status replay verify",
    "geometry": "ImageGrid reference_grid",
    "images": "Boxes Case FrameAxis LabelMap Landmarks ScalarImage crop_to_foreground "
    "fit_histogram_landmarks histogram_quantiles",
    "io": "from_sitk labels_from_sitk read_boxes read_displacement_field read_image read_labels "
    "read_landmarks read_transform to_sitk write_boxes write_image write_labels write_landmarks "
    "write_transform",
    "ops": "Affine Crop Diffeomorphic Elastic Flip OneOf Pad QuarterTurn RadialDistortion "
    "Rotation SomeOf Transform Warp Gamma GaussianBlur GaussianNoise Remap OneHot KeepLargest "
    "LowResolution Sharpen AdaptiveHistogramEqualization Bilateral Median "
    "Brightness Clamp Contrast IntensityCurve Invert LinearMap Sigmoid Window "
    "RicianNoise SaltAndPepper ShotNoise Speckle "
    "Motion Ghosting Spike Gibbs "
    "Erode Dilate LabelsToImage LabelClass "
    "BiasField BrightnessGradient LocalGamma MultiplicativeAndAdditiveField Cutout Swap "
    "ColourJitter CtCupping CtDoseNoise CtKernelChange CtMetalStreaks "
    "CtRings PetCounts PetPointSpread SpecularHighlights UltrasoundAttenuation "
    "UltrasoundShadow UltrasoundSpeckle Vignette XrayCollimation XrayScatter "
    "HistogramEqualization HistogramMatching HistogramStandardization Rescale ZScore",
    "phantoms": "phantom_cases",
    "pipelines": "get_pipeline named_pipelines",
    "program": "Program",
    "recipe": "ImageSampling LabelSampling Pipeline Recipe Reference draw dump_pipeline "
    "load_pipeline pipeline_schema",
    "report": "contact_sheet inspect_path pipeline_sheet",
    "runner": "AugmentedCase augment resample run",
    "transforms": "AffineTransform BSplineTransform CompositeTransform DisplacementFieldTransform "
    "RadialDistortionTransform StationaryVelocityField to_displacement_field",
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = [
    "AdaptiveHistogramEqualization",
    "Affine",
    "AffineTransform",
    "AugmentedCase",
    "BSplineTransform",
    "BiasField",
    "Bilateral",
    "Boxes",
    "Brightness",
    "BrightnessGradient",
    "Case",
    "Choice",
    "Clamp",
    "ColourJitter",
    "CompileError",
    "CompositeTransform",
    "Contrast",
    "Crop",
    "CtCupping",
    "CtDoseNoise",
    "CtKernelChange",
    "CtMetalStreaks",
    "CtRings",
    "Cutout",
    "DatasetRequest",
    "Diffeomorphic",
    "Dilate",
    "DisplacementFieldTransform",
    "Elastic",
    "Erode",
    "Explicit",
    "FileError",
    "Flip",
    "FrameAxis",
    "FullFactorial",
    "Gamma",
    "GaussianBlur",
    "GaussianNoise",
    "GeometryError",
    "Ghosting",
    "Gibbs",
    "HistogramEqualization",
    "HistogramMatching",
    "HistogramStandardization",
    "ImageError",
    "ImageGrid",
    "ImageSampling",
    "IntensityCurve",
    "Invert",
    "KeepLargest",
    "LabelClass",
    "LabelError",
    "LabelMap",
    "LabelSampling",
    "LabelsToImage",
    "Landmarks",
    "LatinHypercube",
    "LinearMap",
    "LocalGamma",
    "LogUniform",
    "LowResolution",
    "Median",
    "MillimorphError",
    "MillimorphWarning",
    "Motion",
    "MultiplicativeAndAdditiveField",
    "Normal",
    "OneHot",
    "OneOf",
    "OutputError",
    "Pad",
    "PetCounts",
    "PetPointSpread",
    "Pipeline",
    "PipelineError",
    "Program",
    "QuarterTurn",
    "RadialDistortion",
    "RadialDistortionTransform",
    "Random",
    "Recipe",
    "Reference",
    "Remap",
    "Rescale",
    "RicianNoise",
    "Rotation",
    "SaltAndPepper",
    "ScalarImage",
    "Sharpen",
    "ShotNoise",
    "Sigmoid",
    "Sobol",
    "SomeOf",
    "Speckle",
    "SpecularHighlights",
    "Spike",
    "StationaryVelocityField",
    "Swap",
    "Transform",
    "TransformError",
    "TruncatedNormal",
    "UltrasoundAttenuation",
    "UltrasoundShadow",
    "UltrasoundSpeckle",
    "Uniform",
    "Vignette",
    "Warp",
    "Window",
    "XrayCollimation",
    "XrayScatter",
    "ZScore",
    "__version__",
    "augment",
    "compile",
    "contact_sheet",
    "crop_to_foreground",
    "draw",
    "dump_pipeline",
    "fit_histogram_landmarks",
    "from_sitk",
    "generate_dataset",
    "get_pipeline",
    "histogram_quantiles",
    "inspect_path",
    "job_status",
    "labels_from_sitk",
    "load_pipeline",
    "named_pipelines",
    "phantom_cases",
    "pipeline_schema",
    "pipeline_sheet",
    "read_boxes",
    "read_displacement_field",
    "read_image",
    "read_labels",
    "read_landmarks",
    "read_transform",
    "reference_grid",
    "replay",
    "resample",
    "run",
    "to_displacement_field",
    "to_sitk",
    "verify",
    "write_boxes",
    "write_image",
    "write_labels",
    "write_landmarks",
    "write_transform",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module that holds it."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'millimorph' has no attribute {name!r}")
    value: object = getattr(import_module(f"millimorph.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
