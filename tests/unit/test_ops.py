"""The ops: what may be asked for, and the numbers that a draw makes of it."""

import math
import pickle

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from millimorph import ops
from millimorph.distributions import (
    Choice,
    LogUniform,
    Normal,
    TruncatedNormal,
    Uniform,
)
from millimorph.errors import PipelineError
from millimorph.kernels.philox import stream_key, uniforms
from millimorph.ops.rotations import haar_angle

BARE = [
    ops.Affine,
    ops.Rotation,
    ops.Flip,
    ops.QuarterTurn,
    ops.Elastic,
    ops.Diffeomorphic,
    ops.RadialDistortion,
    ops.Crop,
    ops.Pad,
    ops.Gamma,
    ops.GaussianNoise,
]


def drawn_by(values):
    """A draw that gives each coordinate the quantile at a fixed unit, or a given value."""
    return lambda name: values[name]


def drawn_at(op, dimension, unit):
    """The op with every coordinate at one unit."""
    named = {c.name: c.distribution.quantile(unit) for c in op.coordinates(dimension)}
    return op.with_numbers(dimension, named.__getitem__)


def names(op, dimension=3):
    return [coordinate.name for coordinate in op.coordinates(dimension)]


@pytest.mark.parametrize("kind", BARE)
def test_an_op_without_arguments_does_something(kind):
    """Its numbers differ between draws, or it changes the grid or mirrors."""
    op = kind()
    low, high = (drawn_at(op, 3, unit) for unit in (0.1, 0.9))
    assert low != high or kind in {ops.Flip, ops.Crop, ops.Pad}


def test_a_bare_affine_turns_and_scales_but_a_given_motion_stands_alone():
    assert ops.Affine() == ops.Affine(rotation_deg=Uniform(-10, 10), scale=Uniform(0.9, 1.1))
    assert names(ops.Affine(translation_mm=(5, 0, 0))) == []
    assert ops.Affine(centre_mm=(0, 0, 0)).rotation_deg == Uniform(-10, 10)


def test_the_interface_of_the_documents_works():
    ops.Affine(rotation_deg=Uniform(-10, 10), scale=Uniform(0.9, 1.1))
    ops.Elastic(control_spacing_mm=40, magnitude_mm=Uniform(0, 6))
    ops.Flip(axis="left-right", probability=0.5, label_pairs=((2, 3),))
    ops.Gamma(gamma=LogUniform(0.7, 1.5))
    ops.GaussianNoise(std_fraction=Uniform(0, 0.05))


def test_one_distribution_is_drawn_for_each_axis_but_once_for_a_scale():
    op = ops.Affine(rotation_deg=Uniform(-1, 1), scale=Uniform(1, 2), translation_mm=Uniform(0, 1))
    assert names(op) == [
        *("rotation_deg.x", "rotation_deg.y", "rotation_deg.z"),
        "scale",
        *("translation_mm.x", "translation_mm.y", "translation_mm.z"),
    ]
    assert names(op, 2) == ["rotation_deg.z", "scale", "translation_mm.x", "translation_mm.y"]


def test_a_list_draws_only_the_axes_that_vary():
    op = ops.Affine(rotation_deg=(0, 0, Uniform(-1, 1)), scale=(1, Uniform(1, 2), 1))
    assert names(op) == ["rotation_deg.z", "scale.y"]
    op = ops.Affine(shear=Uniform(0, 0.1))
    assert names(op) == ["shear.xy", "shear.xz", "shear.yz"]
    assert names(op, 2) == ["shear.xy"]


def test_a_realised_affine_has_one_number_for_each_axis():
    op = ops.Affine(rotation_deg=3, scale=Uniform(1, 2), translation_mm=(1, 2, Uniform(3, 5)))
    realised = op.with_numbers(3, drawn_by({"scale": 1.5, "translation_mm.z": 4.0}))
    assert realised.rotation_deg == (3.0, 3.0, 3.0)
    assert realised.scale == (1.5, 1.5, 1.5)
    assert realised.shear == (0.0, 0.0, 0.0)
    assert realised.translation_mm == (1.0, 2.0, 4.0)
    flat = ops.Affine(rotation_deg=3, scale=2).with_numbers(2, drawn_by({}))
    assert (flat.rotation_deg, flat.scale, flat.shear) == ((3.0,), (2.0, 2.0), (0.0,))


