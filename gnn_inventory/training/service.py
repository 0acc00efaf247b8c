"""A fill rate that must be reached: the least cost among the policies that reach it, by a primal-dual update.

The fill rate of a network is what is served at once over what is demanded: units that customers get in the period in which they ask,
from stock, over all units that they ask for, summed over the locations with demand, the counted periods (after the warm-up) and the
scenarios. A backlog that is served later does not count; of lost sales, all sales count. (In textbooks: the beta service level.)

Training minimises mean cost of the counted periods + multiplier x (asked - fill rate) over the policy, while the multiplier climbs that same expression: it
rises while a batch falls short and sinks, never below 0, while it has more than asked (Arrow, Hurwicz and Uzawa 1958). Where both
rest, the multiplier is the price of service: what a little more fill rate costs, in money per period and location with demand for
the whole way from 0 to 1.
"""

from gnn_inventory.training.settings import Training

__all__ = ["TOLERANCE", "fill_rate", "next_multiplier", "shortfall"]

TOLERANCE = 0.001
"""By which the fill rate on dev may fall short of what is asked before another policy is preferred whatever it costs."""


def fill_rate(served: float, demanded: float) -> float:
    """What was served at once over what was demanded; 1 where nothing was."""
    return served / demanded if demanded else 1.0


def next_multiplier(multiplier: float, settings: Training, found: float, part: float) -> float:
    """The multiplier after a step.

    Args:
        multiplier: before it, money per period and location.
        settings: what is asked, and how quickly the multiplier climbs.
        found: fill rate of the batch.
        part: of the largest learning rate, that this step was taken with: policy and multiplier come to rest together.
    """
    assert settings.fill_rate is not None
    return max(0.0, multiplier + settings.multiplier_rate * part * (settings.fill_rate - found))


def shortfall(settings: Training, found: float | None) -> float:
    """By how much a fill rate on dev misses what is asked, beyond the tolerance; 0 where nothing is asked or measured."""
    if settings.fill_rate is None or found is None:
        return 0.0
    return max(0.0, settings.fill_rate - TOLERANCE - found)
