"""The tables and the picture of a suite's outcomes: every gap with its reference and its interval."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnn_inventory.benchmark.results import Outcome
from gnn_inventory.benchmark.suite import Cell
from gnn_inventory.errors import InputError
from gnn_inventory.files import write_text
from gnn_inventory.intervals import relative_gap
from gnn_inventory.picture import draw_gaps

__all__ = [
    "contender",
    "csv_text",
    "gap_text",
    "how_many",
    "markdown",
    "markdown_table",
    "rounded",
    "summarise",
    "with_gaps",
    "words_of",
    "write_tables",
]

BEST = "lowest mean cost in this table, on the same scenarios"
ALONE = "nothing else was measured here"
FREE = "the lowest mean cost here is 0, of which nothing is a part"


def with_gaps(outcomes: Sequence[Outcome], costs: Path) -> list[Outcome]:
    """The outcomes, with a gap to the best of them where theory gives no reference, or one of 0.

    Costs are then held against each other scenario by scenario, so the scenarios' noise cancels. What sees the future, or gives goods back, is no rival. Where
    no other policy was measured in a place (trainings of one with other seeds are none), or the best costs nothing, there is no gap.

    Args:
        outcomes: as `run_suite` gives them.
        costs: the folder of the cost of each scenario.
    """
    found = []
    for outcome in outcomes:
        if outcome.get("gap_percent") is None:
            rivals = [other for other in outcomes if _place(other) == _place(outcome) and _admissible(other)]
            best = min(rivals, key=lambda other: other["cost"], default=outcome)
            alone = not any(_who(rival) != _who(outcome) for rival in rivals)
            if alone or best["cost"] == 0:
                kind, why = ("nothing_else", ALONE) if alone else ("nothing", FREE)
                nothing = {"kind": kind, "value": None, "source": why}
                found.append({**outcome, "reference": nothing, "gap_percent": None, "gap_ci95": None})
                continue
            own, lowest = (_costs(costs / one["costs"]) for one in (outcome, best))
            percent, between = relative_gap(own - lowest, lowest)
            reference = {"kind": "best_known", "value": best["cost"], "source": BEST}
            outcome = {**outcome, "reference": reference, "gap_percent": percent, "gap_ci95": list(between)}
        found.append(outcome)
    return found


def _costs(file: Path) -> Tensor:
    """The cost of each scenario, as a cell left it."""
    try:
        return torch.from_numpy(np.load(file, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        cell = file.parents[1] / "cells" / f"{file.stem}.json"
        raise InputError(f"{file}: damaged ({error}); delete it and {cell}: its cell is measured again") from None


def summarise(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """One row per problem, policy and kind of reference: the worst of all seeds and instances, each over its own reference."""
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        key = outcome["problem"], outcome["policy"], words_of(outcome["settings"]), outcome["reference"]["kind"]
        groups.setdefault(key, []).append(outcome)
    rows = []
    for (problem, policy, settings, kind), members in sorted(groups.items()):
        worst = max(members, key=lambda member: (member["gap_percent"] or 0.0, member["cost_per_store"]))
        trainings = {Path(member["costs"]).stem.rpartition("-")[0]: member["training_seconds"] for member in members}
        low, high = worst["gap_ci95"] or (None, None)
        known = worst["gap_percent"] is not None
        per_store = [member["reference"]["value"] / _stores(member) for member in members if known]
        rows.append(
            {
                "problem": problem,
                "policy": policy,
                "settings": settings,
                "instances": len({words_of(member["instance"]) for member in members}),
                "seeds": len({member["seed"] for member in members}),
                "measured": len(members),
                "training scenarios": worst["training_scenarios"],
                "cost per store": round(float(np.mean([member["cost_per_store"] for member in members])), 4),
                "reference per store": round(float(np.mean(per_store)), 4) if known else None,
                "worst gap %": rounded(worst["gap_percent"]),
                "low": rounded(low),
                "high": rounded(high),
                "mean gap %": rounded(float(np.mean([member["gap_percent"] for member in members])) if known else None),
                "over": kind.replace("_", " "),
                "admissible": _admissible(worst),
                "training seconds": round(float(np.mean([*trainings.values()]))),
                "test scenarios": worst["scenarios"],
                "recipe": worst["recipe"],
                "machine": worst["machine"],
                "date": max(member["date"] for member in members),
            }
        )
    return rows


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The summary as a Markdown table."""
    header = [
        "problem",
        "policy (recipe)",
        "trained on",
        "instances x seeds",
        "tested on",
        "cost per store",
        "reference per store",
        "worst gap (95 %)",
        "mean gap",
        "s",
    ]
    lines = []
    for row in rows:
        settings = f", {row['settings']}" if row["settings"] else ""
        gap = gap_text(row["worst gap %"], row["low"], row["high"], row["over"])
        mean, value = (row.get(key) for key in ("mean gap %", "reference per store"))
        lines.append(
            [
                row["problem"],
                f"{row['policy']} (`{row['recipe']}`{settings})",
                str(row["training scenarios"]),
                how_many(row["instances"], row["seeds"], row.get("measured")),
                str(row["test scenarios"]),
                f"{row['cost per store']:.4f}",
                "" if value is None else f"{value:.4f}",
                gap if mean is None else f"{gap} over the {row['over']}",
                "" if mean is None else f"{mean:.3f} %",
                str(row["training seconds"]),
            ]
        )
    return markdown_table(header, lines)