def test_names_of_other_coordinates():
    assert names(ops.Elastic(control_spacing_mm=Uniform(20, 50))) == [
        "control_spacing_mm",
        "magnitude_mm",
    ]
    assert names(ops.RadialDistortion(coefficients=(Uniform(0, 1), 0, Uniform(0, 1)))) == [
        "coefficients.k1",
        "coefficients.k3",
    ]
    assert names(ops.Transform(kind="Translation", parameters=(0, Uniform(0, 1)))) == [
        "parameters.1"
    ]
    assert names(ops.QuarterTurn(axis=Choice(("i", "j")))) == ["axis", "turns"]
    assert names(ops.Rotation(max_angle_deg=Uniform(5, 9))) == [
        *("max_angle_deg", "axis_height", "axis_azimuth", "angle")
    ]
    assert names(ops.Rotation(), 2) == ["angle"]
    assert names(ops.Crop(size=Choice((32, 64)), position=Uniform(0, 1)), 2) == [
        *("size", "position.x", "position.y")
    ]


def test_whole_numbers_stay_whole():
    turned = ops.QuarterTurn().with_numbers(3, drawn_by({"turns": 2.0}))
    assert type(turned.turns) is int
    cropped = ops.Crop(size=Choice((32, 64))).with_numbers(3, drawn_by({"size": 64.0}))
    assert cropped.size == (64, 64, 64)
    assert all(type(count) is int for count in cropped.size)
    assert cropped.fraction is None


@given(st.floats(0, 1), st.floats(1e-3, math.pi))
def test_the_haar_angle_inverts_its_distribution(u, limit):
    """F(t) = (t - sin t) / (limit - sin limit), evaluated by series where it cancels."""

    def excess(t):
        terms = ((-1) ** k * t ** (2 * k + 3) / math.factorial(2 * k + 3) for k in range(14))
        return math.fsum(terms)

    angle = haar_angle(u, limit)
    assert 0 <= angle <= limit
    assert excess(angle) == pytest.approx(u * excess(limit), rel=1e-9, abs=1e-300)


def random_versors(limit_deg, count, dimension=3):
    op = ops.Rotation(max_angle_deg=limit_deg)
    columns = {
        c.name: [c.distribution.quantile(float(u)) for u in uniforms(stream_key(c.name), count)]
        for c in op.coordinates(dimension)
    }
    rows = [{name: values[k] for name, values in columns.items()} for k in range(count)]
    return np.array([op.with_numbers(dimension, row.__getitem__).versor for row in rows])


def test_random_rotations_are_uniform_over_all_rotations():
    """The versor of a uniform rotation is uniform on the half of the 3-sphere with w >= 0."""
    versors = random_versors(180, 1500)
    np.testing.assert_allclose((versors**2).sum(axis=1), 1.0, atol=1e-14)
    assert versors[:, 3].min() >= 0

    def component_cdf(x):
        return 0.5 + (x * np.sqrt(1 - x * x) + np.arcsin(x)) / np.pi

    for k in range(3):
        assert stats.kstest(versors[:, k], component_cdf).pvalue > 1e-4
    assert stats.kstest(versors[:, 3], lambda w: 2 * component_cdf(w) - 1).pvalue > 1e-4


def test_random_rotations_keep_their_limit_and_have_uniform_axes():
    versors = random_versors(20, 1500)
    angles = 2 * np.arccos(versors[:, 3])
    limit = math.radians(20)
    assert angles.max() <= limit * (1 + 1e-12)
    law = (angles - np.sin(angles)) / (limit - math.sin(limit))
    assert stats.kstest(law, "uniform").pvalue > 1e-4
    axes = versors[:, :3] / np.linalg.norm(versors[:, :3], axis=1)[:, None]
    for column in axes.T:
        assert stats.kstest(column, "uniform", args=(-1, 2)).pvalue > 1e-4


