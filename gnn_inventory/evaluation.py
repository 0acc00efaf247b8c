"""Evaluation: fresh scenarios, the same for every policy, a confidence interval, and the gap to a named reference."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.scenarios import Scenarios, ScenarioSource
from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies import policy_name
from gnn_inventory.policies.base import Oracle, Policy
from gnn_inventory.policies.base_stock import EchelonBaseStock
from gnn_inventory.references import PERFECT_INFORMATION, Reference, perfect_information, reference_of
from gnn_inventory.rollout import costs
from gnn_inventory.topology.network import Network, parse_network

__all__ = ["EvaluationResult", "evaluate", "evaluate_on", "gap_to_optimal_levels", "mean_costs"]

CELLS = 2**24
"""Numbers of demand (scenarios x periods x nodes) held at once: bounds the memory whatever is asked for."""


@dataclass(frozen=True)
class EvaluationResult:
    """What a policy costs.

    Attributes:
        network, policy: names.
        scenarios: number of them.
        periods: simulated per scenario, warm-up included.
        cost: mean per period, whole network, money.
        cost_per_store: divided by the locations with demand.
        ci95: 95 % interval of `cost_per_store` over scenarios [low, high].
        reference: optimum or bound of this network's cost, where one is known.
    """

    network: str
    policy: str
    scenarios: int
    periods: int
    cost: float
    cost_per_store: float
    ci95: tuple[float, float]
    reference: Reference | None = None

    @property
    def gap_percent(self) -> float | None:
        """How far `cost` is above the reference, in percent of the reference's size; None without a reference."""
        if self.reference is None:
            return None
        return 100 * (self.cost - self.reference.value) / abs(self.reference.value)

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
        return fields

    def __str__(self) -> str:
        low, high = self.ci95
        text = f"{self.policy} on {self.network}: cost per store {self.cost_per_store:.4f} (95 % [{low:.4f}, {high:.4f}])"
        if self.reference is not None:
            text += f", {self.gap_percent:.2f} % over {self.reference.kind} {self.reference.value:.4f} ({self.reference.source})"
        return text


def evaluate(
    policy: Policy | Oracle,
    network: nx.DiGraph,
    scenarios: int = 4096,
    periods: int = 500,
    warm_up: int = 300,
    seed: int = 0,
    whole_units: bool = False,
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
    """
    parsed = parse_network(network)
    source = SyntheticDemand(parsed, seed, "test")
    return evaluate_on(policy, parsed, source, scenarios, periods, warm_up, whole_units)


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
) -> EvaluationResult:
    """What a policy costs on the scenarios of a source; chunks bound the memory.

    Raises:
        InputError: nothing is left to count after the warm-up, or too few scenarios for an interval.
    """
    if not 0 <= warm_up < periods or scenarios < 2:
        raise InputError(
            f"evaluation: got {scenarios} scenarios, {periods} periods, warm-up {warm_up}; "
            "expected at least 2 scenarios and more periods than warm-up"
        )
    graph, bound = source.graph, 0.0
    per_scenario = torch.empty(scenarios, dtype=torch.float64)
    for first, drawn in _chunks(source, scenarios, periods):
        per_scenario[first : first + len(drawn)] = mean_costs(policy, graph, drawn, warm_up, whole_units)
        if source.count is not None:
            bound += perfect_information(graph, drawn, warm_up) * len(drawn)
        if on_chunk is not None:
            on_chunk(len(drawn))
    cost, error = float(per_scenario.mean()), float(per_scenario.std()) / math.sqrt(scenarios)
    stores = graph.demand_locations
    reference = reference_of(network)
    if source.count is not None:
        reference = Reference("lower_bound", bound / scenarios, PERFECT_INFORMATION)
    interval = ((cost - 1.96 * error) / stores, (cost + 1.96 * error) / stores)
    return EvaluationResult(network.name, policy_name(policy), scenarios, periods, cost, cost / stores, interval, reference)


@torch.no_grad()
def mean_costs(
    policy: Policy | Oracle, graph: InventoryGraph, scenarios: Scenarios, warm_up: int, whole_units: bool = False
) -> Tensor:
    """Mean cost per period after the warm-up, whole network, of each scenario [B]."""
    if isinstance(policy, Policy):
        policy.eval()
        dtype = next(policy.parameters()).dtype
        graph, scenarios = graph.to_dtype(dtype), scenarios.to(torch.device("cpu"), dtype)
    return costs(policy, graph, scenarios, whole_units)[:, warm_up:].double().mean(1)


@torch.no_grad()
def gap_to_optimal_levels(
    policy: Policy, network: Network, source: ScenarioSource, scenarios: int, periods: int, warm_up: int
) -> tuple[float, float, float]:
    """Percent by which a policy costs more than the optimal echelon levels, on the same scenarios.

    The scenarios' noise is in both and cancels, so the interval is far narrower than that of either cost.

    Returns:
        the gap, and the ends of its 95 % interval [percent of the exact optimum].

    Raises:
        InputError: no optimal levels are known for this network.
    """
    reference = reference_of(network)
    if reference is None or reference.levels is None:
        raise InputError(f"{network.name}: its optimal levels are not known; expected a serial network with backlogging")
    optimal = EchelonBaseStock()
    optimal.set_levels(source.graph, reference.levels)
    parts = [
        mean_costs(policy, source.graph, drawn, warm_up) - mean_costs(optimal, source.graph, drawn, warm_up)
        for _, drawn in _chunks(source, scenarios, periods)
    ]
    percent = 100 * torch.cat(parts) / reference.value
    gap, error = float(percent.mean()), float(percent.std()) / math.sqrt(scenarios)
    return gap, gap - 1.96 * error, gap + 1.96 * error


def _chunks(source: ScenarioSource, scenarios: int, periods: int) -> Iterator[tuple[int, Scenarios]]:
    """All scenarios, as many at once as `CELLS` allows."""
    chunk = max(1, min(1024, CELLS // (periods * source.graph.nodes)))
    for first in range(0, scenarios, chunk):
        yield first, source.sample(first, min(first + chunk, scenarios), periods)
