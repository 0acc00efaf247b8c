"""Orders for today: what a planner's tables say, what becomes of an order, and one clear line for each mistake."""

from datetime import date

import networkx as nx
import pandas as pd
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.panel import PanelDemand, Windows
from gnn_inventory.demand.panel_files import SalesPanel
from gnn_inventory.errors import InputError, amount
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.planning.orders import _out_of_date, decide_today, order_list
from gnn_inventory.planning.position import Clock, Position, read_position, read_table
from gnn_inventory.rollout import periods
from gnn_inventory.topology.network import parse_network

LEVELS = {"depot": 100.0, "east": 60.0, "west": 50.0}


def shop(**depot) -> nx.DiGraph:
    """port -> depot -> east, west; demand 10 at each."""
    network = nx.DiGraph(name="shop")
    network.add_node("port", kind="supplier")
    network.add_node("depot", holding_cost=0.2, **depot)
    demand = {"normal": {"mean": 10.0, "std": 1.0, "clip": False}}
    network.add_node("east", holding_cost=1.0, underage_cost=9.0, unmet_demand="lost", demand=demand)
    network.add_node("west", holding_cost=1.0, underage_cost=9.0, unmet_demand="backlogged", demand=demand)
    network.add_edge("port", "depot", lead_time=3)
    network.add_edge("depot", "east", lead_time=2)
    network.add_edge("depot", "west", lead_time=1)
    return network


def base_stock(network: nx.DiGraph) -> gi.BaseStock:
    policy = gi.BaseStock()
    policy.set_levels(InventoryGraph.from_network(network), LEVELS)
    return policy


def state(*more: tuple[str, str, str, object, object], depot: object = 80, west: object = -4) -> pd.DataFrame:
    """What stands in the shop; columns in an order of their own."""
    rows = [
        ("on_hand", "depot", "", "", depot),
        ("on_hand", "east", "", "", 20),
        ("on_hand", "west", "", "", west),
        ("in_transit", "depot", "port", 2, 30),
        ("in_transit", "east", "depot", "1", 4),
        ("in_transit", "east", "depot", "1", 6),
        *more,
    ]
    return pd.DataFrame(rows, columns=["record", "location", "from", "when", "units"])[
        ["units", "when", "record", "from", "location"]
    ]


def test_orders_by_hand_cut_in_proportion_with_the_reason():
    # positions: depot 80 + 30, so 0 of 100; east 20 + 10, so 30 of 60; west -4, so 54 of 50: 84 asked of 80, each gets 80 / 84
    found = order_list(base_stock(shop()), shop(), state()).set_index("to")
    assert list(found.index) == ["east", "west"], "the depot is above its level and asks for nothing"
    assert found.loc["east", "units"] == pytest.approx(30 * 80 / 84, abs=1e-3)
    assert found.loc["west", "units"] == pytest.approx(54 * 80 / 84, abs=1e-3)
    assert found.loc["west", "cut"] == pytest.approx(54 * 4 / 84, abs=1e-3)
    assert list(found["arrives"]) == ["2", "1"]
    assert found.loc["east", "reason"] == "depot has 80, 84 asked of it"


def test_whole_units_are_feasible_and_near():
    found = order_list(base_stock(shop()), shop(), state(), whole_units=True)
    assert list(found["units"]) == [29, 51], "28.57 and 51.43: 80 in all"
    assert all(isinstance(units, int) for units in found["units"].tolist())
    assert found["reason"].str.contains("rounded to whole units").all()


def test_capacities_are_named_as_the_reason():
    tight = shop(capacity=40.0)
    found = order_list(base_stock(tight), tight, state()).set_index("to")
    assert found["units"].sum() == pytest.approx(40.0, abs=1e-3)
    assert found.loc["east", "reason"] == "depot ships at most 40 in a period"
    narrow = shop()
    narrow.edges["depot", "west"]["capacity"] = 20.0
    found = order_list(base_stock(narrow), narrow, state()).set_index("to")
    assert (found.loc["west", "units"], found.loc["west", "reason"]) == (20.0, "the link carries at most 20")
    assert (found.loc["east", "units"], found.loc["east", "reason"]) == (30.0, "")


