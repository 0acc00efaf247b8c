"""Networks whose nodes and links are written out: a mapping of them <-> `networkx.DiGraph`."""

from collections.abc import Mapping
from typing import Any

import networkx as nx

from gnn_inventory.errors import InputError, nearest, problem
from gnn_inventory.topology.network import GRAPH_KEYS, members_of
from gnn_inventory.topology.values import in_plain_types

__all__ = ["explicit_mapping", "explicit_network", "mistakes_within"]

ENDS = ("from", "to")


def explicit_mapping(network: nx.DiGraph) -> dict[str, Any]:
    """The mapping that `explicit_network` turns into the same network.

    Raises:
        InputError: a link has an attribute that is called as its ends are.
    """
    graph = {key: network.graph[key] for key in GRAPH_KEYS if key in network.graph and key != "family"}
    nodes = {str(node): attributes for node, attributes in network.nodes(data=True)}
    named = str(graph.get("name") or "network")
    problems = [
        f"{named}: link '{u}' -> '{v}': unknown key '{end}'; a link's ends are its nodes, remove it"
        for u, v, attributes in network.edges(data=True)
        for end in ENDS
        if end in attributes
    ]
    if problems:
        raise InputError(problems)
    links = [{"from": str(u), "to": str(v), **attributes} for u, v, attributes in network.edges(data=True)]
    mapping: dict[str, Any] = in_plain_types({"name": "network", **graph, "nodes": nodes, "links": links})
    return mapping


def explicit_network(content: Mapping[str, Any], name: str) -> nx.DiGraph:
    """The network of `nodes` and `links`.

    Raises:
        InputError: they are not well formed, with every mistake, and with those within the nodes and links that are.
    """
    network, problems = _built(content, name)
    if problems:
        members_of(network, name, problems)
        raise InputError(dict.fromkeys(problems))
    return network


def mistakes_within(content: Mapping[str, Any], name: str) -> list[str]:
    """The mistakes of a mapping whose file has others already: in its form, and in its nodes and links each for itself."""
    network, problems = _built(content, name)
    members_of(network, name, problems)
    return problems


def _built(content: Mapping[str, Any], name: str) -> tuple[nx.DiGraph, list[str]]:
    """The network of what is well formed, and the mistakes of the rest."""
    valid = {"name", "source", "demand", "nodes", "links", "family"}
    problems = [f"{name}: unknown key '{key}'; {nearest(str(key), valid)}" for key in content if key not in valid]
    nodes, links, network = content.get("nodes") or {}, content.get("links") or [], nx.DiGraph()
    if not isinstance(nodes, Mapping):
        return network, [*problems, problem(name, "nodes", nodes, "a mapping of names to attributes")]
    if not isinstance(links, list):
        return network, [*problems, problem(name, "links", links, "a list of {from: ..., to: ..., lead_time: ...}")]
    for node, attributes in nodes.items():
        if isinstance(node, bool | float):
            problems.append(f"{name}: node {node!r}: got no text as its name; write the name in quotes")
        if str(node) in network:
            problems.append(f"{name}: node '{node}': two nodes have this name; expected different names")
        if isinstance(attributes, Mapping):
            network.add_node(str(node))
            network.nodes[str(node)].update({str(key): value for key, value in attributes.items()})
        else:
            problems.append(problem(f"{name}: node '{node}'", "attributes", attributes, "a mapping of keys to values"))
    names, stated = {str(node) for node in nodes}, set(network)
    for number, link in enumerate(links, start=1):
        ends = [link.get(end) for end in ENDS] if isinstance(link, Mapping) else [None, None]
        for end, key in zip(ends, ENDS, strict=True):
            if end is None:
                problems.append(f"{name}: link {number}: {key}: missing; expected the name of a node")
            elif isinstance(end, bool) or not isinstance(end, str | int):
                problems.append(problem(f"{name}: link {number}", key, end, "the name of a node, in quotes"))
            elif str(end) not in names:
                problems.append(f"{name}: link {number}: {key}: unknown node '{end}'; {nearest(str(end), names)}")
        pair = str(ends[0]), str(ends[1])
        if network.has_edge(*pair):
            problems.append(f"{name}: link '{pair[0]}' -> '{pair[1]}': stands twice; expected one link between two nodes")
        if None not in ends and stated.issuperset(pair):
            network.add_edge(*pair)
            network.edges[pair].update({str(key): value for key, value in link.items() if key not in ENDS})
    if "demand" in content:
        network.graph["demand"] = content["demand"]
    return network, problems
