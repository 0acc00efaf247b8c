"""Baselines by hand, by theory, or by a second, plainer computation."""

import networkx as nx
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.allocation import proportional
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.policies import CappedBaseStock, EqualFractile, PublishedMessagePassing, ReorderPoint
from gnn_inventory.policies.base import Known, Observation
from gnn_inventory.references import reference_of
from gnn_inventory.topology.network import parse_network


def one_store():
    """A graph of one store with a mean demand of 4 and L = 2; its nodes are [store, supplier]."""
    network = gi.one_store(link={"lead_time": 2})
    network.nodes["store"]["demand"] = {"poisson": {"mean": 4.0}}
    return gi.InventoryGraph.from_network(network)


def orders(policy, graph, on_hand, in_transit):
    """Orders [B, E] for what is on hand and in transit at the store, one value per scenario."""
    stock = torch.tensor([[float(value), 0.0] for value in on_hand])
    transit = torch.tensor([[[float(value)]] for value in in_transit])
    seen = Observation(stock, transit, torch.zeros(len(stock), 0, 2), torch.zeros(0))
    return policy(graph, seen).orders.detach()[:, 0].tolist()


def test_capped_base_stock_by_hand():
    graph, policy = one_store(), CappedBaseStock()
    policy.set_levels(graph, {"store": 14.0})
    policy.set_caps(graph, {"store": 5.0})
    # positions 14, 12, 9 + 3, 6, -2 lack 0, 2, 2, 8, 16
    assert orders(policy, graph, [14, 12, 9, 6, -2], [0, 0, 3, 0, 0]) == [0, 2, 2, 5, 5]


def test_reorder_point_by_hand():
    graph, policy = one_store(), ReorderPoint()
    policy.set_levels(graph, {"store": 14.0})
    policy.gaps.data = torch.tensor([1.0, 1.0])  # S - s is 4 units: s = 10
    policy.eval()
    assert orders(policy, graph, [14, 11, 10, 7], [0, 0, 0, 2]) == [0, 0, 4, 5]
    policy.train()  # smoothed: one half at s
    assert orders(policy, graph, [10], [0]) == pytest.approx([2.0])


def test_equal_fractile_levels_the_stores():
    network = gi.transshipment(stores=3)
    source = SyntheticDemand(parse_network(network), 0, "test")
    graph, drawn = source.graph, source.sample(0, 64, 1)
    policy = EqualFractile()
    policy.fit_to(graph)
    stock = drawn.on_hand.clone()
    stock[:, graph.labels.index("warehouse")] = 12.0
    known = Known.of(graph, drawn)
    desired = policy(graph, Observation(stock, drawn.in_transit, torch.zeros(64, 0, 5), torch.zeros(0)), known)
    sent = proportional(graph, stock, desired.orders).detach()
    inner = ~graph.is_supplier[graph.source]
    torch.testing.assert_close(sent[:, inner].sum(1), torch.full((64,), 12.0))  # it cannot hold stock: all of it goes
    stores = graph.target[inner]
    position = (stock.index_add(1, graph.target, drawn.in_transit.sum(-1)))[:, stores] + sent[:, inner]
    fractile = (position - 3 * graph.mean_demand[stores]) / (3**0.5 * graph.std_demand[stores])  # L + 1 = 3 periods
    for row in range(64):
        sent_to = sent[row, inner] > 1e-4
        assert float(fractile[row, sent_to].max() - fractile[row, sent_to].min()) < 1e-3
        assert (fractile[row, ~sent_to] >= fractile[row, sent_to].min() - 1e-3).all()


def test_equal_fractile_brackets_the_optimum():
    """No policy is below the bound; this one, at the relaxation's level, is hardly above it."""
    network = gi.transshipment(stores=4)
    parsed, policy = parse_network(network), EqualFractile()
    relaxed = reference_of(parsed).twin.args[0]
    unused = dict.fromkeys(parsed.customers, 0.0)  # the stores share what comes
    policy.set_levels(gi.InventoryGraph.from_network(network), {"warehouse": relaxed.level, **unused})
    result = gi.evaluate(policy, network, scenarios=512, periods=300, warm_up=100)
    assert -0.02 < result.gap_percent < 0.2
    assert result.gap_ci95[1] - result.gap_ci95[0] < 0.05


