"""What a supplier, a location, a link and their values may say; pydantic checks it."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from gnn_inventory.topology.values import LARGEST

__all__ = [
    "Demand",
    "Link",
    "Location",
    "NegativeBinomial",
    "NetworkDemand",
    "Normal",
    "Panel",
    "PerScenario",
    "Poisson",
    "Strict",
    "Supplier",
]


class Strict(BaseModel):
    """A model that knows its keys and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _not_a_truth_value(value: object) -> object:
    if isinstance(value, bool | np.bool_):
        raise ValueError("expected a number")
    return value


Number = Annotated[float, BeforeValidator(_not_a_truth_value), Field(ge=-LARGEST, le=LARGEST)]
Mean = Annotated[float, BeforeValidator(_not_a_truth_value), Field(ge=0, le=1e6)]
"""Of discrete demand: every value up to well above it has a probability in a table."""
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
LONGEST = 10_000
"""Of lead times, in periods."""
Whole = Annotated[int, BeforeValidator(_not_a_truth_value), Field(ge=1, le=LONGEST)]


class Draw(Strict):
    """A distribution of one value per scenario.

    Attributes:
        uniform: [low, high] of a continuous uniform distribution.
        log_uniform: [low, high] of a distribution whose logarithm is uniform; low > 0.
        integers: [low, high], both included, of a discrete uniform one.
        times: `mean_flow` multiplies by the mean demand that flows through the node or link.
    """

    uniform: tuple[NonNegative, NonNegative] | None = None
    log_uniform: tuple[NonNegative, NonNegative] | None = None
    integers: tuple[NonNegative, NonNegative] | None = None
    times: Literal["mean_flow"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Draw":
        if sum(bounds is not None for bounds in (self.uniform, self.log_uniform, self.integers)) != 1:
            raise ValueError("expected one of 'uniform: [low, high]', 'log_uniform: [low, high]' and 'integers: [low, high]'")
        if self.low > self.high:
            raise ValueError("expected [low, high] with low <= high")
        if self.integers is not None and any(value != math.floor(value) for value in self.integers):
            raise ValueError("expected integers")
        if self.log_uniform is not None and self.low <= 0:
            raise ValueError("expected [low, high] with low > 0")
        return self

    @property
    def low(self) -> float:
        return (self.uniform or self.log_uniform or self.integers or (0.0,))[0]

    @property
    def high(self) -> float:
        return (self.uniform or self.log_uniform or self.integers or (0.0,))[-1]


class PerScenario(Strict):
    """A value that every scenario draws anew."""

    per_scenario: Draw


def _form(value: object) -> str:
    return "per scenario" if isinstance(value, Mapping | PerScenario) else "number"


def _continuous(value: PerScenario) -> PerScenario:
    if value.per_scenario.integers is not None:
        raise ValueError("expected {per_scenario: {uniform: [low, high]}} or {per_scenario: {log_uniform: [low, high]}}")
    return value


def _cost(value: PerScenario) -> PerScenario:
    if value.per_scenario.times is not None:
        raise ValueError("'times' is for initial quantities; expected {per_scenario: {uniform: [low, high]}}")
    return _continuous(value)


def _whole(value: PerScenario) -> PerScenario:
    draw = value.per_scenario
    if draw.integers is None or draw.low < 1 or draw.high > LONGEST or draw.times is not None:
        raise ValueError(f"expected {{per_scenario: {{integers: [low, high]}}}} with low >= 1 and high <= {LONGEST}")
    return value


Cost = Annotated[
    Annotated[NonNegative, Tag("number")] | Annotated[PerScenario, AfterValidator(_cost), Tag("per scenario")],
    Discriminator(_form),
]
"""A number >= 0, or `{per_scenario: {uniform: [low, high]}}`."""
Quantity = Annotated[
    Annotated[NonNegative, Tag("number")] | Annotated[PerScenario, AfterValidator(_continuous), Tag("per scenario")],
    Discriminator(_form),
]
"""A number >= 0, or `{per_scenario: {uniform: [low, high], times: mean_flow}}`."""
LeadTime = Annotated[
    Annotated[Whole, Tag("number")] | Annotated[PerScenario, AfterValidator(_whole), Tag("per scenario")],
    Discriminator(_form),
]
"""An integer >= 1, or `{per_scenario: {integers: [low, high]}}`."""


class Normal(Strict):
    """Normal demand, rounded up to 0 where `clip` says so.

    Attributes:
        mean: before clipping, units per period.
        std: before clipping, units per period.
        clip: whether negative demand is set to 0; otherwise it returns goods.
    """

    mean: Number
    std: NonNegative
    clip: bool = True


class Poisson(Strict):
    """Poisson demand: `mean`, units per period."""

    mean: Mean


class NegativeBinomial(Strict):
    """Negative binomial demand: failures before `successes` successes of probability `probability`.

    Mean = successes (1 - probability) / probability, variance = mean / probability.
    """

    successes: Positive
    probability: Annotated[Number, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _tabled(self) -> "NegativeBinomial":
        mean = self.successes * (1 - self.probability) / self.probability
        if mean > 1e6 or mean / self.probability > 1e12:
            raise ValueError(f"mean: got {mean:g}; expected at most 1e6, with a standard deviation of at most 1e6")
        return self


class Panel(Strict):
    """Real sales: the recipe names the panel, the location's name its series."""


class Demand(Strict):
    """Customers' demand at a location: exactly one distribution."""

    normal: Normal | None = None
    poisson: Poisson | None = None
    negative_binomial: NegativeBinomial | None = None
    panel: Panel | None = None

    @model_validator(mode="before")
    @classmethod
    def _panel_by_name(cls, value: object) -> object:
        return {"panel": {}} if value == "panel" else value

    @model_validator(mode="after")
    def _one_distribution(self) -> "Demand":
        given = [name for name in self.model_fields_set if getattr(self, name) is not None]
        if len(given) != 1 or len(self.model_fields_set) != 1:
            raise ValueError(f"expected exactly one distribution of: {', '.join(type(self).model_fields)}")
        return self

    @property
    def distribution(self) -> Normal | Poisson | NegativeBinomial | Panel:
        """The one distribution."""
        found = self.normal or self.poisson or self.negative_binomial or self.panel
        assert found is not None
        return found


class Supplier(Strict):
    """A node with unlimited stock; goods enter here."""

    kind: Literal["supplier"]


class Location(Strict):
    """Any other node: it holds stock, may ship on, may face customers.

    Attributes:
        holding_cost: per unit left after shipments and demand [h, money/unit/period]; needed where stock is held.
        underage_cost: per unit of unmet demand [p, money/unit]; only where there is demand.
        price: revenue per unit sold [money/unit]; only where there is demand.
        demand: customers' demand [D, units per period].
        unmet_demand: `lost` or `backlogged`; needed where there is demand.
        initial_stock: on hand at the start of the first period [units].
        holds_stock: False for a location that ships everything on at once.
        capacity: most that leaves the location on its links in a period [units].
    """

    kind: Literal["location"] = "location"
    holding_cost: Cost | None = None
    underage_cost: Cost = 0.0
    price: Cost = 0.0
    demand: Demand | None = None
    unmet_demand: Literal["lost", "backlogged"] | None = None
    initial_stock: Quantity = 0.0
    holds_stock: bool = True
    capacity: Positive | None = None

    @property
    def distribution(self) -> "Normal | Poisson | NegativeBinomial | Panel | None":
        """Of the demand; None where there is none."""
        return None if self.demand is None else self.demand.distribution

    @model_validator(mode="after")
    def _consistent(self) -> "Location":
        problems = []
        if self.holds_stock and self.holding_cost is None:
            problems.append("holding_cost: missing; expected a number >= 0 (or holds_stock: false)")
        if self.demand is not None and self.unmet_demand is None:
            problems.append("unmet_demand: missing; expected 'lost' or 'backlogged' where there is demand")
        if self.demand is None:
            stated = [field for field in ("underage_cost", "price") if getattr(self, field) != 0]
            problems += [f"{field}: nobody buys here; expected it where there is demand, or demand here" for field in stated]
        if not self.holds_stock and self.demand is not None:
            problems.append("demand: a location that cannot hold stock ships everything; expected no demand there")
        if not self.holds_stock and self.capacity is not None:
            problems.append("capacity: a location that cannot hold stock ships everything; expected no capacity there")
        if problems:
            raise ValueError("\n".join(problems))
        return self


class Link(Strict):
    """A directed edge u -> v: v orders from u along it.

    Attributes:
        lead_time: periods from order to arrival [L].
        unit_cost: per unit ordered [c, money/unit].
        fixed_cost: per order that is placed, whatever its size [K, money]; an order is what is ordered in a period.
        minimum_order: least that an order may be, where there is one [units].
        capacity: most that is ordered on the link in a period [units].
        initial_in_transit: on its way at the start, in each of the periods until arrival but the first: lead_time - 1 of them [units].
    """

    lead_time: LeadTime
    unit_cost: Cost = 0.0
    fixed_cost: Cost = 0.0
    minimum_order: Positive | None = None
    capacity: Positive | None = None
    initial_in_transit: Quantity = 0.0

    @model_validator(mode="after")
    def _some_order_is_possible(self) -> "Link":
        if self.minimum_order is not None and self.capacity is not None and self.minimum_order > self.capacity:
            raise ValueError(
                f"minimum_order: got {self.minimum_order:g}; expected at most the link's capacity, {self.capacity:g}"
            )
        return self


class NetworkDemand(Strict):
    """What ties the locations' demands together.

    Attributes:
        correlation: of the normal variables behind the demand of any two locations: one number for every pair, or a matrix
            in the order in which the network lists its locations with demand. Exact for normal demand that is not
            clipped; for other distributions a Gaussian copula.
    """

    correlation: Annotated[
        Annotated[Annotated[Number, Field(ge=-1, le=1)], Tag("number")] | Annotated[list[list[Number]], Tag("matrix")],
        Discriminator(lambda value: "matrix" if isinstance(value, list) else "number"),
    ] = 0.0