def test_in_2d_the_rotation_is_about_z_and_its_angle_uniform():
    versors = random_versors(30, 1000, dimension=2)
    assert not versors[:, :2].any()
    angles = 2 * np.arctan2(versors[:, 2], versors[:, 3])
    limit = math.radians(30)
    assert stats.kstest(angles, "uniform", args=(-limit, 2 * limit)).pvalue > 1e-4


def test_a_given_versor_is_not_drawn():
    op = ops.Rotation(versor=(0, 0, 0.6, 0.8))
    assert names(op) == []
    assert op.with_numbers(3, drawn_by({})).versor == (0.0, 0.0, 0.6, 0.8)


def test_a_radial_distortion_with_numbers_is_a_map():
    """Against the formula of Brown 1971."""
    op = ops.RadialDistortion(coefficients=(1e-5, -2e-10), centre_mm=(3.0, -4.0))
    points = np.array([[3.0, -4.0], [50.0, 20.0], [-100.0, 7.0]])
    offset = points - [3.0, -4.0]
    square = (offset**2).sum(axis=1)[:, None]
    expected = points + offset * (1e-5 * square - 2e-10 * square**2)
    np.testing.assert_allclose(op.map_points(points), expected, atol=1e-12)
    np.testing.assert_allclose(op.inverse_points(expected), points, atol=1e-6)
    assert op.jacobians(points).shape == (3, 2, 2)
    assert op.map(2).dimension == 2


@pytest.mark.parametrize(
    "op",
    [
        ops.RadialDistortion(),
        ops.RadialDistortion(coefficients=(Uniform(0, 1),), centre_mm=(0, 0)),
        ops.RadialDistortion(coefficients=(1,)),
        ops.RadialDistortion(coefficients=(1,), centre_mm=(0, 0), unit="half_diagonal"),
    ],
)
def test_a_radial_distortion_that_is_no_map_says_so(op):
    with pytest.raises(PipelineError, match="map of points only with numbers"):
        op.map_points([[0.0, 0.0]])


def test_a_given_alternative_switches_the_default_off():
    assert ops.GaussianNoise(std=5).std_fraction is None
    assert ops.Elastic(control_points=6).control_spacing_mm is None
    assert ops.Crop(size=3).fraction is None
    assert ops.Pad(size=3).margin is None
    assert ops.RadialDistortion(coefficients=(1,)).unit == "mm"
    assert ops.RadialDistortion().unit == "half_diagonal"


@pytest.mark.parametrize(
    ("kind", "dimension", "count"),
    [
        *(("Translation", 2, 2), ("Translation", 3, 3), ("Scale", 2, 2), ("Scale", 3, 3)),
        *(("Euler2D", 2, 3), ("Euler3D", 3, 6), ("Versor", 3, 3), ("VersorRigid3D", 3, 6)),
        *(("Similarity2D", 2, 4), ("Similarity3D", 3, 7), ("ScaleVersor3D", 3, 9)),
        *(("ScaleSkewVersor3D", 3, 15), ("Affine", 2, 6), ("Affine", 3, 12)),
    ],
)
def test_a_transform_takes_as_many_parameters_as_itks(kind, dimension, count):
    makers = {
        "Translation": lambda: sitk.TranslationTransform(dimension),
        "Scale": lambda: sitk.ScaleTransform(dimension),
        "Affine": lambda: sitk.AffineTransform(dimension),
    }
    itk = makers[kind]() if kind in makers else getattr(sitk, f"{kind}Transform")()
    assert len(itk.GetParameters()) == count
    op = ops.Transform(kind=kind, parameters=(0.1,) * count)
    assert op.implied_dimensions()["parameters"] == dimension
    with pytest.raises(PipelineError, match="parameters, got 20"):
        ops.Transform(kind=kind, parameters=(0.1,) * 20)


