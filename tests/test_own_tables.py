"""From tables of one's own to a recipe, a backtest, an order list and a program: as a planner would, on the command line."""

import csv
import json

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import gnn_inventory as gi
from gnn_inventory.allocation import feasible
from gnn_inventory.cli.planning import _write_table
from gnn_inventory.errors import GnnInventoryError, InputError
from gnn_inventory.intervals import OVER_ITEMS
from gnn_inventory.planning import export
from gnn_inventory.planning.draft import split_by_time
from gnn_inventory.planning.export import export_decision, normal_quantile
from gnn_inventory.policies.base import Observation, UnsupportedNetworkError
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.recipe import load_recipe

LOCATIONS = """name,kind,holding_cost,price,unmet_demand
port,supplier,,,
depot,,0.2,,
east,,1.0,9.0,lost
west,,1.0,9.0,lost
"""
LANES = "from,to,lead_time,unit_cost\nport,depot,2,1.0\ndepot,east,1,\ndepot,west,2,\n"
ITEMS, WEEKS = 4, 40


@pytest.fixture
def tables(tmp_path):
    """A folder with locations.csv, lanes.csv and sales.csv."""
    (tmp_path / "locations.csv").write_text(LOCATIONS)
    (tmp_path / "lanes.csv").write_text(LANES)
    random = np.random.default_rng(0)
    with open(tmp_path / "sales.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "location", "period", "sales"])
        for item in range(ITEMS):
            for location in ("west", "east"):
                writer.writerows([f"item {item}", location, week, random.poisson(5 + 3 * item)] for week in range(WEEKS))
    return tmp_path


@pytest.fixture
def drafted(tables, run):
    """The same with recipe.yaml."""
    arguments = ["--locations", tables / "locations.csv", "--lanes", tables / "lanes.csv", "--sales", tables / "sales.csv"]
    code, out, error = run("draft", *arguments, "-o", tables / "recipe.yaml")
    assert code == 0, error
    assert "tested on" in out
    return tables


@pytest.fixture
def trained(drafted, run):
    """The same with a run folder."""
    code, _, error = run("train", drafted / "recipe.yaml", "-o", drafted / "run", "--set", "training.epochs=1")
    assert code == 0, error
    return drafted


def test_a_draft_is_a_recipe_that_says_its_choices(drafted, run):
    recipe = load_recipe(drafted / "recipe.yaml")
    assert recipe.network.customers == ("east", "west")
    assert recipe.evaluation.whole_units, "all sales are whole"
    assert recipe.training.scenarios == ITEMS
    assert (recipe.training.batch, recipe.training.epochs) == (1, 100), "400 steps: four in every epoch, of an item each"
    text = (
        (drafted / "sales.csv")
        .read_text()
        .replace("item,location,period,sales", "sku,shop,week,units")
        .replace(",39,", ",39,0.5")
    )
    (drafted / "parts.csv").write_text(text)
    words = ["--sales", drafted / "parts.csv", "--columns", "sku,shop,week,units", "-o", drafted / "parts.yaml"]
    code, _, error = run("draft", "--locations", drafted / "locations.csv", "--lanes", drafted / "lanes.csv", *words)
    assert code == 0, error
    assert not load_recipe(drafted / "parts.yaml").evaluation.whole_units, "some sales are in parts of units"
    assert run("draft", "--network", drafted, "--sales", drafted / "sales.csv", "-o", drafted / "recipe.yaml")[0] == 2, (
        "it exists"
    )


@pytest.mark.parametrize("periods", [24, 40, 104, 171, 1000])
def test_windows_never_leak(periods):
    windows = split_by_time(periods, "sales.csv")
    before = windows["history"] + windows["warm_up"]
    assert windows["train"][0] == 0
    assert windows["dev"][0] + before == windows["train"][1]
    assert windows["test"][0] + before == windows["dev"][1]
    assert windows["test"][1] == periods
    assert all(last - first > before for first, last in (windows[name] for name in ("train", "dev", "test")))


def test_tables_that_do_not_fit_each_other(tables, run):
    with pytest.raises(InputError, match="periods: got 23; expected at least 24"):
        split_by_time(23, "sales.csv")
    (tables / "locations.csv").write_text(LOCATIONS.replace("west,", "wset,"))
    (tables / "lanes.csv").write_text(LANES.replace("west,", "wset,"))
    arguments = ["--locations", tables / "locations.csv", "--lanes", tables / "lanes.csv", "--sales", tables / "sales.csv"]
    code, _, error = run("draft", *arguments, "-o", tables / "recipe.yaml")
    assert code == 1
    assert (
        error
        == f"error: {tables / 'sales.csv'}: location 'west' is no location of the network; did you mean 'wset'? one of: depot, east, wset\n"
    )
    assert not (tables / "recipe.yaml").exists()
    assert "expected either --network" in run("draft", "--sales", tables / "sales.csv", "-o", tables / "recipe.yaml")[2]


def test_orders_from_stock_and_sales(trained, run):
    rows = [[f"item {item}", "on_hand", place, "", "", 8 - 2 * item] for item in range(3) for place in ("depot", "east", "west")]
    rows.append(["item 1", "in_transit", "west", "depot", 1, 7])
    columns = ["item", "record", "location", "from", "when", "units"]
    pd.DataFrame(rows, columns=columns).to_csv(trained / "state.csv", index=False)
    arguments = [trained / "run", "--state", trained / "state.csv", "-o", trained / "orders.csv"]
    code, _, error = run("order", *arguments)
    assert code == 1
    assert error.count("demand of period -1 missing") == 6, "three items at two stores"
    code, out, error = run("order", *arguments, "--sales", trained / "sales.csv")
    assert code == 0, error
    assert str(trained / "orders.csv") in out
    orders = pd.read_csv(trained / "orders.csv")
    assert set(orders["item"]) == {"item 0", "item 1", "item 2"}, "those in the state, not the fourth"
    assert (orders["units"] == orders["units"].round()).all()
    leaving = orders[orders["from"] == "depot"].groupby("item")["units"].sum()
    assert (leaving <= [8, 6, 4]).all()
    assert "exists already" in run("order", *arguments, "--sales", trained / "sales.csv")[2]
    recipe, policy = load_recipe(trained / "run" / "recipe.yaml"), gi.load_policy(trained / "run" / "policy.safetensors")
    sales = pd.read_csv(trained / "sales.csv")
    recent = sales.assign(record="demand", when=sales["period"] - WEEKS, units=sales["sales"]).drop(columns=["period", "sales"])
    both = pd.concat([pd.DataFrame(rows, columns=columns), recent[recent["item"] != "item 3"]])
    same = gi.order_list(policy, gi.build_network(recipe.mapping), both, history=recipe.demand.windows.history, whole_units=True)
    assert same["units"].tolist() == orders["units"].tolist(), "data frames in and out give the same orders"


def test_orders_go_by_the_row_of_the_calendar_that_is_now(drafted, run):
    holidays = [0, 0, 1, 0, 3, 0, 0, 0] * (WEEKS // 8)
    (drafted / "calendar.csv").write_text("holidays\n" + "".join(f"{number}\n" for number in holidays))
    calendar = f"demand.calendar={{file: {drafted / 'calendar.csv'}, columns: [holidays], behind: 0, ahead: 0}}"
    assert run("train", drafted / "recipe.yaml", "-o", drafted / "run", "--set", "training.epochs=1", "--set", calendar)[0] == 0
    rows = [["item 0", "on_hand", place, 8] for place in ("depot", "east", "west")]
    pd.DataFrame(rows, columns=["item", "record", "location", "units"]).to_csv(drafted / "state.csv", index=False)

    def orders(*period):
        file = drafted / f"orders{'_'.join(period)}.csv"
        more = ["--sales", drafted / "sales.csv", "-o", file, "--any-units"]
        code, _, error = run("order", drafted / "run", "--state", drafted / "state.csv", *more, *period)
        return pd.read_csv(file)["asked"].tolist() if code == 0 else error

    quiet, busy, again = orders("--period", "0"), orders("--period", "4"), orders("--period", "36")
    assert quiet == orders("--period", "1") != busy, "weeks without holidays, and with three"
    assert busy == again, "the same stock, sales and number of holidays"
    assert orders("--period", "40") == "error: --period: got 40; expected a row of the calendar, 0 to 39\n"
    assert "calendar" in orders()


def test_sales_that_end_at_another_time_or_place_are_no_recent_demand(trained, run):
    monday = pd.Timestamp("2026-11-16")
    sales = pd.read_csv(trained / "sales.csv")
    sales["period"] = [str((monday - pd.Timedelta(weeks=WEEKS - 1 - week)).date()) for week in sales["period"]]
    sales.to_csv(trained / "dated.csv", index=False)
    columns = ["item", "record", "location", "from", "when", "units"]
    rows = [["item 0", "on_hand", place, "", "", 8] for place in ("depot", "east", "west")]
    pd.DataFrame(rows, columns=columns).to_csv(trained / "state.csv", index=False)
    arguments = ["order", trained / "run", "--state", trained / "state.csv", "--sales", trained / "dated.csv", "--period-days", 7]
    code, _, error = run(*arguments, "--today", "2026-11-23", "-o", trained / "now.csv")
    assert code == 0, error
    assert (
        "expected sales up to the period before 2026-11-30, or --today 2026-11-23"
        in run(*arguments, "--today", "2026-11-30", "-o", trained / "late.csv")[2]
    )
    arguments[-1] = 1
    assert "--period-days: got 1; expected 7" in run(*arguments, "--today", "2026-11-23", "-o", trained / "days.csv")[2]
    sales.replace("west", "wset").to_csv(trained / "dated.csv", index=False)
    error = run(*arguments[:-2], "-o", trained / "place.csv")[2]
    assert f"{trained / 'dated.csv'}: location 'wset' has no customers in the network; did you mean 'west'?" in error
    assert "expected .csv, which spreadsheets open" in run(*arguments, "-o", trained / "orders.xlsx")[2]


def test_names_beyond_ascii_are_marked_as_utf_8(tmp_path):
    for name, mark in (("Größe", b"\xef\xbb\xbf"), ("size", b"")):
        _write_table(tmp_path / "orders.csv", pd.DataFrame({"item": [name]}))
        assert (tmp_path / "orders.csv").read_bytes() == mark + f"item\n{name}\n".encode()


def test_backtest_beside_base_stock(trained, run, monkeypatch):
    monkeypatch.setattr("gnn_inventory.planning.backtest.STEPS", 3)  # of its training: quick
    arguments = [trained / "run", "--panel", trained / "sales.csv"]
    code, out, error = run("backtest", *arguments, "-o", trained / "items.csv", "--json")
    assert code == 0, error
    found = json.loads(out)
    assert [line["name"] for line in found["lines"]] == ["policy", "base stock"]
    assert (found["first"], found["last"], found["items"]) == (34, WEEKS, ITEMS)
    by_item = pd.read_csv(trained / "items.csv")
    assert list(by_item["item"]) == [f"item {item}" for item in range(ITEMS)]
    difference = (by_item["policy"] - by_item["base stock"]) / 2
    assert found["difference"] == pytest.approx(difference.mean())
    half = 3.182446 * difference.std() / ITEMS**0.5  # the 97.5 % quantile of t with 3 degrees of freedom
    assert found["difference_ci95"] == pytest.approx([difference.mean() - half, difference.mean() + half], abs=2e-3 * half)
    _, out, _ = run("evaluate", trained / "run", "--json")
    assert json.loads(out)["cost"] == pytest.approx(found["lines"][0]["cost"]), "the same test window as evaluate's"
    code, out, _ = run("backtest", *arguments)
    assert code == 0
    assert "base stock" in out
    for told in (out, run("evaluate", trained / "run")[1]):
        assert OVER_ITEMS in " ".join(told.split())


def test_a_policy_of_a_network_that_states_its_demand_looks_back_over_sales(tables, quick, run, monkeypatch):
    monkeypatch.setattr("gnn_inventory.planning.backtest.STEPS", 2)
    families = "networks={one: {family: one_warehouse, stores: 2, warehouse: {holding_cost: 0.3}, warehouse_link: {lead_time: 2},"
    families += " store: {holding_cost: 1, underage_cost: 9, unmet_demand: lost, demand: {poisson: {mean: 5}}}, store_link: {lead_time: 2}}}"
    settings = [
        "network=null",
        families,
        "training.networks=2",
        "training.dev_networks=2",
        "training.epochs=1",
        "training.optimiser=muon",
    ]
    code, _, error = run("train", quick, "-o", tables / "any", *(part for text in settings for part in ("--set", text)))
    assert code == 0, error
    code, _, error = run("backtest", tables / "any", "--panel", tables / "sales.csv", "--json")
    assert code == 2
    assert "name one: --network NETWORK" in error
    (tables / "locations.csv").rename(tables / "nodes.csv")
    (tables / "lanes.csv").rename(tables / "links.csv")
    text = (tables / "nodes.csv").read_text().replace("unmet_demand\n", "unmet_demand,demand.poisson.mean\n")
    (tables / "nodes.csv").write_text("".join(f"{line},{'3' if 'lost' in line else ''}\n" if "demand" not in line else f"{line}\n"
                                              for line in text.splitlines()))  # fmt: skip
    pd.read_csv(tables / "sales.csv").query("location == 'east'").to_csv(tables / "part.csv", index=False)
    code, _, error = run("backtest", tables / "any", "--panel", tables / "part.csv", "--network", tables, "--json")
    assert code == 1
    assert f"{tables / 'part.csv'}: no sales of location 'west', which states a demand" in error
    code, out, error = run("backtest", tables / "any", "--panel", tables / "sales.csv", "--network", tables, "--json")
    assert code == 0, error
    found = json.loads(out)
    assert found["items"] == ITEMS
    assert found["lines"][0]["network"] == tables.name


def test_constant_sales_are_all_served_at_the_least_cost(tmp_path, run, monkeypatch):
    monkeypatch.setattr("gnn_inventory.planning.backtest.STEPS", 10)
    with open(tmp_path / "sales.csv", "w", newline="") as file:
        csv.writer(file).writerows([("item", "location", "period", "sales"), *(("tea", "shop", week, 5) for week in range(40)),
                                    *(("ale", "shop", week, 10) for week in range(40))])  # fmt: skip
    network = {
        "nodes": {
            "port": {"kind": "supplier"},
            "shop": {"holding_cost": 1.0, "price": 4.0, "unmet_demand": "lost"},
        },
        "links": [{"from": "port", "to": "shop", "lead_time": 1, "unit_cost": 1.0}],
    }
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(network))
    assert (
        run("draft", "--network", tmp_path / "network.yaml", "--sales", tmp_path / "sales.csv", "-o", tmp_path / "r.yaml")[0] == 0
    )
    settings = ["policy={name: base_stock}", "training.learning_rate=0.03", "training.epochs=2"]
    assert (
        run("train", tmp_path / "r.yaml", "-o", tmp_path / "run", *(part for text in settings for part in ("--set", text)))[0]
        == 0
    )
    code, out, error = run("backtest", tmp_path / "run", "--panel", tmp_path / "sales.csv", "--json")
    assert code == 0, error
    base = json.loads(out)["lines"][1]
    assert base["fill_rate"] == pytest.approx(1.0, abs=1e-3)
    # levels start at 2 periods of demand, which is just enough: 7.5 sold at a margin of 3, nothing left
    assert base["cost"] == pytest.approx(-3.0 * 7.5, rel=0.02)
    assert base["ordered"] == pytest.approx(7.5, rel=0.02)  # what is sold, of the two items in the mean
    assert base["stock"] == pytest.approx(0.0, abs=0.2)
    before = json.loads(out)["first"], json.loads(out)["last"]
    with open(tmp_path / "sales.csv", "a", newline="") as file:
        csv.writer(file).writerows((item, "shop", week, 5) for item in ("tea", "ale") for week in range(40, 44))
    again = json.loads(run("backtest", tmp_path / "run", "--panel", tmp_path / "sales.csv", "--json")[1])
    assert (again["first"], again["last"]) == (before[0], 44)
    assert before[1] == 40


@pytest.mark.parametrize(("ending", "survey_rounds"), [(".pt2", 0), (".onnx", 2)])
def test_an_exported_decision_gives_the_same_orders(ending, survey_rounds, tmp_path):
    drawn = gi.many_warehouses()
    if ending == ".pt2":
        nx.set_edge_attributes(drawn, 4.0, "minimum_order")
    network = parse_network(drawn)
    policy = gi.MessagePassing(width=8, rounds=1, slots=5, window=3, routes=1, survey_rounds=survey_rounds, seed=2)
    told = export_decision(policy, network, tmp_path / f"policy{ending}")
    graph = gi.InventoryGraph.from_network(network)
    assert told["axes"]["link"] == graph.link_names
    random = torch.Generator().manual_seed(9)
    shapes = {"on_hand": (5, graph.nodes), "in_transit": (5, graph.links, graph.slots), "past_demand": (5, 3, graph.nodes)}
    inputs = {name: 10 * torch.rand(*shape, generator=random) for name, shape in shapes.items()} | {"calendar": torch.zeros(0)}
    if ending == ".pt2":
        given = torch.export.load(tmp_path / "policy.pt2").module()(*inputs.values())
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx"), providers=["CPUExecutionProvider"])
        wanted = {value.name for value in session.get_inputs()}
        given = torch.from_numpy(
            session.run(["orders"], {name: value.numpy() for name, value in inputs.items() if name in wanted})[0]
        )
    with torch.no_grad():
        desired = policy(graph, Observation(**inputs))
        expected = feasible(graph, inputs["on_hand"], desired.orders, desired.keep)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)


