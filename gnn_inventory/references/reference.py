"""What a policy's cost is held against: an exact optimum, a bound, or the best that is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.types import PerPeriod

__all__ = ["Reference"]


@dataclass(frozen=True)
class Reference:
    """A yardstick of a network's cost, as a long-run mean per period of the whole network.

    Attributes:
        kind: `optimum`; `lower_bound` (no policy can cost less); `perfect_information` (everything is sold, nothing held, all bought
            by the cheapest links: not a bound where a policy may have bought in the warm-up what it sells after it); `best_known`.
        value: cost per period of the whole network, money.
        source: where the method comes from.
        error: by how much `value` may be off, money: an estimate where it comes from a grid, a bound where from an iteration.
        levels: echelon base-stock levels by location, where the optimum has them [units].
        twin: where there is one, what attains the reference, on given scenarios: cost per period [B, T], whose long-run
            mean is `value`. A gap measured against it has the scenarios' noise in both and an interval far narrower.
    """

    kind: Literal["optimum", "lower_bound", "perfect_information", "best_known"]
    value: float
    source: str
    error: float = 0.0
    levels: dict[str, float] | None = None
    twin: Callable[[InventoryGraph, Scenarios], PerPeriod] | None = field(default=None, compare=False, repr=False)