def test_a_bspline_takes_as_many_parameters_as_its_lattice_asks_for():
    op = ops.Transform(kind="BSpline", parameters=(0,) * 40, control_points=(4, 5))
    assert op.implied_dimensions() == {"parameters": 2, "control_points": 2}
    with pytest.raises(PipelineError, match="takes 192"):
        ops.Transform(kind="BSpline", parameters=(0,) * 40, control_points=(4, 4, 4))


REFUSED = [
    (lambda: ops.Affine(rotatoin_deg=3), 'unknown key "rotatoin_deg"; did you mean "rotation_deg"'),
    (lambda: ops.Affine(rotation_deg=1000), "from -360 to 360 degrees, got 1000"),
    (lambda: ops.Affine(rotation_deg=Uniform(0, 400)), "degrees, but .* reaches 400"),
    (lambda: ops.Affine(rotation_deg=(1, 2)), r"1 \(2D: z\) or 3 \(3D\) entries"),
    (lambda: ops.Affine(translation_mm=(1,)), r"2 \(2D: x, y\) or 3 \(3D\) entries"),
    (lambda: ops.Affine(scale=0), "scale must be a number above 0, got 0"),
    (lambda: ops.Affine(scale=(1, 1, -1)), "scale entry 2 must be a number above 0"),
    (lambda: ops.Affine(scale=Uniform(-1, 1)), "reaches -1"),
    (lambda: ops.Affine(scale=Normal(1, 0.5)), "above 0, but .* reaches -3"),
    (lambda: ops.Affine(scale="1.1"), 'or a distribution of such; got "1.1"'),
    (lambda: ops.Affine(scale=True), "must be a number"),
    (lambda: ops.Affine(scale=float("nan")), "must be a number"),
    (lambda: ops.Affine(scale=Choice(("a", "b"))), "got words"),
    (lambda: ops.Affine(scale={"unifrm": [1, 2]}), 'did you mean "uniform"'),
    (lambda: ops.Affine(scale={"uniform": [2, 1]}), "low must not be above high"),
    (lambda: ops.Affine(centre_mm=3), "must be a list"),
    (lambda: ops.Affine(centre_mm=(Uniform(0, 1), 0)), "takes no distribution"),
    (lambda: ops.Flip(probability=1.5), "from 0 to 1, got 1.5"),
    (lambda: ops.Flip(probability=Uniform(0, 1)), "takes no distribution"),
    (lambda: ops.Flip(axis="left"), "one of left-right, anterior-posterior"),
    (lambda: ops.Flip(label_pairs=((2, 3), (3, 4))), "each label once, got 3 twice"),
    (lambda: ops.Flip(label_pairs=((2, 2),)), "each label once"),
    (lambda: ops.Flip(label_pairs=((2, "right"),)), "two labels or two names"),
    (lambda: ops.Flip(label_pairs=((2, 2**32),)), "labels from 0 to 4294967295"),
    (lambda: ops.Flip(label_pairs=(2, 3)), "list of pairs"),
    (lambda: ops.Flip(label_pairs=((2.5, 3),)), "two labels or two names"),
    (lambda: ops.Flip(id="a b"), "letters, digits"),
    (lambda: ops.Flip(id=3), "must be a text"),
    (lambda: ops.QuarterTurn(turns=4), "whole number from 1 to 3"),
    (lambda: ops.QuarterTurn(turns=0), "whole number from 1 to 3"),
    (lambda: ops.QuarterTurn(turns=Uniform(1, 3)), "or a choice of such"),
    (lambda: ops.QuarterTurn(turns=Choice((1, 5))), "from 1 to 3"),
    (lambda: ops.QuarterTurn(axis="x"), "one of i, j, k"),
    (lambda: ops.Rotation(max_angle_deg=200), "from 0 to 180 degrees"),
    (lambda: ops.Rotation(versor=(1, 1, 0, 0)), "of length 1"),
    (lambda: ops.Elastic(control_spacing_mm=0), "above 0 mm, got 0"),
    (lambda: ops.Elastic(control_points=3), "whole number from 4 up"),
    (lambda: ops.Elastic(control_points=4, control_spacing_mm=3), "exactly one of"),
    (lambda: ops.Elastic(control_spacing_mm=None), "exactly one of"),
    (lambda: ops.Elastic(magnitude_mm=-1), "from 0 mm up, got -1"),
    (lambda: ops.Elastic(lock_border="yes"), "must be true or false"),
    (lambda: ops.Elastic(fold_shrink=0), "above 0 to 1"),
    (lambda: ops.RadialDistortion(coefficients=()), "at least one entry"),
    (lambda: ops.RadialDistortion(unit="mm"), "coefficients must be given too"),
    (lambda: ops.Transform(kind="Euler4D", parameters=(1,)), "kind must be 'Translation'"),
    (lambda: ops.Transform(kind="BSpline", parameters=(1,)), "takes control_points with kind"),
    (
        lambda: ops.Transform(kind="Affine", parameters=(1,) * 6, centre_mm=(1, 2, 3)),
        "centre_mm has 3 numbers",
    ),
    (lambda: ops.Transform(kind="Euler3D"), '"parameters" is missing'),
    (ops.Warp, '"transform" is missing'),
    (lambda: ops.Warp(transform="m", strength=3), "from 0 to 2"),
    (lambda: ops.Crop(size=0), "whole number from 1 up"),
    (lambda: ops.Crop(fraction=1.2), "above 0 to 1"),
    (lambda: ops.Crop(position=(0.5, 1.5)), "entry 1 must be a number from 0 to 1"),
    (lambda: ops.Pad(margin=-1), "whole number from 0 up"),
    (lambda: ops.Gamma(gamma=0), "above 0"),
    (lambda: ops.GaussianNoise(std_fraction=None), "exactly one of std and std_fraction"),
    (lambda: ops.GaussianNoise(std=1, std_fraction=0.1), "exactly one of std and std_fraction"),
    (lambda: ops.OneOf(ops=()), "at least one op"),
    (lambda: ops.OneOf(ops=(ops.Gamma(), ops.Flip())), "all spatial or all intensity"),
    (lambda: ops.OneOf(ops=(ops.Flip(),), weights=(1, 2)), "one weight for each"),
    (lambda: ops.OneOf(ops=(ops.Flip(),), weights=(0,)), "not all 0"),
    (lambda: ops.OneOf(ops=ops.Flip()), "must be a list"),
    (lambda: ops.SomeOf(ops=(ops.Flip(),), count=2), "more than the 1 ops"),
    (lambda: ops.SomeOf(ops=(ops.Flip(),)), '"count" is missing'),
]


