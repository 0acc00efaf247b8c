"""Feasibility of orders: nothing leaves that is not there, whatever is asked, kept, capped or rounded."""

import networkx as nx
import pytest
import torch

from gnn_inventory.allocation import Limits, feasible, proportional, whole_units
from gnn_inventory.graph import InventoryGraph

STORE = {"holding_cost": 1.0, "unmet_demand": "lost", "demand": {"poisson": {"mean": 4.0}}}
# nodes, sorted: a, b, hub, supplier; links: hub -> a, hub -> b, supplier -> hub


def hub(capacity=None, link_capacity=None, **attributes):
    """supplier -> hub -> a, b."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("hub", **(attributes or {"holding_cost": 1.0}))
    if capacity:
        network.nodes["hub"]["capacity"] = capacity
    for name in "ab":
        network.add_node(name, **STORE)
        network.add_edge("hub", name, lead_time=1)
    if link_capacity:
        network.edges["hub", "a"]["capacity"] = link_capacity
    network.add_edge("supplier", "hub", lead_time=2)
    return InventoryGraph.from_network(network)


def shipped(graph, stock, asked, keep=None):
    """Orders [hub-a, hub-b] when the hub has `stock`."""
    on_hand = torch.tensor([[0.0, 0.0, stock, 0.0]])
    keep = None if keep is None else torch.tensor([[0.0, 0.0, keep, 0.0]])
    return proportional(graph, on_hand, torch.tensor([[*asked, 0.0]]), keep)[0, :2].tolist()


def random_network(random):
    """Locations in layers; some cannot hold stock, some have capacities."""
    network = nx.DiGraph()
    for layer in range(4):
        for number in range(3):
            name = f"{layer}-{number}"
            draw = int(torch.randint(3, (), generator=random))
            if layer == 0:
                network.add_node(name, kind="supplier")
            elif layer == 3:
                network.add_node(name, **STORE)
            elif draw == 0:
                network.add_node(name, holds_stock=False)
            else:
                network.add_node(name, holding_cost=1.0, **({"capacity": 7.0} if draw == 1 else {}))
            if layer == 0:
                continue
            for parent in range(3):
                if parent == number or torch.rand((), generator=random) < 0.5:
                    network.add_edge(f"{layer - 1}-{parent}", name, lead_time=1)
    return InventoryGraph.from_network(network)


def outflow(graph, orders):
    return torch.zeros(len(orders), graph.nodes, dtype=orders.dtype).index_add(1, graph.source, orders)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("with_keep", [False, True])
def test_never_more_than_there_is(seed, with_keep):
    random = torch.Generator().manual_seed(seed)
    graph = random_network(random).to_dtype(torch.float64)
    on_hand = 30 * torch.rand(64, graph.nodes, generator=random, dtype=torch.float64) - 10
    desired = 20 * torch.rand(64, graph.links, generator=random, dtype=torch.float64) - 5
    keep = 10 * torch.rand(64, graph.nodes, generator=random, dtype=torch.float64) - 2 if with_keep else None
    orders = proportional(graph, on_hand, desired, keep)
    assert (orders >= 0).all()
    leaves, stock = outflow(graph, orders), on_hand.clamp_min(0)
    limit = torch.minimum(stock, graph.ship_capacity).masked_fill(graph.is_supplier, torch.inf)
    assert (leaves <= limit + 1e-12).all()
    bought = graph.is_supplier[graph.source]
    assert torch.equal(orders[:, bought], desired[:, bought].clamp_min(0))
    inside = ~graph.is_supplier & (graph.source.bincount(minlength=graph.nodes) > 0) & ~graph.holds_stock
    torch.testing.assert_close(leaves[:, inside], stock[:, inside], rtol=0, atol=1e-12)
    holds = graph.holds_stock[graph.source]
    assert (orders[:, holds] <= desired.clamp_min(0)[:, holds] + 1e-12).all()


def test_in_proportion_and_only_where_short():
    assert shipped(hub(), 6.0, [4.0, 8.0]) == pytest.approx([2, 4])  # 6 of 12
    assert shipped(hub(), 12.0, [4.0, 8.0]) == [4, 8]
    assert shipped(hub(), 5.0, [-4.0, 8.0]) == pytest.approx([0, 5])
    assert shipped(hub(), -5.0, [4.0, 8.0]) == [0, 0]
    assert shipped(hub(), 0.0, [4.0, 8.0]) == [0, 0]
    assert shipped(hub(), 5.0, [0.0, 0.0]) == [0, 0]


def test_keep_competes_on_equal_terms():
    assert shipped(hub(), 6.0, [2.0, 6.0], keep=4.0) == pytest.approx([1, 3])  # 6 / (8 + 4)
    assert shipped(hub(), 9.0, [2.0, 6.0], keep=4.0) == pytest.approx([1.5, 4.5])  # 9 / 12: kept although 8 would go
    assert shipped(hub(), 12.0, [2.0, 6.0], keep=4.0) == [2, 6]
    assert shipped(hub(), 6.0, [2.0, 6.0], keep=-3.0) == pytest.approx(shipped(hub(), 6.0, [2.0, 6.0]))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([0.0, 0.0], [3, 3]),
        ([-1.0, -2.0], [3, 3]),
        ([1.0, 2.0], [2, 4]),
        ([100.0, 200.0], [2, 4]),
        ([0.0, 5.0], [0, 6]),
    ],
)
def test_without_store_room_everything_goes(asked, expected):
    assert shipped(hub(holds_stock=False), 6.0, asked) == pytest.approx(expected)
    assert shipped(hub(holds_stock=False), 6.0, asked, keep=5.0) == pytest.approx(expected)
    assert shipped(hub(holds_stock=False), -6.0, asked) == [0, 0]


def test_without_store_room_everything_goes_however_little_is_asked():
    assert sum(shipped(hub(holds_stock=False), 6.0, [1e-12, 2e-12])) == pytest.approx(6)  # a saturated softplus asks so


def test_capacities():
    assert shipped(hub(link_capacity=3.0), 99.0, [5.0, 8.0]) == [3, 8]
    assert shipped(hub(link_capacity=3.0), 5.5, [5.0, 8.0]) == pytest.approx([1.5, 4])  # 3 and 8 share 5.5
    assert shipped(hub(capacity=6.0), 99.0, [4.0, 8.0]) == pytest.approx([2, 4])
    assert shipped(hub(capacity=6.0), 3.0, [4.0, 8.0]) == pytest.approx([1, 2])
    assert shipped(hub(capacity=6.0), 99.0, [2.0, 3.0]) == [2, 3]


def test_capacity_of_a_location_comes_before_what_it_keeps():
    # as documented, capacities come first: Q = min(12, 6) = 6, then Q min(1, 9 / (6 + 6)) = 4.5
    assert shipped(hub(capacity=6.0), 9.0, [4.0, 8.0], keep=6.0) == pytest.approx([1.5, 3])


@pytest.mark.parametrize("asked", [0.0, 1e-12, 0.5, 50.0])
@pytest.mark.parametrize("stock", [-3.0, 0.0, 1e-12, 4.0])
@pytest.mark.parametrize("holds", [True, False])
def test_gradients_are_finite_at_every_edge(asked, stock, holds):
    graph = hub() if holds else hub(holds_stock=False)
    on_hand = torch.tensor([[0.0, 0.0, stock, 0.0]], requires_grad=True)
    desired = torch.tensor([[asked, asked, 1.0]], requires_grad=True)
    keep = torch.zeros(1, 4, requires_grad=True)
    proportional(graph, on_hand, desired, keep).square().sum().backward()
    assert all(torch.isfinite(x.grad).all() for x in (on_hand, desired, keep) if x.grad is not None)


def test_limits_of_a_network():
    assert Limits.of(hub()) == Limits(capacity=False, passing=False, minimum=False)
    assert Limits.of(hub(capacity=6.0)) == Limits.of(hub(link_capacity=3.0)) == Limits(True, False, False)
    assert Limits.of(hub(holds_stock=False)) == Limits(False, True, False)
    ordered = hub()
    ordered.minimum_order[0] = 2.0
    assert Limits.of(ordered) == Limits(False, False, True)


@pytest.mark.parametrize("graph", [hub(), hub(capacity=6.0), hub(link_capacity=3.0), hub(holds_stock=False)])
def test_limits_that_a_network_has_not_change_nothing(graph):
    """What is not looked for would not have been found: the same orders and gradients, bit for bit."""
    random = torch.Generator().manual_seed(0)
    on_hand = 20 * torch.rand(64, graph.nodes, generator=random) - 5
    desired, keep = 12 * torch.rand(64, graph.links, generator=random) - 2, 4 * torch.rand(64, graph.nodes, generator=random)
    found = []
    for limits in (Limits(), Limits.of(graph)):
        inputs = [value.clone().requires_grad_() for value in (on_hand, desired, keep)]
        orders = feasible(graph, *inputs, limits=limits)
        found.append([orders, *torch.autograd.grad(orders.square().sum(), inputs)])
    assert all(torch.equal(plain, quick) for plain, quick in zip(*found, strict=True))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("whole_stock", [True, False])
def test_whole_units(seed, whole_stock):
    random = torch.Generator().manual_seed(seed)
    graph = random_network(random)
    on_hand = 30 * torch.rand(256, graph.nodes, generator=random) - 5
    on_hand = on_hand.round() if whole_stock else on_hand
    orders = proportional(graph, on_hand, 12 * torch.rand(256, graph.links, generator=random))
    whole = whole_units(graph, on_hand, orders)
    assert torch.equal(whole, whole.round())
    assert (whole >= 0).all()
    stock = on_hand.clamp_min(0).masked_fill(graph.is_supplier, torch.inf)
    before, after = outflow(graph, orders), outflow(graph, whole)
    assert (after <= stock).all()
    assert (after <= graph.ship_capacity).all()  # 7, a whole number
    near = torch.minimum((before + 0.5).floor(), stock.floor())
    tie = ((before + 0.5) % 1 - 0.5).abs() > 0.4999  # a half, or float32's error around it, may go either way
    assert ((after == near) | tie).all()
    assert float((whole - orders).abs().max()) < 1.0


def test_whole_units_with_part_of_a_unit_in_stock():
    # 2.9 in stock, 0.5 and 2.4 ordered: two units leave, and neither order may change by a unit or more
    whole = whole_units(hub(), torch.tensor([[0.0, 0.0, 2.9, 0.0]]), torch.tensor([[0.5, 2.4, 0.0]]))[0]
    assert float(whole.sum()) == 2
    assert abs(float(whole[0]) - 0.5) < 1
    assert abs(float(whole[1]) - 2.4) < 1


def test_whole_units_of_large_stock_are_no_more_than_it():
    """Beyond 2^22 single precision holds halves at best: the sum of orders cut to the stock may lie above it."""
    stock = torch.tensor([[0.0, 0.0, 9_988_326.0, 0.0]])
    orders = torch.tensor([[4_994_163.5, 4_994_163.5, 0.0]])
    assert float(whole_units(hub(), stock, orders).double().sum()) == 9_988_326.0


def test_whole_orders_stay_as_they_are():
    on_hand, orders = torch.tensor([[0.0, 0.0, 7.0, 0.0]]), torch.tensor([[3.0, 4.0, 11.0]])
    assert torch.equal(whole_units(hub(), on_hand, orders), orders)
