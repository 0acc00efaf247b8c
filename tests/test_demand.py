"""Scenarios: the same seed says the same, moments are what theory says, panels are read strictly and never leak."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.panel import PanelDemand, Windows, scaled_calendar
from gnn_inventory.demand.panel_files import SalesPanel, load_calendar, load_panel, on_circles, with_neighbours
from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.network import parse_network

FAVORITA = Path(__file__).parents[2] / "shared" / "data" / "favorita_21_stores"
WINDOWS = Windows(train=(0, 20), dev=(14, 30), test=(24, 40), history=4, warm_up=2)
BY_FLOW = {"per_scenario": {"uniform": [0, 1], "times": "mean_flow"}}
LEAD_TIME = {"per_scenario": {"integers": [1, 3]}}
ERRORS = 5.0  # statistical tolerance: standard errors of the estimate


def stores(*demands, names=("s1", "s2", "s3"), **graph):
    """supplier -> a store per demand; initial goods and lead times differ by scenario."""
    network = nx.DiGraph(**graph)
    network.add_node("supplier", kind="supplier")
    for name, demand in zip(names, demands, strict=False):
        network.add_node(name, holding_cost=1.0, unmet_demand="lost", demand=demand, initial_stock=BY_FLOW)
        network.add_edge("supplier", name, lead_time=LEAD_TIME, initial_in_transit=BY_FLOW)
    return parse_network(network)


def values(scenarios):
    drawn = (scenarios.demand, scenarios.on_hand, scenarios.in_transit, scenarios.parameters.lead_time)
    return torch.cat([value.flatten(1) for value in drawn], 1)


NETWORK = stores({"normal": {"mean": 5.0, "std": 1.6}}, {"poisson": {"mean": 4.0}}, demand={"correlation": 0.5})


def test_the_same_whatever_the_split():
    source = SyntheticDemand(NETWORK, 7, "train")
    whole, long = values(source.sample(0, 150, 80)), source.sample(0, 5, 200).demand
    for cuts in ([0, 1, 63, 64, 65, 150], [0, 100, 150], range(0, 151, 30)):
        assert torch.equal(torch.cat([values(source.sample(a, b, 80)) for a, b in itertools.pairwise(cuts)]), whole)
    assert torch.equal(source.sample(0, 5, 100, start=50).demand, long[:, 50:150])


def test_streams_and_seeds_differ():
    keys = (7, "train"), (7, "dev"), (7, "test"), (8, "dev")
    drawn = [SyntheticDemand(NETWORK, *key).sample(0, 99, 50) for key in keys]
    for one, other in itertools.combinations(drawn, 2):
        assert not torch.equal(one.on_hand, other.on_hand)
        pair = torch.stack([one.demand[..., 0].flatten(), other.demand[..., 0].flatten()])
        assert abs(float(torch.corrcoef(pair)[0, 1])) < ERRORS / math.sqrt(pair.shape[1])


def test_initial_goods_by_hand():
    """Goods are under way in the periods before an order of now would arrive, as many as are stated, or as flow there."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    demand = {"normal": {"mean": 6.0, "std": 0.0}}
    for name, lead_time in (("near", 1), ("far", 4), ("any", LEAD_TIME)):
        network.add_node(name, holding_cost=1.0, unmet_demand="lost", demand=demand, initial_stock=7.0)
        network.add_edge("supplier", name, lead_time=lead_time, initial_in_transit=5.0)
    network.nodes["far"]["initial_stock"] = {"per_scenario": {"uniform": [0.5, 1.5], "times": "mean_flow"}}
    network.edges["supplier", "any"]["initial_in_transit"] = {"per_scenario": {"uniform": [1.0, 3.0], "times": "mean_flow"}}
    source = SyntheticDemand(parse_network(network), 0, "train")
    size = 3000
    drawn, graph = source.sample(0, size, 1), source.graph
    place = {name: graph.labels.index(name) for name in network}
    link = {name: graph.link_names.index(f"supplier -> {name}") for name in place if name != "supplier"}
    assert torch.equal(drawn.on_hand[:, place["near"]], torch.full((size,), 7.0))
    assert_moments(drawn.on_hand[:, place["far"]].double(), 6.0, 36 / 12)  # 6 x (0.5 to 1.5)
    assert 3.0 <= float(drawn.on_hand[:, place["far"]].min()) < float(drawn.on_hand[:, place["far"]].max()) <= 9.0
    assert graph.slots == 3
    assert not drawn.in_transit[:, link["near"]].any()
    assert torch.equal(drawn.in_transit[:, link["far"]], torch.full((size, 3), 5.0))
    lead_time = drawn.parameters.lead_time[:, link["any"]]
    for periods in (1, 2, 3):
        share = float((lead_time == periods).double().mean())
        assert abs(share - 1 / 3) < ERRORS * math.sqrt(2 / 9 / size)
        under_way = drawn.in_transit[lead_time == periods, link["any"]]
        assert not under_way[:, periods - 1 :].any()
        assert bool(((under_way[:, : periods - 1] >= 6.0) & (under_way[:, : periods - 1] <= 18.0)).all())


