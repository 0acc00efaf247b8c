"""The page: what is measured, drawn and put together into one HTML file that needs nothing else."""

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import networkx as nx
import torch

from gnn_inventory.errors import InputError, amount
from gnn_inventory.evaluation import EvaluationResult, assessment_of, evaluate_on, refuse_other_tests
from gnn_inventory.files import write_text
from gnn_inventory.intervals import OVER_ITEMS
from gnn_inventory.policies.base import Policy
from gnn_inventory.report import charts
from gnn_inventory.report.response import Typical, attributions, response
from gnn_inventory.training.recipe import Recipe
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.trajectory import Trajectory

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["Run", "write_report"]

CELLS = 2**22
"""Numbers of demand (scenarios x periods x nodes) whose trajectories are kept."""
MOST_LOCATIONS = 60
"""Locations that are shown one by one: those that cost most."""
MOST_LINKS = 40
"""Orders whose attributions are shown: those of the largest flow."""
MOST_SCENARIOS = 1024
"""On which costs are measured where nobody says how many."""
SCENARIOS = 256
"""Of the bands."""
TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Run:
    """A trained policy and what it was trained by.

    Attributes:
        name: of the run.
        policy: the policy.
        recipe: its recipe.
        metrics: of its epochs.
    """

    name: str
    policy: Policy
    recipe: Recipe
    metrics: list[dict[str, Any]]

    @classmethod
    def of(cls, folder: str | Path) -> "Run":
        """The run of a folder, or a trained policy of the package by its name."""
        run = RunFolder.of(folder)
        return cls(run.path.resolve().name, run.policy(), run.recipe(), run.metrics())


