"""Intervals for what benchmarks count: quantiles without a distribution, and rare events by Poisson's."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


class Estimate(NamedTuple):
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def quantile(values: NDArray[np.float64], percent: float) -> Estimate:
    """A percentile with an interval from order statistics (binomial; Conover 1999), whatever the distribution.

    The ends are NaN where there are too few values to bound the percentile: 99.9 % wants some 3700.
    """
    from scipy.stats import binom

    ordered = np.sort(values)
    n, share = len(ordered), percent / 100
    low = int(binom.ppf((1 - LEVEL) / 2, n, share))
    high = int(binom.ppf((1 + LEVEL) / 2, n, share)) + 1
    value = float(np.percentile(ordered, percent))
    if low < 1 or high > n:
        return Estimate(value, float("nan"), float("nan"))
    return Estimate(value, min(value, float(ordered[low - 1])), max(value, float(ordered[high - 1])))


def mean(values: NDArray[np.float64], n_groups: int = 20) -> Estimate:
    """A mean with a t interval over ``n_groups`` consecutive groups: neighbours in time resemble each other."""
    from scipy.stats import t

    groups = [float(part.mean()) for part in np.array_split(values, min(n_groups, len(values)))]
    centre = float(values.mean())
    if len(groups) < 2:
        return Estimate(centre, centre, centre)
    half_width = float(t.ppf((1 + LEVEL) / 2, len(groups) - 1)) * float(np.std(groups, ddof=1)) / len(groups) ** 0.5
    return Estimate(centre, centre - half_width, centre + half_width)


def per_hour(count: int, seconds: float) -> Estimate:
    """Events in an hour, from ``count`` in so many ``seconds``, with Garwood's exact Poisson interval.

    With none, the upper end is that of a one-sided interval, the rule of three: fewer than 3 in the time that passed.
    """
    from scipy.stats import chi2

    hours = seconds / 3600
    tail = (1 - LEVEL) / 2 if count else 1 - LEVEL
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    high = float(chi2.ppf(1 - tail, 2 * count + 2)) / 2
    return Estimate(count / hours, low / hours, high / hours)


def share(count: int, n: int) -> Estimate:
    """``count`` of ``n`` as a share, with the exact interval of Clopper and Pearson; one-sided where there is none."""
    from scipy.stats import beta

    tail = (1 - LEVEL) / 2 if count else 1 - LEVEL
    low = float(beta.ppf(tail, count, n - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, n - count)) if count < n else 1.0
    return Estimate(count / n, low, high)
