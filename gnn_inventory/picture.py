"""Pictures as SVG: a network with its echelons from left to right, and a training curve."""

import io
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import networkx as nx

from gnn_inventory.errors import UsageError
from gnn_inventory.files import replace_file
from gnn_inventory.topology.network import parse_network
from gnn_inventory.topology.schema import Location, PerScenario, Supplier

__all__ = ["draw_against_sizes", "draw_gaps", "draw_matrix", "draw_network", "draw_training"]

FORMATS = (".svg", ".png", ".pdf")
FAR = 100.0
"""Percent: where a gap is larger, the axis is logarithmic beyond 1."""
NAME = 36
"""Characters in a line of a policy's name beside its gaps."""
COLOURS = {"supplier": "#8d99ae", "location": "#e9c46a", "customers": "#2a9d8f"}


def draw_network(network: nx.DiGraph, path: str | Path) -> None:
    """Draw a network, suppliers on the left, each node right of all that supply it; links carry their lead times.

    Raises:
        InputError: the network is not valid. UsageError: the file's ending is not one that matplotlib writes.
    """
    parsed = parse_network(network)
    graph = nx.DiGraph(list(parsed.links))
    layers = [sorted(layer) for layer in nx.topological_generations(graph)]
    positions = {
        name: (column, (len(layer) - 1) / 2 - row) for column, layer in enumerate(layers) for row, name in enumerate(layer)
    }
    with _picture(path, 2.2 * len(layers) + 1, min(0.55 * max(map(len, layers)) + 1.2, 30)) as axes:
        kinds = [_kind(parsed.nodes[name]) for name in graph]
        nx.draw_networkx_nodes(graph, positions, ax=axes, node_color=[COLOURS[kind] for kind in kinds], node_size=600)
        nx.draw_networkx_edges(graph, positions, ax=axes, edge_color="#555555", node_size=600, width=0.8)
        nx.draw_networkx_labels(graph, positions, ax=axes, font_size=7)
        if len(parsed.links) <= 80:
            labels = {pair: _lead_time(link.lead_time) for pair, link in parsed.links.items()}
            nx.draw_networkx_edge_labels(graph, positions, labels, ax=axes, font_size=6, label_pos=0.4, rotate=False)
        for kind, colour in COLOURS.items():
            axes.scatter([], [], color=colour, label=kind)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, frameon=False, fontsize=7)
        axes.set_title(f"{parsed.name}: {len(parsed.nodes)} nodes, {len(parsed.links)} links (lead times)", fontsize=9)
        axes.margins(0.12)
        axes.set_axis_off()


def draw_training(metrics: Sequence[Mapping[str, Any]], path: str | Path, unit: str) -> None:
    """Draw train and dev cost against epochs; `unit` is what they are in."""
    with _picture(path, 6, 3.5) as axes:
        epochs = [line["epoch"] for line in metrics]
        axes.plot(epochs, [line["train"] for line in metrics], label="train", color="#8d99ae")
        axes.plot(epochs, [line["dev"] for line in metrics], label="dev", color="#2a9d8f")
        lowest = min(metrics, key=lambda line: line["dev"])
        best = next((line for line in metrics if line["dev"] == line.get("best_dev") == metrics[-1].get("best_dev")), lowest)
        axes.plot([best["epoch"]], [best["dev"]], "o", color="#e76f51", label=f"best: {best['dev']:.4f}")
        if best["dev"] > 0:
            axes.set_ylim(top=min(max(line["dev"] for line in metrics), 2 * best["dev"]) * 1.02)
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit.replace(", ", "\n").replace(" (", "\n("))
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)


