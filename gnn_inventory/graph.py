"""NetworkX -> `InventoryGraph`, the tensors of a network: sorted nodes, float32, one value per node or link."""

import copy
import math
from dataclasses import dataclass
from typing import Any

import networkx as nx
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from gnn_inventory.topology.network import Network, parse_network
from gnn_inventory.topology.schema import Draw, Location, NegativeBinomial, Normal, PerScenario, Poisson, Supplier
from gnn_inventory.types import LinkValues, NodeValues

__all__ = ["InventoryGraph", "Parameters", "moments"]

NODE_VALUES = ("holding_cost", "underage_cost", "price", "initial_stock")
LINK_VALUES = ("lead_time", "unit_cost", "fixed_cost", "initial_in_transit")
PARAMETERS = ("holding_cost", "underage_cost", "price", "unit_cost", "fixed_cost", "lead_time")


@dataclass(frozen=True)
class Parameters:
    """Costs and lead times, the same for all scenarios ([1, N], [1, E]) or different in each ([B, N], [B, E]).

    Attributes:
        holding_cost: h, money per unit and period.
        underage_cost: p, money per unit of unmet demand (per period where it is backlogged).
        price: money per unit sold.
        unit_cost: c, money per unit ordered.
        fixed_cost: K, money per order placed in a period, whatever its size.
        lead_time: L, periods, whole numbers.
    """

    holding_cost: NodeValues
    underage_cost: NodeValues
    price: NodeValues
    unit_cost: LinkValues
    fixed_cost: LinkValues
    lead_time: LinkValues

    def in_money_of(self, unit: Tensor) -> "Parameters":
        """The same with costs and prices in units of `unit` money."""
        scaled = {name: value if name == "lead_time" else value / unit for name, value in vars(self).items()}
        return Parameters(**scaled)

    def __getitem__(self, rows: Tensor) -> "Parameters":
        """The parameters of some scenarios."""
        chosen = {name: value if len(value) == 1 else value[rows] for name, value in vars(self).items()}
        return Parameters(**chosen)


