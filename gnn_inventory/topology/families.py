"""Families of networks: a few sizes and templates in, a `networkx.DiGraph` out.

A template holds the attributes of a group of nodes or links; each of its values is one for all, a list of one each, or a
seeded draw (see `values`). Members are numbered from 0 with as many digits as the largest number needs, so that sorting by
name keeps their order.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import networkx as nx

from gnn_inventory.errors import InputError, nearest, problem
from gnn_inventory.topology.values import spread

__all__ = ["FAMILIES", "build_family"]

Template = Mapping[str, Any]
Attributes = dict[str, dict[str, Any]]


def build_family(family: str, parameters: Mapping[str, Any], where: str) -> nx.DiGraph:
    """The network of a family.

    Args:
        family: its name, one of `FAMILIES`.
        parameters: sizes and templates, as the family's function takes them.
        where: what errors call the network.

    Raises:
        InputError: unknown family or parameter, a parameter missing or not of its kind.
    """
    if family not in FAMILIES:
        raise InputError(f"{where}: unknown family '{family}'; {nearest(str(family), FAMILIES)}")
    known = {key: value for key, value in inspect.signature(FAMILIES[family]).parameters.items() if key != "problems"}
    problems = [f"{where}: unknown key '{key}'; {nearest(str(key), known)}" for key in parameters if key not in known]
    for key, parameter in known.items():
        if key not in parameters:
            if parameter.default is inspect.Parameter.empty:
                problems.append(f"{where}: {key}: missing; expected a value for family '{family}'")
        elif parameter.annotation is int:
            size = parameters[key]
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                problems.append(problem(where, key, size, "an integer >= 1"))
        elif parameter.annotation in (Template, Template | None) and not isinstance(parameters[key], Mapping):
            problems.append(problem(where, key, parameters[key], "a mapping of keys to values"))
    if problems:
        raise InputError(problems)
    network = FAMILIES[family](**parameters, problems=problems)
    if problems:
        raise InputError(f"{where}: {line}" for line in problems)
    network.graph["family"] = family
    return network


def one_store(*, store: Template, link: Template, problems: list[str]) -> nx.DiGraph:
    """supplier -> store."""
    return _assemble(_group("store", store, problems), [("supplier", "store")], _links([link], [1], problems))


def serial(
    *, echelons: int, upstream: Template, store: Template, upstream_link: Template, store_link: Template, problems: list[str]
) -> nx.DiGraph:
    """supplier -> echelon0 -> ... -> warehouse -> store: `echelons` locations in a row, the last faces customers.

    `upstream` holds the attributes of all locations but the store, `upstream_link` those of the links into them.
    """
    digits = len(str(max(echelons - 3, 0)))
    names = [*(f"echelon{position:0{digits}d}" for position in range(echelons - 2)), "warehouse", "store"][-echelons:]
    nodes = _members(names[:-1], upstream, "upstream", problems) | _group("store", store, problems)
    pairs = list(zip(["supplier", *names[:-1]], names, strict=True))
    return _assemble(nodes, pairs, _links([upstream_link, store_link], [echelons - 1, 1], problems))


def one_warehouse(
    *,
    stores: int,
    warehouse: Template,
    store: Template,
    warehouse_link: Template,
    store_link: Template,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """supplier -> warehouse -> each of `stores` stores."""
    nodes = _group("warehouse", warehouse, problems) | _group("store", store, problems, stores)
    names = list(nodes)
    pairs = [("supplier", "warehouse")] + [("warehouse", name) for name in names[1:]]
    return _assemble(nodes, pairs, _links([warehouse_link, store_link], [1, stores], problems), demand)


def transshipment(
    *,
    stores: int,
    warehouse: Template | None = None,
    store: Template,
    warehouse_link: Template,
    store_link: Template,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """supplier -> warehouse that cannot hold stock -> each of `stores` stores."""
    return one_warehouse(
        stores=stores,
        warehouse={"holds_stock": False, **(warehouse or {})},
        store=store,
        warehouse_link=warehouse_link,
        store_link=store_link,
        demand=demand,
        problems=problems,
    )


def many_warehouses(
    *,
    lead_times: Sequence[Sequence[int]],
    warehouse: Template,
    store: Template,
    warehouse_link: Template,
    store_link: Template | None = None,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """supplier -> warehouses -> stores, by a matrix of lead times.

    `lead_times` has a row per warehouse and a column per store: the link's lead time, or 0 where there is no link.
    `store_link` holds the other attributes of these links, row by row.
    """
    rows = lead_times if isinstance(lead_times, Sequence) else []
    if not rows or not all(isinstance(row, Sequence) and len(row) == len(rows[0]) and len(row) > 0 for row in rows):
        problems.append(problem("lead_times", "rows", lead_times, "rows of equal length, a row per warehouse"))
        return nx.DiGraph()
    if "lead_time" in (store_link or {}):
        problems.append(problem("store_link", "lead_time", (store_link or {})["lead_time"], "none here: the matrix holds it"))
    warehouses = _group("warehouse", warehouse, problems, len(rows))
    stores = _group("store", store, problems, len(rows[0]))
    linked = [
        (source, target, lead_time)
        for source, row in zip(warehouses, rows, strict=True)
        for target, lead_time in zip(stores, row, strict=True)
        if lead_time != 0
    ]
    pairs = [("supplier", name) for name in warehouses] + [(source, target) for source, target, _ in linked]
    links = _links(
        [warehouse_link, {**(store_link or {}), "lead_time": [lead_time for _, _, lead_time in linked]}],
        [len(rows), len(linked)],
        problems,
    )
    return _assemble(warehouses | stores, pairs, links, demand)


FAMILIES: dict[str, Callable[..., nx.DiGraph]] = {
    "many_warehouses": many_warehouses,
    "one_store": one_store,
    "one_warehouse": one_warehouse,
    "serial": serial,
    "transshipment": transshipment,
}
"""Family name -> the function that builds it."""


def _group(name: str, template: Template, problems: list[str], count: int | None = None) -> Attributes:
    """`count` nodes called name_0, name_1, ..., or one node of that name."""
    digits = len(str((count or 1) - 1))
    names = [name] if count is None else [f"{name}_{number:0{digits}d}" for number in range(count)]
    return _members(names, template, name, problems)


def _members(names: Sequence[str], template: Template, where: str, problems: list[str]) -> Attributes:
    return dict(zip(names, spread(template, len(names), where, problems), strict=True))


def _links(templates: Sequence[Template], counts: Sequence[int], problems: list[str]) -> list[dict[str, Any]]:
    """The attributes of all links: `counts[i]` of them from `templates[i]`."""
    groups = (spread(template, count, "link", problems) for template, count in zip(templates, counts, strict=True))
    return [link for group in groups for link in group]


def _assemble(
    nodes: Attributes, pairs: Sequence[tuple[str, str]], links: Sequence[dict[str, Any]], demand: Template | None = None
) -> nx.DiGraph:
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    for name, attributes in nodes.items():
        network.add_node(name, **attributes)
    for (source, target), attributes in zip(pairs, links, strict=True):
        network.add_edge(source, target, **attributes)
    if demand is not None:
        network.graph["demand"] = dict(demand)
    return network
