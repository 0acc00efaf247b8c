"""A warehouse that cannot hold stock: the relaxation in which stores may exchange stock before they are shipped to."""

from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
import torch

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.references.parameters import link_into, number
from gnn_inventory.references.reference import Reference
from gnn_inventory.topology.network import Network
from gnn_inventory.topology.schema import Location, Normal
from gnn_inventory.types import PerPeriod

__all__ = ["transshipment_bound"]


@dataclass(frozen=True)
class _Relaxed:
    """The relaxed problem: every period the stores' stock is balanced anew.

    Attributes:
        stores: names.
        mean, deviation: of each store's demand over its lead time and one period [S].
        holding_cost, underage_cost: the same at all stores.
        store_lead_time, warehouse_lead_time: periods.
        level: optimal position of the whole network after ordering, units.
        cost: per period, whole network.
    """

    stores: tuple[str, ...]
    mean: np.ndarray
    deviation: np.ndarray
    holding_cost: float
    underage_cost: float
    store_lead_time: int
    warehouse_lead_time: int
    level: float
    cost: float


def transshipment_bound(network: Network) -> Reference | None:
    """Lower bound of Federgruen and Zipkin (1984): stores are pooled after the warehouse that cannot hold stock.

    (h + p) phi(z) tau with z = Phi^-1(p / (p + h)), tau^2 = (L_store + 1) (sum of sd)^2 + L_warehouse Var(total demand). For
    normal demand that is not clipped, equal costs and lead times; None elsewhere.
    """
    relaxed = _relaxed(network)
    if relaxed is None:
        return None
    source = "Federgruen and Zipkin (1984) relaxation"
    return Reference("lower_bound", relaxed.cost, source, twin=partial(_relaxed_costs, relaxed))


def _relaxed(network: Network) -> _Relaxed | None:
    hubs = [name for name, node in network.nodes.items() if isinstance(node, Location) and node.demand is None]
    if len(hubs) != 1 or network.location(hubs[0]).holds_stock:
        return None
    stores = [network.location(name) for name in network.customers]
    links = [network.links.get((hubs[0], name)) for name in network.customers]
    normal = [store.distribution for store in stores if isinstance(store.distribution, Normal) and not store.distribution.clip]
    costs = {(store.holding_cost, store.underage_cost) for store in stores}
    lead_times = {None if link is None else link.lead_time for link in links}
    if len(normal) < len(stores) or len(costs) > 1 or len(lead_times) > 1 or None in lead_times:
        return None
    if len(network.links) != len(stores) + 1:
        return None
    mean, deviation = np.array([item.mean for item in normal]), np.array([item.std for item in normal])
    correlation = np.eye(len(deviation)) if network.correlation is None else network.correlation
    variance = float(deviation @ correlation @ deviation)
    store_lead_time = int(number(network.links[hubs[0], network.customers[0]].lead_time))
    warehouse_lead_time = int(number(link_into(network, hubs[0]).lead_time))
    tau = float(np.sqrt((store_lead_time + 1) * deviation.sum() ** 2 + warehouse_lead_time * variance))
    holding, underage = number(stores[0].holding_cost), number(stores[0].underage_cost)
    if holding == 0 or underage == 0 or tau == 0:
        return None
    quantile = NormalDist().inv_cdf(underage / (underage + holding))
    return _Relaxed(
        network.customers,
        mean * (store_lead_time + 1),
        deviation * np.sqrt(store_lead_time + 1),
        holding,
        underage,
        store_lead_time,
        warehouse_lead_time,
        level=float(mean.sum()) * (warehouse_lead_time + store_lead_time + 1) + quantile * tau,
        cost=(holding + underage) * NormalDist().pdf(quantile) * tau,
    )


def _relaxed_costs(relaxed: _Relaxed, graph: InventoryGraph, scenarios: Scenarios) -> PerPeriod:
    """Cost of the relaxed problem at its optimal level on given demand [B, T]; the periods before the first arrivals: its mean.

    What is charged in period t was balanced in s = t - L_store, out of the level less the demand of all stores in the
    L_warehouse periods before s: every store then has the same number of standard deviations over its mean.
    """
    columns = torch.tensor([graph.labels.index(name) for name in relaxed.stores])
    demand = scenarios.demand[:, :, columns].double()
    total = torch.nn.functional.pad(demand.cumsum(1), (0, 0, 1, 0))  # up to the start of each period [B, T + 1, S]
    own, first = relaxed.store_lead_time + 1, relaxed.warehouse_lead_time
    found = torch.full(demand.shape[:2], relaxed.cost, dtype=torch.float64)
    if scenarios.periods >= own + first:
        last = scenarios.periods - own + 1
        position = relaxed.level - (total[:, first:last] - total[:, : last - first]).sum(-1)
        after = total[:, first + own :] - total[:, first:last]
        mean, deviation = torch.from_numpy(relaxed.mean), torch.from_numpy(relaxed.deviation)
        balanced = (position - mean.sum()) / deviation.sum()
        net = mean + balanced.unsqueeze(-1) * deviation - after
        charged = relaxed.holding_cost * net.clamp_min(0.0) + relaxed.underage_cost * (-net).clamp_min(0.0)
        found[:, first + own - 1 :] = charged.sum(-1)
    return found