def test_an_item_is_decided_as_if_it_were_alone():
    one = state().assign(item="tea")
    other = state(depot=10, west=7).assign(item="ale")
    both = order_list(base_stock(shop()), shop(), pd.concat([one, other]))
    for item, alone in (("tea", one), ("ale", other)):
        mine = both[both["item"] == item].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, order_list(base_stock(shop()), shop(), alone))


def test_dates_count_in_periods_of_a_week():
    dated = state(("in_transit", "depot", "port", "2026-11-24", 5), depot=60)
    clock = Clock(date(2026, 11, 23), 7)
    graph = InventoryGraph.from_network(shop())
    position = read_position(dated, parse_network(shop()), 0, clock)
    assert position.in_transit[0, graph.link_names.index("port -> depot")].tolist() == [5.0, 30.0], "due on Tuesday: next week"
    assert clock.day(2) == "2026-12-07"
    assert [clock.periods_from_now(day) for day in ("2026-11-30", "2026-12-01", "2026-11-22", "2026-11-16")] == [1, 2, -1, -1]
    found = order_list(base_stock(shop()), shop(), dated, clock=clock).set_index("to")
    assert found.loc["east", "arrives"] == "2026-12-07"


def test_sales_of_days_add_up_to_the_weeks_that_a_policy_looks_at():
    days = [("demand", store, "", f"2026-11-{day:02d}", day) for store in ("east", "west") for day in range(9, 23)]
    graph = InventoryGraph.from_network(shop())
    position = read_position(state(*days), parse_network(shop()), 2, Clock(date(2026, 11, 23), 7))
    assert position.demand[0, :, graph.labels.index("east")].tolist() == [sum(range(9, 16)), sum(range(16, 23))]


def test_sales_that_end_within_the_last_week_are_not_a_week():
    """The export ended on Wednesday; where nobody sells on Sundays, a week ends on Saturday."""
    parsed, clock = parse_network(shop()), Clock(date(2026, 11, 23), 7)

    def read(days):
        sold = [("demand", store, "", f"2026-11-{day:02d}", day) for store in ("east", "west") for day in days]
        return read_position(state(*sold), parsed, 2, clock)

    with pytest.raises(InputError, match="demand ends on 2026-11-18; expected it up to 2026-11-22, as in the periods before"):
        read(range(9, 19))
    open_days = [*range(9, 15), *range(16, 22)]
    assert read(open_days).demand[0, -1].max() == sum(range(16, 22))


@pytest.mark.parametrize(("value", "text"), [(16285.7, "16286"), (1628571.4, "1628571"), (9999.7, "10000"), (12.345, "12.35")])
def test_amounts_are_read_without_powers_of_ten(value, text):
    assert amount(value) == text


def test_a_policy_that_never_saw_sales_takes_their_statistics_from_all_that_the_table_has():
    network = shop()
    for place in ("east", "west"):
        network.nodes[place]["demand"] = "panel"
    sales = [4, 9, 12, 7, 10, 6]
    rows = []
    for item, factor, demand in (("a", 1, sales), ("twice", 2, sales), ("other order", 1, sales[::-1]), ("steady", 1, [8] * 6)):
        rows += [(item, "on_hand", place, "", "", factor * 15) for place in ("depot", "east", "west")]
        rows += [
            (item, "demand", place, "", when - 6, factor * units)
            for place in ("east", "west")
            for when, units in enumerate(demand)
        ]
    table = pd.DataFrame(rows, columns=["item", "record", "location", "from", "when", "units"])
    policy = gi.MessagePassing(width=8, rounds=1, slots=3)
    orders = order_list(policy, network, table).pivot(index="to", columns="item", values="units")
    assert orders["twice"].tolist() == pytest.approx((2 * orders["a"]).tolist(), abs=1e-3)
    assert orders["other order"].tolist() == pytest.approx(orders["a"].tolist(), abs=1e-3)
    assert orders["steady"]["depot"] < orders["a"]["depot"]  # the same mean, no deviation


