"""Networks that a person gets wrong: one clear line for each mistake, all of them at once, and no other exception."""

import copy
import re

import networkx as nx
import numpy as np
import pytest

import gnn_inventory as gi
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.topology.catalogue import build_network, network_mapping
from gnn_inventory.topology.network import parse_network

NAN, HUGE = float("nan"), 10**400
STORE = {"holding_cost": 1.0, "unmet_demand": "lost", "demand": {"poisson": {"mean": 4.0}}}
GOOD = {
    "name": "two",
    "demand": {"correlation": 0.5},
    "nodes": {"supplier": {"kind": "supplier"}, "hub": {"holding_cost": 0.3}, "north": STORE, "south": STORE},
    "links": [
        {"from": "supplier", "to": "hub", "lead_time": 3},
        {"from": "hub", "to": "north", "lead_time": 2},
        {"from": "hub", "to": "south", "lead_time": 1},
    ],
}
FAMILY, MATRIX = network_mapping("one_warehouse"), network_mapping("many_warehouses")
NORTH, HUB_NORTH = "node 'north'", "link 'hub' -> 'north'"


def put(*path_and_value, base=GOOD):
    """`base` with one value replaced, or added."""
    *path, last, value = path_and_value
    mapping = inner = copy.deepcopy(base)
    for key in path:
        inner = inner[key]
    inner[last] = value
    return mapping


def drop(*path):
    mapping = put(*path, None)
    inner = mapping
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return mapping


def link(source, target, **values):
    return {**GOOD, "links": [*GOOD["links"], {"from": source, "to": target, "lead_time": 1, **values}]}


def north(key, value):
    return put("nodes", "north", key, value)


def hub_north(key, value):
    return put("links", 1, key, value)


def demand(value):
    return north("demand", value)


def odds(probability):
    return demand({"negative_binomial": {"successes": 2, "probability": probability}})


