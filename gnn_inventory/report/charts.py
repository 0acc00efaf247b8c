"""The charts of a report, by plotly."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import networkx as nx
import torch

from gnn_inventory.errors import UsageError, amount
from gnn_inventory.evaluation import EvaluationResult
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.report.response import Response
from gnn_inventory.topology.network import Network
from gnn_inventory.topology.schema import Supplier
from gnn_inventory.trajectory import KINDS, Trajectory
from gnn_inventory.types import Float, Tensor

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["attribution_chart", "cost_chart", "costs_by_location", "network_chart", "order_variance_chart", "plotly_script",
           "response_chart", "training_chart", "trajectory_chart"]  # fmt: skip

COLOURS = {"supplier": "#8d99ae", "location": "#e9c46a", "customers": "#2a9d8f"}
KIND_COLOURS = dict(zip(KINDS, ("#e9c46a", "#e76f51", "#8d99ae", "#6d597a", "#2a9d8f"), strict=True))
LINE, BAND, GREY = "#2a9d8f", "rgba(42,157,143,0.18)", "#555555"
BANDS = (0.05, 0.5, 0.95)
"""Quantiles over scenarios: the edges and the middle of a band."""
MOST_SHOWN = 120
"""Periods of a trajectory."""
READABLE = 60
"""Locations of a layer of the network whose names stand beside them."""


def _plotly() -> Any:
    try:
        import plotly.graph_objects
    except ModuleNotFoundError:
        raise UsageError("a report needs plotly: pip install 'gnn_inventory[report]'") from None
    return plotly.graph_objects


def plotly_script() -> str:
    """The library that draws in the page, whole: a report needs no network."""
    _plotly()
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def network_chart(network: Network, graph: InventoryGraph, happened: Trajectory) -> "Figure":
    """The network, echelons left to right: width of a link its mean flow, size of a node its mean stock."""
    go = _plotly()
    directed = nx.DiGraph(list(network.links))
    layers = [sorted(layer) for layer in nx.topological_generations(directed)]
    place = {name: (x, (len(layer) - 1) / 2 - y) for x, layer in enumerate(layers) for y, name in enumerate(layer)}
    flow = happened.orders[:, happened.warm_up :].mean((0, 1))
    stock = happened.on_hand[:, happened.warm_up :].clamp_min(0.0).mean((0, 1))
    widest, largest = max(float(flow.max()), 1e-9), max(float(stock.max()), 1e-9)
    traces = []
    for link, (source, target) in enumerate(network.links):
        ends = place[source], place[target]
        traces.append(
            go.Scatter(
                x=[ends[0][0], ends[1][0]], y=[ends[0][1], ends[1][1]], mode="lines", hoverinfo="skip", showlegend=False,
                line={"width": 0.5 + 5 * float(flow[link]) / widest, "color": "rgba(85,85,85,0.45)"},
            )
        )  # fmt: skip
    middle = [[(place[u][axis] + place[v][axis]) / 2 for u, v in network.links] for axis in (0, 1)]
    said = [f"{u} -> {v}<br>{amount(float(flow[link]))} units per period" for link, (u, v) in enumerate(network.links)]
    traces.append(
        go.Scatter(
            x=middle[0],
            y=middle[1],
            mode="markers",
            marker={"size": 9, "opacity": 0},
            text=said,
            hoverinfo="text",
            showlegend=False,
        )
    )
    labels = "+text" if max(map(len, layers)) <= READABLE else ""  # else hovering over a node says its name
    for kind, colour in COLOURS.items():
        names = [name for name in network.nodes if _kind(network, name) == kind]
        sizes = [12 + 26 * (float(stock[graph.labels.index(name)]) / largest) ** 0.5 for name in names]
        told = [f"{name}<br>mean stock {amount(float(stock[graph.labels.index(name)]))}" for name in names]
        traces.append(
            go.Scatter(
                x=[place[name][0] for name in names], y=[place[name][1] for name in names], mode=f"markers{labels}", name=kind,
                text=names, hovertext=told, hoverinfo="text", textposition="bottom center",
                marker={"size": sizes, "color": colour, "line": {"width": 1, "color": "white"}},
            )
        )  # fmt: skip
    figure = go.Figure(traces)
    hidden = {"visible": False}
    _style(figure, min(28 * max(map(len, layers)) + 180, 900), xaxis={**hidden, "range": [-0.4, len(layers) - 0.6]}, yaxis=hidden)
    return figure


def cost_chart(names: Sequence[str], results: Sequence[EvaluationResult]) -> "Figure":
    """Cost per store of each run with its interval, and the reference where one is known."""
    go = _plotly()
    costs = [result.cost_per_store for result in results]
    errors = [result.ci95[1] - result.cost_per_store for result in results]
    figure = go.Figure(
        go.Scatter(
            x=costs, y=list(names), mode="markers", error_x={"array": errors, "color": GREY}, marker={"size": 11, "color": LINE}
        )
    )
    first = results[0]
    if first.reference is not None:
        stores = first.cost / first.cost_per_store if first.cost_per_store else 1.0
        kind = first.reference.kind.replace("_", " ")
        figure.add_vline(
            x=first.reference.value / stores,
            line_dash="dash",
            line_color="#e76f51",
            annotation_text=kind,
            annotation_position="top right",
        )
    axes = {"xaxis": {"title": "per store and period; negative = profit"}, "yaxis": {"type": "category"}}
    _style(figure, 120 + 36 * len(results), **axes)
    return figure


def costs_by_location(happened: Trajectory, nodes: Sequence[int]) -> "Figure":
    """Where the cost arises: by location and kind."""
    go = _plotly()
    costs, names = happened.mean_costs, [happened.graph.labels[node] for node in nodes]
    bars = [
        go.Bar(y=names, x=costs[list(nodes), number].tolist(), name=kind, orientation="h", marker_color=KIND_COLOURS[kind])
        for number, kind in enumerate(KINDS)
        if bool((costs[:, number] != 0).any())
    ]
    figure = go.Figure(bars)
    axes = {"xaxis": {"title": "money per period"}, "yaxis": {"autorange": "reversed", "type": "category"}}
    _style(figure, 140 + 22 * len(names), barmode="relative", **axes)
    return figure


def order_variance_chart(happened: Trajectory) -> "Figure":
    """Bullwhip by echelon: variance of orders over that of the demand below, the mean over the echelon's locations."""
    go = _plotly()
    graph, ratio = happened.graph, happened.order_variance_ratio
    below = torch.zeros(graph.nodes, dtype=torch.int64)  # links on the longest way to a customer
    for _ in range(int(graph.depth)):
        below = below.scatter_reduce(0, graph.source, below[graph.target] + 1, "amax")
    echelons = sorted({int(below[node]) for node in (~ratio.isnan()).nonzero().flatten().tolist()})
    values = [float(ratio[(below == echelon) & ~ratio.isnan()].mean()) for echelon in echelons]
    names = ["customers' locations" if echelon == 0 else f"{echelon} above" for echelon in echelons]
    figure = go.Figure(go.Bar(x=names, y=values, marker_color=LINE, width=0.5))
    figure.add_hline(y=1.0, line_dash="dash", line_color=GREY)
    _style(figure, 300, yaxis={"title": "variance of orders / of demand"}, xaxis={"type": "category"})
    return figure