def test_the_same_orders_as_in_a_simulation():
    network = gi.many_warehouses()
    source = SyntheticDemand(parse_network(network), 5, "test")
    policy = gi.MessagePassing(slots=5, window=4, seed=3)
    drawn = source.sample(0, 3, 12)
    simulated = list(periods(policy, source.graph, drawn))[9]
    here = Position(("a", "b", "c"), simulated.state.on_hand, simulated.state.in_transit, drawn.demand[:, :9])
    decision = decide_today(policy, parse_network(network), here)
    torch.testing.assert_close(decision.orders, simulated.orders, rtol=1e-5, atol=1e-4)


def table_of(here: Position, network: nx.DiGraph) -> pd.DataFrame:
    """A position as a planner's table."""
    graph = InventoryGraph.from_network(parse_network(network))
    rows = []
    for item, name in enumerate(here.items):
        for node, place in enumerate(graph.labels):
            if not graph.is_supplier[node]:
                rows.append((name, "on_hand", place, "", "", float(here.on_hand[item, node])))
            if graph.has_demand[node]:
                past = here.demand[item, :, node].tolist()
                rows += [(name, "demand", place, "", when - len(past), units) for when, units in enumerate(past)]
        for link, (u, v) in enumerate(graph.edge_index.t().tolist()):
            for slot, units in enumerate(here.in_transit[item, link].tolist()):
                rows.append((name, "in_transit", graph.labels[v], graph.labels[u], slot + 1, units))
    return pd.DataFrame(rows, columns=["item", "record", "location", "from", "when", "units"])


def test_what_arrived_at_a_location_that_cannot_hold_stock_is_shipped_on():
    """As in a simulation: its stock on hand is what arrived for this period, and all of it goes."""
    network = gi.transshipment(stores=3)
    source = SyntheticDemand(parse_network(network), 2, "test")
    drawn, policy = source.sample(0, 2, 12), gi.MessagePassing(slots=source.graph.slots, seed=1)
    with torch.no_grad():
        now = list(periods(policy, source.graph, drawn))[9]
    assert bool((now.state.on_hand[:, source.graph.labels.index("warehouse")] > 1.0).all())
    here = Position(("a", "b"), now.state.on_hand, now.state.in_transit, drawn.demand[:, :0])
    table = table_of(here, network)
    found = order_list(policy, network, table)
    for (item, u, v), units in found.set_index(["item", "from", "to"])["units"].items():
        link = source.graph.link_names.index(f"{u} -> {v}")
        assert units == pytest.approx(float(now.orders["ab".index(item), link]), abs=2e-4)
    assert set(found["from"]) == {"supplier", "warehouse"}
    empty = table[(table["record"] != "on_hand") | (table["location"] != "warehouse")]
    left = order_list(policy, network, empty)
    assert left.loc[left["from"] == "warehouse", "units"].sum() == 0.0, "nothing arrived, nothing goes"


@pytest.mark.parametrize("history", [2, 5])
def test_what_is_known_of_an_item_is_what_training_on_sales_knew(history):
    network = shop()
    for place in ("east", "west"):
        network.nodes[place]["demand"] = "panel"
    parsed = parse_network(network)
    sales = torch.tensor([4.0, 9.0, 12.0, 7.0, 10.0, 6.0, 8.0, 5.0]).repeat(1, 2, 3)
    windows = Windows((0, 8), (8, 16), (16, 24), history=history, warm_up=1)
    source = PanelDemand(parsed, SalesPanel(sales, ("east", "west"), "sales"), windows, "train", 0)
    drawn, policy = source.sample(0, 1, 2), gi.MessagePassing(width=8, rounds=1, slots=3, seed=2)
    first = next(iter(periods(policy, source.graph, drawn)))
    past = torch.zeros(1, history, source.graph.nodes)
    past[:, :, [source.graph.labels.index(name) for name in ("east", "west")]] = sales[:, :, :history].transpose(1, 2)
    here = Position(("a",), first.state.on_hand, first.state.in_transit, past)
    torch.testing.assert_close(decide_today(policy, parsed, here, history).orders, first.orders)


