"""What a training sees: batches of scenarios on one network or on many, and what the best policy is chosen by."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.scenarios import STREAMS, Scenarios, ScenarioSource, generator, side_by_side
from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies import policy_name
from gnn_inventory.policies.base import Known, Policy, UnsupportedNetworkError
from gnn_inventory.policies.echelon import newsvendor_cost
from gnn_inventory.policies.routes import shortest
from gnn_inventory.topology.distribution import NetworkDistribution
from gnn_inventory.topology.network import Network
from gnn_inventory.training.processes import ALONE, Processes
from gnn_inventory.training.recipe import Recipe, scenario_source
from gnn_inventory.training.settings import Training
from gnn_inventory.types import Float

__all__ = ["Batch", "Data", "ManyNetworks", "OneNetwork", "data_of", "steps_per_epoch", "training_networks"]

LEAST_DEVIATION = 0.05
"""Of demand, in means, where a network's money is put in units of its usual cost."""


class Batch(NamedTuple):
    """Scenarios and the network that they happen to: one, or several side by side.

    Attributes:
        graph: the network.
        scenarios: what happens to it.
        share: the part that this is of a batch which several processes share.
        networks: how many stand side by side, each with all scenarios.
    """

    graph: InventoryGraph
    scenarios: Scenarios
    share: float = 1.0
    networks: int = 1

    def to(self, device: torch.device, dtype: torch.dtype) -> "Batch":
        """The same on a device and in a precision."""
        return self._replace(graph=self.graph.to_dtype(dtype).to(device), scenarios=self.scenarios.to(device, dtype))


@dataclass(frozen=True)
class Data(ABC):
    """Scenarios to train on and to choose by.

    Attributes:
        dev: to choose by.
        dev_warm_up: first periods of them that are not counted.
        size: training scenarios per epoch.
        periods: simulated per training scenario.
        warm_up: first periods of a training scenario that are left out of the cost reported as `train`.
        whole_units: whether dev orders are rounded, as they will be where the policy is used.
    """

    dev: Batch
    dev_warm_up: int
    size: int
    periods: int
    warm_up: int
    whole_units: bool

    @abstractmethod
    def batches(self, settings: Training, epoch: int, processes: Processes = ALONE) -> Iterator[Batch]:
        """What falls to this process of the batches of an epoch, drawn from (seed, epoch).

        Raises:
            InputError: a batch has fewer scenarios (of a distribution: networks) than there are processes.
        """

    @property
    def fingerprint(self) -> str:
        """Of the data that a recipe names but does not hold."""
        return ""

    @abstractmethod
    def introduce(self, policy: Policy) -> None:
        """Give a fresh policy what it takes from its network and its training scenarios before any gradient."""


@dataclass(frozen=True)
class OneNetwork(Data):
    """One network; its training scenarios are drawn once.

    Attributes:
        train: source of the training scenarios.
        starts: first periods at which a training scenario may start (more than one: it is drawn per step).
    """

    train: ScenarioSource
    starts: int = 1

    def batches(self, settings: Training, epoch: int, processes: Processes = ALONE) -> Iterator[Batch]:
        random = generator(settings.seed, 7, epoch)
        order = torch.randperm(self.size, generator=random)
        steps = steps_per_epoch(self.size, settings.batch)
        for rows in order.tensor_split(steps):
            processes.need(len(rows), "training.batch: scenarios in a batch")
            own = rows[processes.share]
            start = 0 if self.starts == 1 else int(torch.randint(self.starts, (), generator=random))
            drawn = self._drawn if self.starts == 1 else self.train.sample(0, self.size, self.periods, start)
            yield Batch(self.train.graph, drawn[own], len(own) / len(rows))

    @property
    def fingerprint(self) -> str:
        return self.train.fingerprint

    def introduce(self, policy: Policy) -> None:
        if policy.places != tuple(self.train.graph.places):
            policy.fit_to(self.train.graph)
        policy.prepare(self.train, self.size, self.train.periods or self.periods)

    @cached_property
    def _drawn(self) -> Scenarios:
        """The training set, drawn once."""
        return self.train.sample(0, self.size, self.periods)


