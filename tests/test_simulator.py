"""One period as docs/model.md states it: costs by hand, mass balance, independence, lead times, gradients."""

from dataclasses import replace

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn_inventory.allocation import proportional
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.simulator import State, Timing, step

DEMAND = {"poisson": {"mean": 4.0}}
STORE = {"holding_cost": 1.0, "underage_cost": 4.0, "demand": DEMAND}


def chain(unmet="lost", lead_time=2, price=0.0):
    """supplier -> store."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("store", **STORE, unmet_demand=unmet, price=price)
    network.add_edge("supplier", "store", lead_time=lead_time)
    return network


def simulate(graph, on_hand, orders, demand, parameters=None):
    """Feasible orders [B, T, E] and demand [B, T, N] -> states (one more than periods), outcomes."""
    parameters = parameters or graph.parameters()
    timing = Timing.of(graph, parameters)
    states, outcomes = [State(on_hand, on_hand.new_zeros(len(on_hand), graph.links, graph.slots))], []
    for period in range(demand.shape[1]):
        order = orders(period, states[-1]) if callable(orders) else orders[:, period]
        state, outcome = step(graph, parameters, timing, states[-1], order, demand[:, period])
        states.append(state)
        outcomes.append(outcome)
    return states, outcomes


def one_store(unmet):
    """10 on hand, L = 2, h = 1, p = 4; orders 6 0 5 0; demand 7 8 2 9; nodes are [store, supplier]."""
    graph = InventoryGraph.from_network(chain(unmet))
    orders = torch.tensor([6.0, 0, 5, 0]).reshape(1, 4, 1)
    demand = torch.tensor([[7.0, 0], [8, 0], [2, 0], [9, 0]]).unsqueeze(0)
    states, outcomes = simulate(graph, torch.tensor([[10.0, 0]]), orders, demand)
    rows = [[float(x) for x in (o.left[0, 0], o.unmet[0, 0], o.cost[0])] for o in outcomes]
    return [float(state.on_hand[0, 0]) for state in states], rows, [float(o.sales[0, 0]) for o in outcomes]


def test_lost_sales_by_hand():
    stock, rows, sales = one_store("lost")
    # t0: 10 - 7 = 3 left, cost 1 * 3;      t1: 3 - 8, 5 lost, cost 4 * 5; the 6 of t0 arrive: 0 + 6
    # t2: 6 - 2 = 4 left, cost 4;           t3: 4 - 9, 5 lost, cost 20; the 5 of t2 arrive: 0 + 5
    assert stock == [10, 3, 6, 4, 5]
    assert rows == [[3, 0, 3], [0, 5, 20], [4, 0, 4], [0, 5, 20]]
    assert sales == [7, 3, 2, 4]


def test_backlogged_by_hand():
    stock, rows, _ = one_store("backlogged")
    # t0: 10 - 7 = 3 left, cost 3;          t1: 3 - 8 = -5, cost 4 * 5; the 6 of t0 arrive: -5 + 6 = 1
    # t2: 1 - 2 = -1, cost 4;               t3: -1 - 9 = -10, cost 40; the 5 of t2 arrive: -10 + 5 = -5
    assert stock == [10, 3, 1, -1, -5]
    assert rows == [[3, 0, 3], [0, 5, 20], [0, 1, 4], [0, 10, 40]]


def test_backlog_served_by_an_arrival_is_sold():
    graph = InventoryGraph.from_network(chain("backlogged", lead_time=1, price=10.0))
    orders, demand = torch.tensor([[[6.0], [0]]]), torch.tensor([[[5.0, 0], [1, 0]]])
    # t0: 2 on hand, demand 5: 2 sold, 3 wait. The 6 ordered arrive, 3 of them for those who wait. t1: demand 1, sold.
    states, outcomes = simulate(graph, torch.tensor([[2.0, 0]]), orders, demand)
    assert [float(state.on_hand[0, 0]) for state in states] == [2, 3, 2]
    assert sum(float(o.sales.sum()) for o in outcomes) == 6  # 2 + 3 + 1: all demand was served
    assert sum(float(o.cost.sum()) for o in outcomes) == 3 * 4 + 2 * 1 - 6 * 10  # p, h, price


@pytest.mark.parametrize("price", [0.0, 7.0])
def test_what_nobody_pays_is_not_counted(price):
    graph = InventoryGraph.from_network(chain(price=price))
    timing = Timing.of(graph, graph.parameters())
    assert (timing.fixed_costs, timing.prices) == (False, price > 0)
    state = State(torch.tensor([[3.0] * graph.nodes]), torch.ones(1, graph.links, graph.slots))
    orders, demand = torch.ones(1, graph.links), torch.full((1, graph.nodes), 2.0)
    found = [
        step(graph, graph.parameters(), counting, state, orders, demand)[1].cost
        for counting in (timing, replace(timing, fixed_costs=True, unit_costs=True, prices=True))
    ]
    assert torch.equal(*found)


def test_two_echelons_with_price_and_unit_cost_by_hand():
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("warehouse", holding_cost=0.5)
    network.add_node("a", holding_cost=1.0, underage_cost=9.0, price=4.0, unmet_demand="lost", demand=DEMAND)
    network.add_node("b", holding_cost=2.0, underage_cost=6.0, unmet_demand="backlogged", demand=DEMAND)
    network.add_edge("supplier", "warehouse", lead_time=2, unit_cost=0.5)
    network.add_edge("warehouse", "a", lead_time=1, unit_cost=0.25)
    network.add_edge("warehouse", "b", lead_time=2)
    graph = InventoryGraph.from_network(network)
    assert graph.labels == ["a", "b", "supplier", "warehouse"]
    orders = torch.tensor([[[10.0, 4, 3], [0, 0, 1], [2, 6, 0]]])
    demand = torch.tensor([[[2.0, 2, 0, 0], [6, 0, 0, 0], [1, 1, 0, 0]]])
    states, outcomes = simulate(graph, torch.tensor([[3.0, 1, 0, 8]]), orders, demand)
    # t0: a 3 - 2 = 1: 1 - 2 * 4 = -7; b 1 - 2 = -1: 6; warehouse 8 - 7 = 1: 0.5; ordered 10 * 0.5 + 4 * 0.25 = 6 -> 5.5
    # t1: a 1 + 4, demand 6: 5 sold, 1 lost: 9 - 20 = -11; b -1: 6; warehouse 1 - 1 = 0; ordered 1 * 0 = 0 -> -5
    # t2: a 0, 1 lost: 9; b -1 + 3 - 1 = 1: 2; warehouse 0 + 10 - 6 = 4: 2; ordered 2 * 0.5 + 6 * 0.25 = 2.5 -> 15.5
    assert [float(o.cost) for o in outcomes] == [5.5, -5, 15.5]
    # t3: a 0 + 6; b 1 + 1 (of t1); warehouse 4, the 2 of t2 arrive one period later
    assert [state.on_hand[0].tolist() for state in states] == [[3, 1, 0, 8], [5, -1, 0, 1], [0, 2, 0, 10], [6, 2, 0, 4]]
    assert states[-1].in_transit[0].tolist() == [[2], [0], [0]]


@st.composite
def networks(draw):
    """Acyclic: every location orders from some earlier nodes; one or two suppliers; leaves have demand."""
    network = nx.DiGraph()
    suppliers = [f"s{i}" for i in range(draw(st.integers(1, 2)))]
    locations = [f"v{i}" for i in range(draw(st.integers(1, 5)))]
    for i, node in enumerate(locations):
        above = draw(st.sets(st.sampled_from(suppliers + locations[:i]), min_size=1, max_size=3))
        for parent in above | (set(suppliers) if i == 0 else set()):
            network.add_edge(parent, node, lead_time=draw(st.integers(1, 4)))
    network.add_nodes_from(suppliers, kind="supplier")
    for node in locations:
        unmet = draw(st.sampled_from(["lost", "backlogged", None][: 3 if network.out_degree(node) else 2]))
        if unmet is not None:
            network.nodes[node].update(holding_cost=1.0, demand=DEMAND, unmet_demand=unmet)
        else:
            network.nodes[node].update({"holding_cost": 1.0} if draw(st.booleans()) else {"holds_stock": False})
    return network


def on_random_networks(test):
    return settings(max_examples=40, deadline=None, derandomize=True)(given(networks(), st.integers(0, 2**31))(test))


def random_run(network, seed, periods=8, size=3):
    graph = InventoryGraph.from_network(network).to_dtype(torch.float64)
    like = {"generator": torch.Generator().manual_seed(seed), "dtype": torch.float64}
    demand = 10 * torch.rand(size, periods, graph.nodes, **like) * graph.has_demand
    wish = 12 * torch.rand(size, periods, graph.links, **like) - 2
    on_hand = 20 * torch.rand(size, graph.nodes, **like) * ~graph.is_supplier
    placed = []

    def orders(period, state):
        placed.append(proportional(graph, state.on_hand, wish[:, period]))
        return placed[-1]

    states, outcomes = simulate(graph, on_hand, orders, demand)
    bought = [order[:, graph.is_supplier[graph.source]].sum(1) for order in placed]
    return graph, states, outcomes, bought, demand


@on_random_networks
def test_position_changes_by_purchases_and_demand(network, seed):
    graph, states, outcomes, bought, demand = random_run(network, seed)
    held = [state.on_hand.sum(1) + state.in_transit.sum((1, 2)) for state in states]
    for period, outcome in enumerate(outcomes):
        change = bought[period] - demand[:, period].sum(1) + (outcome.unmet * graph.lost).sum(1)
        torch.testing.assert_close(held[period + 1] - held[period], change, rtol=0, atol=1e-10)


@on_random_networks
def test_goods_change_by_purchases_and_sales(network, seed):
    _, states, outcomes, bought, _ = random_run(network, seed)  # a backlog is no goods: stock counts where positive
    goods = [state.on_hand.clamp_min(0).sum(1) + state.in_transit.sum((1, 2)) for state in states]
    for period, outcome in enumerate(outcomes):
        change = bought[period] - outcome.sales.sum(1)
        torch.testing.assert_close(goods[period + 1] - goods[period], change, rtol=0, atol=1e-10)


def test_a_scenario_changes_no_other():
    graph = InventoryGraph.from_network(chain("backlogged", lead_time=3))
    random = torch.Generator().manual_seed(1)
    demand = torch.rand(5, 8, 2, generator=random) * torch.tensor([9.0, 0])
    wish = 9 * torch.rand(5, 8, 1, generator=random)
    stock = torch.tensor([[6.0, 0]]).repeat(5, 1)
    runs = []
    for factor in (1.0, 3.0):
        scale = torch.tensor([[factor], [1], [1], [1], [1]])
        states, outcomes = simulate(graph, stock * scale, wish, demand * scale[:, None])
        runs.append(torch.cat([*(s.on_hand for s in states), *(o.cost[:, None] for o in outcomes)], 1))
    assert torch.equal(runs[0][1:], runs[1][1:])
    assert not torch.equal(runs[0][0], runs[1][0])


def test_lead_times_per_scenario():
    graph = InventoryGraph.from_network(chain(lead_time={"per_scenario": {"integers": [1, 4]}}))
    parameters = replace(graph.parameters(), lead_time=torch.tensor([[1.0], [2], [3], [4]]))
    orders = torch.zeros(4, 6, 1)
    orders[:, 1] = 7.0  # placed at t = 1
    states, _ = simulate(graph, torch.zeros(4, 2), orders, torch.zeros(4, 6, 2), parameters)
    for row, lead_time in enumerate([1, 2, 3, 4]):
        assert [float(s.on_hand[row, 0]) for s in states] == [7.0 if t >= 1 + lead_time else 0.0 for t in range(7)]


@pytest.mark.parametrize("unmet", ["lost", "backlogged"])
def test_gradients_equal_finite_differences(unmet):
    network = chain(unmet, price=3.0)
    network.remove_edge("supplier", "store")
    network.add_node("warehouse", holding_cost=0.3)
    network.add_edge("supplier", "warehouse", lead_time=3, unit_cost=0.4)
    network.add_edge("warehouse", "store", lead_time=1, unit_cost=0.2)
    graph = InventoryGraph.from_network(network).to_dtype(torch.float64)  # nodes: store, supplier, warehouse
    random = torch.Generator().manual_seed(4)
    demand = 10 * torch.rand(2, 8, 3, generator=random, dtype=torch.float64) * graph.has_demand
    wish = (8 * torch.rand(2, 8, 2, generator=random, dtype=torch.float64)).requires_grad_()
    stock = torch.tensor([[3.0, 0, 9.0]], dtype=torch.float64).repeat(2, 1)

    def total(orders):
        place = lambda period, state: proportional(graph, state.on_hand, orders[:, period])  # noqa: E731
        return sum(o.cost.sum() for o in simulate(graph, stock, place, demand)[1])

    (gradient,) = torch.autograd.grad(total(wish), wish)
    nudges = 1e-6 * torch.eye(wish.numel(), dtype=torch.float64).reshape(-1, *wish.shape)
    with torch.no_grad():
        numeric = torch.stack([total(wish + nudge) - total(wish - nudge) for nudge in nudges]).reshape(wish.shape) / 2e-6
    torch.testing.assert_close(gradient, numeric, rtol=0, atol=1e-6)
    assert (gradient[:, :5, 0] - 0.4).abs().min() > 0  # more than the unit cost: it is felt L = 3 periods on