def test_quantities_in_another_unit_are_the_same_orders():
    """Ten thousandths of the units: no order falls below what is worth a line."""
    small, policy = shop(), gi.MessagePassing(width=8, rounds=1, slots=2)
    for place in ("east", "west"):
        small.nodes[place]["demand"] = {"normal": {"mean": 10.0e-4, "std": 1.0e-4, "clip": False}}
    table = state()
    plain = order_list(policy, shop(), table)
    scaled = order_list(policy, small, table.assign(units=table["units"] * 1e-4))
    assert scaled["to"].tolist() == plain["to"].tolist()
    assert (scaled["units"] * 1e4).tolist() == pytest.approx(plain["units"].tolist(), rel=1e-2)


def test_the_oldest_days_count_only_where_their_period_is_whole():
    days = [("demand", store, "", f"2026-{month}-{day:02d}", 1) for store in ("east", "west")
            for month, day in [(10, 31), *((11, day) for day in range(1, 23))]]  # fmt: skip
    clock, network = Clock(date(2026, 11, 23), 7), parse_network(shop())
    position = read_position(state(*days), network, 3, clock)
    assert position.demand[0, :, 1].tolist() == [7.0, 7.0, 7.0], "one day of the week before these"
    with pytest.raises(
        InputError, match="'east': demand of period -4 of 2 of its 7 days only; expected demand of each of the last 4"
    ):
        read_position(state(*days), network, 4, clock)
    with pytest.raises(InputError, match="demand of 2026-11-22 at 'west' stands twice; expected one row"):
        read_position(state(*days, days[-1]), network, 3, clock)


@pytest.mark.parametrize("rows", [[-1, "2026-11-22"], ["2026-11-22", -1]])
def test_a_period_is_given_by_its_number_or_by_its_days(rows):
    given = [("demand", "east", "", when, 5) for when in rows]
    with pytest.raises(InputError, match="at 'east' stands twice; expected one row"):
        read_position(state(*given), parse_network(shop()), 0, Clock(date(2026, 11, 23), 7))


def test_a_number_of_periods_beyond_any_is_one_line():
    with pytest.raises(InputError, match="when: got '-1e13'; expected a whole number of periods, or a date"):
        read_position(state(("demand", "east", "", "-1e13", 5)), parse_network(shop()), 0, Clock())


def test_sales_by_the_month_end_in_the_month_before_today():
    months = tuple(f"2026-{month:02d}-01" for month in range(1, 11))
    panel = SalesPanel(torch.ones(1, 1, 10), ("east",), "sales.csv", ("tea",), months)
    assert _out_of_date(panel, Clock(date(2026, 11, 23))) == []
    told = "sales.csv: its last month is 2026-10; expected sales up to the month before 2026-12-01"
    assert _out_of_date(panel, Clock(date(2026, 12, 1))) == [told]


def test_returns_are_demand_only_where_the_network_has_them():
    network = shop()
    returning = parse_network(network)
    assert read_position(state(("demand", "east", "", -1, -5)), returning, 0, Clock()).demand.shape[1] == 0
    network.nodes["east"]["demand"] = {"poisson": {"mean": 10.0}}
    with pytest.raises(InputError, match="demand: got -5 at 'east'; expected at least 0"):
        read_position(state(("demand", "east", "", -1, -5)), parse_network(network), 0, Clock())
    with pytest.raises(InputError, match=r"units: got '1e39'; expected a finite number, at most 1e\+12"):
        read_position(state(depot="1e39"), returning, 0, Clock())