def how_many(instances: int, seeds: int, measured: int | None) -> str:
    """Instances and seeds; how many of their pairs are there, where not all are."""
    product = f"{instances} x {seeds}"
    return product if measured is None or measured == instances * seeds else f"{measured} of {product}"


def gap_text(percent: float | None, low: float | None, high: float | None, over: str) -> str:
    """A gap with its interval, or why there is none."""
    if percent is None:
        return ALONE if over == "nothing else" else FREE
    return f"{percent:.3f} % ({low:.3f} to {high:.3f})"


def rounded(percent: float | None) -> float | None:
    """As tables show it."""
    return None if percent is None else round(percent, 3)


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in [header, ["---"] * len(header), *lines]]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells) + "\n"


def write_tables(outcomes: Sequence[Outcome], left: Sequence[Cell], folder: Path) -> list[dict[str, Any]]:
    """Write `cells.csv`, `table.csv`, `table.md`, `table.json` and `gaps.svg` into a suite's folder; the summary's rows."""
    full = with_gaps(outcomes, folder / "costs")
    rows = summarise(full)
    flat = [{**outcome, "reference": outcome["reference"]["value"], "kind": outcome["reference"]["kind"]} for outcome in full]
    write_text(folder / "cells.csv", csv_text([{key: _cell(value) for key, value in row.items()} for row in flat]))
    write_text(folder / "table.csv", csv_text(rows))
    dates, machines = sorted({row["date"] for row in rows}), sorted({row["machine"] for row in rows})
    about = f"{'; '.join(machines)}; {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}" if rows else "nothing has been run"
    missing = f"; {len(left)} trainings are not done yet" if left else ""
    write_text(
        folder / "table.md",
        markdown(rows)
        + f"\nMeasured on {about}{missing}. s: seconds of one training (epochs times the median one), on average.\n",
    )
    write_text(folder / "table.json", json.dumps({"rows": rows, "cells": full, "left": [cell.folder for cell in left]}, indent=1))
    if any(outcome["gap_percent"] is not None for outcome in full):
        draw_gaps([{**outcome, "policy": contender(outcome)} for outcome in full], folder / "gaps.svg")
    return rows


def contender(outcome: Outcome) -> str:
    """A policy and the settings that tell it from others of its kind."""
    return ", ".join(filter(None, [outcome["policy"], words_of(outcome["settings"])]))


def _who(outcome: Outcome) -> tuple[Any, ...]:
    """What a policy is, whatever its seed."""
    return outcome["policy"], outcome.get("trained"), words_of(outcome.get("settings", {}))


def _admissible(outcome: Outcome) -> bool:
    """Whether the policy could be put to work: it sees no future and gives no goods back; older outcomes state the first alone."""
    return bool(outcome.get("admissible", not outcome.get("oracle", False)))


def _stores(outcome: Outcome) -> float:
    """Locations with demand, also of outcomes that do not state their number."""
    return outcome["stores"] if "stores" in outcome else outcome["cost"] / outcome["cost_per_store"]


def _place(outcome: Outcome) -> tuple[Any, ...]:
    """Where a cost was measured: costs of equal places can be compared."""
    return outcome["problem"], words_of(outcome["instance"]), outcome["scenarios"], outcome["periods"]


def words_of(settings: Mapping[str, Any]) -> str:
    """Settings as tables show them; a mapping by its name and what else it holds."""
    found = []
    for key, value in settings.items():
        if isinstance(value, Mapping) and "name" in value:
            value = ", ".join([str(value["name"]), *(f"{inner} {held}" for inner, held in value.items() if inner != "name")])
        found.append(f"{key.rpartition('.')[2].replace('_', ' ')} {value}")
    return ", ".join(found)


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV; what a row lacks that another has stands empty."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
