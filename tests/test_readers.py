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


GRAPHML = (
    """<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed">{nodes}{links}</graph></graphml>"""
)


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
        (
            NODES.replace("\n", ",demand\n", 1).replace("4.0\n", "4.0,panel\n"),
            LINKS,
            "line 5: demand: stands beside another value",
        ),
        (NODES.replace(",kind", ",demand,kind").replace("south,", "south,panel,"), LINKS, "demand.poisson.mean: stands beside"),
        (NODES.replace("7,,1.0", "\n\n7,1.0"), LINKS, "nodes.csv, line 6: got another number of cells"),
        (NODES.replace("warehouse,,0.3", '"ware\nhouse",,0.3,0'), LINKS, "nodes.csv, line 3: got another number of cells"),
        (NODES + '"' + "x" * 200_000, LINKS, "nodes.csv, after line 5: not readable as a table: field larger than"),
    ],
)
def test_mistakes_in_tables(tmp_path, nodes, links, message):
    with pytest.raises(InputError, match=message):
        parse_network(gi.load_network(tables(tmp_path / "two", nodes, links)))


def test_lines_that_are_well_formed_are_checked_beside_those_that_are_not(tmp_path):
    nodes = NODES.replace("underage_cost", "holding_cost", 1).replace("0.3", "-0.3") + "east,1\n"
    with pytest.raises(InputError) as error:
        gi.load_network(tables(tmp_path / "two", nodes, LINKS.replace("7,2", "7,0")))
    told = [line.removeprefix(f"{tmp_path}/two") for line in str(error.value).splitlines()]
    assert told[:2] == [
        "/nodes.csv: column 'holding_cost' stands twice; expected it once",
        "/nodes.csv, line 6: got another number of cells than the 10 of its first line",
    ]
    assert any("link 'warehouse' -> '7': lead_time: got 0; expected a number >= 1" in line for line in told[2:])


def test_lines_of_commas_alone_are_left_out(tmp_path):
    network = gi.load_network(tables(tmp_path / "two", NODES + ",,,,,,,,,\n", LINKS + ",,,\n"))
    assert len(parse_network(network).nodes) == 4


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
        ("a.json", '{"directed": true, "nodes": [{"id": "1"}, {"id": 1}], "edges": []}', "a.json: node '1' stands twice"),
        ("a.json", '{"directed": true, "directed": true}', "a.json: key 'directed' stands twice between the same braces"),
        ("a.json", '{"nodes": ' + "[" * 100_000, "a.json: nested too deeply"),
        (
            "a.json",
            '{"directed": true, "nodes": [{"id": "store"}], "edges": [{"source": "stroe", "target": "store"}]}',
            "a.json: link to or from 'stroe': unknown node; did you mean 'store'",
        ),
        (
            "a.json",
            '{"directed": true, "nodes": [{"id": "a"}, {"id": "b"}], "edges": [{"source": "a", "target": "b", "from": "b"}]}',
            "link 'a' -> 'b': unknown key 'from'; a link's ends are its nodes",
        ),
        ("a.graphml", GRAPHML.format(nodes='<node id="1"/><node id="1"/>', links=""), "a.graphml: node '1' stands twice"),
        (
            "a.graphml",
            GRAPHML.format(nodes='<node id="1"/>', links='<edge source="1" target="7"/>'),
            "link to or from '7': unknown node",
        ),
        (
            "a.graphml",
            GRAPHML.format(nodes='<node id="1"/><node id="2"/>', links='<edge source="1" target="2"/>' * 2),
            "got MultiDiGraph .'1' -> '2' stands twice.; expected a directed graph",
        ),
        (
            "a.graphml",
            GRAPHML.format(nodes='<node id="1"/>', links="").replace("</graphml>", '<graph edgedefault="directed"/></graphml>'),
            "a.graphml: holds 2 graphs; expected one",
        ),
        (
            "a.json",
            '{"directed": true, "demand": {"correlation": 0.9}, "nodes": [], "edges": []}',
            "a.json: demand: got a key that",
        ),
        ("a.json", '{"directed": true, "nodes": [], "edges": [], "links": []}', "a.json: links: got a key that is not known"),
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


