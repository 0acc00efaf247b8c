"""The only place where orders are made feasible: what leaves a location never exceeds what it has on hand."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.types import LinkPerScenario, NodePerScenario, Truths

__all__ = [
    "Limits",
    "feasible",
    "proportional",
    "straight_through",
    "whole_units",
    "with_whole_limits",
    "within_capacities",
    "without_small_orders",
]

SMALL = 1e-9
"""Units below which a total is not divided by."""
ROUNDING = 1e-6
"""Part of a unit that a rounding error may take from a whole stock."""


@dataclass(frozen=True)
class Limits:
    """Which limits a network has anywhere: what it has nowhere need not be looked for in every period.

    Attributes:
        capacity: some link or location has one.
        passing: some location cannot hold stock.
        minimum: most links with a minimum order that leave one location; as many as leave it where nobody says.
    """

    capacity: bool = True
    passing: bool = True
    minimum: int | None = None

    @classmethod
    def of(cls, graph: InventoryGraph) -> "Limits":
        """Those of a graph."""
        capacity = bool(graph.link_capacity.isfinite().any() | graph.ship_capacity.isfinite().any())
        return cls(capacity, not bool(graph.holds_stock.all()), _most_with_a_minimum(graph))


ANY = Limits()


def feasible(
    graph: InventoryGraph,
    on_hand: NodePerScenario,
    desired: LinkPerScenario,
    keep: NodePerScenario | None = None,
    whole: bool = False,
    limits: Limits = ANY,
) -> LinkPerScenario:
    """What becomes of the orders asked for: cut in proportion, then whole units, then none below a link's minimum [B, E], units.

    The gradient goes straight through what is rounded.

    Args:
        graph: the network; in whole units that of `with_whole_limits`.
        on_hand, desired, keep: as for `proportional`.
        whole: round orders to whole units.
        limits: as for `proportional`.
    """
    orders = proportional(graph, on_hand, desired, keep, limits)
    if whole:
        orders = straight_through(whole_units(graph, on_hand, orders), orders)
    most = _most_with_a_minimum(graph) if limits.minimum is None else limits.minimum
    if most:
        orders = straight_through(without_small_orders(graph, on_hand, orders, most), orders)
    return orders


def _most_with_a_minimum(graph: InventoryGraph) -> int:
    """Links with a minimum order that leave one location, at the most."""
    return int(torch.bincount(graph.source[graph.minimum_order > 0], minlength=1).max())


def proportional(
    graph: InventoryGraph,
    on_hand: NodePerScenario,
    desired: LinkPerScenario,
    keep: NodePerScenario | None = None,
    limits: Limits = ANY,
) -> LinkPerScenario:
    """Orders cut in proportion where a location has less than is asked of it.

    A location with stock I+ = max(on hand, 0), asked for a total Q, that wants to keep K, ships
    Q min(1, I+ / (Q + K)): what it keeps competes with the orders on equal terms. A location that cannot hold stock ships
    all of I+, in the proportions asked (equally where next to nothing is asked). Capacities of links, then of locations, come first.

    Args:
        graph: the network.
        on_hand: I [B, N], units.
        desired: what the policy asks for [B, E], units; negative counts as 0.
        keep: what each location wants to keep for itself [B, N], units; nothing where None.
        limits: that the network has; all are looked for where nobody says.

    Returns:
        feasible orders [B, E], units.
    """
    stock = on_hand.clamp_min(0.0)
    desired = within_capacities(graph, desired) if limits.capacity else desired.clamp_min(0.0)
    asked = _asked(graph, desired)
    competing = asked if keep is None else asked + keep.clamp_min(0.0)
    short = (competing > stock) & ~graph.is_supplier
    share = torch.where(short, stock / competing.clamp_min(SMALL), 1.0)
    if not limits.passing:
        return desired * share.index_select(1, graph.source)
    # a location that cannot hold stock: all of it goes, whatever was asked
    positive = asked > SMALL
    everything = torch.where(positive, stock / asked.clamp_min(SMALL), 0.0)
    orders = desired * torch.where(graph.holds_stock, share, everything).index_select(1, graph.source)
    return orders + _unasked(graph, stock, positive)


def within_capacities(graph: InventoryGraph, desired: LinkPerScenario) -> LinkPerScenario:
    """What capacities of links, then of locations leave of the orders asked for, before any stock is looked at [B, E], units."""
    desired = desired.clamp_min(0.0).minimum(graph.link_capacity)
    asked = _asked(graph, desired)
    # comparisons come first and divisors are no smaller than SMALL: no NaN or infinity may come into the gradient
    limited = asked > graph.ship_capacity
    limit = torch.where(limited, graph.ship_capacity.nan_to_num(posinf=0.0) / torch.where(limited, asked, 1.0), 1.0)
    return desired * limit.index_select(1, graph.source)


def _asked(graph: InventoryGraph, desired: LinkPerScenario) -> NodePerScenario:
    """What is asked of each location in all [B, N]."""
    return desired.new_zeros(desired.shape[0], graph.nodes).scatter_add(1, graph.source.expand_as(desired), desired)


def _unasked(graph: InventoryGraph, stock: NodePerScenario, asked: Truths) -> LinkPerScenario:
    """What locations that cannot hold stock ship where nothing was asked of them: equal parts [B, E]."""
    outbound = graph.outbound.clamp_min(1).to(stock.dtype)
    part = torch.where(graph.holds_stock | asked, 0.0, stock / outbound)
    return part.index_select(1, graph.source)


def with_whole_limits(graph: InventoryGraph) -> InventoryGraph:
    """The same graph with its capacities rounded down and its minimum orders up: what a whole order may be.

    Raises:
        InputError: there is no such order on a link.
    """
    rounded = copy.copy(graph)
    rounded.ship_capacity, rounded.link_capacity = graph.ship_capacity.floor(), graph.link_capacity.floor()
    rounded.minimum_order = graph.minimum_order.ceil()
    least = rounded.minimum_order.clamp_min(1.0)
    most = rounded.link_capacity.minimum(rounded.ship_capacity[graph.source])
    if bool((least > most).any()):
        problems = [
            f"link '{graph.link_names[link]}': in whole units got orders of at least {least[link]:g} and at most {most[link]:g}; "
            "expected room for a whole order: another capacity or minimum_order, or orders in parts of units"
            for link in (least > most).nonzero().flatten().tolist()
        ]
        raise InputError(problems)
    return rounded


def whole_units(graph: InventoryGraph, on_hand: NodePerScenario, orders: LinkPerScenario) -> LinkPerScenario:
    """Feasible orders rounded to whole units that are feasible still.

    The running total of a location's orders is rounded, to the nearest whole unit where stock on hand allows that for the
    whole total and else down, and an order is the difference of two such totals: each changes by less than one unit. Whole
    capacities are kept.

    Args:
        graph: the network.
        on_hand: I [B, N], units.
        orders: feasible orders [B, E], units.
    """
    by_source = torch.argsort(graph.source, stable=True)
    running, first = _running_totals(graph, orders[:, by_source], by_source)
    total = torch.zeros_like(on_hand, dtype=torch.float64).index_add(1, graph.source, orders.double())
    stock = on_hand.double().clamp_min(0.0).masked_fill(graph.is_supplier, torch.inf)
    source = graph.source[by_source]
    upwards = torch.where((total + 0.5).floor() <= stock + ROUNDING, 0.5, 0.0)[:, source]
    whole = (running + upwards).floor().minimum((stock + ROUNDING).floor()[:, source])  # sums of large orders round above it
    before = functional.pad(whole, (1, 0))[:, :-1].masked_fill(torch.arange(len(first), device=first.device) == first, 0.0)
    return torch.zeros_like(orders).index_copy(1, by_source, (whole - before).to(orders.dtype))


def without_small_orders(graph: InventoryGraph, on_hand: NodePerScenario, orders: LinkPerScenario, most: int) -> LinkPerScenario:
    """Feasible orders of which none is above 0 and below its link's minimum.

    An order of at least the minimum stands as it is. One of less than half the minimum is not placed. One between is raised
    to the minimum where there is room for it: capacity on the link and, at its source, capacity and stock after all orders
    that stand and those raised on earlier links (in the order of the graph); else it is not placed. What is not placed stays
    at the source. Whole orders stay whole where the minimum orders are.

    Args:
        graph: the network.
        on_hand: I [B, N], units.
        orders: feasible orders [B, E], units.
        most: links with a minimum that leave one location, at the most.
    """
    least = graph.minimum_order
    stands = orders >= least * (1 - ROUNDING)  # a cut in proportion may leave a rounding error less
    standing = torch.where(stands, orders, 0.0)
    limit = on_hand.clamp_min(0.0).masked_fill(graph.is_supplier, torch.inf).minimum(graph.ship_capacity).double()
    room = limit.index_add(1, graph.source, standing.double(), alpha=-1.0)
    wanted = torch.where(~stands & (orders >= least / 2) & (least <= graph.link_capacity), least, 0.0)
    by_source = torch.argsort(graph.source, stable=True)
    wanted, room = wanted[:, by_source], room[:, graph.source[by_source]]
    # the first of a source for which there is no room is not placed; then there may be room for one after it
    for _ in range(most):
        over = ((_running_totals(graph, wanted, by_source)[0] > room) & (wanted > 0)).to(wanted.dtype)
        if wanted.is_cpu and not torch.compiler.is_compiling() and not over.any():  # elsewhere to look would take longer
            break
        wanted = torch.where((over > 0) & (_running_totals(graph, over, by_source)[0] == 1), 0.0, wanted)
    return standing.index_add(1, by_source, wanted)


def _running_totals(graph: InventoryGraph, values: LinkPerScenario, by_source: Tensor) -> tuple[Tensor, Tensor]:
    """Running totals over the links of each source and where its first link stands [E]; links sorted by source [B, E]."""
    source = graph.source[by_source]
    cumulative = values.double().cumsum(1)  # over all links: then what earlier sources have is taken off
    first = torch.searchsorted(source, source)
    return cumulative - functional.pad(cumulative, (1, 0))[:, first], first


def straight_through(rounded: LinkPerScenario, orders: LinkPerScenario) -> LinkPerScenario:
    """The rounded orders, bit for bit, with the gradient of the orders before (Bengio, Leonard and Courville 2013)."""
    return rounded.detach() + (orders - orders.detach())