def trajectory_chart(happened: Trajectory, node: int) -> "Figure":
    """Stock, unmet demand, orders and demand of a location: median and the band from 5 to 95 % over scenarios."""
    from plotly.subplots import make_subplots

    go, graph = _plotly(), happened.graph
    first = max(happened.warm_up, happened.on_hand.shape[1] - MOST_SHOWN)
    inbound, outbound = ((ends == node).nonzero().flatten() for ends in (graph.target, graph.source))
    asked = happened.demand[:, first:, node] + happened.orders[:, first:, outbound].sum(2)
    own = "demand and shipments" if len(outbound) else "demand"
    series = {
        "stock on hand": happened.on_hand[:, first:, node],
        own: asked,
        "orders": happened.orders[:, first:, inbound].sum(2),
    }
    if bool(graph.has_demand[node]):
        series["unmet demand"] = happened.unmet[:, first:, node]
    figure = make_subplots(rows=len(series), cols=1, shared_xaxes=True, vertical_spacing=0.05, subplot_titles=list(series))
    periods = list(range(first, happened.on_hand.shape[1]))
    for row, values in enumerate(series.values(), 1):
        low, middle, high = (values.float().quantile(share, dim=0).round(decimals=3).tolist() for share in BANDS)
        figure.add_trace(
            go.Scatter(x=periods, y=high, mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False), row, 1
        )
        figure.add_trace(
            go.Scatter(
                x=periods,
                y=low,
                mode="lines",
                line={"width": 0},
                fill="tonexty",
                fillcolor=BAND,
                name="5 to 95 %",
                showlegend=row == 1,
            ),
            row,
            1,
        )
        figure.add_trace(
            go.Scatter(x=periods, y=middle, mode="lines", line={"color": LINE}, name="median", showlegend=row == 1), row, 1
        )
    figure.update_xaxes(title_text="period", row=len(series), col=1)
    figure.update_yaxes(rangemode="tozero")
    _style(figure, 170 * len(series) + 60)
    return figure


