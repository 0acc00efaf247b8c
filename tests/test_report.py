"""The report, as a person opens it: in a browser, without a network; and what its numbers say, by hand."""

import json
import os
import shutil
from dataclasses import replace

import networkx as nx
import pytest
import torch
import yaml
from conftest import QUICK

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.report import charts
from gnn_inventory.report.page import Run
from gnn_inventory.report.response import Typical, attributions, response
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.settings import Evaluation


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report on two runs, which lie beside it."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "quick.yaml").write_text(yaml.safe_dump(QUICK))
    for name, policy in (("ours", "{name: message_passing, width: 8, rounds: 1, slots: 3}"), ("theirs", "{name: base_stock}")):
        recipe = gi.load_recipe(folder / "quick.yaml", [f"policy={policy}", "training.epochs=2"])
        gi.train_recipe(recipe, RunFolder(folder / name))
    gi.write_report([Run.of(folder / "ours"), Run.of(folder / "theirs")], folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def browser():
    """Headless Chromium, as Debian has it; its console is kept."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        assert not os.environ.get("CI"), "CI needs chromium and chromium-driver"
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def asked_for(browser) -> list[str]:
    """Addresses that the page asked for."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def test_a_browser_shows_it_without_a_network(page, browser):
    browser.get(f"file://{page}")
    drawn = "return [...document.querySelectorAll('.js-plotly-plot')].filter((chart) => chart.querySelector('svg.main-svg')).map((chart) => chart.id)"
    assert set(browser.execute_script(drawn)) == {
        "network", "cost", "where", "trajectory", "response", "attribution", "variance", "training",
    }  # fmt: skip
    assert browser.get_log("browser") == [], "no errors"
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked_for(browser))
    stock = "return JSON.stringify(document.getElementById('trajectory').data[2].y)"
    titles = "return [...document.querySelectorAll('#trajectory .annotation-text')].map((text) => text.textContent)"
    picker = browser.find_element("id", "location")
    names = [option.text for option in picker.find_elements("tag name", "option")]
    assert names == ["store_0", "store_1", "store_2", "store_3", "store_4", "warehouse"]
    shown = {}
    for name in ("store_0", "warehouse"):
        picker.find_element("xpath", f"option[text()='{name}']").click()
        shown[name] = browser.execute_script(stock), browser.execute_script(titles)
    assert shown["store_0"][0] != shown["warehouse"][0], "the picker changes the chart"
    assert shown["store_0"][1] == ["stock on hand", "demand", "orders", "unmet demand"]
    assert shown["warehouse"][1] == ["stock on hand", "demand and shipments", "orders"]


def test_it_fits_a_phone(page, browser):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    )
    browser.get(f"file://{page}")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    widths = "return [...document.querySelectorAll('.js-plotly-plot')].map((chart) => chart.getBoundingClientRect().right)"
    assert max(browser.execute_script(widths)) <= 390


def test_its_numbers_are_those_of_evaluate(page, run):
    text = page.read_text()
    code, out, _ = run("evaluate", page.parent / "ours", page.parent / "theirs", "--json")
    assert code == 0
    for found in json.loads(out):
        assert f"<td>{found['policy']}</td><td>{found['cost_per_store']:.4f}</td>" in text
    assert "exists already" in run("report", page.parent / "ours", "-o", page)[2]


def test_a_report_on_another_network_is_of_that_network(page, run, tmp_path):
    code, _, error = run(
        "report", page.parent / "ours", "-o", tmp_path / "other.html", "--network", "one_store_lost", "--scenarios", "16"
    )
    assert code == 0, error
    assert "ours: beyond its training: stores 1, trained on 5" in error
    found = json.loads(run("evaluate", page.parent / "ours", "--network", "one_store_lost", "--scenarios", "16", "--json")[1])
    assert f"<td>{found['policy']}</td><td>{found['cost_per_store']:.4f}</td>" in (tmp_path / "other.html").read_text()


def test_a_name_cannot_break_out_of_the_page(quick, tmp_path, run):
    network = tmp_path / "network.yaml"
    evil = "</script><script>x"
    network.write_text(
        f"nodes: {{s: {{kind: supplier}}, '{evil}': {{holding_cost: 1, underage_cost: 5, unmet_demand: lost, demand: {{poisson: {{mean: 5}}}}}}}}\n"
        f"links: [{{from: s, to: '{evil}', lead_time: 2}}]\n"
    )
    assert run("train", quick, "-o", tmp_path / "run", "--set", f"network={network}", "--set", "training.epochs=1")[0] == 0
    assert run("report", tmp_path / "run", "-o", tmp_path / "report.html")[0] == 0
    assert evil not in (tmp_path / "report.html").read_text()


def test_names_of_runs_and_places_are_names():
    """A run that is called after a day is no point on an axis of time, and two spaces in a name are two."""
    result = gi.evaluate(gi.MessagePassing(width=4), gi.one_store(), scenarios=4, periods=12, warm_up=4)
    figure = charts.cost_chart(["2026-11-20", "2026-11-27"], [result, result])
    assert figure.layout.yaxis.type == "category"


def test_two_runs_of_one_name_are_told_apart(quick, tmp_path, run):
    for folder in ("a", "b"):
        assert run("train", quick, "-o", tmp_path / folder / "run", "--set", "training.epochs=1")[0] == 0
    assert run("report", tmp_path / "a" / "run", tmp_path / "b" / "run", "-o", tmp_path / "report.html")[0] == 0
    page = (tmp_path / "report.html").read_text()
    assert f"<td>{tmp_path / 'a' / 'run'}</td>" in page
    assert f"<td>{tmp_path / 'b' / 'run'}</td>" in page
    assert '<option value="warehouse">warehouse</option>' in page
    assert "expected .html, which browsers open" in run("report", tmp_path / "a" / "run", "-o", tmp_path / "report.txt")[2]


def serial_base_stock() -> tuple[nx.DiGraph, gi.BaseStock]:
    network = gi.serial()
    policy = gi.BaseStock()
    graph = gi.InventoryGraph.from_network(network)
    policy.set_levels(graph, dict.fromkeys(set(graph.labels) - {"supplier"}, 30.0))
    return network, policy


def test_base_stock_orders_up_to_one_level_and_listens_to_its_own_stock():
    network, policy = serial_base_stock()
    source = SyntheticDemand(parse_network(network), 0, "test")
    typical = Typical.of(policy, source.graph, source.sample(0, 5, 60), 30)
    store = source.graph.labels.index("store")
    found = response(typical, store)
    below = found.ordered > 0
    assert bool(below.any())
    torch.testing.assert_close(found.level[below], torch.full_like(found.level[below], 30.0))
    assert float(found.on_hand[0]) == pytest.approx(-float(typical.known.node_flow[0, store])), "a period's backlog"
    links, nodes = range(source.graph.links), range(source.graph.nodes)
    listens = attributions(typical, links, nodes)
    own = torch.zeros_like(listens)
    own[list(links), source.graph.target.tolist()] = -1.0
    assert bool(((listens == own) | (listens == 0)).all()), "an order falls by one unit for each on its own shelf, or is none"
    assert bool((listens == -1.0).any())


def test_runs_that_are_tested_otherwise_are_not_shown_beside_each_other(page, tmp_path):
    ours = Run.of(page.parent / "ours")
    other = replace(
        ours,
        name="other",
        recipe=replace(ours.recipe, evaluation=Evaluation(scenarios=16, periods=20, warm_up=10, whole_units=True)),
    )
    with pytest.raises(InputError, match="ours and other state another 'evaluation'"):
        gi.write_report([ours, other], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