KEYS = {
    "node": ("kind", "holding_cost", "unmet_demand", "demand.poisson.mean", "description", "url"),
    "edge": ("lead_time", "description"),
}
KEYS["edge"] += ("weight", "Edge Label", "Edge Id")
KINDS = {"holding_cost": "double", "demand.poisson.mean": "double", "lead_time": "int", "weight": "double"}
VALUES = {
    "supplier": {"kind": "supplier", "description": "where goods enter", "url": ""},
    "store": {"holding_cost": "1.0", "unmet_demand": "lost", "demand.poisson.mean": "4.0", "url": "map.html"},
    "link": {"lead_time": "2", "weight": "1.0", "Edge Label": "", "Edge Id": "0", "description": "by ship"},
}


def test_what_yed_and_gephi_write_beside_a_network_is_left_out(tmp_path):
    """Keys as these programs declare them: text of nodes, links and the graph, weights and labels of links."""
    text = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    text += '<key attr.name="Beschreibung" attr.type="string" for="graph" id="d0"/><key attr.name="Description" attr.type="string" for="graph" id="d1"/>'
    for place, names in KEYS.items():
        for name in names:
            text += f'<key attr.name="{name}" attr.type="{KINDS.get(name, "string")}" for="{place}" id="{place} {name}"/>'
    text += '<graph edgedefault="directed" id="G"><data key="d0"/><data key="d1">made by hand</data>'
    for place, (name, values) in zip(("node", "node", "edge"), VALUES.items(), strict=True):
        ends = 'id="e0" source="supplier" target="store"' if place == "edge" else f'id="{name}"'
        cells = (f'<data key="{place} {key}">{value}</data>' for key, value in values.items())
        text += f"<{place} {ends}>{''.join(cells)}</{place}>"
    (tmp_path / "drawn.graphml").write_text(text + "</graph></graphml>")
    network = parse_network(gi.load_network(tmp_path / "drawn.graphml"))
    assert network.location("store").holding_cost == 1.0
    assert network.links["supplier", "store"].lead_time == 2


def test_defaults_of_graphml_hold_where_nothing_else_is_said(tmp_path):
    keys = {"node": ("kind", "holding_cost", "underage_cost", "unmet_demand", "demand.poisson.mean"), "edge": ("lead_time",)}
    defaults = {
        "holding_cost": "1.0",
        "underage_cost": "9.0",
        "unmet_demand": "lost",
        "demand.poisson.mean": "4.0",
        "lead_time": "3",
    }
    text = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    for place, names in keys.items():
        for name in names:
            kind = "string" if name in ("kind", "unmet_demand") else "int" if name == "lead_time" else "double"
            inside = f"<default>{defaults[name]}</default>" if name in defaults else ""
            text += f'<key attr.name="{name}" attr.type="{kind}" for="{place}" id="{name}">{inside}</key>'
    text += '<graph edgedefault="directed"><node id="port"><data key="kind">supplier</data></node>'
    text += '<node id="a"/><node id="b"><data key="underage_cost">5</data></node>'
    text += (
        '<edge source="port" target="a"/><edge source="port" target="b"><data key="lead_time">2</data></edge></graph></graphml>'
    )
    (tmp_path / "two.graphml").write_text(text)
    network = parse_network(gi.load_network(tmp_path / "two.graphml"))
    assert [network.location(name).underage_cost for name in "ab"] == [9.0, 5.0]
    assert [network.links["port", name].lead_time for name in "ab"] == [3, 2]
    (tmp_path / "two.graphml").write_text(text.replace("<default>9.0</default>", "<default/>"))
    with pytest.raises(InputError, match="not readable as GraphML"):
        gi.load_network(tmp_path / "two.graphml")


def test_a_network_of_a_family_is_read_back_from_what_networkx_writes(tmp_path):
    network = gi.one_warehouse(stores=2)
    (tmp_path / "made.json").write_text(json.dumps(nx.node_link_data(network, edges="edges")))
    read = gi.load_network(tmp_path / "made.json")
    assert parse_network(read).nodes == parse_network(network).nodes
    assert parse_network(read).links == parse_network(network).links
    with pytest.raises(UsageError, match="holds one network; expected no '#other' after it"):
        gi.load_network(f"{tmp_path / 'made.json'}#other")


def test_a_folder_without_tables_is_refused(tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "nodes.csv").write_text("name\n")
    with pytest.raises(UsageError, match=r"half: holds nodes\.csv but no links\.csv; expected both tables"):
        gi.load_network(tmp_path / "half")
    with pytest.raises(UsageError, match="is a folder"):
        gi.load_network(tmp_path)
