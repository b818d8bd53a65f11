"""Weights of Gaussian filters in voxels, the centre's first, with the same bits on every CPU."""

from millimorph.kernels.elementary import exp

TRUNCATE = 4.0
"""Standard deviations after which a sampled Gaussian ends."""

LOST = 0.01
"""Share of the discrete Gaussian that its ends may lack; ITK's maximum error."""

LEAST_VARIANCE = 1e-12
"""Voxels squared below which a discrete Gaussian is the voxel itself."""

MOST_PAIRS = 32
"""Pairs after which a discrete Gaussian ends; ITK's maximum kernel width."""


def sampled(sd: float) -> tuple[float, ...]:
    """The Gaussian of `sd` at whole voxels, cut at 4 sd, half of it, its sum over all 1."""
    radius = int(TRUNCATE * sd + 0.5)
    weights = [1.0] + [exp(-0.5 * (n / sd) * (n / sd)) for n in range(1, radius + 1)]
    return _normalised(weights)


def discrete(variance: float) -> tuple[float, ...]:
    """The discrete Gaussian, which solves the heat equation on the voxels (Lindeberg 1990).

    Its weights are exp(-t) I_n(t) with the modified Bessel functions I_n and the variance t. As in
    ITK's DiscreteGaussianImageFilter they end where no more than LOST of their sum is missing, or
    after MOST_PAIRS, and are scaled to the sum 1.
    """
    if variance < LEAST_VARIANCE:
        return (1.0,)
    bessel = _scaled_bessel(variance)
    weights = list(bessel[:2])
    total = weights[0] + 2.0 * weights[1]
    while total < 1.0 - LOST and len(weights) <= MOST_PAIRS:
        weights.append(bessel[len(weights)])
        total += 2.0 * weights[-1]
    return _normalised(weights)


def _scaled_bessel(t: float) -> list[float]:
    """exp(-t) I_n(t) for n up to MOST_PAIRS, by Miller's backward recurrence.

    The recurrence starts far beyond the last value that counts, and is scaled by
    exp(t) = I_0 + 2 (I_1 + I_2 + …).
    """
    start = 4 * MOST_PAIRS + int(2.0 * t)
    following, current = 0.0, 1.0
    total = 0.0
    kept = [0.0] * (MOST_PAIRS + 1)
    for n in range(start, -1, -1):
        if n <= MOST_PAIRS:
            kept[n] = current
        total += current if n == 0 else 2.0 * current
        following, current = current, following + 2.0 * n / t * current
        if current > 1e200:
            following, current, total = following * 1e-200, current * 1e-200, total * 1e-200
            kept = [value * 1e-200 for value in kept]
    return [value / total for value in kept]


def _normalised(weights: list[float]) -> tuple[float, ...]:
    total = weights[0]
    for weight in weights[1:]:
        total += 2.0 * weight
    return tuple(weight / total for weight in weights)