def sample(network, count=2000, periods=20):
    """Demand of the stores [sample, store] in float64."""
    source = SyntheticDemand(network, 11, "train")
    return source.sample(0, count, periods).demand.flatten(0, 1)[:, source.graph.has_demand].double()


def assert_moments(column, mean, variance):
    deviation = column - column.mean()
    found, size = deviation.square().mean(), len(column)
    assert abs(float(column.mean()) - mean) < ERRORS * math.sqrt(variance / size)
    assert abs(float(found) - variance) < ERRORS * math.sqrt(float((deviation**4).mean() - found**2) / size)


def test_correlated_normal():
    matrix = [[1.0, 0.7, -0.4], [0.7, 1.0, 0.1], [-0.4, 0.1, 1.0]]
    moments = [(5.0, 1.6), (9.0, 3.0), (2.0, 4.0)]
    demands = [{"normal": {"mean": mean, "std": std, "clip": False}} for mean, std in moments]
    # the matrix is in the order in which the network lists its stores, which is not that of the node axis
    drawn = sample(stores(*demands, names=("s3", "s1", "s2"), demand={"correlation": matrix}))[:, [2, 0, 1]]
    for column, (mean, std) in zip(drawn.t(), moments, strict=True):
        assert_moments(column, mean, std**2)
    expected, found = torch.tensor(matrix, dtype=torch.float64), torch.corrcoef(drawn.t())
    assert ((found - expected).abs() <= ERRORS * (1 - expected**2) / math.sqrt(len(drawn)) + 1e-12).all()


def test_counts():
    binomial = {"negative_binomial": {"successes": 2.5, "probability": 0.3}}
    network = stores({"poisson": {"mean": 3.5}}, {"poisson": {"mean": 400.0}}, binomial, demand={"correlation": 0.6})
    graph, drawn = InventoryGraph.from_network(network), sample(network)
    mean = 2.5 * 0.7 / 0.3  # and variance = mean / 0.3
    for index, theory in enumerate(((3.5, 3.5), (400.0, 400.0), (mean, mean / 0.3))):
        assert torch.equal(drawn[:, index], drawn[:, index].round())
        assert_moments(drawn[:, index], *theory)
        assert (float(graph.mean_demand[index]), float(graph.std_demand[index])) == pytest.approx(
            (theory[0], math.sqrt(theory[1]))
        )


@pytest.mark.parametrize(("mean", "std"), [(5.0, 1.6), (1.0, 3.0), (0.0, 2.0), (-4.0, 2.0), (-12.0, 1.0), (1e5, 1e-3)])
def test_clipped_normal_moments(mean, std):
    graph = InventoryGraph.from_network(stores({"normal": {"mean": mean, "std": std}}))
    # integrals of max(0, mean + std x), by the trapezoidal rule
    x = torch.linspace(-12, 12, 400_001, dtype=torch.float64)
    density, value = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), (mean + std * x).clamp_min(0)
    first = float(torch.trapezoid(value * density, x))
    std_found = math.sqrt(float(torch.trapezoid((value - first) ** 2 * density, x)))
    assert (float(graph.mean_demand[0]), float(graph.std_demand[0])) == pytest.approx((first, std_found), rel=1e-4, abs=1e-9)


