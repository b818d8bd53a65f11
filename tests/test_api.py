"""The public names are there, and importing them costs nothing that is not used yet."""

import json
import subprocess
import sys
from dataclasses import fields, is_dataclass

import pytest

import millimorph as mm

ARCHITECTURE = """
read_image read_labels write_image write_labels from_sitk to_sitk
ImageGrid reference_grid AffineTransform BSplineTransform DisplacementFieldTransform
StationaryVelocityField RadialDistortionTransform CompositeTransform to_displacement_field
ScalarImage LabelMap Landmarks Boxes Case crop_to_foreground
Affine Rotation Transform Flip QuarterTurn Elastic Diffeomorphic RadialDistortion Warp Crop Pad
OneOf SomeOf Gamma GaussianNoise
Uniform LogUniform Normal TruncatedNormal Choice
Random FullFactorial LatinHypercube Sobol Explicit
RicianNoise SaltAndPepper ShotNoise Speckle
Median Bilateral AdaptiveHistogramEqualization
GaussianBlur Sharpen LowResolution BiasField
Remap OneHot KeepLargest Erode Dilate LabelsToImage LabelClass
BrightnessGradient LocalGamma MultiplicativeAndAdditiveField Cutout Swap
CtDoseNoise CtRings CtMetalStreaks CtCupping CtKernelChange XrayCollimation XrayScatter
UltrasoundSpeckle UltrasoundAttenuation UltrasoundShadow PetCounts PetPointSpread ColourJitter
Vignette SpecularHighlights
Brightness Clamp Contrast IntensityCurve Invert LinearMap Sigmoid Window
Rescale ZScore HistogramEqualization HistogramStandardization HistogramMatching
fit_histogram_landmarks histogram_quantiles
Motion Ghosting Spike Gibbs
Reference Pipeline load_pipeline dump_pipeline Recipe draw Program compile run augment resample
"""
FURTHER = """
FrameAxis ImageSampling LabelSampling AugmentedCase pipeline_schema get_pipeline named_pipelines
phantom_cases DatasetRequest generate_dataset job_status verify replay
contact_sheet inspect_path pipeline_sheet
labels_from_sitk read_boxes read_displacement_field read_landmarks read_transform
write_boxes write_landmarks write_transform
MillimorphError GeometryError TransformError ImageError LabelError PipelineError FileError
CompileError OutputError MillimorphWarning
"""
PUBLIC = [*ARCHITECTURE.split(), *FURTHER.split()]
METHODS = {
    "AffineTransform": ("from_matrix", "matrix", "map_points", "inverse", "__matmul__"),
    "BSplineTransform": ("map_points", "approximate_inverse", "__matmul__"),
    "DisplacementFieldTransform": ("map_points", "jacobian_determinant", "__matmul__"),
    "StationaryVelocityField": ("map_points", "approximate_inverse", "__matmul__"),
    "RadialDistortionTransform": ("map_points", "approximate_inverse", "__matmul__"),
    "CompositeTransform": ("map_points", "approximate_inverse", "__matmul__"),
    "ScalarImage": ("with_array",),
    "LabelMap": ("with_array",),
    "Recipe": ("json", "from_json", "digest"),
    "Program": ("source_from_target", "__str__"),
}
HEAVY = ("numba", "SimpleITK", "torch", "pydantic", "nibabel", "scipy", "ruamel", "rich", "PIL")


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name):
    assert hasattr(mm, name)
    assert name in mm.__all__
    assert name in dir(mm)


def test_no_other_name_is_exported():
    assert sorted(set(mm.__all__) - set(PUBLIC)) == ["__version__"]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name):
    assert getattr(mm, name).__doc__


@pytest.mark.parametrize(("name", "methods"), METHODS.items())
def test_values_have_their_documented_methods(name, methods):
    value = getattr(mm, name)
    present = {*dir(value), *(f.name for f in (fields(value) if is_dataclass(value) else ()))}
    assert not set(methods) - present


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Affien"):
        _ = mm.Affien


def modules_after(statement):
    """Say which heavy modules another process has loaded after a statement."""
    program = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    finished = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(finished.stdout)}
    return loaded.intersection(HEAVY)


def test_import_millimorph_loads_no_heavy_library():
    """This is what keeps the import short; a clock on a shared machine would test the machine."""
    assert modules_after("import millimorph") == set()


def test_grids_and_maps_load_neither_numba_nor_simpleitk():
    used = "import millimorph as mm; mm.ImageGrid((3, 4)); mm.AffineTransform.identity(3)"
    assert not modules_after(used) & {"numba", "SimpleITK", "torch", "pydantic"}
