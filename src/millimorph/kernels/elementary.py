"""exp, log, sin, cos and the normal quantile in float64 with the same bits on every CPU.

Only IEEE + - * /, sqrt, rint and exact changes of the exponent are used, in a fixed order, so the
last bit depends neither on the CPU's features nor on the length of the array. Floats give floats,
arrays give arrays of the same shape, and each element has the bits that it would have alone: the
branches are taken apart for floats and arrays, the arithmetic is shared.
"""

import math
from typing import TypeVar, overload

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Value = TypeVar("Value", float, FloatArray)

# ln 2 and pi / 2 in parts whose leading ones have few enough bits that their products with the
# integers of the range reduction are exact.
_LN2_HIGH = float.fromhex("0x1.62e42fef00000p-1")
_LN2_LOW = float.fromhex("0x1.473de6af278edp-34")
_INVERSE_LN2 = float.fromhex("0x1.71547652b82fep+0")
_HALF_PI_HIGH = float.fromhex("0x1.921fb54400000p+0")
_HALF_PI_MIDDLE = float.fromhex("0x1.0b4611a600000p-34")
_HALF_PI_LOW = float.fromhex("0x1.3198a2e037073p-69")
_TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
_SQRT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")

_EXP_MAX = 709.782712893384
_EXP_MIN = -745.1332191019412

# Coefficients from the constant term up: Taylor series, whose remainders on the reduced ranges are
# below 2**-56 of the result.
_EXP = tuple(1.0 / f for f in (2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800,
                               479001600, 6227020800, 87178291200))  # fmt: skip
_LOG = tuple(2.0 / n for n in range(3, 25, 2))
_SIN = tuple(1.0 / f for f in (-6, 120, -5040, 362880, -39916800, 6227020800, -1307674368000,
                               355687428096000))  # fmt: skip
_COS = tuple(1.0 / f for f in (24, -720, 40320, -3628800, 479001600, -87178291200,
                               20922789888000, -6402373705728000))  # fmt: skip