def plainly(policy, graph, known, seen):
    """The published architecture for one scenario, node by node and edge by edge."""
    parameters, depth = known.parameters, int(graph.depth)
    width = policy.config["width"]
    zero = torch.zeros(width)
    pairs = graph.edge_index.t().tolist()
    locations = [node for node in range(graph.nodes) if not graph.is_supplier[node]]
    x = {}
    for node in locations:
        arriving = sum((seen.in_transit[0, e] for e, (_, v) in enumerate(pairs) if v == node), torch.zeros(graph.slots))
        facts = [value[0, node] for value in (parameters.holding_cost, parameters.underage_cost, parameters.price)]
        supplied = [e for e, (u, v) in enumerate(pairs) if v == node and graph.is_supplier[u]]
        facts.append(min((parameters.unit_cost[0, e] for e in supplied), default=torch.tensor(0.0)))
        facts += [known.mean_demand[0, node], known.std_demand[0, node]]
        padding = torch.zeros(policy.slots - graph.slots)
        x[node] = policy.initial_node(torch.cat([seen.on_hand[0, [node]], arriving, padding, torch.stack(facts)]))
    edges = [(u, v, parameters.lead_time[0, [e]]) for e, (u, v) in enumerate(pairs)]
    edges += [(v, None, torch.zeros(1)) for v in locations if graph.has_demand[v]]
    edges += [(v, v, torch.zeros(1)) for v in locations if any(u == v for u, _ in pairs)]
    z = [policy.initial_edge(torch.cat([x.get(u, zero), x.get(v, zero), lead])) for u, v, lead in edges]
    several = any(sum(v == node for _, v in pairs) > 1 for node in locations)
    for _ in range(2 if several else max(depth - 1, 1)):
        new = {}
        for node in locations:
            into = [z[i] for i, (_, v, _) in enumerate(edges) if v == node]
            out = [z[i] for i, (u, _, _) in enumerate(edges) if u == node]
            parts = [x[node]] + [sum(part, zero) / max(len(part), 1) ** 0.5 for part in (into, out)]
            new[node] = x[node] + policy.node_update(torch.cat(parts))
        x = new
        z = [z[i] + policy.edge_update(torch.cat([z[i], x.get(u, zero), x.get(v, zero)])) for i, (u, v, _) in enumerate(edges)]
    found = [float(policy.output(value)) for value in z]
    keep = {u: found[i] for i, (u, v, _) in enumerate(edges) if u == v}
    return found[: len(pairs)], keep


def two_suppliers():
    """One store that buys from two suppliers, at 5 and at 7."""
    network = gi.one_store(link={"lead_time": 2, "unit_cost": 5.0})
    network.add_node("other", kind="supplier")
    network.add_edge("other", "store", lead_time=1, unit_cost=7.0)
    return network


@pytest.mark.parametrize("build", [gi.one_store, gi.serial, gi.one_warehouse, gi.many_warehouses, two_suppliers])
def test_the_published_architecture_as_its_description_says(build):
    source = SyntheticDemand(parse_network(build()), 0, "test")
    graph, drawn = source.graph, source.sample(0, 1, 1)
    known, policy = Known.of(graph, drawn), PublishedMessagePassing(width=8)
    seen = Observation(drawn.on_hand, drawn.in_transit, torch.zeros(1, 0, graph.nodes), torch.zeros(0))
    with torch.no_grad():
        desired = policy(graph, seen, known)
        links, keep = plainly(policy, graph, known, seen)
    assert desired.orders[0].tolist() == pytest.approx(links, rel=1e-4)
    for node in range(graph.nodes):
        assert float(desired.keep[0, node]) == pytest.approx(keep.get(node, 0.0), rel=1e-4)


def test_fully_connected_ships_a_softmax_of_its_stock():
    source = SyntheticDemand(parse_network(gi.one_warehouse(stores=2)), 0, "test")
    graph, drawn = source.graph, source.sample(0, 1, 1)
    policy = gi.FullyConnected(width=4)
    policy.fit_to(graph)
    names = graph.link_names
    logits = {"supplier -> warehouse": 0.0, "warehouse -> store_0": 2.0, "warehouse -> store_1": 1.0}
    with torch.no_grad():
        policy.layers[-1].weight.zero_()
        policy.layers[-1].bias.copy_(torch.tensor([logits[name] for name in names]))
    stock = drawn.on_hand.clone()
    stock[0, graph.labels.index("warehouse")] = 10.0
    seen = Observation(stock, drawn.in_transit, torch.zeros(1, 0, graph.nodes), torch.zeros(0))
    found = dict(zip(names, policy(graph, seen, Known.of(graph, drawn)).orders[0].tolist(), strict=True))
    e = 2.718281828459045
    total = e**2 + e + e  # both stores, and what is kept, at a logit of 1
    assert found["warehouse -> store_0"] == pytest.approx(10 * e**2 / total)
    assert found["warehouse -> store_1"] == pytest.approx(10 * e / total)
    assert found["supplier -> warehouse"] == pytest.approx(0.5 * 4 * float(graph.mean_demand.sum()))


