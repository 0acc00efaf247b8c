"""What families are put together from: groups of nodes and links from templates, and the graph of them.

A template holds the attributes of a group of nodes or links; each of its values is one for all, a list of one each, or a
seeded draw (see `values`). Members are numbered from 0 with as many digits as the largest number needs, so that sorting by
name keeps their order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

from gnn_inventory.topology.values import spread

__all__ = ["Attributes", "Template", "assemble", "group", "links", "members", "numbered"]

Template = Mapping[str, Any]
Attributes = dict[str, dict[str, Any]]


def numbered(name: str, count: int) -> list[str]:
    """name_0, name_1, ..., with leading zeros."""
    digits = len(str(count - 1))
    return [f"{name}_{number:0{digits}d}" for number in range(count)]


def group(name: str, template: Template, problems: list[str], count: int | None = None) -> Attributes:
    """`count` nodes called name_0, name_1, ..., or one node of that name."""
    return members([name] if count is None else numbered(name, count), template, name, problems)


def members(names: Sequence[str], template: Template, where: str, problems: list[str]) -> Attributes:
    """Nodes of these names, their attributes spread from a template."""
    return dict(zip(names, spread(template, len(names), where, problems), strict=True))


def links(templates: Sequence[Template], counts: Sequence[int], problems: list[str]) -> list[dict[str, Any]]:
    """The attributes of all links: `counts[i]` of them from `templates[i]`."""
    groups = (spread(template, count, "link", problems) for template, count in zip(templates, counts, strict=True))
    return [link for group in groups for link in group]


def assemble(
    nodes: Attributes, pairs: Sequence[tuple[str, str]], attributes: Sequence[dict[str, Any]], demand: Template | None = None
) -> nx.DiGraph:
    """The network of a supplier, these nodes, and these links with their attributes."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    for name, values in nodes.items():
        network.add_node(name, **values)
    for (source, target), values in zip(pairs, attributes, strict=True):
        network.add_edge(source, target, **values)
    if demand is not None:
        network.graph["demand"] = dict(demand)
    return network
