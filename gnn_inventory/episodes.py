"""Scenarios played period by period by orders that come from outside, as vectors: what environments are made of."""

from numbers import Integral, Real
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import torch

from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.scenarios import STREAMS, Scenarios, ScenarioSource
from gnn_inventory.errors import UsageError, nearest, problem
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Desired, Known
from gnn_inventory.policies.vectors import Vectors
from gnn_inventory.rollout import Rollout
from gnn_inventory.simulator import initial_state
from gnn_inventory.topology.catalogue import load_network
from gnn_inventory.topology.network import is_panel, parse_network
from gnn_inventory.types import LinkPerScenario

__all__ = ["Episodes", "Info"]

Info = dict[str, Any]
MOST = 2**31
"""Scenarios of a source that can be drawn without end, among which an episode is drawn."""


class Episodes:
    """Scenarios of a network, B at a time, period by period, by orders that come from outside: what all environments share.

    Args:
        network: a `networkx.DiGraph`, or a name of the catalogue or file as of `load_network`.
        size: scenarios at once, B.
        periods: of an episode, T.
        window: periods of past demand that are seen, W.
        largest, money: as for `Vectors`; money per unit of reward too.
        whole_units: round orders to whole units, feasibly.
        stream: "train" (where None), "dev" or "test" of demand as the network states it: the same seed gives other scenarios in each.
        source: of the scenarios; demand as the network states it where None.

    Attributes:
        vectors: what stands where in observations and actions.

    Raises:
        UsageError: an argument that makes no sense, a panel without source, an unknown network. InputError: an invalid one.
    """

    def __init__(
        self,
        network: nx.DiGraph | str | Path,
        size: int,
        periods: int,
        window: int,
        largest: float,
        money: float,
        whole_units: bool,
        stream: str | None,
        source: ScenarioSource | None,
    ) -> None:
        parsed = parse_network(network if isinstance(network, nx.Graph) else load_network(network))
        problems = []
        for name, count, least in (("num_envs", size, 1), ("periods", periods, 1), ("window", window, 0)):
            if not isinstance(count, Integral) or isinstance(count, bool) or count < least:
                problems.append(problem("environment", name, count, f"an integer of at least {least}"))
        for name, amount in (("largest", largest), ("money", money)):
            if not isinstance(amount, Real) or not 0 < amount < float("inf"):
                problems.append(problem("environment", name, amount, "a number above 0"))
        if stream is not None and stream not in STREAMS:
            problems.append(problem("environment", "stream", stream, f"one of: {', '.join(STREAMS)}"))
        elif stream is not None and source is not None:
            problems.append(problem("environment", "stream", stream, "none beside a source, which has its own scenarios"))
        if source is None and is_panel(parsed):
            problems.append(f"{parsed.name}: demand is a panel of sales; expected its scenarios, source=PanelDemand(...)")
        if problems:
            raise UsageError(problems)
        self.source: ScenarioSource = SyntheticDemand(parsed, 0, stream or "train") if source is None else source
        self.stated = source is None
        self.graph, self.size, self.periods, self.whole = self.source.graph, size, periods, whole_units
        if self.graph.places != InventoryGraph.from_network(parsed).places:
            raise UsageError(f"environment: source: got scenarios of another network; expected those of '{parsed.name}'")
        if self.source.periods is not None and periods >= self.source.periods:
            expected = f"less than the {self.source.periods} of the source, since the period after the last is seen"
            raise UsageError(problem("environment", "periods", periods, expected))
        # a period more than is played: its start is seen at the end
        self.panel = None if self.source.count is None else self.source.sample(0, self.source.count, periods + 1)
        calendar = self.source.sample(0, 1, 1).calendar.shape[1]
        self.vectors = Vectors(self.graph, window, calendar, largest, money)
        self.unit = self.graph.demand_locations * money  # of reward
        self.next: int | None = None  # scenario of stated demand; none before there is a seed
        self.number = -1
        self.orders: LinkPerScenario

    @property
    def over(self) -> bool:
        """Whether all periods of the episode are played."""
        return self.number == self.periods

    def reset(self, seed: int | None, options: Info | None, random: np.random.Generator) -> tuple[np.ndarray, Info]:
        """Start the next scenarios: observations [B, n] and info."""
        for key in options or {}:
            if key != "scenario":
                raise UsageError(f"environment: reset: unknown option '{key}'; {nearest(str(key), ['scenario'])}")
        numbers, scenarios = self._scenarios(seed, (options or {}).get("scenario"), random)
        self.known = Known.of(self.graph, scenarios)
        # the agent's orders stand where a policy's decisions do
        decide, window = lambda seen: Desired(self.orders), self.vectors.window
        self.rollout = Rollout.deciding(decide, window, self.graph, scenarios, self.whole)
        self.state, self.number = initial_state(scenarios), 0
        return self._observations(), {"scenario": numbers}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, Info]:
        """Play a period: observations [B, n], rewards [B] and info; actions [B, E]."""
        if self.number < 0 or self.over:
            why = "before reset" if self.number < 0 else f"after the {self.periods} periods of the episode"
            raise UsageError(f"environment: step: called {why}; expected reset first")
        self.orders = self.vectors.orders(self.known, actions)
        if len(self.orders) != self.size:
            raise UsageError(f"action: got {len(self.orders)} rows; expected one per scenario, {self.size}")
        demand = self.rollout.demand[:, self.rollout.now + self.number].numpy().copy()
        period = self.rollout.period(self.state, self.number)
        self.state, self.number = period.after, self.number + 1
        cost = period.outcome.cost.double().numpy()
        amounts = {name: getattr(period.outcome, name).numpy() for name in ("sales", "unmet", "left")}
        info = {"cost": cost, "orders": period.orders.numpy(), "demand": demand, **amounts}
        return self._observations(), -cost / self.unit, info

    def _observations(self) -> np.ndarray:
        return self.vectors.observation(self.known, self.rollout.observation(self.state, self.number)).numpy()

    def _scenarios(self, seed: int | None, first: int | None, random: np.random.Generator) -> tuple[np.ndarray, Scenarios]:
        """Numbers and scenarios of the next episode, a period longer than it: its start is seen at the end."""
        most = MOST if self.panel is None else len(self.panel)
        if first is not None and not (isinstance(first, int | np.integer) and 0 <= first <= most - self.size):
            raise UsageError(problem("environment: reset", "scenario", first, f"an integer from 0 to {most - self.size}"))
        if self.panel is not None and first is None:
            numbers = random.integers(most, size=self.size)
            return numbers, self.panel[torch.from_numpy(numbers)]
        if self.stated and isinstance(self.source, SyntheticDemand):
            if seed is not None or self.next is None:
                self.source = self.source.seeded(int(random.integers(2**63)) if seed is None else seed)
                self.next = 0
            first = self.next if first is None else int(first)
            self.next = first + self.size
        elif first is None:
            first = int(random.integers(most - self.size))
        numbers = np.arange(first, first + self.size, dtype=np.int64)
        return numbers, self.source.sample(int(first), int(first) + self.size, self.periods + 1)
