"""The spreadsheet of Willems (2008), "Real-world multiechelon supply chains used for inventory optimization" -> our YAML's mapping.

Each of its 38 chains has a sheet of stages (`07_SD`) and one of links (`07_LL`). It states stage times, stage costs, and mean and
deviation of demand; it does not state holding or underage costs, and its stages with several predecessors assemble: they take one
unit of each. Here several links into a location are sources of the same good, so such a stage is cut off from its components: it
buys from a supplier, in its own stage time, what it is made of. Stages that then lead to no customer are left out; `source` says
how many. What is not stated is taken as follows.

- lead time: the stage time, rounded, at least 1;
- holding cost: `RATE` of the stage costs added up along the chain to a stage, its components' with them, per period;
- underage cost: what makes the stated service level optimal for one location, h x level / (1 - level); `LEVEL` where none is stated;
- demand: normal, not below 0; unmet demand is backlogged.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from gnn_inventory.errors import InputError, UsageError, nearest

__all__ = ["LEVEL", "RATE", "read_willems"]

RATE, LEVEL = 0.001, 0.95
"""Holding cost per period and unit of value (a quarter per year of 250 days), and service level where none is stated."""
SUPPLIER = "supplier"
"""Where goods enter."""
STAGES = ("Stage Name", "stageCost", "stageTime", "avgDemand", "stdDevDemand")
LINKS = ("sourceStage", "destinationStage")


def read_willems(path: Path, part: str | None) -> dict[str, Any]:
    """The mapping of one chain of the workbook.

    Args:
        path: of the workbook (.xls or .xlsx).
        part: number of the chain, such as "07".

    Raises:
        InputError: no such chain, a column is missing, or a stage or link is not well formed, with every mistake.
        UsageError: the package that reads workbooks is not there.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise UsageError(f"{path}: workbooks need a package: pip install 'gnn-inventory[spreadsheet]'") from None
    try:
        workbook = CalamineWorkbook.from_path(str(path))
    except CalamineError as error:
        raise InputError(f"{path}: not readable as a workbook: {error}") from None
    chains = [name.removesuffix("_SD") for name in workbook.sheet_names if name.endswith("_SD")]
    if part is None or part not in chains:
        got = f"no chain '{part}'; {nearest(part, chains)}" if part else f"name one of its chains: {path}#{(chains or ['01'])[0]}"
        raise InputError(f"{path}: {got}")
    if f"{part}_LL" not in workbook.sheet_names:
        raise InputError(f"{path}: sheet '{part}_LL': missing; expected the links of the chain")
    problems: list[str] = []
    sheets = [
        _rows(workbook.get_sheet_by_name(f"{part}{ending}").to_python(), needed, f"{path}: sheet '{part}{ending}'", problems)
        for ending, needed in (("_SD", STAGES), ("_LL", LINKS))
    ]
    if problems:
        raise InputError(problems)
    names = [str(row["Stage Name"]).strip() for row in sheets[0]]
    stages = dict(zip(names, sheets[0], strict=True))
    links = [(str(row["sourceStage"]).strip(), str(row["destinationStage"]).strip()) for row in sheets[1]]
    problems += [f"{path}: chain {part}: link to or from '{end}': no such stage" for end in _ends(links) if end not in stages]
    where = f"{path}: chain {part}"
    problems += [f"{where}: stage '{name}' stands twice; expected one row for each" for name in _twice(names)]
    problems += [
        f"{where}: link '{above}' -> '{below}' stands twice; expected one row for each" for above, below in _twice(links)
    ]
    directed = nx.DiGraph(links)
    if not nx.is_directed_acyclic_graph(directed):
        round_trip = " -> ".join(above for above, _ in nx.find_cycle(directed))
        problems.append(f"{where}: its links go in a circle ({round_trip}); expected goods to flow one way")
    for name, row in stages.items():
        for field in ("stageCost", "stageTime", "avgDemand", "stdDevDemand", "serviceLevel"):
            value = row.get(field, "")
            if value != "" and (not isinstance(value, int | float) or value < 0 or (field == "serviceLevel" and value >= 1)):
                expected = "a number >= 0" + (" and below 1, such as 0.95" if field == "serviceLevel" else "")
                problems.append(f"{where}: stage '{name}': {field}: got {value!r}; expected {expected}")
    if SUPPLIER in stages:
        problems.append(f"{where}: stage '{SUPPLIER}': so is called here where goods enter; expected another name")
    if problems:
        raise InputError(problems)
    return {"name": f"chain_{part}", **_mapping(stages, links, f"Willems (2008), chain {part}")}