_CENTRE_HALF_WIDTH = 0.425
_TAIL_START = 5.0
# Wichura 1988, algorithm AS 241 (PPND16): numerator and denominator of three rational functions.
_CENTRE = (
    (3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
     21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)  # fmt: skip
_SHOULDER = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
     3.64784832476320460504, 1.27045825245236838258, 0.241780725177450611770,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550,
     0.148103976427480074590, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
_TAIL = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
     0.296560571828504891230, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 0.599832206555887937690, 0.136929880922735805310, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


@overload
def exp(x: float) -> float: ...
@overload
def exp(x: FloatArray) -> FloatArray: ...
def exp(x: float | FloatArray) -> float | FloatArray:
    """Exponential function within 1 unit in the last place; infinity above float64's range."""
    if isinstance(x, np.ndarray):
        return _exp_array(x)
    if math.isnan(x):
        return math.nan
    if not _EXP_MIN <= x <= _EXP_MAX:
        return math.inf if x > 0.0 else 0.0
    power = round(x * _INVERSE_LN2)
    return math.ldexp(_exp_reduced(float(x), float(power)), power)


@overload
def log(x: float) -> float: ...
@overload
def log(x: FloatArray) -> FloatArray: ...
def log(x: float | FloatArray) -> float | FloatArray:
    """Natural logarithm within 1 unit in the last place; -infinity at 0 and NaN below."""
    if isinstance(x, np.ndarray):
        return _log_array(x)
    if not 0.0 < x < math.inf:
        return -math.inf if x == 0.0 else math.inf if x > 0.0 else math.nan
    mantissa, power = math.frexp(x)
    if mantissa < _SQRT_HALF:
        return _log_reduced(2.0 * mantissa, float(power) - 1.0)
    return _log_reduced(mantissa, float(power))


@overload
def sin(x: float) -> float: ...
@overload
def sin(x: FloatArray) -> FloatArray: ...
def sin(x: float | FloatArray) -> float | FloatArray:
    """Sine of x radians within 1 unit in the last place, for absolute x up to 1e6."""
    if isinstance(x, np.ndarray):
        return _wave_array(x, 0)
    return _wave(float(x), 0)


@overload
def cos(x: float) -> float: ...
@overload
def cos(x: FloatArray) -> FloatArray: ...
def cos(x: float | FloatArray) -> float | FloatArray:
    """Cosine of x radians within 1 unit in the last place, for absolute x up to 1e6."""
    if isinstance(x, np.ndarray):
        return _wave_array(x, 1)
    return _wave(float(x), 1)


@overload
def normal_quantile(p: float) -> float: ...
@overload
def normal_quantile(p: FloatArray) -> FloatArray: ...
def normal_quantile(p: float | FloatArray) -> float | FloatArray:
    """Inverse of the standard normal distribution function, relative error below 1e-14.

    Infinite at 0 and 1, NaN outside [0, 1]. Source: Wichura 1988, algorithm AS 241.
    """
    if isinstance(p, np.ndarray):
        return _normal_quantile_array(p)
    q = float(p) - 0.5
    if abs(q) <= _CENTRE_HALF_WIDTH:
        return _quantile_centre(q)
    below = -log(min(float(p), 1.0 - p))
    if not below < math.inf:
        return math.nan if math.isnan(below) else math.copysign(math.inf, q)
    depth = math.sqrt(below)
    outer = _ratio(_SHOULDER, depth - 1.6) if depth <= _TAIL_START else _ratio(_TAIL, depth - 5.0)
    return -outer if q < 0.0 else outer


def _polynomial(coefficients: tuple[float, ...], x: Value) -> Value:
    """Horner's rule, two or more coefficients from the constant term up."""
    total = coefficients[-1] * x + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        total = total * x + coefficient
    return total


def _ratio(rational: tuple[tuple[float, ...], tuple[float, ...]], x: Value) -> Value:
    return _polynomial(rational[0], x) / _polynomial(rational[1], x)


def _exp_reduced(x: Value, power: Value) -> Value:
    """Exponential of x over 2 to the power."""
    high = x - power * _LN2_HIGH
    low = power * _LN2_LOW
    r = high - low
    rest = (high - r) - low
    return 1.0 + (r + (r * r * _polynomial(_EXP, r) + rest))


def _exp_array(x: FloatArray) -> FloatArray:
    inside = np.where((x >= _EXP_MIN) & (x <= _EXP_MAX), x, 0.0)
    power = np.rint(inside * _INVERSE_LN2)
    with np.errstate(under="ignore"):
        result = np.ldexp(_exp_reduced(inside, power), power.astype(np.int32))
    result = np.where(x > _EXP_MAX, np.inf, result)
    result = np.where(x < _EXP_MIN, 0.0, result)
    return np.where(np.isnan(x), np.nan, result)


def _log_reduced(mantissa: Value, power: Value) -> Value:
    """Logarithm of mantissa times 2 to the power, the mantissa in [sqrt(1/2), sqrt(2))."""
    f = mantissa - 1.0
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    low = s * (half_square + z * _polynomial(_LOG, z)) + power * _LN2_LOW
    return power * _LN2_HIGH - ((half_square - low) - f)


def _log_array(x: FloatArray) -> FloatArray:
    inside = (x > 0.0) & (x < np.inf)
    mantissa, exponent = np.frexp(np.where(inside, x, 1.0))
    small = mantissa < _SQRT_HALF
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    result = _log_reduced(mantissa, exponent.astype(np.float64) - small)
    outside = np.where(x == 0.0, -np.inf, np.where(x > 0.0, np.inf, np.nan))
    return np.where(inside, result, outside)


def _rest(x: Value, multiple: Value) -> Value:
    """What x leaves over a whole multiple of pi / 2."""
    high = x - multiple * _HALF_PI_HIGH
    middle = multiple * _HALF_PI_MIDDLE
    r = high - middle
    back = high - r
    error = (high - (r + back)) + (back - middle)
    return r + (error - multiple * _HALF_PI_LOW)


def _sin_reduced(r: Value) -> Value:
    z = r * r
    return r + r * (z * _polynomial(_SIN, z))


def _cos_reduced(r: Value) -> Value:
    z = r * r
    half = 0.5 * z
    leading = 1.0 - half
    return leading + (((1.0 - leading) - half) + z * z * _polynomial(_COS, z))


def _wave(x: float, ahead: int) -> float:
    """Sine of x and `ahead` quarter turns."""
    if not math.isfinite(x):
        return math.nan
    multiple = round(x * _TWO_OVER_PI)
    quadrant = multiple + ahead
    r = _rest(x, float(multiple))
    result = _cos_reduced(r) if quadrant & 1 else _sin_reduced(r)
    return -result if quadrant & 2 else result


def _wave_array(x: FloatArray, ahead: int) -> FloatArray:
    """Sines of x and `ahead` quarter turns."""
    finite = np.isfinite(x)
    inside = np.where(finite, x, 0.0)
    multiple = np.rint(inside * _TWO_OVER_PI)
    quadrant = (multiple - 4.0 * np.floor(0.25 * multiple)).astype(np.int8) + ahead
    r = _rest(inside, multiple)
    result = np.where(quadrant & 1, _cos_reduced(r), _sin_reduced(r))
    result = np.where(quadrant & 2, -result, result)
    return np.where(finite, result, np.nan)


def _quantile_centre(q: Value) -> Value:
    return q * _ratio(_CENTRE, _CENTRE_HALF_WIDTH * _CENTRE_HALF_WIDTH - q * q)


def _normal_quantile_array(p: FloatArray) -> FloatArray:
    q = p - 0.5
    central = np.abs(q) <= _CENTRE_HALF_WIDTH
    below = -_log_array(np.where(central, 0.5, np.minimum(p, 1.0 - p)))
    finite = np.isfinite(below)
    depth = np.sqrt(np.where(finite, below, 1.0))
    near = _ratio(_SHOULDER, np.minimum(depth, _TAIL_START) - 1.6)
    far = _ratio(_TAIL, depth - 5.0)
    outer = np.where(finite, np.where(depth <= _TAIL_START, near, far), below)
    middle = _quantile_centre(np.where(central, q, 0.0))
    return np.where(central, middle, np.where(q < 0.0, -outer, outer))