def test_a_program_that_gives_other_orders_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_pt2", lambda program, inputs: (b"", program.module()(*inputs) + 1.0))
    with pytest.raises(GnnInventoryError, match="the exported program gives other orders, by up to 1 units; nothing was written"):
        export_decision(gi.MessagePassing(width=4, rounds=1, slots=3), parse_network(gi.one_store()), tmp_path / "policy.pt2")
    assert list(tmp_path.iterdir()) == []


def test_the_quantile_of_the_exported_program():
    probability = torch.cat([torch.linspace(0.001, 0.999, 999), torch.tensor([1e-6, 1 - 1e-6])]).double()
    torch.testing.assert_close(normal_quantile(probability), torch.special.ndtri(probability), rtol=3e-7, atol=3e-7)


def test_the_command_line_exports_and_replaces_only_when_told(trained, run, tmp_path):
    file = tmp_path / "policy.onnx"
    code, out, error = run("export", trained / "run", "-o", file)
    assert code == 0, error
    assert json.loads(out)["axes"]["link"] == ["depot -> east", "depot -> west", "port -> depot"]
    before = file.read_bytes()
    assert "exists already; name another file, or replace it: --force" in run("export", trained / "run", "-o", file)[2]
    file.write_bytes(b"")
    assert run("export", trained / "run", "-o", file, "--force")[0] == 0
    assert len(file.read_bytes()) == len(before)