class InventoryGraph(Data):
    """The tensors of a network: a `torch_geometric.data.Data`, so several batch into one disjoint union.

    Nodes and links stand in sorted order of their names. Each `*_span` is the width of the range in which a scenario draws
    the value (0 where all share it), `*_log` whether its logarithm is uniform there.

    Attributes:
        edge_index: source and target of each link [2, E], integers.
        holding_cost, underage_cost, price, initial_stock: per node [N].
        lead_time, unit_cost, fixed_cost, initial_in_transit: per link [E].
        initial_stock_by_flow, initial_in_transit_by_flow: whether these are in units of the mean flow.
        ship_capacity: most that leaves a node in a period [N], inf where there is no limit.
        link_capacity: most that is ordered on a link in a period [E], inf where there is no limit.
        minimum_order: least that an order on a link may be, unless it is 0 [E]; 0 where there is no limit.
        is_supplier, holds_stock, has_demand, lost: truths per node [N].
        inbound, outbound: links that enter and that leave each node [N], integers.
        mean_demand, std_demand: of the customers' demand per period [N]; 0 where a panel holds the demand.
        depth: links on the longest path.
        component: number of the connected part of the network that each node belongs to [N].
        component_depth: links on the longest path of that part [N].
        labels: names of the nodes, in order.
    """

    @classmethod
    def from_network(cls, network: nx.DiGraph | Network) -> "InventoryGraph":
        """The graph of a network, validated.

        Raises:
            InputError: with every mistake of the network.
        """
        parsed = network if isinstance(network, Network) else parse_network(network)
        names = list(parsed.nodes)
        position = {name: index for index, name in enumerate(names)}
        ends = [(position[source], position[target]) for source, target in parsed.links]
        nodes, links = list(parsed.nodes.values()), list(parsed.links.values())
        values: dict[str, Any] = {}
        for objects, fields in ((nodes, NODE_VALUES), (links, LINK_VALUES)):
            for field in fields:
                ranges = [_range(getattr(item, field, None)) for item in objects]
                values[field] = _floats(value.low for value in ranges)
                values[f"{field}_span"] = _floats(value.high - value.low for value in ranges)
                values[f"{field}_log"] = _truths(value.log_uniform is not None for value in ranges)
                if field.startswith("initial"):
                    values[f"{field}_by_flow"] = _truths(value.times == "mean_flow" for value in ranges)
        mean_and_std = [moments(node) for node in nodes]
        directed = nx.DiGraph(parsed.links.keys())
        parts = list(nx.weakly_connected_components(directed))
        part = {name: number for number, names_in in enumerate(parts) for name in names_in}
        longest = dict.fromkeys(names, 0)  # links on the longest path to a node
        for name in nx.topological_sort(directed):
            for below in directed.successors(name):
                longest[below] = max(longest[below], longest[name] + 1)
        depths = [max(longest[name] for name in names_in) for names_in in parts]
        edge_index = torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).t().contiguous()
        return cls(
            edge_index=edge_index,
            inbound=torch.bincount(edge_index[1], minlength=len(names)),
            outbound=torch.bincount(edge_index[0], minlength=len(names)),
            num_nodes=len(names),
            labels=names,
            depth=max(depths),
            component_depth=torch.tensor([depths[part[name]] for name in names]),
            ship_capacity=_floats(getattr(node, "capacity", None) or math.inf for node in nodes),
            link_capacity=_floats(link.capacity or math.inf for link in links),
            minimum_order=_floats(link.minimum_order or 0.0 for link in links),
            is_supplier=_truths(isinstance(node, Supplier) for node in nodes),
            holds_stock=_truths(getattr(node, "holds_stock", True) for node in nodes),
            has_demand=_truths(getattr(node, "demand", None) is not None for node in nodes),
            lost=_truths(getattr(node, "unmet_demand", None) == "lost" for node in nodes),
            mean_demand=_floats(mean for mean, _ in mean_and_std),
            std_demand=_floats(std for _, std in mean_and_std),
            component=torch.tensor([part[name] for name in names]),
            **values,
        )

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        """What is added to a value when graphs are put side by side."""
        return int(value.max()) + 1 if key == "component" else super().__inc__(key, value, *args, **kwargs)

    @property
    def places(self) -> list[str]:
        """Names of nodes and links, in order: what a policy that is tied to one network belongs to."""
        return [*self.labels, *self.link_names]

    @property
    def source(self) -> Tensor:
        """Node that ships on each link [E]."""
        return self.edge_index[0]

    @property
    def target(self) -> Tensor:
        """Node that orders on each link [E]."""
        return self.edge_index[1]

    @property
    def nodes(self) -> int:
        """N."""
        return int(self.num_nodes)

    @property
    def links(self) -> int:
        """E."""
        return self.edge_index.shape[1]

    @property
    def slots(self) -> int:
        """L of the in-transit tensor: goods with a lead time of 1 are never seen on their way."""
        return int((self.lead_time + self.lead_time_span).max()) - 1

    @property
    def demand_locations(self) -> int:
        """Number of locations with demand."""
        return int(self.has_demand.sum())

    @property
    def link_names(self) -> list[str]:
        """'u -> v' of each link, in order."""
        return [f"{self.labels[u]} -> {self.labels[v]}" for u, v in self.edge_index.t().tolist()]

    @property
    def drawn_parameters(self) -> list[str]:
        """Names of the costs and lead times that differ by scenario."""
        return [name for name in PARAMETERS if bool((getattr(self, f"{name}_span") > 0).any())]

    def parameters(self) -> Parameters:
        """Costs and lead times that all scenarios share, [1, N] and [1, E]; lowest of the range where they differ."""
        return Parameters(**{name: getattr(self, name).unsqueeze(0) for name in PARAMETERS})

    def flows(self, mean_demand: NodeValues, shares: LinkValues | None = None) -> tuple[NodeValues, LinkValues]:
        """The mean demand that flows through each node and link, per period, given the customers' mean demand.

        A node's flow is its customers' demand and the flow of its links; where several links enter a node, they share its
        flow equally, or by the shares given [b, E]. A flow of 0 is given as 1, so that it can serve as a unit.

        Returns:
            node flow [b, N] and link flow [b, E], units per period.
        """
        node_flow = self.below(mean_demand.clamp_min(0.0), shares)
        link_flow = node_flow.index_select(1, self.target) * (self._shares(node_flow.dtype) if shares is None else shares)
        return torch.where(node_flow > 0, node_flow, 1.0), torch.where(link_flow > 0, link_flow, 1.0)

    def below(self, values: NodeValues, shares: LinkValues | None = None) -> NodeValues:
        """The sum of a value over each node and all that it supplies; where several links enter a node, each has a part of it.

        The parts are equal, or the shares given [b, E].
        """
        share, total = self._shares(values.dtype) if shares is None else shares, values
        for _ in range(int(self.depth)):
            below = total.index_select(1, self.target) * share
            total = values.expand(below.shape[0], -1).scatter_add(1, self.source.expand_as(below), below)
        return total

    def _shares(self, dtype: torch.dtype) -> Tensor:
        """The part of its target's flow that a link carries [E]."""
        return 1.0 / self.inbound[self.target].to(dtype)

    def to_dtype(self, dtype: torch.dtype) -> "InventoryGraph":
        """The same graph with its floating-point values in another precision."""
        copied = copy.copy(self)  # `apply` changes the object that it is called on
        return copied.apply(lambda value: value.to(dtype) if value.is_floating_point() else value)

    @staticmethod
    def union(graphs: list["InventoryGraph"]) -> "InventoryGraph":
        """The disjoint union of several graphs, as one graph; labels are prefixed by the graph's number."""
        batch = Batch.from_data_list(graphs, exclude_keys=["labels", "depth"])
        values = {key: value for key, value in batch.to_dict().items() if key not in ("batch", "ptr")}
        labels = [f"{number}/{label}" for number, graph in enumerate(graphs) for label in graph.labels]
        return InventoryGraph(**values, labels=labels, depth=max(int(graph.depth) for graph in graphs))


