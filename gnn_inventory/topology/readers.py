"""Networks that people have, in other formats than ours: tables (CSV), GraphML, node-link JSON, stockpyl, workbooks.

Attributes have the names of our schema; one that lies inside another is named with dots: `demand.normal.mean`. Nothing is
checked here but the form: the mapping goes the way of every network, which reports every mistake.
"""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx

from gnn_inventory.errors import InputError
from gnn_inventory.files import read_text
from gnn_inventory.topology.stockpyl import is_stockpyl, stockpyl_mapping
from gnn_inventory.topology.willems import read_willems

__all__ = ["FORMATS", "NODES", "LINKS", "PARTED", "is_tables", "read_graphml", "read_json", "read_tables"]

NODES, LINKS = "nodes.csv", "links.csv"
"""The two tables of a folder that is a network."""
EDITORS = ("id", "label", "shape_type", "x", "y", "z", "r", "g", "b", "color", "size")
"""What graph editors (yEd, Gephi) add to nodes and links in GraphML."""


def is_tables(folder: Path) -> bool:
    """Whether a folder holds the two tables of a network."""
    return (folder / NODES).is_file() and (folder / LINKS).is_file()


def read_tables(nodes_file: Path, links_file: Path) -> dict[str, Any]:
    """A table of nodes (a column `name`) and one of links (columns `from` and `to`); an empty cell is not given.

    Raises:
        InputError: a column or name is missing, or a node or column stands twice.
    """
    problems: list[str] = []
    rows = _rows(nodes_file, ["name"], problems)
    links = _rows(links_file, ["from", "to"], problems)
    nodes: dict[str, Any] = {}
    for number, row in enumerate(rows, start=2):
        name = str(row.pop("name", ""))
        if not name:
            problems.append(f"{nodes_file}, line {number}: name: missing; expected the name of a node")
        elif name in nodes:
            problems.append(f"{nodes_file}, line {number}: node '{name}' stands twice; expected one line per node")
        nodes[name] = _nested(row)
    if problems:
        raise InputError(problems)
    return {"nodes": nodes, "links": [_nested(row) for row in links]}


def read_graphml(path: Path) -> dict[str, Any]:
    """A GraphML file, as `networkx.write_graphml` writes it, or a graph editor: what an editor adds (`EDITORS`) is left
    out, and where every node has a label of its own that is its name.

    Raises:
        InputError: it does not parse, or its links have no direction.
    """
    try:
        network = nx.parse_graphml(read_text(path))
    except (ParseError, nx.NetworkXError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not readable as GraphML: {error}") from None
    labels = nx.get_node_attributes(network, "label")
    if len(set(labels.values())) == len(network):
        network = nx.relabel_nodes(network, labels)
    for attributes in (*network.nodes.values(), *network.edges.values()):
        for key in EDITORS:
            attributes.pop(key, None)
    return _of_graph(network, path)


def read_json(path: Path, part: str | None = None) -> dict[str, Any]:
    """A JSON file: as `networkx.node_link_data` gives it, its links under `edges` or `links`; or as stockpyl saves instances.

    Args:
        path: of the file.
        part: name of the instance, in a file of stockpyl.

    Raises:
        InputError: it does not parse, its links have no direction, or an instance cannot be mapped.
    """
    try:
        content = json.loads(read_text(path))
        if is_stockpyl(content):
            return stockpyl_mapping(content, part, path)
        key = "edges" if "edges" in content else "links"
        _refuse_twice([node["id"] for node in content["nodes"]], "node '{}'", path)
        _refuse_twice([(link["source"], link["target"]) for link in content[key]], "link '{0[0]}' -> '{0[1]}'", path)
        network = nx.node_link_graph(content, directed=False, multigraph=False, edges=key)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not readable as JSON: {error.msg}") from None
    except (nx.NetworkXError, KeyError, TypeError, AttributeError) as error:
        expected = "expected {directed: true, nodes: [{id: ...}], edges: [{source: ..., target: ...}]}"
        raise InputError(f"{path}: not a node-link graph ({type(error).__name__}: {error}); {expected}") from None
    return _of_graph(network, path)


def _refuse_twice(members: list[Any], what: str, path: Path) -> None:
    """Raise where a node or link stands twice: the last would silently win."""
    twice = [member for member, times in Counter(members).items() if times > 1]
    if twice:
        raise InputError(f"{path}: {what.format(member)} stands twice; expected it once" for member in twice)


FORMATS = {".graphml": read_graphml}
"""Ending of a file that holds one network -> what reads it."""
PARTED = {".json": read_json, ".xls": read_willems, ".xlsx": read_willems}
"""Ending of a file that may hold several networks -> what reads one of them, by its name."""


def _of_graph(network: nx.Graph, path: Path) -> dict[str, Any]:
    """The mapping of a graph with flat or nested attributes."""
    if not network.is_directed() or network.is_multigraph():
        raise InputError(f"{path}: got {type(network).__name__}; expected a directed graph with one link between two nodes")
    graph = {key: value for key, value in network.graph.items() if key not in ("node_default", "edge_default")}
    nodes = {str(name): _nested(values) for name, values in network.nodes(data=True)}
    links = [{"from": str(u), "to": str(v), **_nested(values)} for u, v, values in network.edges(data=True)]
    return {**_nested(graph), "nodes": nodes, "links": links}


def _rows(path: Path, needed: list[str], problems: list[str]) -> list[dict[str, Any]]:
    """The lines of a table, cells as numbers and truths where they read so; empty cells left out."""
    reader = csv.DictReader(StringIO(read_text(path).removeprefix("\ufeff"), newline=""))
    columns = list(reader.fieldnames or [])
    for mark in (";", "\t"):
        if len(columns) == 1 and mark in columns[0]:
            problems.append(f"{path}: its cells are separated by {mark!r}; expected commas")
            return []
    problems += [
        f"{path}: column '{name}' stands twice; expected it once" for name in columns if name and columns.count(name) > 1
    ][:1]
    problems += [f"{path}: column '{name}': missing; got columns {columns}" for name in needed if name not in columns]
    rows = []
    for number, row in enumerate(reader, start=2):
        if None in row or None in row.values():
            problems.append(f"{path}, line {number}: got another number of cells than the {len(columns)} of its first line")
            continue
        rows.append({key: value if key in needed else _value(value) for key, value in row.items() if value.strip()})
    return rows


def _value(text: str) -> Any:
    """A cell as a truth, an integer, a number, or as it is."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """{"demand.normal.mean": 5} as {"demand": {"normal": {"mean": 5}}}."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = str(key).split(".")
        place = nested
        for part in above:
            inside = place.setdefault(part, {})
            if not isinstance(inside, dict):
                inside = place[part] = {"": inside}  # an attribute that is a value and holds others: the schema refuses it
            place = inside
        place[last] = value
    return nested
