"""95 % intervals of means and of ratios of means, over independent scenarios."""

import math

from torch import Tensor

__all__ = ["OVER_ITEMS", "interval", "relative_gap", "student"]

OVER_ITEMS = "intervals are over items, for these periods alone: other periods may differ by more"
"""What is said beside intervals over the items of a panel, which share their periods."""


def interval(values: Tensor) -> tuple[float, float]:
    """95 % interval of the mean of independent values; NaN where there are not two."""
    mean, error = float(values.mean()), float(values.std()) / math.sqrt(len(values))
    width = student(len(values) - 1) * error
    return mean - width, mean + width


def student(degrees: int) -> float:
    """The 97.5 % quantile of Student's t: exact for one and two degrees of freedom, else within 0.2 % by its expansion around
    the normal one (Abramowitz and Stegun 1964, 26.7.5)."""
    if degrees <= 2:
        return {0: math.nan, 1: 12.706205, 2: 4.302653}[degrees]
    z = 1.959964
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, 1))


def relative_gap(over: Tensor, reference: Tensor | float) -> tuple[float, tuple[float, float]]:
    """Gap in percent of a reference, with a 95 % interval.

    Where the reference is a mean over the same scenarios, the gap is a ratio of two means that vary together; its error is that of
    the residuals over - gap x reference (Cochran 1977, Sampling Techniques, 6.4).

    Args:
        over: cost over the reference, of each scenario [B].
        reference: of each scenario [B]; or one number, that is exact.
    """
    value = float(reference.mean()) if isinstance(reference, Tensor) else reference
    percent = 100 * float(over.mean()) / abs(value)
    residual = over - float(over.mean()) / value * reference
    error = 100 * student(len(over) - 1) * float(residual.std()) / (abs(value) * math.sqrt(len(over)))
    return percent, (percent - error, percent + error)
