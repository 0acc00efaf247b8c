"""What a policy is: from what may be seen of a network to desired orders on its links."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

from gnn_inventory.demand.scenarios import Scenarios, ScenarioSource, mean_seen
from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph, Parameters
from gnn_inventory.types import Float, LinkPerScenario, LinkValues, NodePerScenario, NodeValues, Past, Transit

__all__ = [
    "Decide",
    "Desired",
    "Known",
    "Observation",
    "Oracle",
    "Policy",
    "UnsupportedNetworkError",
    "refuse_settings",
    "setting_problem",
]

LARGEST = {"lumps": 1, "routes": 1, "seed": 2**63 - 1, "width": 4096}
"""Bounds of policies' settings; 10 000 of the others."""


class UnsupportedNetworkError(InputError):
    """A network that a policy cannot serve; the message says why and what can."""


@dataclass(frozen=True)
class Known:
    """What is known before the first period: costs, lead times and statistics of demand.

    Attributes:
        parameters: costs and lead times.
        mean_demand, std_demand: of the customers' demand per period [1 or B, N], units.
        node_flow, link_flow: mean demand that flows through each node [1 or B, N] and link [1 or B, E], units per period.
        shares: of each link in the flow into its target, as the policy expects it [1 or B, E]; None: sources share it equally.
    """

    parameters: Parameters
    mean_demand: NodeValues
    std_demand: NodeValues
    node_flow: NodeValues
    link_flow: LinkValues
    shares: LinkValues | None = None

    @classmethod
    def of(cls, graph: InventoryGraph, scenarios: Scenarios) -> "Known":
        """What is known of scenarios before they begin."""
        mean = scenarios.mean_demand
        return cls(scenarios.parameters, mean, scenarios.std_demand, *graph.flows(mean))

    @classmethod
    def stated(cls, graph: InventoryGraph) -> "Known":
        """What a network itself states; the lowest value of what differs by scenario."""
        mean = graph.mean_demand.unsqueeze(0)
        return cls(graph.parameters(), mean, graph.std_demand.unsqueeze(0), *graph.flows(mean))

    def from_past(self, graph: InventoryGraph, past: Past) -> "Known":
        """The same costs and lead times, with mean and standard deviation of past demand [B, W, N], W > 1."""
        mean = mean_seen(past, graph.has_demand)
        return Known(self.parameters, mean, past.std(1), *graph.flows(mean, self.shares), self.shares)

    def shared(self, graph: InventoryGraph, shares: LinkValues) -> "Known":
        """The same, with the flows that follow where sources share their target's flow so [1 or B, E]."""
        return Known(self.parameters, self.mean_demand, self.std_demand, *graph.flows(self.mean_demand, shares), shares)


@dataclass(frozen=True)
class Observation:
    """What may be seen in a period: the state, demand up to now, the calendar. It cannot hold the future.

    Attributes:
        on_hand: units [B, N], arrivals included; negative = backlog.
        in_transit: units [B, E, L]; slot k arrives after k + 1 periods.
        past_demand: demand of the W periods before this one [B, W, N], oldest first.
        calendar: of this period [F].
    """

    on_hand: NodePerScenario
    in_transit: Transit
    past_demand: Past
    calendar: Float[Tensor, " channel"]


@dataclass(frozen=True)
class Desired:
    """What a policy asks for.

    Attributes:
        orders: on links [B, E], units.
        keep: what each location wants to keep, for its customers or for later [B, N], units; None where the policy has no say.
        free: whether the orders stand as they are, feasible or not: for yardsticks that may return goods.
        placed: whether an order is placed on each link [B, E]: 1 or 0, with the gradient of a decision that is made by a policy;
            None where the orders say it.
    """

    orders: LinkPerScenario
    keep: NodePerScenario | None = None
    free: bool = False
    placed: LinkPerScenario | None = None


def setting_problem(key: str, value: object) -> str | None:
    """What is wrong with the value of a policy's setting; None where nothing is."""
    least, most = int(key == "width"), LARGEST.get(key, 10_000)
    if not isinstance(value, bool) and isinstance(value, int) and least <= value <= most:
        return None
    return f"{key}: got {value!r}; expected an integer from {least} to {most}"


def refuse_settings(kind: str, settings: Mapping[str, object]) -> None:
    """Raise an InputError that names every setting of a policy of that kind that is out of bounds."""
    found = [setting_problem(key, value) for key, value in settings.items()]
    problems = [f"policy {kind}: {problem}" for problem in found if problem is not None]
    if problems:
        raise InputError(problems)


Decide = Callable[[Observation], Desired]
"""A policy that has been put on a network: one decision per period."""


