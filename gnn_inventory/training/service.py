"""A fill rate that must be reached: the least cost among the policies that reach it, by a primal-dual update.

The fill rate of a network is what is served at once over what is demanded: units that customers get in the period in which they ask,
from stock, over all units that they ask for, summed over the locations with demand, the counted periods (after the warm-up) and the
scenarios. A backlog that is served later does not count; of lost sales, all sales count. (In textbooks: the beta service level.)

Training minimises mean cost of the counted periods + price x (asked - fill rate) over the policy. A multiplier climbs what is missing:
it rises while a batch falls short and sinks, never below 0, while it has more than asked (Arrow, Hurwicz and Uzawa 1958); the price
is the multiplier, a little ahead of it. Where all rest, they are the price of service: what more fill rate costs at the margin, in
money per period and location with demand, for the whole way from 0 to 1.
"""

from gnn_inventory.training.settings import Training

__all__ = ["TOLERANCE", "fill_rate", "next_multiplier", "next_price", "shortfall"]

DAMPING = 30
"""Steps of the multiplier's climb, by which the price is ahead of it."""
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


def next_price(multiplier: float, settings: Training, found: float) -> float:
    """What the next step pays for service, money per period and location: max(0, multiplier + r x shortfall), r = DAMPING x rate.

    That is the gradient of the augmented Lagrangian (Hestenes 1969; Powell 1969), with the shortfall of the step before. With the multiplier
    alone, policy and multiplier swing about the solution: it still climbs when the policy is there, and is too high by then.

    Args:
        multiplier: after a step.
        settings: what is asked.
        found: fill rate of the step's batch.
    """
    assert settings.fill_rate is not None
    return max(0.0, multiplier + DAMPING * settings.multiplier_rate * (settings.fill_rate - found))


def shortfall(settings: Training, found: float | None) -> float:
    """By how much a fill rate on dev misses what is asked, beyond the tolerance; 0 where nothing is asked or measured."""
    if settings.fill_rate is None or found is None:
        return 0.0
    return max(0.0, settings.fill_rate - TOLERANCE - found)