def write_report(
    runs: Sequence[Run],
    path: str | Path,
    network: nx.DiGraph | None = None,
    scenarios: int | None = None,
    on_part: Callable[[str], None] | None = None,
) -> None:
    """Write one HTML file about the first run, the others beside it.

    Args:
        runs: trained policies; all face the scenarios of the first one's recipe.
        path: of the file.
        network: another network than the first run's.
        scenarios: on which costs are measured; the recipe's number, at most 1024, where None.
        on_part: called with the name of each part of the work.

    Raises:
        InputError: the runs were trained on different networks and none is named. UnsupportedNetworkError: a policy cannot serve it.
    """
    charts.plotly_script()  # what is missing is said before any work
    said = on_part or (lambda part: None)
    first = runs[0]
    other = [run.name for run in runs if network is None and run.recipe.mapping != first.recipe.mapping]
    if other:
        raise InputError(
            f"report: {first.name} and {other[0]} were trained on different networks; name one for all: --network NETWORK"
        )
    refuse_other_tests([run.name for run in runs], [run.recipe for run in runs])
    tested = assessment_of(first.recipe, network, scenarios=scenarios)
    if scenarios is None:
        tested = tested._replace(scenarios=min(tested.scenarios, MOST_SCENARIOS))
    graph, whole = tested.source.graph, first.recipe.evaluation.whole_units
    results = []
    for run in runs:
        said(run.name)
        sizes = tested.scenarios, tested.periods, tested.warm_up
        results.append(evaluate_on(run.policy, tested.network, tested.source, *sizes, whole))
    said("trajectories")
    kept = max(2, min(SCENARIOS, tested.scenarios, CELLS // (tested.periods * graph.nodes)))
    drawn = tested.source.sample(0, kept, tested.periods)
    happened = Trajectory.of(first.policy, graph, drawn, tested.warm_up, whole)
    total = happened.mean_costs.abs().sum(1)
    inside = (~graph.is_supplier).nonzero().flatten()
    order = inside[total[inside].argsort(descending=True, stable=True)].tolist()[:MOST_LOCATIONS]
    nodes = sorted(order, key=lambda node: str(graph.labels[node]))
    said("what the policy does")
    typical = Typical.of(first.policy, graph, drawn, tested.warm_up, whole)
    flow = happened.orders[:, tested.warm_up :].mean((0, 1))
    links = sorted(flow.argsort(descending=True).tolist()[:MOST_LINKS])
    listens = attributions(typical, links, nodes)
    named = [graph.link_names[link] for link in links], [graph.labels[node] for node in nodes]
    fixed = {
        "network": charts.network_chart(tested.network, graph, happened),
        "cost": charts.cost_chart([run.name for run in runs], results),
        "where": charts.costs_by_location(happened, nodes),
        "variance": charts.order_variance_chart(happened),
        "attribution": charts.attribution_chart(listens, *named),
    }
    if len(first.metrics) > 1:
        fixed["training"] = charts.training_chart(first.metrics, first.recipe.unit)
    picked = {
        graph.labels[node]: {
            "trajectory": _plain(charts.trajectory_chart(happened, node)),
            "response": _plain(charts.response_chart(response(typical, node))),
        }
        for node in nodes
    }
    more = len(inside) - len(nodes)
    write_text(
        Path(path),
        Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
            title=html.escape(f"{first.name} on {tested.network.name}"),
            plotly=charts.plotly_script(),
            summary=_summary(first, results[0], happened, kept, tested.scenarios, tested.periods, tested.warm_up),
            results=_results([run.name for run in runs], results),
            service=_service(happened, nodes),
            options="".join(f'<option value="{html.escape(name)}">{html.escape(name)}</option>' for name in picked),
            left_out=f"<p>{more} more locations, which cost less, are not shown one by one.</p>" if more else "",
            training="" if "training" in fixed else "hidden",
            recipe=html.escape(first.recipe.to_yaml()),
            charts=_script({name: _plain(figure) for name, figure in fixed.items()}),
            picked=_script(picked),
            kept=kept,
        ),
    )


def _plain(figure: "Figure") -> Any:
    """A figure as what JSON holds."""
    return json.loads(figure.to_json())


def _script(value: Any) -> str:
    """JSON that no name within it can end the script of."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _summary(
    run: Run, result: EvaluationResult, happened: Trajectory, kept: int, scenarios: int, periods: int, warm_up: int
) -> str:
    low, high = result.ci95
    tiles = [
        ("cost per store and period", amount(result.cost_per_store), f"95 %: {amount(low)} to {amount(high)}"),
        ("fill rate", f"{happened.fill_rate_of_all:.1%}", f"demand served at once from stock, on {kept} of the scenarios"),
        ("measured on", f"{scenarios} scenarios", f"{periods} periods each, the first {warm_up} not counted"),
    ]
    if result.over_items:
        tiles.append(("of", "a panel", OVER_ITEMS))
    if result.reference is not None and result.gap_ci95 is not None:
        low, high = result.gap_ci95
        kind = result.reference.kind.replace("_", " ")
        tiles.insert(
            1, (f"over the {kind}", f"{result.gap_percent:.2f} %", f"95 %: {low:.2f} to {high:.2f} %; {result.reference.source}")
        )
    return "".join(
        f'<div class="tile"><div class="what">{html.escape(what)}</div><div class="value">{html.escape(value)}</div>'
        f'<div class="more">{html.escape(more)}</div></div>'
        for what, value, more in tiles
    )


def _results(names: Sequence[str], results: Sequence[EvaluationResult]) -> str:
    rows = []
    for name, result in zip(names, results, strict=True):
        gap = "" if result.gap_percent is None or result.gap_ci95 is None else (
            f"{result.gap_percent:.3f} % ({result.gap_ci95[0]:.3f} to {result.gap_ci95[1]:.3f})"
        )  # fmt: skip
        cells = [name, result.policy, f"{result.cost_per_store:.4f}", f"{result.ci95[0]:.4f} to {result.ci95[1]:.4f}", gap]
        rows.append(cells)
    return _table(["run", "policy", "cost per store", "95 % interval", "gap (95 %)"], rows)


def _service(happened: Trajectory, nodes: Sequence[int]) -> str:
    fill, level = happened.fill_rate, happened.service_level
    stock = happened.left[:, happened.warm_up :].double().mean((0, 1))
    rows = [
        [
            happened.graph.labels[node],
            *("" if bool(torch.isnan(value[node])) else f"{float(value[node]):.1%}" for value in (fill, level)),
            amount(float(stock[node])),
        ]
        for node in nodes
    ]
    return _table(["location", "fill rate", "periods without shortage", "stock left, units"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