def _mapping(stages: Mapping[str, Mapping[str, Any]], links: list[tuple[str, str]], source: str) -> dict[str, Any]:
    """The mapping of a chain: cut where it assembles, and without what then leads to no customer."""
    predecessors: dict[str, list[str]] = {name: [] for name in stages}
    for above, below in links:
        predecessors[below].append(above)
    single = {below: above[0] for below, above in predecessors.items() if len(above) == 1}
    kept: set[str] = set()
    for name, row in stages.items():
        place: str | None = name if row["avgDemand"] else None
        while place is not None and place not in kept:
            kept.add(place)
            place = single.get(place)
    nodes: dict[str, Any] = {SUPPLIER: {"kind": "supplier"}}
    values: dict[str, float] = {}
    for name in sorted(kept):
        row, held = stages[name], RATE * _value(name, stages, predecessors, values)
        nodes[name] = {"holding_cost": held}
        if row["avgDemand"]:
            level = row.get("serviceLevel") or LEVEL
            nodes[name] |= {
                "underage_cost": held * level / (1 - level),
                "unmet_demand": "backlogged",
                "demand": {"normal": {"mean": row["avgDemand"], "std": row["stdDevDemand"] or 0.0, "clip": True}},
            }
    pairs = [(single.get(name, SUPPLIER), name) for name in sorted(kept)]
    lead_times = {name: max(1, round(stages[name]["stageTime"] or 0)) for name in kept}
    cut = sum(len(predecessors[name]) > 1 for name in kept)
    left = len(stages) - len(kept)
    return {
        "source": f"{source}; {cut} stages that assemble buy their components from a supplier, {left} of {len(stages)} stages left out",
        "nodes": nodes,
        "links": [{"from": above, "to": below, "lead_time": lead_times[below]} for above, below in pairs],
    }


def _value(
    name: str, stages: Mapping[str, Mapping[str, Any]], predecessors: Mapping[str, list[str]], found: dict[str, float]
) -> float:
    """Cost added up along the chain to a stage, one unit of each component."""
    if name not in found:
        own = float(stages[name]["stageCost"] or 0.0)
        found[name] = own + sum(_value(above, stages, predecessors, found) for above in predecessors[name])
    return found[name]


def _rows(cells: list[list[Any]], needed: Iterable[str], where: str, problems: list[str]) -> list[dict[str, Any]]:
    """The rows of a sheet by the names in its first one; empty rows are left out, and those with something but no first cell are problems."""
    columns = [str(cell).strip() for cell in cells[0]] if cells else []
    problems += [f"{where}: column '{name}': missing; got columns {columns}" for name in needed if name not in columns]
    filled = [
        (number, row) for number, row in enumerate(cells[1:], 2) if any(str(cell).strip() for cell in row if cell is not None)
    ]
    nameless = [number for number, row in filled if row[0] is None or not str(row[0]).strip()]
    problems += [
        f"{where}, row {number}: got nothing in the first column; expected a name there, or an empty row" for number in nameless
    ]
    return [dict(zip(columns, row, strict=False)) for number, row in filled if number not in nameless]


def _twice(members: list[Any]) -> list[Any]:
    return [member for member, times in Counter(members).items() if times > 1]


def _ends(links: Iterable[tuple[str, str]]) -> list[str]:
    return sorted({end for pair in links for end in pair})