class Policy(nn.Module, ABC):
    """A map from observation to desired orders, the same weights for any graph that it can serve.

    Attributes:
        window: periods of past demand that it looks at, W.
        calendar: channels of the calendar that it looks at; 0 where it looks at none.
        config: its settings, as `make_policy` takes them.
        places: of the network that its parameters belong to (`InventoryGraph.places`); none where they belong to no network.
    """

    window: int = 0
    calendar: int = 0
    config: dict[str, int]
    places: tuple[str, ...] = ()

    @property
    def least_history(self) -> int:
        """Periods of past demand without which it cannot decide; before them, where it looks further back, the mean may stand."""
        return self.window

    @abstractmethod
    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        """Put the policy on a network: what does not change per period is computed here, once.

        Raises:
            UnsupportedNetworkError: the policy cannot serve this network.
        """

    def fit_to(self, graph: InventoryGraph) -> None:
        """Make the parameters that belong to a network's locations, for policies that are tied to one."""

    def prepare(self, train: ScenarioSource, count: int, periods: int) -> None:
        """Take from `count` training scenarios what no gradient finds, for policies that hold a forecaster."""

    def refuse_other_places(self, graph: InventoryGraph) -> None:
        """For policies that are tied to a network: refuse another one.

        Raises:
            UnsupportedNetworkError: with the first place that differs.
        """
        if tuple(graph.places) == self.places:
            return
        name = type(self).__name__
        if not self.places:
            raise UnsupportedNetworkError(f"policy {name}: belongs to no network yet; train it on this one")
        other = next((place for place in graph.places if place not in self.places), None)
        other = other or next(place for place in self.places if place not in graph.places)
        raise UnsupportedNetworkError(
            f"policy {name}: its parameters belong to the locations and links of the network that it was trained on; got one "
            f"that differs at '{other}'; train it on this network, or use message_passing"
        )

    def forward(self, graph: InventoryGraph, observation: Observation, known: Known | None = None) -> Desired:
        """One decision on any network that the policy can serve.

        Args:
            graph: the network.
            observation: what may be seen in this period; of a past longer than its window the policy sees the last periods alone.
            known: costs, lead times and statistics of demand; what the network states where None.

        Raises:
            InputError: no graph, an observation of another network or with too short a past, or no statistics of demand.
            UnsupportedNetworkError: the policy cannot serve this network.
        """
        if not isinstance(graph, InventoryGraph):
            got, expected = type(graph).__name__, "an InventoryGraph: InventoryGraph.from_network(network)"
            raise InputError(f"policy: graph: got a {got}; expected {expected}")
        for name, value, expected_shape in (
            ("on_hand", observation.on_hand, (graph.nodes,)),
            ("in_transit", observation.in_transit, (graph.links, graph.slots)),
        ):
            if value.shape[1:] != expected_shape:
                expected = ", ".join(str(axis) for axis in expected_shape)
                raise InputError(
                    f"policy: observation: {name}: got shape {list(value.shape)}; expected [B, {expected}] on this network"
                )
        size, past = observation.on_hand.shape[0], list(observation.past_demand.shape)
        if observation.in_transit.shape[0] != size:
            got = f"{observation.in_transit.shape[0]} scenarios in in_transit, {size} in on_hand"
            raise InputError(f"policy: observation: got {got}; expected as many")
        if self.window and (past[0] != size or past[2] != graph.nodes or past[1] < self.window):
            expected = f"[{size}, at least {self.window} (its window), {graph.nodes}]"
            raise InputError(f"policy: observation: past_demand: got shape {past}; expected {expected}")
        if self.calendar and len(observation.calendar) != self.calendar:
            got = f"got {len(observation.calendar)} columns"
            raise InputError(f"policy: observation: calendar: {got}; expected {self.calendar}, those it was trained with")
        if known is None:
            known = Known.stated(graph)
            if not self.window and not self.places and not bool((known.mean_demand != 0).any() | (known.std_demand != 0).any()):
                raise InputError(
                    "policy: got a network that states no demand, as one with a panel of sales does; expected known=Known(...) with its "
                    "mean and deviation, or a policy with a window"
                )
        if self.window:
            observation = replace(observation, past_demand=observation.past_demand[:, -self.window :])
        return self.start(graph, known)(observation)


class Oracle(ABC):
    """A policy that is given the whole trajectory beforehand: a yardstick, never something to use."""

    window: int = 0

    @abstractmethod
    def start_with_future(self, graph: InventoryGraph, scenarios: Scenarios) -> Decide:
        """Put the oracle on a network, with all that will happen."""