def test_what_cannot_be_exported_is_said(trained, run, tmp_path):
    assert "expected one of: .pt2, .onnx" in run("export", trained / "run", "-o", tmp_path / "policy.txt")[2]
    policy = gi.BaseStock()
    network = load_recipe(trained / "recipe.yaml").network
    policy.fit_to(gi.InventoryGraph.from_network(network))
    with pytest.raises(UnsupportedNetworkError, match="depend on the mean demand of each item"):
        export_decision(policy, network, tmp_path / "policy.pt2")
    assert not (tmp_path / "policy.pt2").exists()


def test_a_draft_that_could_not_be_trained_or_tested_is_refused(tables, run):
    files = ["--locations", tables / "locations.csv", "--lanes", tables / "lanes.csv"]
    rows = pd.read_csv(tables / "sales.csv")
    rows[rows["item"] == "item 0"].to_csv(tables / "one.csv", index=False)
    code, _, error = run("draft", *files, "--sales", tables / "one.csv", "-o", tables / "recipe.yaml")
    assert code == 1
    assert "items: got 1; expected at least 2" in error
    code, _, error = run("draft", *files, "--sales", tables / "sales.csv", "--season", "28", "-o", tables / "recipe.yaml")
    assert code == 1
    assert "--season: periods: got 28; expected less than the 28 periods that train" in error
    code, out, _ = run("draft", *files, "--sales", tables / "sales.csv", "--season", "20", "-o", tables / "recipe.yaml")
    assert code == 0
    assert "a season of 20 ago, which 8 periods of training have" in out, "periods 20 to 27 of 28"


