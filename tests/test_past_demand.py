"""What message passing makes of past demand: statistics that move with the window, flows below, a season ago."""

import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.policies.base import Known, Observation
from gnn_inventory.topology.network import parse_network

WINDOW, SEASON, SLOTS = 4, 12, 5


def situation(seed=0, periods=30):
    """A graph, what is known of three scenarios, their past demand and a state."""
    source = SyntheticDemand(parse_network(gi.many_warehouses()), seed, "test")
    drawn = source.sample(0, 3, periods)
    return source.graph, drawn, Known.of(source.graph, drawn), drawn.demand


def seen(drawn, past, times=1.0):
    return Observation(times * drawn.on_hand, times * drawn.in_transit, times * past, torch.zeros(0))


def test_orders_follow_the_demand_of_the_window_not_what_was_known_before():
    graph, drawn, known, past = situation()
    policy = gi.MessagePassing(slots=SLOTS, window=WINDOW, season=SEASON)
    with torch.no_grad():
        orders = policy(graph, seen(drawn, past), known).orders
        stale = Known(known.parameters, 3 * known.mean_demand, known.std_demand / 2, *graph.flows(3 * known.mean_demand))
        assert torch.equal(policy(graph, seen(drawn, past), stale).orders, orders)
        grown = policy(graph, seen(drawn, past, times=10.0), known).orders
    torch.testing.assert_close(grown, 10 * orders, rtol=1e-3, atol=1e-3)


def test_statistics_of_the_window_by_hand():
    graph, _, known, past = situation()
    recent = past[:, -WINDOW:]
    recent[:, :, graph.labels.index("store_3")] = 0.0
    moved = known.from_past(graph, recent)
    for name in ("store_0", "store_3", "warehouse_1"):
        node = graph.labels.index(name)
        values = [float(recent[1, period, node]) for period in range(WINDOW)]
        mean = sum(values) / WINDOW
        std = (sum((value - mean) ** 2 for value in values) / (WINDOW - 1)) ** 0.5
        smallest = 1 / WINDOW if name.startswith("store") else 0.0
        assert float(moved.mean_demand[1, node]) == pytest.approx(max(mean, smallest), rel=1e-5)
        assert float(moved.std_demand[1, node]) == pytest.approx(std, rel=1e-4, abs=1e-6)
    assert torch.equal(moved.node_flow, graph.flows(moved.mean_demand)[0])


@pytest.mark.parametrize(("past", "expected"), [((4.0, 8.0), 13.0), ((1.0, 2.0), 0.0), ((10.0, 10.0), 25.0)])
def test_base_stock_in_units_of_the_demand_just_past_by_hand(past, expected):
    """A level of 3 periods of the mean of the window, less 5 on hand; nothing where that is below 0."""
    graph = gi.InventoryGraph.from_network(gi.one_store(link={"lead_time": 1}))
    policy, place = gi.BaseStock(window=2), graph.labels.index("store")
    policy.fit_to(graph)
    with torch.no_grad():
        policy.levels.fill_(3.0)
        on_hand, demand = torch.zeros(1, graph.nodes), torch.zeros(1, 2, graph.nodes)
        on_hand[0, place], demand[0, :, place] = 5.0, torch.tensor(past)
        orders = policy(graph, Observation(on_hand, torch.zeros(1, 1, 0), demand, torch.zeros(0))).orders
    assert float(orders[0, 0]) == pytest.approx(expected)


def test_only_the_window_and_the_season_ago_are_looked_at():
    graph, drawn, known, past = situation()
    plain, seasonal = gi.MessagePassing(slots=SLOTS, window=WINDOW), gi.MessagePassing(slots=SLOTS, window=WINDOW, season=SEASON)
    assert (plain.window, seasonal.window) == (WINDOW, WINDOW + SEASON)
    last = past.shape[1]
    looked = {policy: set() for policy in (plain, seasonal)}
    with torch.no_grad():
        for policy, found in looked.items():
            before = policy(graph, seen(drawn, past[:, -policy.window :]), known).orders
            for period in range(last - policy.window, last):
                other = past.clone()
                other[:, period] += 1.0
                if not torch.equal(policy(graph, seen(drawn, other[:, -policy.window :]), known).orders, before):
                    found.add(period - last)
    assert looked[plain] == {-4, -3, -2, -1}
    # now is period 0: the window, its like a season ago, and the 2 x slots periods after that (here 10 of 12)
    assert looked[seasonal] == {-4, -3, -2, -1} | set(range(-16, -12)) | set(range(-12, -2))


def test_a_season_ago_by_hand():
    graph, _, _, past = situation()
    policy = gi.MessagePassing(slots=SLOTS, window=WINDOW, season=SEASON)
    past = past[:, -policy.window :]
    rises = policy._season(graph, past)
    store = graph.labels.index("store_0")  # linked to one warehouse; store_3 to both, each has half of it
    before = float(past[0, :WINDOW, store].mean())
    for ahead in range(2 * SLOTS):
        expected = float(past[0, WINDOW + ahead, store]) / before - 1
        assert float(rises[0, store, ahead]) == pytest.approx(min(max(expected, -1), 3), rel=1e-4, abs=1e-5)
    warehouse = graph.labels.index("warehouse_1")
    inbound = graph.inbound.tolist()
    served = [v for u, v in graph.edge_index.t().tolist() if u == warehouse]
    below = [sum(float(past[0, period, v]) / inbound[v] for v in served) for period in range(policy.window)]
    expected = below[WINDOW] / (sum(below[:WINDOW]) / WINDOW) - 1
    assert float(rises[0, warehouse, 0]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("settings", [{"window": 1}, {"season": 52}, {"window": 8, "season": 9, "slots": 5}])
def test_a_window_or_season_that_cannot_be_is_an_error(settings):
    with pytest.raises(InputError, match="expected a window"):
        gi.MessagePassing(**settings)
