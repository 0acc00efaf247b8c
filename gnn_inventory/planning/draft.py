"""A recipe from tables: a network of locations and lanes, a panel of sales, and choices that are said, to be edited."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnn_inventory.demand.panel_files import COLUMNS, SalesPanel, load_panel
from gnn_inventory.errors import InputError, nearest, problem
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.explicit import explicit_mapping
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.recipe import recipe_of

__all__ = ["draft_recipe", "on_panel", "split_by_time"]

FEWEST = 24
"""Periods of sales, below which nothing is left to learn from once some are held back to choose and to test by."""
STEPS = 400
"""Steps of training that a draft aims at."""


def draft_recipe(
    network: Mapping[str, Any],
    sales: str | Path,
    columns: Sequence[str] = COLUMNS,
    season: int = 0,
    clamp: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """A recipe for a network and its sales, and what was chosen in it, in words.

    Args:
        network: a mapping as in `topologies/`; locations that the sales name and that state no demand get theirs from them.
        sales: the file of a panel (see `load_panel`).
        columns: of item, location, period and sales.
        season: periods of a season, 0 where there is none.
        clamp: take negative sales for 0.

    Returns:
        The content of the recipe, and one line for each choice.

    Raises:
        InputError: the tables do not fit each other, or there are too few periods.
    """
    panel = load_panel(sales, columns, clamp)
    mapping = on_panel(network, panel)
    graph = InventoryGraph.from_network(parse_network(build_network(mapping)))
    items, _, periods = panel.sales.shape
    windows = split_by_time(periods, panel.where)
    slots, whole = max(graph.slots, 1), bool((panel.sales == panel.sales.round()).all())
    if season and season < 2 * slots:
        raise InputError(problem("--season", "periods", season, f"at least {2 * slots}, twice the longest lead time less 1"))
    if items < 2:
        raise InputError(problem(str(sales), "items", items, "at least 2, over which costs are averaged with an interval"))
    if season >= windows["train"][1]:
        raise InputError(
            problem(
                "--season",
                "periods",
                season,
                f"less than the {windows['train'][1]} periods that train, else none sees the season before",
            )
        )
    batch = math.ceil(items / 8)
    epochs = max(10, round(STEPS / math.ceil(items / batch)))
    history, first = windows["history"], {name: windows[name][0] + windows["history"] for name in ("train", "dev", "test")}
    counted = {name: first[name] + (windows["warm_up"] if name != "train" else 0) for name in first}
    content = {
        "network": mapping,
        "demand": {"panel": str(sales), "columns": list(columns), "windows": windows} | ({"clamp": True} if clamp else {}),
        "policy": {"name": "message_passing", "width": 32, "rounds": 2, "slots": slots, "window": history}
        | ({"season": season} if season else {}),
        "training": {"scenarios": items, "batch": batch, "epochs": epochs, "seed": 0},
        "evaluation": {"scenarios": items, "whole_units": whole},
    }
    recipe_of(content, Path(sales).stem, str(sales))  # every mistake shows now
    said = [
        f"{items} items, {len(graph.labels)} nodes, {graph.links} links, {periods} periods of sales",
        f"trained on periods {counted['train']} to {windows['train'][1] - 1}, chosen on {counted['dev']} to {windows['dev'][1] - 1}, "
        f"tested on {counted['test']} to {periods - 1} (the first is 0); nothing later is ever seen",
        f"the policy looks at the last {history} periods"
        + (
            f" and a season of {season} ago, which {max(windows['train'][1] - max(season, first['train']), 0)} periods of training have"
            if season
            else ""
        ),
        f"orders are rounded to {'whole units, as all sales are whole' if whole else 'no whole units, as some sales are not whole'}",
        f"{epochs} epochs of {math.ceil(items / batch)} steps",
        "where no initial stock is stated, scenarios start with 0 to 2 periods of mean demand, on hand and in every period of a lead time",
    ]
    return content, said


def on_panel(network: Mapping[str, Any], panel: SalesPanel) -> dict[str, Any]:
    """A network, written out, whose customers are the locations of a panel of sales, and whose scenarios start with some stock.

    Raises:
        InputError: the panel names a location that the network lacks, or whose demand it states otherwise.
    """
    mapping = explicit_mapping(build_network(network))
    nodes = mapping["nodes"]
    known = [name for name, attributes in nodes.items() if attributes.get("kind") != "supplier"]
    problems = []
    for name in panel.locations or ():
        if name not in known:
            problems.append(f"{panel.where}: location '{name}' is no location of the network; {nearest(name, known)}")
        elif nodes[name].setdefault("demand", "panel") not in ("panel", {"panel": {}}):
            problems.append(f"{panel.where}: location '{name}': the network states its demand already; remove it there, or here")
    if problems:
        raise InputError(problems)
    for name in known:
        if nodes[name].get("holds_stock", True):
            nodes[name].setdefault("initial_stock", _some_periods())
    for link in mapping["links"]:
        link.setdefault("initial_in_transit", _some_periods())
    return mapping


def _some_periods() -> dict[str, Any]:
    """0 to 2 periods of mean demand, drawn for each scenario."""
    return {"per_scenario": {"uniform": [0.0, 2.0], "times": "mean_flow"}}


def split_by_time(periods: int, where: str) -> dict[str, Any]:
    """Windows of a panel: 70 % of the periods to train, then 15 % each to choose and to test by; an eighth of all, at most 16, as
    history, and at most 8 as warm-up.

    Raises:
        InputError: too few periods.
    """
    if periods < FEWEST:
        raise InputError(problem(where, "periods", periods, f"at least {FEWEST}, to train, to choose and to test by"))
    history, warm_up = min(16, periods // 8), min(8, periods // 12)
    train, dev = round(0.7 * periods), round(0.85 * periods)
    before = history + warm_up
    return {
        "train": [0, train],
        "dev": [train - before, dev],
        "test": [dev - before, periods],
        "history": history,
        "warm_up": warm_up,
    }