def test_a_trained_policy_looks_back_on_a_network_that_states_its_demand(trained, run, monkeypatch):
    monkeypatch.setattr("gnn_inventory.planning.backtest.STEPS", 2)
    other = gi.one_warehouse(stores=2, warehouse_link={"lead_time": 2}, store_link={"lead_time": 2})
    renamed = {"store_0": "east", "store_1": "west", "warehouse": "depot", "supplier": "port"}
    network = nx.relabel_nodes(other, renamed)
    network.graph.pop("demand", None)
    gi.save_network(network, trained / "other.yaml")
    code, out, error = run(
        "backtest", trained / "run", "--panel", trained / "sales.csv", "--network", trained / "other.yaml", "--json"
    )
    assert code == 0, error
    assert json.loads(out)["items"] == ITEMS


def test_returns_are_taken_for_no_sales_where_asked(tables, run):
    sales = tables / "sales.csv"
    rows = pd.read_csv(sales)
    rows.loc[0, "sales"] = -3
    rows.to_csv(sales, index=False)
    files = ["--locations", tables / "locations.csv", "--lanes", tables / "lanes.csv", "--sales", sales]
    words = ["draft", *files, "-o", tables / "recipe.yaml"]
    code, _, error = run(*words)
    assert code == 1
    assert "draft --clamp" in error
    assert run(*words, "--clamp")[0] == 0
    assert load_recipe(tables / "recipe.yaml").demand.clamp


def test_a_network_whose_costs_differ_by_scenario_is_no_program(tmp_path):
    network = gi.one_store(
        store={
            "holding_cost": 1.0,
            "underage_cost": {"per_scenario": {"uniform": [1, 99]}},
            "unmet_demand": "lost",
            "demand": {"poisson": {"mean": 5.0}},
        }
    )
    with pytest.raises(InputError, match="underage_cost: differs by scenario; a program of one decision needs one number"):
        export_decision(gi.MessagePassing(width=4), parse_network(network), tmp_path / "policy.pt2")
    assert not (tmp_path / "policy.pt2").exists()