def test_fully_connected_ships_all_of_what_cannot_be_held_whatever_its_outputs():
    """At a warehouse that cannot hold stock, outputs far below 0 are still a softmax: of equal ones in equal parts."""
    source = SyntheticDemand(parse_network(gi.transshipment(stores=3)), 0, "test")
    graph, drawn = source.graph, source.sample(0, 1, 1)
    policy = gi.FullyConnected(width=4)
    policy.fit_to(graph)
    with torch.no_grad():
        policy.layers[-1].weight.zero_()
        policy.layers[-1].bias.fill_(-1e4)
    stock = drawn.on_hand.clone()
    stock[0, graph.labels.index("warehouse")] = 9.0
    desired = policy(graph, Observation(stock, drawn.in_transit, torch.zeros(1, 0, graph.nodes), torch.zeros(0)))
    shipped = desired.orders[0, ~graph.is_supplier[graph.source]]
    assert shipped.tolist() == pytest.approx([3.0, 3.0, 3.0])
    (gradient,) = torch.autograd.grad(shipped[0], policy.layers[-1].bias)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_levels_are_given_for_the_locations_of_the_network():
    graph = gi.InventoryGraph.from_network(gi.one_warehouse(stores=2))
    with pytest.raises(InputError) as mistakes:
        gi.EchelonBaseStock().set_levels(graph, {"warehouse": 40.0, "store_0": 9.0, "Store_1": 9.0, "supplier": 1.0})
    assert str(mistakes.value).splitlines() == [
        "policy echelon_base_stock: level: missing for location 'store_1'",
        "policy echelon_base_stock: level: unknown location 'Store_1'; did you mean 'store_1'? one of: store_0, store_1, warehouse",
        "policy echelon_base_stock: level: unknown location 'supplier'; one of: store_0, store_1, warehouse",
    ]
    levels = {"warehouse": 40.0, "store_0": 9.0, "store_1": 9.0}
    with pytest.raises(InputError, match="point: missing for location 'store_1'"):
        ReorderPoint().set_points(graph, {"warehouse": 30.0, "store_0": 5.0}, levels)
    with pytest.raises(InputError, match=r"location 'store_1': got s 9\.5, S 9\.0; expected s at most S"):
        ReorderPoint().set_points(graph, {**levels, "store_1": 9.5}, levels)
    with pytest.raises(InputError, match="level: location 'store_0': got nan; expected a finite number"):
        gi.EchelonBaseStock().set_levels(graph, {**levels, "store_0": float("nan")})


def test_levels_in_units_need_a_mean_demand():
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("shop", holding_cost=1.0, underage_cost=9.0, unmet_demand="lost", demand="panel")
    network.add_edge("supplier", "shop", lead_time=1)
    with pytest.raises(InputError, match="level: location 'shop' states no mean demand, as on a panel of sales"):
        gi.BaseStock().set_levels(gi.InventoryGraph.from_network(network), {"shop": 100.0})


def test_a_cap_is_of_all_sources_together():
    """Levels that are never reached: every location orders its cap, 1.5 mean flows, from however many sources."""
    source = SyntheticDemand(parse_network(gi.many_warehouses()), 0, "test")
    graph, drawn = source.graph, source.sample(0, 3, 1)
    policy = CappedBaseStock()
    policy.fit_to(graph)
    seen = Observation(drawn.on_hand, drawn.in_transit, torch.zeros(3, 0, graph.nodes), torch.zeros(0))
    with torch.no_grad():
        policy.levels.fill_(1e3)
        known = Known.of(graph, drawn)
        orders = policy(graph, seen, known).orders
        ordered = torch.zeros(3, graph.nodes).index_add(1, graph.target, orders)
    inside = ~graph.is_supplier
    torch.testing.assert_close(ordered[:, inside], (1.5 * known.node_flow).expand(3, -1)[:, inside])