def test_weights_in_double_precision_decide_too():
    policy = base_stock(shop())
    single = order_list(policy, shop(), state())
    pd.testing.assert_frame_equal(order_list(policy.double(), shop(), state()), single)
    assert policy.levels.dtype == torch.float64, "the policy itself is left as it was"


def test_every_mistake_of_a_table_at_once():
    broken = state(
        ("on_hand", "nort", "", "", 5),
        ("on_hand", "port", "", "", 5),
        ("in_transit", "depot", "port", 1, -3),
        ("in_transit", "depot", "port", 3, 3),
        ("in_transit", "west", "port", 1, 3),
        ("in_transit", "west", "depo", 1, 3),
        ("stock", "west", "", "", 3),
        ("on_hand", "east", "", "", 7),
        ("on_hand", "west", "", "", "many"),
        ("in_transit", "east", "depot", "soon", 3),
        ("in_transit", "east", "depot", "2026-11-30", 3),
        ("demand", "depot", "", -1, 3),
        ("demand", "east", "", 0, 3),
    )
    broken = broken[(broken["location"] != "depot") | (broken["record"] != "on_hand")]
    policy = gi.MessagePassing(slots=2, window=3)
    with pytest.raises(InputError) as caught:
        order_list(policy, shop(), broken, where="state.csv")
    text = "\n".join(caught.value.problems)
    for part in (
        "location: unknown name 'nort'; did you mean 'port'?",
        "on_hand: 'port' is a supplier",
        "in_transit: got -3 on 'port -> depot'; expected at least 0",
        "when: got 3 periods until arrival; expected 1 (on hand at the start of the next period) to 2",
        "in_transit: no link 'port -> west'; expected one of: depot",
        "from: unknown name 'depo'; did you mean 'depot'?",
        "record: got 'stock'; one of: demand, in_transit, on_hand",
        "on_hand: 'east' stands twice",
        "units: got 'many'; expected a finite number",
        "when: got 'soon'; expected a whole number of periods from now",
        "when: got '2026-11-30'; expected periods from now, or today's date beside it",
        "demand: 'depot' has no customers; expected one of: east, west",
        "when: got 0; expected a period before now",
        "location 'depot': on_hand missing",
        "location 'west': demand of period -1 missing; expected demand of each of the last 3 periods",
    ):
        assert part in text, part
    assert len(caught.value.problems) == 16, "and demand of east, which is the last"


def test_columns_that_are_missing_or_unknown():
    with pytest.raises(InputError) as caught:
        order_list(base_stock(shop()), shop(), state().rename(columns={"units": "unit"}))
    assert caught.value.problems == (
        "state: unknown column 'unit'; did you mean 'units'? one of: from, item, location, record, units, when",
        "state: column 'units': missing",
    )


def test_backlog_is_for_those_who_have_one():
    with pytest.raises(InputError, match="got -80 at 'depot', which has no customers; expected at least 0"):
        order_list(base_stock(shop()), shop(), state(depot=-80))


def test_a_network_that_leaves_a_cost_open_is_refused():
    network = shop()
    network.nodes["east"]["holding_cost"] = {"per_scenario": {"uniform": [0.5, 1.5]}}
    with pytest.raises(InputError, match="holding_cost: differs by scenario; an order needs one number"):
        order_list(base_stock(network), network, state())


@pytest.mark.parametrize(("today", "days"), [(None, 0), (date(2026, 1, 1), -1)])
def test_a_period_has_days(today, days):
    with pytest.raises(InputError, match="period_days"):
        Clock(today, days)


def test_a_table_whose_rows_are_longer_than_its_header_says_so(tmp_path):
    (tmp_path / "state.csv").write_text("record,location,units\non_hand,depot,12,\n")
    with pytest.raises(InputError, match="rows have more cells than the header"):
        read_table(tmp_path / "state.csv")