def panel(items=6, periods=40):
    """Whole numbers like weekly sales: dispersed, a level per item, three stores."""
    random = np.random.default_rng(0)
    level = random.uniform(10, 300, size=(items, 1, 1))
    return torch.tensor(random.negative_binomial(level / 6, 1 / 7, size=(items, 3, periods))).float()


def write(path, sales, *more, skip=0):
    rows = [f"{i},s{s + 1},{t},{sales[i, s, t]}" for i, s, t in np.ndindex(*sales.shape)][skip:]
    path.write_text("\n".join(["item,location,period,sales", *more, *rows[::-1]]))  # the order of rows says nothing
    return path


def test_all_kinds_of_file_read_the_same(tmp_path):
    pyarrow_csv, parquet = pytest.importorskip("pyarrow.csv"), pytest.importorskip("pyarrow.parquet")
    sales = panel(items=12)
    parquet.write_table(pyarrow_csv.read_csv(write(tmp_path / "a.csv", sales)), tmp_path / "a.parquet")
    torch.save(sales, tmp_path / "a.pt")
    np.save(tmp_path / "a.npy", sales.numpy())
    for ending in ("csv", "parquet", "pt", "npy"):
        read = load_panel(tmp_path / f"a.{ending}")
        assert torch.equal(read.sales, sales), ending
        assert read.locations == (("s1", "s2", "s3") if ending in ("csv", "parquet") else None)


def test_negative_values_unless_clamped(tmp_path):
    sales = panel(items=2, periods=5)
    sales[1, 2, 3] = -4.0
    np.save(tmp_path / "a.npy", sales)
    for path in (write(tmp_path / "a.csv", sales), tmp_path / "a.npy"):
        with pytest.raises(InputError, match=r"1 negative values \(lowest -4\)"):
            load_panel(path)
        assert torch.equal(load_panel(path, clamp=True).sales, sales.clamp_min(0))


BROKEN = {
    "": ": 1 gaps .*item 0.*s1.*period 0",
    "0,s1,0,1\n0,s1,0,2": "stands twice",
    "0,s1,0,nan\n0,s1,0,2": "stands twice",
    "0,s1,0,many": "expected a number",
}


@pytest.mark.parametrize(
    ("row", "message"),
    [*BROKEN.items(), ("0,s1,0,inf", ": 1 infinite values"), ("0,s1,nan,1", "got '0' to 'nan'; expected whole numbers")],
)
def test_broken_panels(tmp_path, row, message):
    path = write(tmp_path / "a.csv", panel(items=2, periods=5), *([row] if row else []), skip=1)
    with pytest.raises(InputError, match=message):
        load_panel(path, clamp=True)


def test_sales_of_nothing_are_refused(tmp_path):
    (tmp_path / "sales.csv").write_text("item,location,period,sales\na,s1,0,3\n,s1,0,4\n")
    with pytest.raises(InputError, match="row 2: item: missing"):
        load_panel(tmp_path / "sales.csv")
    with pytest.raises(InputError, match=r"columns: got .* four different names"):
        load_panel(tmp_path / "sales.csv", ["item", "location", "period", "period"])


def test_a_gap_is_named_as_the_file_names_its_period(tmp_path):
    rows = [f"{item},s1,2024-01-0{day},3" for item in "ab" for day in (1, 2, 3) if (item, day) != ("b", 2)]
    (tmp_path / "sales.csv").write_text("\n".join(["item,location,period,sales", *rows]))
    with pytest.raises(InputError, match=r"1 gaps \(the first at item b, location s1, period 2024-01-02\)"):
        load_panel(tmp_path / "sales.csv")


def test_a_tensor_that_was_differentiated_is_read(tmp_path):
    torch.save(panel(items=2, periods=5).requires_grad_(), tmp_path / "sales.pt")
    assert not load_panel(tmp_path / "sales.pt").sales.requires_grad


def csv_of(tmp_path, periods, header="item,location,period,sales", encoding="utf-8"):
    rows = [f"a,s1,{period},3" for period in periods]
    (tmp_path / "sales.csv").write_bytes("\n".join([header, *rows]).encode(encoding))
    return tmp_path / "sales.csv"


