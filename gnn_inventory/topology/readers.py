"""Networks that people have, in other formats than ours: tables (CSV), GraphML, node-link JSON, stockpyl, workbooks.

Attributes have the names of our schema; one that lies inside another is named with dots: `demand.normal.mean`. Nothing is
checked here but the form: the mapping goes the way of every network, which reports every mistake.
"""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx

from gnn_inventory.errors import InputError, UsageError, nearest
from gnn_inventory.files import read_text
from gnn_inventory.topology.explicit import explicit_mapping, mistakes_within
from gnn_inventory.topology.stockpyl import is_stockpyl, stockpyl_mapping
from gnn_inventory.topology.willems import read_willems

__all__ = ["FORMATS", "NODES", "LINKS", "PARTED", "is_tables", "read_graphml", "read_json", "read_tables"]

NODES, LINKS = "nodes.csv", "links.csv"
"""The two tables of a folder that is a network."""
EDITORS = {"id", "label", "description", "url", "shape_type", "x", "y", "z", "r", "g", "b", "color", "size"}
EDITORS |= {"weight", "edgelabel", "Edge Label", "Edge Id", "edge id"}
"""What graph editors (yEd, Gephi) add to nodes and links in GraphML."""


def is_tables(folder: Path) -> bool:
    """Whether a folder holds the two tables of a network."""
    return (folder / NODES).is_file() and (folder / LINKS).is_file()


def read_tables(nodes_file: Path, links_file: Path) -> dict[str, Any]:
    """A table of nodes (a column `name`) and one of links (columns `from` and `to`); an empty cell is not given.

    Raises:
        InputError: a column or name is missing, or a node, column or attribute stands twice; then with what else is wrong in the
            lines that are well formed.
    """
    problems: list[str] = []
    rows, nodes = _rows(nodes_file, ["name"], problems), {}
    for where, row in rows:
        name = str(row.pop("name", ""))
        if not name:
            problems.append(f"{where}: name: missing; expected the name of a node")
            continue
        if name in nodes:
            problems.append(f"{where}: node '{name}' stands twice; expected one line per node")
        nodes[name] = _nested(row, where, problems)
    complete = not problems
    rows = _rows(links_file, ["from", "to"], problems)
    links = [_nested(row, where, problems) for where, row in rows]
    if problems:
        found = set(nodes)  # where lines were not well formed, others may be missing
        known = [link for link in links if complete or {link.get("from"), link.get("to")} <= found]
        within = mistakes_within({"nodes": nodes, "links": known}, str(nodes_file.parent))
        raise InputError(dict.fromkeys([*problems, *within]))
    return {"nodes": nodes, "links": links}


