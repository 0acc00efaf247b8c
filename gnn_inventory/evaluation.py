"""Evaluation: fresh scenarios, the same for every policy, a confidence interval, and the gap to a named reference."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import networkx as nx
import torch
from torch import Tensor

from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.scenarios import Scenarios, ScenarioSource
from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.intervals import interval, relative_gap
from gnn_inventory.policies import policy_name
from gnn_inventory.policies.base import Oracle, Policy
from gnn_inventory.references import (
    LINEAR_PROGRAMME,
    PERFECT_INFORMATION,
    Reference,
    perfect_information,
    programme_bound,
    reference_of,
)
from gnn_inventory.rollout import costs
from gnn_inventory.topology.network import Network, parse_network
from gnn_inventory.training.machine import threads_for
from gnn_inventory.training.recipe import Recipe, scenario_source

__all__ = [
    "EvaluationResult",
    "Assessment",
    "evaluate",
    "evaluate_on",
    "mean_costs",
    "programme_bounds",
    "refuse_other_tests",
    "assessment_of",
]

CELLS = 2**26
"""Numbers of demand (scenarios x periods x nodes) held at once: bounds the memory whatever is asked for."""
MOST = 2048
"""Scenarios drawn at once."""
ROWS = 2**15
"""Nodes and links, of all scenarios together, that a thread simulates at once: far more fall out of its cache."""


@dataclass(frozen=True)
class EvaluationResult:
    """What a policy costs.

    Attributes:
        network, policy: names.
        scenarios: number of them.
        periods: simulated per scenario, warm-up included.
        cost: mean per period, whole network, money.
        cost_per_store: divided by the locations with demand.
        ci95: 95 % interval of `cost_per_store` over scenarios [low, high]. The scenarios of a panel are items that share their periods: it is
            then over items, for these periods alone; how other periods would differ it does not say.
        reference: optimum or bound of this network's cost, where one is known.
        gap_percent: how far `cost` is above the reference, in percent of the reference's size; None without a reference,
            or where it is 0.
        gap_ci95: 95 % interval of `gap_percent` over scenarios [low, high]. Where the reference has a twin on the same
            scenarios, both are of the difference to it, in which the scenarios' noise cancels.
        bound: the lower bound by linear programme, where it was asked for beside a reference that is known.
        per_scenario: mean cost per counted period, whole network, of each scenario.
        over_items: whether the scenarios are the items of a panel, over the same periods.
    """

    network: str
    policy: str
    scenarios: int
    periods: int
    cost: float
    cost_per_store: float
    ci95: tuple[float, float]
    reference: Reference | None = None
    gap_percent: float | None = None
    gap_ci95: tuple[float, float] | None = None
    bound: Reference | None = None
    per_scenario: Tensor | None = field(default=None, compare=False, repr=False)
    over_items: bool = False

    def to_json(self) -> dict[str, Any]:
        """The object that `evaluate --json` prints."""
        fields: dict[str, Any] = {
            "network": self.network,
            "policy": self.policy,
            "scenarios": self.scenarios,
            "periods": self.periods,
            "cost": self.cost,
            "cost_per_store": self.cost_per_store,
            "ci95": list(self.ci95),
        }
        if self.reference is not None:
            reference = {"kind": self.reference.kind, "value": self.reference.value, "source": self.reference.source}
            fields |= {"reference": reference, "gap_percent": self.gap_percent}
        if self.gap_ci95 is not None:
            fields["gap_ci95"] = list(self.gap_ci95)
        if self.bound is not None:
            fields["bound"] = {"kind": self.bound.kind, "value": self.bound.value, "source": self.bound.source}
        return fields

    def __str__(self) -> str:
        low, high = self.ci95
        text = f"{self.policy} on {self.network}: cost per store {self.cost_per_store:.4f} (95 % [{low:.4f}, {high:.4f}])"
        if self.reference is not None and self.gap_ci95 is not None:
            low, high = self.gap_ci95
            kind = self.reference.kind.replace("_", " ")
            text += f", {self.gap_percent:.3f} % ([{low:.3f}, {high:.3f}]) over the {kind} {self.reference.value:.4f}"
            text += f" of the network ({self.reference.source})"
        if self.bound is not None:
            text += f"; lower bound {self.bound.value:.4f} ({self.bound.source})"
        return text


def evaluate(
    policy: Policy | Oracle,
    network: nx.DiGraph,
    scenarios: int = 4096,
    periods: int = 500,
    warm_up: int = 300,
    seed: int = 0,
    whole_units: bool = False,
    bound: bool = False,
) -> EvaluationResult:
    """What a policy costs on a network whose locations state their demand.

    Args:
        policy: trained, or an oracle.
        network: any network that the policy can serve.
        scenarios: number of fresh ones.
        periods: per scenario, warm-up included.
        warm_up: first periods that are not counted.
        seed: of the scenarios; they differ from training scenarios whatever it is.
        whole_units: round orders to whole units, feasibly.
        bound: compute a lower bound by linear programme with perfect information too, one to four seconds per scenario (extra `programme`).

    Raises:
        InputError: a network that is not valid or that it cannot serve, a seed below 0, nothing left to count. UsageError: a bound
            without scipy.
    """
    if seed < 0:
        raise InputError(f"evaluate: seed: got {seed}; expected an integer >= 0")
    parsed = parse_network(network)
    source = SyntheticDemand(parsed, seed, "test")
    sizes = scenarios, periods, warm_up, whole_units
    return evaluate_on(policy, parsed, source, *sizes, bounds=programme_bounds(source, *sizes) if bound else None)


@torch.no_grad()
def evaluate_on(
    policy: Policy | Oracle,
    network: Network,
    source: ScenarioSource,
    scenarios: int,
    periods: int,
    warm_up: int,
    whole_units: bool = False,
    on_chunk: Callable[[int], None] | None = None,
    bounds: Tensor | None = None,
) -> EvaluationResult:
    """What a policy costs on the scenarios of a source; chunks bound the memory.

    Args:
        policy, scenarios, periods, warm_up, whole_units: as for `evaluate`.
        network: where they happen.
        source: of the scenarios.
        on_chunk: called with the number of scenarios done.
        bounds: the lower bound of each scenario by linear programme, as `programme_bounds` gives it; where theory gives no
            reference, the cost is held against it.

    Raises:
        InputError: nothing is left to count after the warm-up, or too few scenarios for an interval.
    """
    _refuse_sizes(source, scenarios, periods, warm_up)
    graph = source.graph
    reference = reference_of(network, whole_units) if source.count is None else None
    total, over = torch.empty(scenarios, dtype=torch.float64), torch.empty(scenarios, dtype=torch.float64)
    bound = torch.empty(scenarios, dtype=torch.float64) if bounds is None else bounds
    with threads_for(torch.device("cpu")) as threads:
        for first, drawn in _chunks(source, scenarios, periods):
            rows = slice(first, first + len(drawn))

            def cost_of(part: Tensor, drawn: Scenarios = drawn) -> Tensor:
                return mean_costs(policy, graph, drawn[part], warm_up, whole_units)

            total[rows] = torch.cat(threads.map(cost_of, graph, len(drawn), max(1, ROWS // (graph.nodes + graph.links))))
            if bounds is None and source.count is not None:
                bound[rows] = perfect_information(graph, drawn, warm_up)
            if reference is not None:
                twin = 0.0 if reference.twin is None else reference.twin(graph, drawn)[:, warm_up:].double().mean(1)
                over[rows] = total[rows] - (reference.value if reference.twin is None else twin)
            if on_chunk is not None:
                on_chunk(len(drawn))
    below = None
    if bounds is not None:
        below = Reference("lower_bound", float(bounds.mean()), LINEAR_PROGRAMME)
    elif source.count is not None:
        below = Reference("perfect_information", float(bound.mean()), PERFECT_INFORMATION)
    sampled = reference is None and below is not None
    if sampled:
        reference, below, over = below, None, total - bound
    stores = graph.demand_locations
    low, high = interval(total / stores)
    result = EvaluationResult(
        network.name,
        policy_name(policy),
        scenarios,
        periods,
        cost=float(total.mean()),
        cost_per_store=float(total.mean()) / stores,
        ci95=(low, high),
        reference=reference,
        bound=below,
        per_scenario=total,
        over_items=source.count is not None,
    )
    if reference is None or reference.value == 0:
        return result
    percent, between = relative_gap(over, bound if sampled else reference.value)
    return replace(result, gap_percent=percent, gap_ci95=between)


def programme_bounds(
    source: ScenarioSource,
    scenarios: int,
    periods: int,
    warm_up: int,
    whole_units: bool = False,
    on_scenario: Callable[[int], None] | None = None,
) -> Tensor:
    """The lower bound of each scenario by linear programme with perfect information, the same for every policy [B].

    Args:
        source: of the scenarios.
        scenarios, periods, warm_up, whole_units: as for `evaluate`.
        on_scenario: called with the number of scenarios done.

    Raises:
        InputError: as `evaluate_on`. UsageError: without scipy.
    """
    _refuse_sizes(source, scenarios, periods, warm_up)
    found = torch.empty(scenarios, dtype=torch.float64)
    for first, drawn in _chunks(source, scenarios, periods):
        for row in range(len(drawn)):
            one = drawn[torch.tensor([row])]
            found[first + row] = programme_bound(source.graph, one, warm_up, whole_units)[0]
            if on_scenario is not None:
                on_scenario(1)
    return found


def _refuse_sizes(source: ScenarioSource, scenarios: int, periods: int, warm_up: int) -> None:
    if not 0 <= warm_up < periods or scenarios < 2:
        raise InputError(
            f"evaluation: got {scenarios} scenarios, {periods} periods, warm-up {warm_up}; "
            "expected at least 2 scenarios and more periods than warm-up"
        )
    longest = CELLS // source.graph.nodes
    if periods > longest:
        raise InputError(f"evaluation: periods: got {periods}; expected at most {longest} for a network of this size")


class Assessment(NamedTuple):
    """What a policy is tested on.

    Attributes:
        network: where.
        source: of the scenarios.
        scenarios: number of them.
        periods: per scenario, warm-up included.
        warm_up: first periods that are not counted.
    """

    network: Network
    source: ScenarioSource
    scenarios: int
    periods: int
    warm_up: int


def assessment_of(
    recipe: Recipe,
    network: nx.DiGraph | None = None,
    scenarios: int | None = None,
    periods: int | None = None,
    warm_up: int | None = None,
    seed: int | None = None,
) -> Assessment:
    """What the policy of a recipe is tested on: as the recipe says, but for what is given.

    Args:
        recipe: the recipe.
        network: another network than the recipe's.
        scenarios, periods, warm_up, seed: as for `evaluate`; of a panel, `scenarios` are items.

    Raises:
        InputError: more scenarios than a panel has items.
    """
    parsed = recipe.network if network is None else parse_network(network)
    settings = recipe.evaluation
    source = scenario_source(recipe, "test", settings.seed if seed is None else seed, network)
    if source.count is None:
        warm = settings.warm_up if warm_up is None else warm_up
        return Assessment(parsed, source, scenarios or settings.scenarios, periods or settings.periods, warm)
    assert recipe.demand is not None
    if (scenarios or 0) > source.count:
        raise InputError(f"scenarios: got {scenarios}; expected at most {source.count}, the items of the panel")
    warm = recipe.demand.windows.warm_up if warm_up is None else warm_up
    return Assessment(parsed, source, scenarios or min(source.count, settings.scenarios), periods or source.periods or 0, warm)


def refuse_other_tests(names: Sequence[str], recipes: Sequence[Recipe], parts: Sequence[str] = ("demand", "evaluation")) -> None:
    """Raise where the recipes of some runs are tested on other scenarios or in other units.

    Args:
        names, recipes: of the runs.
        parts: of the recipes that have to be the same.

    Raises:
        InputError: the first that states another demand or evaluation than the first of all.
    """
    for name, recipe in zip(names, recipes, strict=True):
        for part in parts:
            if getattr(recipe, part) != getattr(recipes[0], part):
                raise InputError(
                    f"{names[0]} and {name} state another '{part}'; make it the same for both, or take them one by one"
                )


@torch.no_grad()
def mean_costs(
    policy: Policy | Oracle, graph: InventoryGraph, scenarios: Scenarios, warm_up: int, whole_units: bool = False
) -> Tensor:
    """Mean cost per period after the warm-up, whole network, of each scenario [B]."""
    if isinstance(policy, Policy):
        policy.eval()
        dtype = next(policy.parameters(), torch.zeros(0)).dtype
        graph, scenarios = graph.to_dtype(dtype), scenarios.to(torch.device("cpu"), dtype)
    return costs(policy, graph, scenarios, whole_units)[:, warm_up:].double().mean(1)


def _chunks(source: ScenarioSource, scenarios: int, periods: int) -> Iterator[tuple[int, Scenarios]]:
    """All scenarios, as many at once as `CELLS` allows."""
    chunk = max(1, min(MOST, CELLS // (periods * source.graph.nodes)))
    for first in range(0, scenarios, chunk):
        yield first, source.sample(first, min(first + chunk, scenarios), periods)
