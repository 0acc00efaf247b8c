"""Networks from tables, GraphML and node-link JSON are the network that YAML says, and mistakes are one line each."""

import json

import networkx as nx
import pytest

import gnn_inventory as gi
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.topology.network import parse_network

YAML = """
name: two
demand: {correlation: 0.5}
nodes:
  supplier: {kind: supplier}
  warehouse: {holding_cost: 0.3, holds_stock: false}
  "7": {holding_cost: 1.0, underage_cost: 9.0, unmet_demand: lost, demand: {normal: {mean: 5.0, std: 1.6, clip: true}}}
  south: {holding_cost: 1.1, underage_cost: 7, unmet_demand: backlogged, demand: {poisson: {mean: 4.0}}}
links:
  - {from: supplier, to: warehouse, lead_time: 3, unit_cost: 0.5}
  - {from: warehouse, to: "7", lead_time: 2}
  - {from: warehouse, to: south, lead_time: 1}
"""
NODES = """\ufeffname,kind,holding_cost,holds_stock,underage_cost,unmet_demand,demand.normal.mean,demand.normal.std,demand.normal.clip,demand.poisson.mean
supplier,supplier,,,,,,,,
warehouse,,0.3,false,,,,,,
7,,1.0,,9.0,lost,5.0,1.6,True,
south,,1.1,,7,backlogged,,,,4.0
"""
LINKS = "from,to,lead_time,unit_cost\nsupplier,warehouse,3,0.5\nwarehouse,7,2,\nwarehouse,south,1,\n"


def flat(values, prefix=""):
    """Nested attributes as dotted ones."""
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@pytest.fixture
def network(tmp_path):
    (tmp_path / "two.yaml").write_text(YAML)
    return gi.load_network(tmp_path / "two.yaml")


def tables(folder, nodes=NODES, links=LINKS):
    folder.mkdir()
    (folder / "nodes.csv").write_text(nodes, encoding="utf-8")
    (folder / "links.csv").write_text(links, encoding="utf-8")
    return folder


def as_tables(network, tmp_path):
    return tables(tmp_path / "two")


def as_graphml(network, tmp_path):
    flattened = nx.DiGraph(**flat(network.graph))
    flattened.add_nodes_from((node, flat(values)) for node, values in network.nodes(data=True))
    flattened.add_edges_from((u, v, flat(values)) for u, v, values in network.edges(data=True))
    nx.write_graphml(flattened, tmp_path / "two.graphml")
    return tmp_path / "two.graphml"


def as_json(network, tmp_path, edges="edges"):
    (tmp_path / "two.json").write_text(json.dumps(nx.node_link_data(network, edges=edges)))
    return tmp_path / "two.json"


def as_older_json(network, tmp_path):
    return as_json(network, tmp_path, edges="links")


@pytest.mark.parametrize("write", [as_graphml, as_json, as_older_json, as_tables])
def test_every_format_gives_the_same_network(network, tmp_path, write):
    expected, found = parse_network(network), parse_network(gi.load_network(write(network, tmp_path)))
    assert found.name == "two"
    assert found.nodes == expected.nodes
    assert found.links == expected.links
    correlated = 0.0 if write is as_tables else 0.5  # tables have no place for what is the network's
    assert (0.0 if found.correlation is None else found.correlation[0, 1]) == correlated


def test_empty_columns_of_a_spreadsheet_are_left_out(tmp_path):
    wide = "".join(f"{line},,\n" for line in NODES.splitlines())
    assert parse_network(gi.load_network(tables(tmp_path / "two", wide, LINKS))).customers == ("7", "south")


def test_a_recipe_may_name_a_folder_of_tables(network, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"network: {as_tables(network, tmp_path)}\npolicy: {{name: message_passing}}\n")
    assert gi.load_recipe(recipe).network.customers == ("7", "south")


@pytest.mark.parametrize(
    ("nodes", "links", "message"),
    [
        (NODES.replace("name,", "node,", 1), LINKS, "nodes.csv: column 'name': missing"),
        (NODES + "south,,1,,,,,,,\n", LINKS, "line 6: node 'south' stands twice"),
        (NODES, LINKS.replace("to,", "", 1), "links.csv: column 'to': missing"),
        (NODES.replace(",", ";"), LINKS, "nodes.csv: its cells are separated by ';'; expected commas"),
        (NODES.replace("underage_cost", "holding_cost", 1), LINKS, "nodes.csv: column 'holding_cost' stands twice"),
        (NODES, LINKS + "warehouse,south\n", "line 5: got another number of cells than the 4"),
        (NODES, LINKS.replace("south,1", "sooth,1"), "unknown node 'sooth'"),
        (NODES, LINKS.replace(",south,1,", ",south,1.5,"), "lead_time: got 1.5"),
        (NODES.replace("holding_cost", "holding_cots"), LINKS, "unknown key 'holding_cots'"),
        (NODES.replace(",kind,", ",kind,demand,").replace("7,,1.0", "7,,steady,1.0"), LINKS, "another number of cells"),
    ],
)
def test_mistakes_in_tables(tmp_path, nodes, links, message):
    with pytest.raises(InputError, match=message):
        parse_network(gi.load_network(tables(tmp_path / "two", nodes, links)))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.graphml", "<graphml", "a.graphml: not readable as GraphML"),
        ("a.json", "{", "a.json, line 1: not readable as JSON"),
        ("a.json", "[]", "a.json: not a node-link graph"),
        ("a.json", '{"directed": true, "nodes": [{"id": "a"}], "edges": [{"source": "a"}]}', "a.json: not a node-link graph"),
        ("a.json", '{"directed": true, "nodes": [{"id": "a"}, {"id": "a"}], "edges": []}', "a.json: node 'a' stands twice"),
        (
            "a.json",
            '{"directed": true, "nodes": [{"id": "a"}, {"id": "b"}], "links": [{"source": "a", "target": "b"}, {"source": "a", "target": "b"}]}',
            "a.json: link 'a' -> 'b' stands twice",
        ),
        ("nodes.csv", "name\na\n", "is one table; expected a folder that holds nodes.csv and links.csv"),
        ("a.json", '{"directed": false, "nodes": [{"id": "a"}], "edges": []}', "got Graph; expected a directed graph"),
    ],
)
def test_files_that_are_no_network(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        gi.load_network(tmp_path / name)


def test_what_a_graph_editor_adds_is_left_out(network, tmp_path):
    """An editor numbers nodes and links, and keeps their names as labels."""
    numbers = {name: f"n{place}" for place, name in enumerate(network)}
    edited = nx.relabel_nodes(network, numbers)
    for name, number in numbers.items():
        edited.nodes[number].update(label=str(name), x=1.5, y=2.5, shape_type="rectangle")
    for place, link in enumerate(edited.edges.values()):
        link["id"] = f"e{place}"
    file = as_graphml(edited, tmp_path)
    assert parse_network(gi.load_network(file)).nodes == parse_network(network).nodes
    assert parse_network(gi.load_network(file)).links == parse_network(network).links


def test_a_folder_without_tables_is_refused(tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "nodes.csv").write_text("name\n")
    with pytest.raises(UsageError, match=r"half: holds nodes\.csv but no links\.csv; expected both tables"):
        gi.load_network(tmp_path / "half")
    with pytest.raises(UsageError, match="is a folder"):
        gi.load_network(tmp_path)