def _range(value: float | PerScenario | None) -> Draw:
    """The distribution of a value over scenarios; one number is a range of width 0."""
    if isinstance(value, PerScenario):
        return value.per_scenario
    number = 0.0 if value is None else float(value)
    return Draw(uniform=(number, number))


def moments(node: Supplier | Location) -> tuple[float, float]:
    """Mean and standard deviation of the customers' demand per period."""
    distribution = node.distribution if isinstance(node, Location) else None
    if isinstance(distribution, Poisson):
        return distribution.mean, math.sqrt(distribution.mean)
    if isinstance(distribution, NegativeBinomial):
        mean = distribution.successes * (1 - distribution.probability) / distribution.probability
        return mean, math.sqrt(mean / distribution.probability)
    if not isinstance(distribution, Normal):
        return 0.0, 0.0
    mean, std = distribution.mean, distribution.std
    if not distribution.clip:
        return mean, std
    if abs(mean) >= 40 * std:  # nothing is cut off that a number could hold, or all of it
        return max(mean, 0.0), std if mean > 0 else 0.0
    ratio = mean / std  # moments of max(0, N(mean, std^2)), the rectified normal distribution, without cancellation
    below, density = 0.5 * math.erfc(ratio / math.sqrt(2)), math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    first = ratio * 0.5 * math.erfc(-ratio / math.sqrt(2)) + density
    variance = 1 - below + ratio**2 * below * (1 - below) - ratio * density * (1 - 2 * below) - density**2
    return std * max(first, 0.0), std * math.sqrt(max(variance, 0.0))


def _floats(values: Any) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float32)


def _truths(values: Any) -> Tensor:
    return torch.tensor(list(values), dtype=torch.bool)