@pytest.mark.parametrize(("make", "told"), REFUSED)
def test_a_wrong_value_says_what_is_allowed(make, told):
    with pytest.raises(PipelineError, match=told):
        make()


def test_all_mistakes_are_told_at_once():
    with pytest.raises(PipelineError) as caught:
        ops.Affine(scale=-1, rotation_deg=999, shaer=1)
    told = str(caught.value)
    assert "scale must be" in told
    assert "rotation_deg must be" in told
    assert "did you mean" in told


def test_a_normal_that_cannot_be_drawn_out_of_range_is_taken():
    """Its farthest draws lie 8.2 sd from the mean."""
    ops.Affine(scale=Normal(1, 0.1))
    ops.Affine(scale=TruncatedNormal(1, 1, 0.5, 2))


@pytest.mark.parametrize("kind", BARE)
def test_ops_are_frozen_hashable_values_that_pickle(kind):
    op = kind(probability=0.5)
    assert hash(op) == hash(kind(probability=0.5))
    assert pickle.loads(pickle.dumps(op)) == op  # noqa: S301 (our own bytes)
    with pytest.raises(ValueError, match="frozen"):
        op.probability = 1.0


def test_replace_checks_what_it_changes():
    assert ops.Affine(scale=2).replace(scale=3).scale == 3.0
    with pytest.raises(PipelineError, match="above 0"):
        ops.Affine(scale=2).replace(scale=-3)


def test_minus_zero_is_zero():
    """Or equal ops would have different digests."""
    assert math.copysign(1.0, ops.Affine(translation_mm=-0.0).translation_mm) == 1.0