def read_graphml(path: Path) -> dict[str, Any]:
    """A GraphML file, as `networkx.write_graphml` writes it, or a graph editor: what an editor adds (`EDITORS`) is left
    out, and where every node has a label of its own that is its name.

    Raises:
        InputError: it does not parse, or its links have no direction.
    """
    text = read_text(path)
    try:
        marked = list(ElementTree.fromstring(text).iter())
        graphs = sum(element.tag.endswith("}graph") for element in marked)
        if graphs > 1:
            raise InputError(f"{path}: holds {graphs} graphs; expected one, in a file of its own")
        names = [str(element.get("id")) for element in marked if element.tag.endswith("}node")]
        pairs = [(str(e.get("source")), str(e.get("target"))) for e in marked if e.tag.endswith("}edge")]
        _refuse_twice(names, "node '{}'", path)
        _refuse_unknown(pairs, names, path)
        network = nx.parse_graphml(text)
    except (ElementTree.ParseError, nx.NetworkXError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not readable as GraphML: {error}") from None
    labels = {name: str(label).strip() for name, label in network.nodes(data="label") if label is not None}
    if len(set(labels.values())) == len(network):
        network = nx.relabel_nodes(network, labels)
    links = [attributes for *_, attributes in network.edges(data=True)]
    _fill_defaults([*network.nodes.values()], network.graph.get("node_default"))
    _fill_defaults(links, network.graph.get("edge_default"))
    for attributes in (*network.nodes.values(), *links):
        for key in EDITORS & set(attributes):
            del attributes[key]
    for key in [key for key, value in network.graph.items() if not value or key.lower() == "description"]:
        del network.graph[key]
    return _of_graph(network, path)


def _fill_defaults(members: list[dict[str, Any]], defaults: Mapping[str, Any] | None) -> None:
    """Put the defaults that a GraphML file states where a node or link says nothing else; suppliers have no attributes but their kind."""
    for own in members:
        stated = {key: value for key, value in (defaults or {}).items() if value not in (None, "")} | own
        supplier = stated.get("kind") == "supplier"
        own |= {key: value for key, value in stated.items() if key in own or key == "kind" or not supplier}


def read_json(path: Path, part: str | None = None) -> dict[str, Any]:
    """A JSON file: as `networkx.node_link_data` gives it, its links under `edges` or `links`; or as stockpyl saves instances.

    Args:
        path: of the file.
        part: name of the instance, in a file of stockpyl.

    Raises:
        InputError: it does not parse, its links have no direction, or an instance cannot be mapped. UsageError: an instance of a
            file that holds one network.
    """
    try:
        content = json.loads(read_text(path), object_pairs_hook=partial(_pairs, path))
        if is_stockpyl(content):
            return stockpyl_mapping(content, part, path)
        if part is not None:
            raise UsageError(f"{path}#{part}: {path} holds one network; expected no '#{part}' after it")
        key = "edges" if "edges" in content else "links"
        unknown = [other for other in content if other not in ("directed", "multigraph", "graph", "nodes", key)]
        if unknown:
            expected = "directed, multigraph, graph, nodes and edges (or links); what is of the whole network stands within graph"
            raise InputError(f"{path}: {other}: got a key that is not known; expected {expected}" for other in unknown)
        names = [str(node["id"]) for node in content["nodes"]]
        pairs = [(str(link["source"]), str(link["target"])) for link in content[key]]
        _refuse_twice(names, "node '{}'", path)
        _refuse_twice(pairs, "link '{0[0]}' -> '{0[1]}'", path)
        _refuse_unknown(pairs, names, path)
        network = nx.node_link_graph(
            {**content, "graph": dict(content.get("graph", {}))}, directed=False, multigraph=False, edges=key
        )
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not readable as JSON: {error.msg}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply to be read; expected a file of ordinary depth") from None
    except (nx.NetworkXError, KeyError, TypeError, AttributeError, ValueError) as error:
        expected = "expected {directed: true, nodes: [{id: ...}], edges: [{source: ..., target: ...}]}"
        raise InputError(f"{path}: not a node-link graph ({type(error).__name__}: {error}); {expected}") from None
    return _of_graph(network, path)


def _pairs(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What stands between two braces; a key given twice is refused, where JSON would keep the last."""
    twice = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if twice:
        raise InputError(f"{path}: key '{key}' stands twice between the same braces; expected it once" for key in twice)
    return dict(pairs)


def _refuse_twice(members: list[Any], what: str, path: Path) -> None:
    """Raise where a node or link stands twice: the last would silently win."""
    twice = [member for member, times in Counter(members).items() if times > 1]
    if twice:
        raise InputError(f"{path}: {what.format(member)} stands twice; expected it once" for member in twice)


def _refuse_unknown(pairs: list[tuple[str, str]], names: list[str], path: Path) -> None:
    """Raise where a link names a node that is not there: networkx would add it."""
    unknown = dict.fromkeys(end for pair in pairs for end in pair).keys() - set(names)
    if unknown:
        raise InputError(f"{path}: link to or from '{end}': unknown node; {nearest(end, names)}" for end in sorted(unknown))


FORMATS = {".graphml": read_graphml}
"""Ending of a file that holds one network -> what reads it."""
PARTED = {".json": read_json, ".xls": read_willems, ".xlsx": read_willems}
"""Ending of a file that may hold several networks -> what reads one of them, by its name."""


def _of_graph(network: nx.Graph, path: Path) -> dict[str, Any]:
    """The mapping of a graph with flat or nested attributes."""
    if not network.is_directed() or network.is_multigraph():
        several = [f"'{u}' -> '{v}' stands twice" for (u, v), times in Counter(list(network.edges())).items() if times > 1]
        between = f" ({', '.join(several)})" if several else ""
        raise InputError(
            f"{path}: got {type(network).__name__}{between}; expected a directed graph with one link between two nodes"
        )
    problems: list[str] = []
    nested = nx.DiGraph(name=str(path))
    for name, values in network.nodes(data=True):
        nested.add_node(name)
        nested.nodes[name].update(_nested(values, f"{path}: node '{name}'", problems))
    for u, v, values in network.edges(data=True):
        nested.add_edge(u, v)
        nested.edges[u, v].update(_nested(values, f"{path}: link '{u}' -> '{v}'", problems))
    graph = _nested(network.graph, str(path), problems)
    for key in ("node_default", "edge_default", "family"):  # nodes and links of a family are written out
        graph.pop(key, None)
    if problems:
        raise InputError(problems)
    found = explicit_mapping(nested)
    return {**graph, "nodes": found["nodes"], "links": found["links"]}


def _rows(path: Path, needed: list[str], problems: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """The lines of a table, each with where it stands; cells as numbers and truths where they read so, empty ones left out."""
    reader = csv.DictReader(StringIO(read_text(path), newline=""))
    rows = []
    try:
        columns = list(reader.fieldnames or [])
        for mark in (";", "\t"):
            if len(columns) == 1 and mark in columns[0]:
                problems.append(f"{path}: its cells are separated by {mark!r}; expected commas")
                return []
        twice = [name for name, times in Counter(columns).items() if name and times > 1]
        problems += [f"{path}: column '{name}' stands twice; expected it once" for name in twice]
        missing = [name for name in needed if name not in columns]
        problems += [f"{path}: column '{name}': missing; got columns {columns}" for name in missing]
        for row in reader:
            within = sum(str(value).count("\n") for value in row.values())  # a cell may hold line breaks
            where = f"{path}, line {reader.line_num - within}"
            if None in row or None in row.values():
                problems.append(f"{where}: got another number of cells than the {len(columns)} of its first line")
            elif not missing and any(value.strip() for value in row.values()):
                rows.append(
                    (where, {key: value if key in needed else _value(value) for key, value in row.items() if value.strip()})
                )
    except csv.Error as error:
        problems.append(f"{path}, after line {reader.line_num}: not readable as a table: {error}; is a quote not closed?")
    return rows


def _value(text: str) -> Any:
    """A cell as a truth, an integer, a number, or as it is."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "_" in text:  # which python would read as a number: 1_0
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _nested(values: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, Any]:
    """{"demand.normal.mean": 5} as {"demand": {"normal": {"mean": 5}}}; what says one thing twice goes to the problems."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = str(key).split(".")
        place: Any = nested
        for part in above:
            place = place.setdefault(part, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last in place:
            problems.append(f"{where}: {key}: stands beside another value for the same; expected one of them")
        else:
            place[last] = value
    return nested