def draw_gaps(outcomes: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Draw the gap of every training and instance with its 95 % interval: a panel per problem, a line per policy.

    Args:
        outcomes: each with `problem`, `policy`, `gap_percent`, `gap_ci95` and `reference`; those without a gap are left out.
        path: of the picture.
    """
    outcomes = [outcome for outcome in outcomes if outcome["gap_percent"] is not None]
    problems = list(dict.fromkeys(outcome["problem"] for outcome in outcomes))
    rows = {problem: list(dict.fromkeys(o["policy"] for o in outcomes if o["problem"] == problem)) for problem in problems}
    names = {policy: textwrap.fill(policy, NAME) for problem in problems for policy in rows[problem]}
    line_height = max([0.45, *(0.13 * (name.count("\n") + 1) for name in names.values())])
    heights = [len(rows[problem]) + 1.2 for problem in problems]
    with _picture(path, 7, line_height * sum(heights) + 0.5, rows=len(problems), heights=heights) as panels:
        for axes, problem in zip(panels, problems, strict=True):
            for line, policy in enumerate(rows[problem]):
                members = [o for o in outcomes if o["problem"] == problem and o["policy"] == policy]
                places = [line + 0.6 * ((number + 0.5) / len(members) - 0.5) for number in range(len(members))]
                gaps = [member["gap_percent"] for member in members]
                errors = [max(high - gap, 0.0) for gap, (_, high) in zip(gaps, (m["gap_ci95"] for m in members), strict=True)]
                axes.errorbar(gaps, places, xerr=errors, fmt="o", ms=2.5, lw=0.7, color="#2a9d8f", ecolor="#8d99ae")
            if max(o["gap_percent"] for o in outcomes if o["problem"] == problem) > FAR:
                axes.set_xscale("symlog", linthresh=1.0)  # else all others lie on one spot
            axes.set_yticks(range(len(rows[problem])), [names[policy] for policy in rows[problem]], fontsize=7)
            axes.set_ylim(len(rows[problem]) - 0.4, -0.6)
            axes.axvline(0.0, color="#555555", lw=0.7)
            kinds = sorted({o["reference"]["kind"].replace("_", " ") for o in outcomes if o["problem"] == problem})
            axes.set_title(f"{problem}: percent over the {' or '.join(kinds)}", fontsize=8, loc="left")
            axes.tick_params(axis="x", labelsize=7)
            axes.spines[["top", "right"]].set_visible(False)


def draw_against_sizes(outcomes: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Draw gaps against stores, depth and degree of the network: a panel each, a colour per training and policy.

    Args:
        outcomes: each with `sizes`, `trained`, `policy` and `gap_percent`, of which some may be None: they are left out.
        path: of the picture.
    """
    names = list(outcomes[0]["sizes"])
    with _picture(path, 3 * len(names) + 1, 3.6, columns=len(names)) as panels:
        series = list(dict.fromkeys((outcome["policy"], outcome["trained"]) for outcome in outcomes))
        for axes, name in zip(panels, names, strict=True):
            for policy, trained in series:
                members = [
                    o for o in outcomes if (o["policy"], o["trained"]) == (policy, trained) and o["gap_percent"] is not None
                ]
                members.sort(key=lambda member: member["sizes"][name])
                sizes = [member["sizes"][name] for member in members]
                axes.plot(sizes, [member["gap_percent"] for member in members], "o-", ms=3, lw=0.7, label=f"{trained}: {policy}")
            axes.set_xlabel(name)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.axhline(0.0, color="#555555", lw=0.7)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("gap, percent")
        panels[0].figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=7
        )


def draw_matrix(outcomes: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Draw a matrix of gaps: what was trained on, by what is tested on.

    Args:
        outcomes: at least one, each with `trained`, `problem` and `gap_percent`, None where there is none; a place without is left empty.
        path: of the picture.
    """
    rows = list(dict.fromkeys(outcome["trained"] for outcome in outcomes))
    columns = list(dict.fromkeys(outcome["problem"] for outcome in outcomes))
    gaps = {(o["trained"], o["problem"]): o["gap_percent"] for o in outcomes if o["gap_percent"] is not None}
    with _picture(path, 1.1 * len(columns) + 3, 0.5 * len(rows) + 1.6) as axes:
        values = [[gaps.get((row, column), math.nan) for column in columns] for row in rows]
        axes.imshow(
            values,
            cmap="YlOrRd",
            vmin=0,
            vmax=max([5.0, *(value for line in values for value in line if not math.isnan(value))]),
            aspect="auto",
        )
        for y, line in enumerate(values):
            for x, value in enumerate(line):
                axes.text(x, y, "" if math.isnan(value) else f"{value:.2f}", ha="center", va="center", fontsize=7)
        axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", fontsize=7)
        axes.set_yticks(range(len(rows)), rows, fontsize=7)
        axes.set_title("gap in percent: trained on (rows), tested on (columns)", fontsize=8)


@contextmanager
def _picture(
    path: str | Path, width: float, height: float, rows: int = 0, heights: Sequence[float] = (), columns: int = 0
) -> Iterator[Any]:
    """The axes of a picture, which is written when all is drawn; with `rows` a list of them below each other, with `columns` beside."""
    import matplotlib  # here, since only pictures need it
    from matplotlib.figure import Figure

    path = Path(path)
    if path.suffix not in FORMATS:
        raise UsageError(f"{path}: got ending '{path.suffix}'; expected one of: {', '.join(FORMATS)}")
    # the same picture, the same bytes; a name may hold dollars, which are no formula
    with matplotlib.rc_context({"svg.hashsalt": "gnn_inventory", "text.parse_math": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        if columns:
            yield list(figure.subplots(1, columns, squeeze=False, sharey=True)[0])
        elif rows:
            yield list(figure.subplots(rows, 1, squeeze=False, height_ratios=heights)[:, 0])
        else:
            yield figure.subplots()
        content = io.BytesIO()
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(content, format=path.suffix.removeprefix("."), metadata=metadata)
    replace_file(path, content.getvalue())


def _kind(node: Supplier | Location) -> str:
    if isinstance(node, Supplier):
        return "supplier"
    return "location" if node.demand is None else "customers"


def _lead_time(value: int | PerScenario) -> str:
    if isinstance(value, PerScenario):
        return f"{value.per_scenario.low:g}-{value.per_scenario.high:g}"
    return str(value)
