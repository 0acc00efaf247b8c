"""A network's state as a vector and a vector as orders: what an environment and a policy that was trained in it share."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy, UnsupportedNetworkError
from gnn_inventory.types import Float, LinkPerScenario

__all__ = ["FARTHEST", "EnvironmentPolicy", "Vectors"]

FARTHEST = 1e6
"""Largest size of an entry of an observation; what lies beyond is seen as this."""
DIFFERING = ("holding_cost", "underage_cost", "price", "unit_cost", "fixed_cost", "lead_time")
"""What may differ by scenario, and is seen where it does."""


class Vectors:
    """Observations and actions of one network as vectors: n numbers, and one per link.

    An observation holds, in this order (`names` says which entry is what):

    1. stock on hand of each location, arrivals included, negative = backlog; in units of the location's mean flow,
    2. goods in transit on each link, by periods until they are on hand; in units of the link's mean flow,
    3. demand of the `window` periods before this one, oldest first, at each location with demand; in units of the location's
       mean flow,
    4. costs and prices that differ by scenario, in units of `money`, and lead times that do, in periods,
    5. the calendar of the period.

    The mean flow is the mean demand that goes through a location or link per period (`InventoryGraph.flows`).

    An action is a number from -1 to 1 per link, as learners like them: -1 asks for nothing, 1 for `largest` times the link's mean
    flow, linear between. With the default of 2, an action of 0 asks for the mean flow itself.

    Args:
        graph: the network.
        window: periods of past demand that are seen, W.
        calendar: columns of the calendar that are seen.
        largest: most that is asked for on a link in a period, in units of the link's mean flow.
        money: money per unit of cost in an observation.

    Attributes:
        names: of the entries of an observation, in order.
    """

    def __init__(
        self, graph: InventoryGraph, window: int = 0, calendar: int = 0, largest: float = 2.0, money: float = 1.0
    ) -> None:
        self.graph, self.window, self.calendar, self.largest, self.money = graph, window, calendar, largest, money
        labels, links = graph.labels, graph.link_names
        under_way = torch.arange(graph.slots) < (graph.lead_time + graph.lead_time_span - 1).unsqueeze(1)  # [E, L]
        self._locations, self._customers = _where(~graph.is_supplier), _where(graph.has_demand)
        self._slots = _where(under_way.flatten())
        spans = {name: getattr(graph, f"{name}_span") for name in DIFFERING}
        self._differing = {name: _where(span > 0) for name, span in spans.items() if span.any()}
        names = [f"on hand: {labels[node]}" for node in self._locations]
        names += [f"in transit: {links[link]}, on hand in {slot + 1}" for link, slot in under_way.nonzero().tolist()]
        names += [f"demand: {labels[node]}, {ago} before" for ago in range(window, 0, -1) for node in self._customers]
        for name, columns in self._differing.items():
            places = links if name in ("unit_cost", "fixed_cost", "lead_time") else labels
            names += [f"{name.replace('_', ' ')}: {places[column]}" for column in columns]
        self.names = (*names, *(f"calendar: {column}" for column in range(calendar)))

    def on(self, graph: InventoryGraph) -> "Vectors":
        """The same for another graph."""
        return Vectors(graph, self.window, self.calendar, self.largest, self.money)

    def observation(self, known: Known, seen: Observation) -> Float[Tensor, "scenario entry"]:
        """What is seen, as one vector per scenario [B, n]."""
        size, flow = len(seen.on_hand), known.node_flow
        parts = [
            (seen.on_hand / flow)[:, self._locations],
            (seen.in_transit / known.link_flow.unsqueeze(-1)).flatten(1)[:, self._slots],
        ]
        if self.window:
            past = seen.past_demand[:, seen.past_demand.shape[1] - self.window :]
            parts.append((past / flow.unsqueeze(1))[:, :, self._customers].flatten(1))
        for name, columns in self._differing.items():
            values = getattr(known.parameters, name)[:, columns]
            parts.append((values if name == "lead_time" else values / self.money).expand(size, -1))
        if self.calendar:
            parts.append(seen.calendar.expand(size, -1))
        return torch.cat(parts, dim=1).clamp(-FARTHEST, FARTHEST)

    def orders(self, known: Known, actions: np.ndarray) -> LinkPerScenario:
        """Desired orders [B, E], units, from actions [B, E].

        Raises:
            InputError: actions of another shape, or an action that is not a number from -1 to 1.
        """
        actions = np.asarray(actions, dtype=np.float32)
        if actions.ndim != 2 or actions.shape[1] != self.graph.links:
            raise InputError(f"action: got shape {actions.shape}; expected a row per scenario with {self.graph.links} links")
        wrong = ~(np.abs(actions) <= 1.0)
        if wrong.any():
            row, link = np.argwhere(wrong)[0]
            name = self.graph.link_names[link]
            raise InputError(f"action: link '{name}': got {actions[row, link]}; expected a number from -1 to 1; clip it")
        return torch.from_numpy(actions + 1.0).to(known.link_flow.dtype) * (0.5 * self.largest * known.link_flow)


class EnvironmentPolicy(Policy):
    """A policy that decides from vectors, as a learner trained in an environment does: for `evaluate` one like any other.

    Args:
        vectors: of the environment that it was trained in (`InventoryEnvironment.vectors`).
        predict: from observations [B, n] to actions [B, E], numpy arrays, such as
            `lambda seen: model.predict(seen, deterministic=True)[0]` of a model of Stable-Baselines3.
    """

    def __init__(self, vectors: Vectors, predict: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__()
        self.config = {}
        self.vectors, self.predict = vectors, predict
        self.window, self.calendar = vectors.window, vectors.calendar
        self.places = tuple(vectors.graph.places)

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        self.refuse_other_places(graph)
        vectors = self.vectors.on(graph)
        if vectors.names != self.vectors.names:
            other = next(iter(set(vectors.names) ^ set(self.vectors.names)))
            raise UnsupportedNetworkError(
                f"policy EnvironmentPolicy: got a network whose observation differs at '{other}'; train it on this network"
            )

        def decide(seen: Observation) -> Desired:
            observations = vectors.observation(known, seen).to(torch.float32).numpy()
            return Desired(vectors.orders(known, self.predict(observations)))

        return decide


def _where(truths: Tensor) -> Tensor:
    """Positions of the true ones."""
    return truths.nonzero()[:, 0]