BAD = {  # a mapping, and what one line of the message must say, in any order
    "unknown key of a node": (north("underage_csot", 9), [NORTH, "'underage_csot'", "did you mean 'underage_cost'"]),
    "unknown key of a link": (hub_north("leadtime", 2), [HUB_NORTH, "'leadtime'", "did you mean 'lead_time'"]),
    "unknown key of the network": (put("linkz", []), ["two", "'linkz'", "did you mean 'links'"]),
    "unknown key of a distribution": (demand({"normal": {"mean": 4, "sdt": 1}}), [NORTH, "'sdt'", "did you mean 'std'"]),
    "lead time missing": (drop("links", 1, "lead_time"), [HUB_NORTH, "lead_time", "missing", "expected"]),
    "holding cost missing": (drop("nodes", "north", "holding_cost"), [NORTH, "holding_cost", "missing", "expected"]),
    "unmet demand missing": (drop("nodes", "north", "unmet_demand"), [NORTH, "unmet_demand", "missing", "expected"]),
    "cycle": (link("north", "hub"), ["cycle", "'north'", "'hub'", "acyclic"]),
    "unreachable": (put("nodes", "west", STORE), ["node 'west'", "cannot be reached"]),
    "link into a supplier": (link("hub", "supplier"), ["link 'hub' -> 'supplier'", "supplier"]),
    "self-loop": (link("north", "north"), ["link 'north' -> 'north'", "itself"]),
    "duplicate link": (link("hub", "north"), [HUB_NORTH, "twice"]),
    "link to an unknown node": (link("hub", "nrth"), ["link 4", "to", "'nrth'", "did you mean 'north'"]),
    "link without an end": (drop("links", 1, "to"), ["link 2", "to", "missing"]),
    "lead time 0": (hub_north("lead_time", 0), [HUB_NORTH, "lead_time", "got 0", "expected", "1"]),
    "lead time negative": (hub_north("lead_time", -2), [HUB_NORTH, "lead_time", "got -2", "expected", "1"]),
    "lead time 2.5": (hub_north("lead_time", 2.5), [HUB_NORTH, "lead_time", "got 2.5", "expected an integer"]),
    "lead time beyond any horizon": (hub_north("lead_time", HUGE), [HUB_NORTH, "lead_time", "expected"]),
    "holding cost negative": (north("holding_cost", -1), [NORTH, "holding_cost", "got -1", "expected a number >= 0"]),
    "cost nan": (north("underage_cost", NAN), [NORTH, "underage_cost", "got nan", "expected a finite number"]),
    "cost true": (north("holding_cost", True), [NORTH, "holding_cost", "got True", "expected a number"]),
    "probability above 1": (odds(1.5), [NORTH, "probability", "got 1.5", "expected"]),
    "probability negative": (odds(-0.1), [NORTH, "probability", "got -0.1", "expected"]),
    "poisson beyond tables": (demand({"poisson": {"mean": 1e10}}), [NORTH, "mean", "expected"]),
    "mean beyond floats": (demand({"normal": {"mean": 1e300, "std": 1}}), [NORTH, "mean", "expected"]),
    "lead time per scenario beyond any horizon": (
        hub_north("lead_time", {"per_scenario": {"integers": [1, 10**12]}}),
        [HUB_NORTH, "lead_time", "high <= 10000"],
    ),
    "logarithm of 0": (
        north("underage_cost", {"per_scenario": {"log_uniform": [0, 5]}}),
        [NORTH, "underage_cost", "low > 0"],
    ),
    "two distributions": (demand({"poisson": {"mean": 4}, "normal": {"mean": 4, "std": 1}}), [NORTH, "demand", "exactly one"]),
    "distribution null": (demand({"normal": None}), [NORTH, "demand", "expected"]),
    "correlation not positive definite": (put("demand", {"correlation": -1}), ["correlation", "got -1", "positive definite"]),
    "correlation above 1": (put("demand", {"correlation": 1.5}), ["correlation", "got 1.5", "expected"]),
    "correlation nan": (put("demand", {"correlation": NAN}), ["correlation", "got nan", "expected"]),
    "correlation text": (put("demand", {"correlation": "high"}), ["correlation", "got 'high'", "expected"]),
    "correlation matrix not symmetric": (put("demand", {"correlation": [[1, 0.9], [0.1, 1]]}), ["correlation", "symmetric"]),
    "no demand, ships nowhere": (drop("nodes", "north", "demand"), [NORTH, "no demand", "ships nowhere"]),
    "no nodes": ({"name": "two", "nodes": {}, "links": []}, ["two", "nodes", "none", "expected"]),
    "no supplier": (put("nodes", "supplier", {"holding_cost": 1}), ["two", "no supplier", "expected"]),
    "unknown family": (put("family", "one_warehous", base=FAMILY), ["'one_warehous'", "did you mean 'one_warehouse'"]),
    "family a list": (put("family", ["serial"], base=FAMILY), ["family", "serial"]),
    "family parameter unknown": (put("storse", 5, base=FAMILY), ["one_warehouse", "'storse'", "did you mean 'store"]),
    "family size 0": (put("stores", 0, base=FAMILY), ["one_warehouse", "stores", "got 0", "expected an integer >= 1"]),
    "family demand text": (put("demand", "poisson", base=FAMILY), ["one_warehouse", "demand", "got 'poisson'", "a mapping"]),
    "list of wrong length": (put("store", "holding_cost", [1, 2], base=FAMILY), ["holding_cost", "[1, 2]", "5 values"]),
    "matrix with a list": (put("lead_times", 1, 0, [2], base=MATRIX), ["lead_time", "got [2]", "expected"]),
    "draw of two kinds": (
        north("holding_cost", {"uniform": [1, 2], "integers": [5, 9], "seed": 0}),
        [NORTH, "holding_cost", "got uniform and integers; expected one of them"],
    ),
    "draw with decimals that are no number": (
        north("holding_cost", {"uniform": [1, 2], "seed": 0, "decimals": True}),
        [NORTH, "holding_cost.decimals", "an integer from 0 to 15"],
    ),
    "draw with more decimals than a number has": (
        north("price", {"uniform": [1, 2], "seed": 0, "decimals": 10**30}),
        [NORTH, "price.decimals", "an integer from 0 to 15"],
    ),
    "demand that is drawn": (demand({"uniform": [3, 7], "seed": 0}), [NORTH, "demand: got {'uniform': [3, 7]", "a distribution"]),
    "demand of a family that is drawn": (
        put("store", {**STORE, "demand": {"uniform": [3, 7], "seed": 0}}, base=FAMILY),
        ["store", "demand: got {'uniform': [3, 7]", "a distribution"],
    ),
    "pairs beyond memory": (
        {"family": "random_warehouses", "warehouses": 10**6, "stores": 10**6}
        | {"warehouse": {"holding_cost": 1}, "store": STORE, "warehouse_link": {"lead_time": 1}},
        ["random_warehouses", "stores", "at most 1000000 pairs"],
    ),
    "layers beyond memory": (
        {"family": "layers", "sizes": [10**9, 2], "sources": [1, 2]}
        | {"upstream": {"holding_cost": 1}, "store": STORE, "supplier_link": {"lead_time": 1}, "link": {"lead_time": 1}},
        ["sizes: got [1000000000, 2]", "a list of integers from 1 to 1000000"],
    ),
    "branches beyond memory": (
        {"family": "branches", "branches": 10**6, "length": 10**6, "stores": 1}
        | {"upstream": {"holding_cost": 1}, "store": STORE, "upstream_link": {"lead_time": 1}, "store_link": {"lead_time": 1}},
        ["branches", "length", "at most 1000000 locations"],
    ),
    "price where nobody buys": (put("nodes", "hub", "price", 3.0), ["node 'hub'", "price: nobody buys here", "expected"]),
    "cost of lost sales where nobody buys": (
        put("nodes", "hub", "underage_cost", {"per_scenario": {"uniform": [1, 2]}}),
        ["node 'hub'", "underage_cost: nobody buys here", "expected"],
    ),
    "draw without a seed": (north("holding_cost", {"uniform": [0, 1]}), [NORTH, "holding_cost.seed", "expected"]),
    "draw beyond floats": (north("price", {"uniform": [0, HUGE], "seed": 0}), [NORTH, "price.uniform", "expected"]),
    "draw too wide": (north("price", {"uniform": [-1e308, 1e308], "seed": 0}), [NORTH, "price", "expected"]),
    "draw times a list": (north("price", {"uniform": [0, 1], "seed": 0, "times": ["x"]}), [NORTH, "price.times", "['x']"]),
    "draw over what is not there": (
        north("price", {"uniform": [0, 1], "seed": 0, "over": "prise"}),
        [NORTH, "price.over", "'prise'"],
    ),
    "integers over another": (
        north("price", {"integers": [0, 1], "seed": 0, "over": "holding_cost"}),
        [NORTH, "price", "got over beside integers", "expected uniform"],
    ),
    "draw over nothing": (
        put("store", {**STORE, "holding_cost": 0, "price": {"uniform": [0, 1], "seed": 0, "over": "holding_cost"}}, base=FAMILY),
        ["store", "price.over", "got 'holding_cost'", "is not 0"],
    ),
    "end of a link a list": (put("links", 1, "to", ["north"]), ["link 2", "to", "['north']"]),
    "node null": (put("nodes", "north", None), [NORTH, "got None", "expected a mapping"]),
    "nodes that are one by name": (
        {**GOOD, "nodes": {**GOOD["nodes"], 1: STORE, "1": STORE}, "links": link("hub", 1)["links"]},
        ["node '1'", "name"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_one_line_says_what_where_and_what_to_do(case):
    mapping, words = BAD[case]
    with pytest.raises(InputError) as caught:
        parse_network(build_network(mapping))
    lines = str(caught.value).splitlines()
    assert any(all(word in line for word in words) for line in lines), "\n".join(lines)
    assert len(lines) == len(caught.value.problems), "one line per mistake"
    assert not re.search(r"functools|validator|pydantic| at 0x", str(caught.value)), "words of the machinery"


def test_the_good_one_is_good():
    assert parse_network(build_network(GOOD)).customers == ("north", "south")


FILES = {  # a text, and where the error is
    "duplicate node": ("nodes:\n  a: {kind: supplier}\n  b: {holding_cost: 1}\n  a: {holding_cost: 2}\n", "bad.yaml, line 4"),
    "bracket left open": ("nodes:\n  a: {kind: supplier\nlinks: []\n", "bad.yaml, line 3"),
    "tab": ("nodes:\n  a: 1\n\tb: 2\n", "bad.yaml, line 3"),
    "impossible date": ("name: x\nsource: 2024-13-45\n", "bad.yaml, line 2"),
    "empty": ("", "bad.yaml"),
    "list": ("- a\n", "bad.yaml"),
    "anchor in itself": ("nodes: &n\n  a: *n\n", "bad.yaml"),
    "deep": ("x: " + "[" * 2000, "bad.yaml"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_does_not_parse_names_the_line(case, tmp_path):
    text, where = FILES[case]
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        gi.load_network(tmp_path / "bad.yaml")
    assert where in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")
    wrong = {"missing.yaml": "no such file", ".": "is a folder", "binary.yaml": "cannot be read"}
    for name, words in wrong.items():
        with pytest.raises(UsageError, match=words) as caught:
            gi.load_network(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(UsageError, match="did you mean 'one_warehouse'"):
        gi.load_network("one_warehous")


def test_graphs_made_in_python():
    twins = nx.DiGraph()
    twins.add_nodes_from([(1, {"kind": "supplier"}), ("1", STORE)])
    for wrong in (nx.Graph(), nx.MultiDiGraph()):
        with pytest.raises(InputError, match=r"expected a networkx\.DiGraph"):
            parse_network(wrong)
    with pytest.raises(InputError, match="nodes: got none"):
        parse_network(nx.DiGraph())
    with pytest.raises(InputError, match="two nodes have this name"):
        parse_network(twins)
    mistaken = build_network(GOOD)
    mistaken.nodes["supplier"]["kind"] = "Supplier"
    mistaken.edges["supplier", "hub"]["lead_time"] = np.True_
    with pytest.raises(InputError) as mistakes:
        parse_network(mistaken)
    assert [line.partition(": ")[2] for line in mistakes.value.problems] == [
        "node 'supplier': kind: got 'Supplier'; did you mean 'supplier'? one of: location, supplier",
        "link 'supplier' -> 'hub': lead_time: got True; expected a number",
    ]


def test_a_file_with_five_mistakes_reports_all_five(tmp_path):
    path = tmp_path / "five.yaml"
    path.write_text(
        "demand: {correlation: 2}\nnodes:\n  supplier: {kind: supplier}\n"
        "  hub: {holding_cost: -0.3}\n"
        "  north: {holding_cost: 1, unmet_demand: lost, demand: {poisson: {mean: -4}}}\n"
        "  south: {holding_cost: 1, undrage_cost: 9, unmet_demand: lost, demand: {poisson: {mean: 4}}}\n"
        "links:\n  - {from: supplier, to: hub, lead_time: 0}\n"
        "  - {from: hub, to: north, lead_time: 1}\n"
        "  - {from: hub, to: south, lead_time: 1}\n"
    )
    with pytest.raises(InputError) as caught:
        parse_network(gi.load_network(path))
    text = str(caught.value)
    for word in ("correlation", "holding_cost", "mean", "underage_cost", "lead_time"):
        assert word in text
    assert len(caught.value.problems) == len(text.splitlines()) == 5, text


def test_a_mistake_of_many_is_told_once():
    template = {"holding_costs": 1.0, "holding_cost": {"uniform": [-2, -1], "seed": 0}, "unmet_demand": "lost"}
    with pytest.raises(InputError) as mistakes:
        parse_network(gi.one_warehouse(stores=100, store={**template, "demand": {"poisson": {"mean": 5.0}}}))
    wrong, unknown = sorted(mistakes.value.problems)
    assert unknown.startswith("one_warehouse: node 'store_00': unknown key 'holding_costs'; did you mean 'holding_cost'?")
    assert "(the same at node 'store_01', node 'store_02', " in unknown
    assert unknown.endswith("node 'store_09', and 90 more)")
    assert re.match(
        r"one_warehouse: node 'store_00': holding_cost: got -1\..*; expected a number >= 0 \(the same at node 'store_01'", wrong
    )
    with pytest.raises(InputError) as mistakes:
        parse_network(gi.one_warehouse(stores=3, store={**template, "holding_cost": 1.0, "demand": {"poisson": {"mean": 5.0}}}))
    assert len(mistakes.value.problems) == 3


def test_mistakes_within_nodes_and_links_are_told_beside_those_of_their_names():
    content = {
        "name": "mine",
        "nodes": {
            "supplier": {"kind": "suplier"},
            "store": {"holding_cost": -1.0, "underage_cost": 9.0, "unmet_demand": "lost", "demand": {"poisson": {"mean": 5.0}}},
            "other": 5,
        },
        "links": [
            {"from": "supplier", "to": "store", "lead_time": 0},
            {"from": "supplier", "to": "stroe", "lead_time": 1},
            {"to": "store"},
        ],
    }
    with pytest.raises(InputError) as mistakes:
        build_network(content)
    told = mistakes.value.problems
    for words in (
        "node 'other': attributes: got 5",
        "link 2: to: unknown node 'stroe'; did you mean 'store'?",
        "link 3: from: missing",
        "node 'store': holding_cost: got -1.0; expected a number >= 0",
        "link 'supplier' -> 'store': lead_time: got 0",
        "node 'supplier': kind: got 'suplier'; did you mean 'supplier'?",
    ):
        assert sum(words in line for line in told) == 1, (words, told)
    assert not any("'stroe'" in line and "unknown node" not in line for line in told)


def test_what_a_location_lacks_is_named_at_once():
    mapping = drop("nodes", "north", "holding_cost")
    del mapping["nodes"]["north"]["unmet_demand"]
    problems = gi.check_network(build_network(mapping))
    assert [line.split(": ")[2] for line in problems if NORTH in line] == ["holding_cost", "unmet_demand"]


def test_a_correlation_that_numpy_computed_is_taken():
    """`numpy.corrcoef` rounds: neither is its diagonal 1 to the last bit nor is it the same on both sides."""
    network = build_network(GOOD)
    matrix = np.corrcoef(np.random.default_rng(5).normal(size=(2, 40)))
    matrix[0, 1] += 1e-15
    matrix[1, 1] -= 1e-15
    network.graph["demand"] = {"correlation": matrix}
    found = parse_network(network).correlation
    assert found[0].tolist() == pytest.approx([1.0, matrix[1, 0]])
    assert found.tolist() == found.T.tolist()
    network.graph["demand"] = {"correlation": [[1.0, 0.5], [0.51, 1.0]]}
    assert "symmetric" in gi.check_network(network)[0]


def test_draws_may_go_by_draws_that_stand_after_them():
    links, values = GOOD["links"], {"price": {"uniform": [2, 2], "seed": 0, "times": "underage_cost"}}
    values |= {"underage_cost": {"uniform": [3, 3], "seed": 0, "times": "holding_cost"}, "holding_cost": 5.0}
    nodes = {**GOOD["nodes"], "north": {**STORE, **values}}
    found = parse_network(build_network({"nodes": nodes, "links": links})).location("north")
    assert (found.underage_cost, found.price) == (15.0, 30.0)
    values["underage_cost"] = {"uniform": [3, 3], "seed": 0, "times": "price"}
    nodes["north"] = {**STORE, **values}
    assert any(
        "'price'" in line or "'underage_cost'" in line
        for line in gi.check_network(build_network({"nodes": nodes, "links": links}))
    )