def response_chart(found: Response) -> "Figure":
    """What a location orders, and the base-stock level that this implies, against its own stock."""
    go = _plotly()
    lines = {"order": (found.ordered, LINE, "solid"), "implied base-stock level": (found.level, "#e76f51", "dash")}
    on_hand = [round(float(value), 4) for value in found.on_hand]
    figure = go.Figure(
        [
            go.Scatter(x=on_hand, y=[round(float(value), 4) for value in values], name=name, line={"color": colour, "dash": dash})
            for name, (values, colour, dash) in lines.items()
        ]
    )
    figure.add_vline(x=found.typical, line_dash="dot", line_color=GREY, annotation_text="typical")
    _style(figure, 340, xaxis={"title": "stock on hand, units"}, yaxis={"title": "units"})
    return figure


def attribution_chart(values: Float[Tensor, "link node"], links: Sequence[str], nodes: Sequence[str]) -> "Figure":
    """What each order listens to: its change with one unit more on hand at each location."""
    go = _plotly()
    most = max(float(values.abs().max()), 1e-9)
    figure = go.Figure(
        go.Heatmap(
            z=values.float().round(decimals=4).tolist(), x=list(nodes), y=list(links), colorscale="RdBu", zmin=-most, zmax=most
        )
    )
    _style(
        figure,
        160 + 22 * len(links),
        xaxis={"title": "one unit more on hand at", "type": "category"},
        yaxis={"autorange": "reversed"},
    )
    return figure


def training_chart(metrics: Sequence[Mapping[str, Any]], unit: str) -> "Figure":
    """Train and dev cost against epochs; `unit` is what they are in."""
    go = _plotly()
    epochs = [line["epoch"] for line in metrics]
    lines = [
        go.Scatter(x=epochs, y=[line[name] for line in metrics], name=name, line={"color": colour})
        for name, colour in (("train", "#8d99ae"), ("dev", LINE))
    ]
    figure = go.Figure(lines)
    _style(figure, 320, xaxis={"title": "epoch"}, yaxis={"title": unit.replace(", ", "<br>").replace(" (", "<br>(")})
    return figure


def _kind(network: Network, name: str) -> str:
    if isinstance(network.nodes[name], Supplier):
        return "supplier"
    return "customers" if name in network.customers else "location"


def _style(figure: "Figure", height: int, **layout: Any) -> None:
    figure.update_layout(
        template="plotly_white", height=height, margin={"l": 10, "r": 10, "t": 56, "b": 10}, font={"size": 12},
        legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top"}, **layout,
    )  # fmt: skip
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
