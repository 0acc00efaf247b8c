"""A `networkx.DiGraph` with plain attributes: the only way in. Here it is checked, every mistake at once."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from pydantic import ValidationError

from gnn_inventory.errors import InputError, nearest, problem
from gnn_inventory.topology.schema import Link, Location, NetworkDemand, Panel, Strict, Supplier
from gnn_inventory.topology.values import in_plain_types, spread
from gnn_inventory.topology.wording import problems_of

__all__ = ["Network", "check_network", "is_panel", "members_of", "parse_network"]

GRAPH_KEYS = ("name", "source", "demand", "family")
KINDS = ("supplier", "location")
ROUNDING = 1e-6
"""Of a correlation matrix that was computed or printed."""
ALONE, NAMED = 3, 9
"""Places of one mistake that have a line each; other places that one line for more of them names."""


@dataclass(frozen=True)
class Network:
    """A valid network, its attributes parsed.

    Attributes:
        name: the graph's name, or "network".
        nodes: name -> supplier or location, sorted by name; the order of the node axis.
        links: (u, v) -> link, sorted; the order of the link axis.
        customers: names of the locations with demand, in the order in which the network lists them.
        correlation: between the demands of the customers, in their order [C, C]; None where they are independent.
    """

    name: str
    nodes: dict[str, Supplier | Location]
    links: dict[tuple[str, str], Link]
    customers: tuple[str, ...]
    correlation: np.ndarray | None

    def location(self, name: str) -> Location:
        """The location of that name."""
        node = self.nodes[name]
        assert isinstance(node, Location)
        return node


def check_network(network: nx.Graph) -> list[str]:
    """Every mistake of a network, one line each; none if it is valid.

    Raises:
        InputError: it is no `networkx.DiGraph`.
    """
    return _parse(network)[1]


def parse_network(network: nx.Graph) -> Network:
    """The network, validated.

    Raises:
        InputError: with every mistake, each naming node or link, field, value and what was expected.
    """
    parsed, problems = _parse(network)
    if problems:
        raise InputError(problems)
    return parsed


def _parse(network: nx.Graph) -> tuple[Network, list[str]]:
    if not isinstance(network, nx.DiGraph) or network.is_multigraph():
        raise InputError(f"network: got {type(network).__name__}; expected a networkx.DiGraph (links have a direction)")
    name = str(network.graph.get("name") or "network")
    problems: list[str] = []
    for key in network.graph:
        if key not in GRAPH_KEYS:
            problems.append(f"{name}: unknown key '{key}'; {nearest(str(key), GRAPH_KEYS)}")
    nodes, links = members_of(network, name, problems)
    for (source, target), link in links.items():
        node, where = nodes.get(source), f"{name}: link '{source}' -> '{target}'"
        if not isinstance(node, Location):
            continue
        for field in ("capacity", "minimum_order"):
            if getattr(link, field) is not None and not node.holds_stock:
                problems.append(f"{where}: {field}: '{source}' cannot hold stock and ships everything; expected no {field} here")
        if link.minimum_order is not None and node.capacity is not None and link.minimum_order > node.capacity:
            expected = f"at most the capacity of '{source}', {node.capacity:g}"
            problems.append(problem(where, "minimum_order", link.minimum_order, expected))
    problems += _shape_problems(network, name)
    customers = tuple(
        str(node)
        for node, attributes in network.nodes(data=True)
        if isinstance(attributes, dict) and attributes.get("kind") != "supplier" and attributes.get("demand") is not None
    )
    correlation = _correlation(network.graph.get("demand"), len(customers), name, problems)
    parsed_network = Network(name, nodes, links, customers, correlation)
    if not problems and is_panel(parsed_network):
        if not all(isinstance(parsed_network.location(node).distribution, Panel) for node in customers):
            problems.append(f"{name}: demand: got a panel at some locations only; expected it at all of them or at none")
        if network.graph.get("demand") is not None:
            problems.append(
                f"{name}: demand: got {network.graph['demand']!r}; a panel of sales holds its own correlation, remove it"
            )
    return parsed_network, problems


def members_of(
    network: nx.DiGraph, name: str, problems: list[str]
) -> tuple[dict[str, Supplier | Location], dict[tuple[str, str], Link]]:
    """The nodes and links that are valid each for itself; the mistakes of the others are added to `problems`."""
    nodes: dict[str, Supplier | Location] = {}
    seen: set[str] = set()
    found: list[tuple[str, str]] = []
    for node, attributes in sorted(network.nodes(data=True), key=lambda item: str(item[0])):
        where = f"node '{node}'"
        if str(node) in seen:
            found.append((where, "two nodes have this name; expected different names"))
        seen.add(str(node))
        kind = attributes.get("kind", "location") if isinstance(attributes, dict) else "location"
        if kind not in KINDS:
            found.append((where, f"kind: got {kind!r}; {nearest(str(kind).lower(), KINDS)}"))
            continue
        supplier = kind == "supplier"
        parsed = _model(Supplier if supplier else Location, attributes, where, found)
        if parsed is not None:
            nodes[str(node)] = parsed  # type: ignore[assignment]
    links: dict[tuple[str, str], Link] = {}
    for source, target, attributes in sorted(network.edges(data=True), key=lambda edge: (str(edge[0]), str(edge[1]))):
        parsed_link = _model(Link, attributes, f"link '{source}' -> '{target}'", found)
        if parsed_link is not None:
            links[str(source), str(target)] = parsed_link  # type: ignore[assignment]
    problems += [f"{name}: {line}" for line in _together(found)]
    return nodes, links


def _together(found: list[tuple[str, str]]) -> list[str]:
    """A line for each mistake, given by where and what; one that more than `ALONE` places share is told once, with where else it is."""
    places: dict[str, list[str]] = {}
    for where, what in found:
        places.setdefault(_whatever_it_holds(what), []).append(where)
    lines = []
    for where, what in found:
        first, *others = places[_whatever_it_holds(what)]
        if len(others) < ALONE:
            lines.append(f"{where}: {what}")
        elif where == first:
            rest = f", and {len(others) - NAMED} more" if len(others) > NAMED else ""
            lines.append(f"{where}: {what} (the same at {', '.join(others[:NAMED])}{rest})")
    return lines


def _whatever_it_holds(what: str) -> str:
    """A mistake without the value that was found."""
    return re.sub(r"got .*?; ", "", what)


def _model(model: type[Strict], attributes: Any, where: str, found: list[tuple[str, str]]) -> Strict | None:
    if not isinstance(attributes, dict):
        found.append((where, f"got {attributes!r}; expected a mapping of keys to values"))
        return None
    problems: list[str] = []
    attributes = {key: value if isinstance(value, list) else in_plain_types(value) for key, value in attributes.items()}
    values = spread({key: value for key, value in attributes.items() if not isinstance(value, list)}, 1, where, problems)[0]
    values |= {key: value for key, value in attributes.items() if isinstance(value, list)}  # no group: a list is no value
    try:
        parsed = model.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, model, where)
        parsed = None
    found += [(where, line.removeprefix(f"{where}: ")) for line in problems]
    return parsed


def _shape_problems(network: nx.DiGraph, name: str) -> list[str]:
    """What is wrong with the links as a whole: no flow can be simulated on such a network."""
    if network.number_of_nodes() == 0:
        return [f"{name}: nodes: got none; expected at least one supplier and one location"]
    problems = []
    suppliers = {node: None for node, kind in network.nodes(data="kind") if kind == "supplier"}  # in order
    told = all(kind in KINDS for _, kind in network.nodes(data="kind", default="location"))  # else who supplies is unknown
    if told and not suppliers:
        problems.append(f"{name}: got no supplier; expected at least one node with 'kind: supplier', where goods enter")
    for source, target in network.edges:
        if source == target:
            problems.append(f"{name}: link '{source}' -> '{target}': a location cannot order from itself; remove the link")
        elif target in suppliers:
            problems.append(f"{name}: link '{source}' -> '{target}': a supplier orders from nobody; remove the link")
    loops = nx.DiGraph((u, v) for u, v in network.edges if u != v)
    for cycle in _cycles(loops):
        path = " -> ".join(f"'{node}'" for node in [*cycle, cycle[0]])
        problems.append(f"{name}: cycle {path}: networks are acyclic; remove one of these links")
    if not told:
        return problems
    reachable: set[Hashable] = set(suppliers)
    for supplier in suppliers:
        reachable |= nx.descendants(network, supplier)
        if network.out_degree(supplier) == 0:
            problems.append(f"{name}: node '{supplier}': a supplier that ships nowhere; add a link from it or remove it")
    for node, attributes in network.nodes(data=True):
        if node not in reachable:
            problems.append(f"{name}: node '{node}': cannot be reached from any supplier; add a link into it")
        if node not in suppliers and attributes.get("demand") is None and network.out_degree(node) == 0:
            problems.append(f"{name}: node '{node}': has no demand and ships nowhere; give it demand or a link, or remove it")
    return problems


def _cycles(network: nx.DiGraph) -> list[list[Hashable]]:
    """One cycle of each strongly connected part that has one."""
    parts = [part for part in nx.strongly_connected_components(network) if len(part) > 1]
    return [[edge[0] for edge in nx.find_cycle(network.subgraph(part))] for part in parts]


def _correlation(value: Any, customers: int, name: str, problems: list[str]) -> np.ndarray | None:
    """The correlation matrix of the customers' demands [C, C]; None where they are independent, or where it is not valid."""
    if value is None:
        return None
    if not isinstance(value, dict):
        problems.append(problem(name, "demand", value, "a mapping, such as {correlation: 0.5}"))
        return None
    try:
        parsed = NetworkDemand.model_validate(in_plain_types(value))
    except ValidationError as error:
        problems += problems_of(error, NetworkDemand, f"{name}: demand")
        return None
    given = parsed.correlation
    if isinstance(given, list):
        matrix = np.array(given) if len({len(row) for row in given}) == 1 else np.zeros((0, 0))
        if matrix.shape != (customers, customers):
            expected = f"a number, or {customers} rows of {customers} numbers, one per location with demand"
            problems.append(problem(name, "demand.correlation", given, expected))
            return None
    elif given == 0:
        return None
    else:
        matrix = np.full((customers, customers), given)
        np.fill_diagonal(matrix, 1.0)
    symmetric = np.allclose(matrix, matrix.T, atol=ROUNDING) and np.allclose(np.diag(matrix), 1.0, atol=ROUNDING)
    matrix = (matrix + matrix.T) / 2  # as `numpy.corrcoef` gives one, it is symmetric up to rounding
    np.fill_diagonal(matrix, 1.0)
    if customers and (not symmetric or np.abs(matrix).max() > 1.0 or np.linalg.eigvalsh(matrix)[0] <= 1e-9):
        expected = "a correlation that is positive definite, symmetric, with 1 on the diagonal"
        if not isinstance(given, list) and customers > 1:
            expected += f" (for {customers} locations: between {-1 / (customers - 1):.4g} and 1, both excluded)"
        problems.append(problem(name, "demand.correlation", given, expected))
        return None
    return matrix


def is_panel(network: Network) -> bool:
    """Whether the demand of this network comes from a panel of real sales."""
    return any(isinstance(network.location(name).distribution, Panel) for name in network.customers)