MISSING = {
    "whole numbers": ([0, 1, 2, 4, 5], "'4' follows '2'"),
    "weeks": (["2024-01-01", "2024-01-08", "2024-01-22", "2024-01-29"], "'2024-01-22' follows '2024-01-08'"),
    "months": (["2024-01-01", "2024-02-01", "2024-04-01", "2024-05-01"], "'2024-04-01' follows '2024-02-01'"),
    "a month after months of one length": (
        ["2024-07-01", "2024-08-01", "2024-10-01", "2024-11-01"],
        "'2024-10-01' follows '2024-08-01'",
    ),
    "days without hyphens": (["20240130", "20240131", "20240202"], "'20240202' follows '20240131', elsewhere the step is 1"),
    "two spellings of dates": (["2024-01-01", "20240102"], "dates as 2024-01-31, all in one spelling"),
    "month ends": (["2024-01-31", "2024-02-29", "2024-04-30"], "'2024-04-30' follows '2024-02-29'"),
    "parts of periods": ([0, 0.25, 0.75], "expected whole numbers, or dates"),
    "hours": (["2024-01-01T05", "2024-01-01T06"], "expected whole numbers, or dates"),
    "infinity": (["0", "1e999"], "expected whole numbers, or dates"),
    "dates that sort wrongly as text": (["1/2/2020", "10/2/2020", "2/2/2020"], "expected whole numbers, or dates as 2024-01-31"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_period_that_no_location_has(tmp_path, name):
    periods, message = MISSING[name]
    with pytest.raises(InputError, match=message):
        load_panel(csv_of(tmp_path, periods))


def test_dates_in_equal_steps_are_periods(tmp_path):
    for periods in (
        ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"],
        ["2024-01-31", "2024-02-07"],
        ["2023-12-01", "2024-01-01", "2024-02-01"],
        ["2024-01-01", "2024-01-02"],
        ["20240131", "20240201"],
    ):
        assert load_panel(csv_of(tmp_path, periods)).sales.shape == (1, 1, len(periods))


def test_files_that_are_no_panels(tmp_path):
    assert load_panel(csv_of(tmp_path, [0, 1], encoding="utf-8-sig")).sales.shape == (1, 1, 2)  # as Excel writes it
    wrong = {
        "latin-1": csv_of(tmp_path, [0], header="item,location,period,sales,größe", encoding="latin-1"),
    }
    with pytest.raises(InputError, match="cannot be read as CSV"):
        load_panel(wrong["latin-1"])
    for header, words in (
        ("item,location,period,sales,sales", "'sales' stands twice"),
        ("item,location,period", "another number"),
    ):
        with pytest.raises(InputError, match=words):
            load_panel(csv_of(tmp_path, [0], header=header))
    for name, content in (("a.parquet", b"PAR1junk"), ("a.parquet", b""), ("a.pt", b""), ("a.pt", b"junk"), ("a.npy", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as") as caught:
            load_panel(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1
    torch.save(torch.ones(2, 3, 4).to_sparse(), tmp_path / "sparse.pt")
    with pytest.raises(InputError, match="sparse"):
        load_panel(tmp_path / "sparse.pt")


def test_a_calendar_holds_finite_numbers(tmp_path):
    (tmp_path / "calendar.csv").write_text("week,holiday\n1,0\n2,nan\n")
    with pytest.raises(InputError, match=r"row 2: holiday: got nan; expected a finite number"):
        load_calendar(tmp_path / "calendar.csv", ["holiday"])


def test_data_of_another_calendar_are_other_data():
    """A run is not gone on with by others: they are told by a fingerprint."""
    stated = stores("panel", "panel")
    drawn = SalesPanel(torch.ones(2, 2, 40), None, "sales")
    calendars = [None, torch.zeros(40, 1), torch.arange(40.0).unsqueeze(1)]
    prints = {PanelDemand(stated, drawn, WINDOWS, "train", 0, calendar).fingerprint for calendar in calendars}
    assert len(prints) == 3


def test_a_flag_that_was_never_set_in_training_enters_as_it_is():
    calendar = torch.zeros(40, 2)
    calendar[:, 0] = torch.arange(40.0)
    calendar[30:, 1] = 1.0
    found = scaled_calendar(calendar, WINDOWS)
    assert torch.equal(found[:, 1], calendar[:, 1])
    torch.testing.assert_close(found[:20, 0].std(), torch.tensor(1.0))


def test_the_calendar_around_a_period():
    calendar = torch.tensor([[0.0, 10], [1, 11], [2, 12], [3, 13]])
    found = with_neighbours(calendar, 1, 2)  # of periods 0 and 1: before 0 stands itself, after 1 come 2 and 3
    assert found.tolist() == [[0, 10, 0, 10, 1, 11, 2, 12], [0, 10, 1, 11, 2, 12, 3, 13]]
    assert torch.equal(with_neighbours(calendar, 0, 0), calendar)


def test_a_column_that_goes_round_stands_on_a_circle():
    """A quarter, a half, three quarters and the whole of a cycle of 8; of one of 4 half, none, half and none."""
    found = on_circles(torch.tensor([[2.0, 2.0], [4.0, 4.0], [6.0, 6.0], [8.0, 8.0]]), [8, 4])
    eighths = torch.tensor([[0.0, 1, -1, 0], [-1, 0, 1, 0], [0, -1, -1, 0], [1, 0, 1, 0]])
    fourths = torch.tensor([[-1.0, 0, 1, 0], [1, 0, 1, 0], [-1, 0, 1, 0], [1, 0, 1, 0]])
    torch.testing.assert_close(found, torch.cat([eighths, fourths], dim=1), atol=1e-5, rtol=0)


def test_a_logarithm_that_is_uniform():
    """P(value <= x) = log(x / low) / log(high / low)."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    spread = {"per_scenario": {"log_uniform": [3, 48]}}
    demand = {"poisson": {"mean": 4.0}}
    network.add_node("s", holding_cost=1.0, underage_cost=spread, unmet_demand="lost", demand=demand)
    network.add_edge("supplier", "s", lead_time=1)
    source = SyntheticDemand(parse_network(network), 0, "train")
    values = source.sample(0, 4000, 1).parameters.underage_cost[:, 0]
    assert 3 <= float(values.min()) < 3.1
    assert 47 < float(values.max()) <= 48
    for below, share in ((6, 0.25), (12, 0.5), (24, 0.75)):
        assert float((values <= below).float().mean()) == pytest.approx(share, abs=ERRORS * 0.5 / 4000**0.5)


PANEL = stores("panel", "panel", "panel", names=("s2", "s3", "s1"))
NAMED = SalesPanel(panel(), ("s1", "s2", "s3"), "panel")


def test_stores_are_matched_by_name_or_by_the_network_s_order():
    named = PanelDemand(PANEL, NAMED, WINDOWS, "train", 0).sample(0, 6, 10)
    assert torch.equal(named.demand[..., :3], NAMED.sales[:, :, 4:14].transpose(1, 2))  # nodes: s1 s2 s3 supplier
    bare = SalesPanel(NAMED.sales[:, [1, 2, 0]], None, "panel")
    assert torch.equal(values(PanelDemand(PANEL, bare, WINDOWS, "train", 0).sample(0, 6, 10)), values(named))


MISFITS = [
    (
        replace(NAMED, locations=("s1", "s2", "north")),
        WINDOWS,
        "(?s)no sales of location 's3'.*'north' is not in network",
    ),
    (SalesPanel(NAMED.sales[:, :2], None, "panel"), WINDOWS, "locations: got 2; expected 3"),
    (replace(NAMED, sales=NAMED.sales[..., :39]), WINDOWS, "windows.test.*which has 39"),
    (NAMED, replace(WINDOWS, test=(34, 40)), "windows.test.*at least 7 periods"),
    (NAMED, replace(WINDOWS, dev=(13, 30)), "windows.dev.*leaks"),
    (NAMED, replace(WINDOWS, test=(23, 40)), "windows.test.*leaks"),
]


@pytest.mark.parametrize(("changed", "windows", "message"), MISFITS)
def test_panels_and_windows_that_do_not_fit(changed, windows, message):
    with pytest.raises(InputError, match=message):
        PanelDemand(PANEL, changed, windows, "train", 0)


@pytest.mark.parametrize(("stream", "end", "periods"), [("train", 20, 16), ("dev", 30, 12)])
def test_later_weeks_change_nothing(stream, end, periods):
    sales, calendar = NAMED.sales.clone(), torch.arange(80.0).reshape(40, 2) % 7
    one = PanelDemand(PANEL, NAMED, WINDOWS, stream, 0, calendar.clone()).sample(0, 6, periods)
    sales[..., end:] *= 10
    calendar[end:] += 100
    two = PanelDemand(PANEL, replace(NAMED, sales=sales), WINDOWS, stream, 0, calendar).sample(0, 6, periods)
    assert torch.equal(values(one), values(two))
    names = ("mean_demand", "std_demand", "history", "calendar")
    assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in names)


def test_history_is_all_weeks_before_the_first_and_the_window_has_its_statistics():
    drawn = PanelDemand(PANEL, NAMED, WINDOWS, "dev", 0).sample(1, 4, 5, start=3)
    weeks = NAMED.sales[1:4, :, 14 + 3 :]  # the window starts at 14
    assert torch.equal(drawn.history[..., :3], NAMED.sales[1:4, :, : 14 + 3 + 4].transpose(1, 2))
    assert torch.equal(drawn.demand[..., :3], weeks[..., 4:9].transpose(1, 2))
    torch.testing.assert_close(drawn.mean_demand[:, :3], weeks[..., :4].mean(2))  # known beforehand: the window's history alone
    torch.testing.assert_close(drawn.std_demand[:, :3], weeks[..., :4].std(2))


@pytest.mark.parametrize("history", [0, 1])
def test_mean_and_deviation_of_demand_need_a_history(history):
    windows = Windows(train=(0, 20), dev=(20, 30), test=(30, 40), history=history, warm_up=0)
    with pytest.raises(InputError, match=f"panel: windows.history: got {history}; expected at least 2"):
        PanelDemand(PANEL, NAMED, windows, "train", 0)


def test_panel_demand_takes_a_network_as_people_have_it():
    """The same as of the parsed network; a network of its own demand, and what is no stream or seed, is one line."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("shop", holding_cost=1.0, underage_cost=9.0, unmet_demand="lost", demand="panel")
    network.add_edge("supplier", "shop", lead_time=1)
    sales = SalesPanel(torch.arange(80.0).reshape(2, 1, 40), None, "sales")
    found = PanelDemand(network, sales, WINDOWS, "train", 0).sample(0, 2, 5)
    assert torch.equal(found.demand, PanelDemand(parse_network(network), sales, WINDOWS, "train", 0).sample(0, 2, 5).demand)
    with pytest.raises(InputError, match="stream: got 'tset'; did you mean 'test'"):
        PanelDemand(network, sales, WINDOWS, "tset", 0)
    with pytest.raises(InputError, match="seed: got -1; expected an integer >= 0"):
        PanelDemand(network, sales, WINDOWS, "train", -1)
    with pytest.raises(InputError, match="one_store_backlogged: states its own demand; expected `demand: panel`"):
        PanelDemand(gi.one_store(), sales, WINDOWS, "train", 0)


@pytest.mark.skipif(not FAVORITA.exists(), reason="the sales are not shipped")
def test_favorita():
    with pytest.raises(InputError, match=r"10 negative values \(lowest -1632\)"):
        load_panel(FAVORITA / "weekly_sales.pt")
    assert float(load_panel(FAVORITA / "weekly_sales.pt", clamp=True).sales.min()) == 0


def test_synthetic_demand_takes_a_network_as_people_have_it():
    """The same as of the parsed network; what is no stream or seed is one line."""
    found = gi.SyntheticDemand(gi.serial(), 3, "dev").sample(0, 4, 10)
    assert torch.equal(found.demand, SyntheticDemand(parse_network(gi.serial()), 3, "dev").sample(0, 4, 10).demand)
    with pytest.raises(InputError, match="stream: got 'tset'; did you mean 'test'"):
        gi.SyntheticDemand(gi.serial(), 3, "tset")
    with pytest.raises(InputError, match="seed: got -1; expected an integer >= 0"):
        gi.SyntheticDemand(gi.serial(), -1, "test")
