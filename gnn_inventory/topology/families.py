"""Families of networks: a few sizes and templates in, a `networkx.DiGraph` out. Here those of the field's problems."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np

from gnn_inventory.errors import InputError, Misfit, MisfitError, nearest, problem
from gnn_inventory.topology.assembly import Template, assemble, group, links, members
from gnn_inventory.topology.shapes import MOST, branches, express, layers, random_acyclic, tree
from gnn_inventory.topology.values import is_range

__all__ = ["FAMILIES", "build_family"]

LARGEST_SEED = 2**32 - 1
"""That numpy's generator takes."""


def build_family(family: str, parameters: Mapping[str, Any], where: str) -> nx.DiGraph:
    """The network of a family.

    Args:
        family: its name, one of `FAMILIES`.
        parameters: sizes and templates, as the family's function takes them.
        where: what errors call the network.

    Raises:
        InputError: unknown family or parameter, a parameter missing or not of its kind; `MisfitError` where each is valid by itself.
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
            size, least = parameters[key], 0 if key in ("selling", "seed") else 1
            if not isinstance(size, int) or isinstance(size, bool) or size < least:
                problems.append(problem(where, key, size, f"an integer >= {least}"))
            elif size > (most := LARGEST_SEED if key == "seed" else MOST):
                problems.append(problem(where, key, size, f"at most {most}"))
        elif parameter.annotation == Sequence[int] and not _whole_numbers(parameters[key]):
            problems.append(problem(where, key, parameters[key], f"a list of integers from 1 to {MOST}"))
        elif parameter.annotation is float and (
            not isinstance(parameters[key], int | float) or isinstance(parameters[key], bool)
        ):
            problems.append(problem(where, key, parameters[key], "a number"))
        elif parameter.annotation in (Template, Template | None) and not isinstance(parameters[key], Mapping):
            problems.append(problem(where, key, parameters[key], "a mapping of keys to values"))
    if problems:
        raise InputError(problems)
    network = FAMILIES[family](**parameters, problems=problems)
    if problems:
        misfit = all(isinstance(line, Misfit) for line in problems)
        raise (MisfitError if misfit else InputError)(f"{where}: {line}" for line in problems)
    network.graph["family"] = family
    return network


def one_store(*, store: Template, link: Template, problems: list[str]) -> nx.DiGraph:
    """supplier -> store."""
    return assemble(group("store", store, problems), [("supplier", "store")], links([link], [1], problems))


def serial(
    *, echelons: int, upstream: Template, store: Template, upstream_link: Template, store_link: Template, problems: list[str]
) -> nx.DiGraph:
    """supplier -> echelon0 -> ... -> warehouse -> store: `echelons` locations in a row, the last faces customers.

    `upstream` holds the attributes of all locations but the store, `upstream_link` those of the links into them.
    """
    digits = len(str(max(echelons - 3, 0)))
    names = [*(f"echelon{position:0{digits}d}" for position in range(echelons - 2)), "warehouse", "store"][-echelons:]
    nodes = members(names[:-1], upstream, "upstream", problems) | group("store", store, problems)
    pairs = list(zip(["supplier", *names[:-1]], names, strict=True))
    return assemble(nodes, pairs, links([upstream_link, store_link], [echelons - 1, 1], problems))


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
    nodes = group("warehouse", warehouse, problems) | group("store", store, problems, stores)
    names = list(nodes)
    pairs = [("supplier", "warehouse")] + [("warehouse", name) for name in names[1:]]
    return assemble(nodes, pairs, links([warehouse_link, store_link], [1, stores], problems), demand)


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
    rows = lead_times if isinstance(lead_times, list | tuple) else []
    if not rows or not all(isinstance(row, list | tuple) and len(row) == len(rows[0]) and len(row) > 0 for row in rows):
        problems.append(problem("lead_times", "rows", lead_times, "rows of equal length, a row per warehouse"))
        return nx.DiGraph()
    if "lead_time" in (store_link or {}):
        problems.append(problem("store_link", "lead_time", (store_link or {})["lead_time"], "none here: the matrix holds it"))
    warehouses = group("warehouse", warehouse, problems, len(rows))
    stores = group("store", store, problems, len(rows[0]))
    linked = [
        (source, target, lead_time)
        for source, row in zip(warehouses, rows, strict=True)
        for target, lead_time in zip(stores, row, strict=True)
        if lead_time != 0
    ]
    pairs = [("supplier", name) for name in warehouses] + [(source, target) for source, target, _ in linked]
    attributes = links(
        [warehouse_link, {**(store_link or {}), "lead_time": [lead_time for _, _, lead_time in linked]}],
        [len(rows), len(linked)],
        problems,
    )
    return assemble(warehouses | stores, pairs, attributes, demand)


def random_warehouses(
    *,
    warehouses: int,
    stores: int,
    linked: float = 0.8,
    lead_times: Sequence[int] = (1, 6),
    warehouse: Template,
    store: Template,
    warehouse_link: Template,
    store_link: Template | None = None,
    seed: int = 0,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """supplier -> `warehouses` warehouses -> `stores` stores, each of which orders from several of them: near ones and far ones.

    Args:
        linked: chance that a store orders from a warehouse; each store has one source at least, each warehouse one store.
        lead_times: [low, high] of the links to the stores. Each warehouse has a distance of its own, drawn evenly from low to
            high - 1; a link of it takes that long or a period longer.
        seed: of links and lead times.
    """
    if not 0 < linked <= 1:
        problems.append(problem("random_warehouses", "linked", linked, "a number > 0 and <= 1"))
    if not is_range(lead_times, whole=True):
        problems.append(problem("random_warehouses", "lead_times", lead_times, "[low, high], two integers >= 1"))
    if warehouses * stores > MOST:
        problems.append(problem("random_warehouses", "stores", stores, f"at most {MOST} pairs with {warehouses} warehouses"))
    if problems:
        return nx.DiGraph()
    random = np.random.RandomState(seed)
    low, high = lead_times
    distance = random.randint(low, max(high, low + 1), size=(warehouses, 1))
    matrix = np.minimum(distance + random.randint(2, size=(warehouses, stores)), high)
    chosen = random.random_sample((warehouses, stores)) < linked
    chosen[random.randint(warehouses, size=stores), np.arange(stores)] |= ~chosen.any(0)
    chosen[np.arange(warehouses), random.randint(stores, size=warehouses)] |= ~chosen.any(1)
    return many_warehouses(
        lead_times=(matrix * chosen).tolist(),
        warehouse=warehouse,
        store=store,
        warehouse_link=warehouse_link,
        store_link=store_link,
        demand=demand,
        problems=problems,
    )


FAMILIES: dict[str, Callable[..., nx.DiGraph]] = {
    "branches": branches,
    "express": express,
    "layers": layers,
    "many_warehouses": many_warehouses,
    "one_store": one_store,
    "one_warehouse": one_warehouse,
    "random_acyclic": random_acyclic,
    "random_warehouses": random_warehouses,
    "serial": serial,
    "transshipment": transshipment,
    "tree": tree,
}
"""Family name -> the function that builds it."""


def _whole_numbers(values: object) -> bool:
    """Whether this is a list of integers from 1 to `MOST`."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return False
    return all(isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST for value in values)