@dataclass(frozen=True)
class ManyNetworks(Data):
    """Fresh networks of a distribution in every step, side by side; the dev networks are always the same.

    The money of each network is put in units of its usual cost, so that all networks count alike and a percent of each
    costs the same: costs are those of a network of the mean number of customers' locations, in that unit.
    """

    networks: NetworkDistribution

    def batches(self, settings: Training, epoch: int, processes: Processes = ALONE) -> Iterator[Batch]:
        each = max(1, settings.batch // settings.networks)
        processes.need(settings.networks, "training.networks")
        every = list(training_networks(self.networks, settings, epoch))
        for first in range(0, len(every), settings.networks):
            own = every[first : first + settings.networks][processes.share]
            drawn = _side_by_side([(draw(), _seed(*key)) for key, draw in own], "train", each, self.periods)
            yield drawn._replace(share=len(own) / settings.networks)

    def introduce(self, policy: Policy) -> None:
        policy.fit_to(self.dev.graph)
        policy.fit_to(self.ends)
        if policy.places:
            raise UnsupportedNetworkError(
                f"policy {policy_name(policy)}: its parameters belong to the locations of one network; a distribution of "
                "networks needs a policy that belongs to none, such as message_passing"
            )

    @cached_property
    def ends(self) -> InventoryGraph:
        """The networks at the ends of the distribution's ranges, side by side: what can serve these can serve all that are drawn."""
        return InventoryGraph.union([InventoryGraph.from_network(network) for network in self.networks.ends])


def training_networks(
    distribution: NetworkDistribution, settings: Training, epoch: int
) -> Iterator[tuple[tuple[int, ...], Callable[[], Network]]]:
    """The key of each network that an epoch trains on, in order, and what draws it.

    Families take turns over all epochs, not in each anew: else an epoch of few steps would never come to the last of them.
    """
    each = steps_per_epoch(settings.scenarios, settings.batch) * settings.networks
    for place in range(each):
        key = (settings.seed, STREAMS["train"], epoch, place)
        yield key, partial(distribution.draw, *key, number=epoch * each + place)


def _side_by_side(drawn: list[tuple[Network, int]], stream: str, scenarios: int, periods: int) -> Batch:
    """Networks as one, each with scenarios of its own seed, its money in units of its usual cost."""
    sources = [SyntheticDemand(network, seed, stream) for network, seed in drawn]
    stores = sum(source.graph.demand_locations for source in sources) / len(sources)
    parts = []
    for source in sources:
        part = source.sample(0, scenarios, periods)
        cost = _usual_cost(source.graph, Known.of(source.graph, part)).mean().clamp_min(1e-9)
        parts.append(replace(part, parameters=part.parameters.in_money_of(cost / stores)))
    return Batch(InventoryGraph.union([source.graph for source in sources]), side_by_side(parts), networks=len(sources))


def _usual_cost(graph: InventoryGraph, known: Known) -> Float[Tensor, " _"]:
    """The newsvendor cost of a network, and what its customers' demand costs by the cheapest routes [b], money per period.

    Demand deviates by at least `LEAST_DEVIATION` of its mean here: were it certain, the cost of nothing would be no unit.
    """
    known = replace(known, std_demand=torch.maximum(known.std_demand, LEAST_DEVIATION * known.mean_demand))
    bought = shortest(graph, known.parameters.unit_cost) * known.mean_demand * graph.has_demand
    return newsvendor_cost(graph, known) + bought.sum(1)


def _seed(*key: int) -> int:
    """A seed for the scenarios of a network."""
    return int(np.random.SeedSequence([*key, 1]).generate_state(1, np.uint64)[0] >> 1)


def steps_per_epoch(size: int, batch: int) -> int:
    """Batches per epoch; their sizes differ by one scenario at the most."""
    return math.ceil(size / batch)


def data_of(recipe: Recipe) -> Data:
    """The scenarios of a recipe: as many as it says, or as a panel has."""
    settings, whole = recipe.training, recipe.evaluation.whole_units
    if recipe.networks is not None:
        keys = [(settings.seed, STREAMS["dev"], number) for number in range(settings.dev_networks)]
        drawn = [(recipe.networks.draw(*key), _seed(*key)) for key in keys]
        each = max(1, settings.dev_scenarios // settings.dev_networks)
        dev_batch = _side_by_side(drawn, "dev", each, settings.dev_periods)
        size, periods, warm_up = settings.scenarios, settings.periods, settings.warm_up
        return ManyNetworks(dev_batch, settings.dev_warm_up, size, periods, warm_up, whole, recipe.networks)
    train, dev = (scenario_source(recipe, stream, settings.seed) for stream in ("train", "dev"))
    if train.count is None:
        chosen = Batch(dev.graph, dev.sample(0, settings.dev_scenarios, settings.dev_periods))
        size, periods, warm_up = settings.scenarios, settings.periods, settings.warm_up
        return OneNetwork(chosen, settings.dev_warm_up, size, periods, warm_up, whole, train)
    assert recipe.demand is not None
    assert train.periods is not None
    assert dev.periods is not None
    assert dev.count is not None
    if settings.random_start and settings.periods > train.periods:
        expected = f"at most {train.periods}, the training window's"
        raise InputError(f"{recipe.name}: training.periods: got {settings.periods}; expected {expected}")
    periods = settings.periods if settings.random_start else train.periods
    chosen = Batch(dev.graph, dev.sample(0, min(dev.count, settings.dev_scenarios), dev.periods))
    size = min(train.count, settings.scenarios)
    warm_up = recipe.demand.windows.warm_up
    if warm_up >= periods:
        raise InputError(f"{recipe.name}: training.periods: got {periods}; expected more than windows.warm_up, {warm_up}")
    return OneNetwork(chosen, warm_up, size, periods, warm_up, whole, train, train.periods - periods + 1)
