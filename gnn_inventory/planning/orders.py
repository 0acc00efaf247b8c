"""Orders for today: a policy's decision from today's position, named, feasible, with the reason for every cut."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx
import torch

from gnn_inventory.allocation import feasible, proportional, whole_units, with_whole_limits, within_capacities
from gnn_inventory.demand.panel import Windows, scaled_calendar
from gnn_inventory.demand.panel_files import COLUMNS, SalesPanel, load_panel
from gnn_inventory.demand.scenarios import mean_seen
from gnn_inventory.errors import InputError, amount, nearest
from gnn_inventory.graph import InventoryGraph, Parameters
from gnn_inventory.planning.position import Clock, Position, read_position
from gnn_inventory.policies import policy_name
from gnn_inventory.policies.base import Desired, Known, Observation, Policy, UnsupportedNetworkError
from gnn_inventory.topology.network import Network, is_panel, parse_network
from gnn_inventory.training.recipe import Recipe, calendar_of
from gnn_inventory.types import Float, LinkPerScenario, Tensor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Decision", "calendar_now", "decide_today", "demand_rows", "needed_history", "order_list"]

KEPT = 0.01
"""Part of a stock below which what is kept is not worth a word."""
LEAST = 1e-3
"""Of the mean flow of a link, at most of 5 units: below which nothing is listed, nor called a cut."""


@dataclass(frozen=True)
class Decision:
    """One decision for each item, and what became of it.

    Attributes:
        graph: the network.
        position: what it was made from.
        desired: what the policy asked for.
        orders: feasible [B, E], units.
        least: what is not worth a line [B, E], units.
    """

    graph: InventoryGraph
    position: Position
    desired: Desired
    orders: LinkPerScenario
    least: LinkPerScenario


def needed_history(policy: Policy, network: Network, history: int | None = None) -> int:
    """Periods of demand before now that a decision needs: the policy's window, and what statistics of a panel are taken from.

    A season that lies further back may be missing: the mean then stands there, as in training.

    Args:
        policy: the policy.
        network: where it decides.
        history: periods that mean and deviation of a panel of sales were taken from in training; None: it saw no panel, and they are
            taken from all that the table has, at least two.
    """
    return max(policy.least_history, (2 if history is None else history) if is_panel(network) else 0)


@torch.no_grad()
def decide_today(
    policy: Policy,
    network: Network,
    position: Position,
    history: int | None = None,
    calendar: Float[Tensor, " channel"] | None = None,
    whole: bool = False,
) -> Decision:
    """A policy's decision from a position.

    Args:
        policy: trained.
        network: any that it can serve, every cost and lead time one number.
        position: today's.
        history: as in `needed_history`.
        calendar: of this period, as training saw it (`calendar_now`) [F], for a policy that looks at one.
        whole: round orders to whole units, feasibly.

    Raises:
        UnsupportedNetworkError: the policy cannot serve the network. InputError: the network leaves a value open.
    """
    graph = InventoryGraph.from_network(network)
    policy = copy.deepcopy(policy).float().eval()  # trained in double precision or not: what is seen is in single
    known, past = _known(policy, network, graph, position, history)
    calendar = torch.zeros(0) if calendar is None else calendar
    if policy.calendar not in (0, len(calendar)):
        raise UnsupportedNetworkError(
            f"policy: looks at a calendar of {policy.calendar} columns; got {len(calendar)}; name the row of the recipe's calendar "
            "that is this period: --period ROW (the first is 0)"
        )
    desired = policy(graph, Observation(position.on_hand, position.in_transit, past, calendar), known)
    if whole:
        graph = with_whole_limits(graph)
    if desired.free:
        raise UnsupportedNetworkError(
            f"policy {policy_name(policy)}: may return goods and order what is not there: a yardstick, which gives no orders to place; "
            "expected another policy"
        )
    orders = feasible(graph, position.on_hand, desired.orders, desired.keep, whole)
    return Decision(graph, position, desired, orders, LEAST * known.link_flow.clamp_max(5.0).expand_as(orders))


def order_list(
    policy: Policy,
    network: nx.DiGraph,
    state: "pd.DataFrame",
    history: int | None = None,
    whole_units: bool = False,
    clock: Clock | None = None,
    calendar: Float[Tensor, " channel"] | None = None,
    where: str = "state",
) -> "pd.DataFrame":
    """Today's orders as a data frame.

    Args:
        policy: trained.
        network: any that it can serve.
        state: today's stock on hand, goods on their way and recent demand; columns as `read_position` says.
        history, calendar: as for `decide_today`.
        whole_units: round orders to whole units, feasibly.
        clock: today's date and the days in a period, where the table has dates.
        where: what errors call the table.

    Returns:
        A row per item and link on which something was asked for or goes: `item`, `from`, `to`, `units`, `arrives` (periods
        from now, or the date), `asked` (units that the policy wanted), `cut` (asked - units), `reason` (of the cut).

    Raises:
        InputError: every mistake of the table. UnsupportedNetworkError: the policy cannot serve the network.
    """
    import pandas as pd

    parsed, clock = parse_network(network), clock or Clock()
    graph = InventoryGraph.from_network(parsed)
    position = read_position(state, parsed, needed_history(policy, parsed, history), clock, where)
    decision = decide_today(policy, parsed, position, history, calendar, whole_units)
    asked = decision.desired.orders.clamp_min(0.0)
    reasons, lead_times = _reasons(decision, whole_units), graph.lead_time.int().tolist()
    rows = []
    for item, name in enumerate(position.items):
        for link, (source, target) in enumerate(graph.edge_index.t().tolist()):
            units, wanted, least = (float(values[item, link]) for values in (decision.orders, asked, decision.least))
            if max(units, wanted) < least:
                continue
            cut = wanted - units if abs(wanted - units) >= least else 0.0
            digits = max(4, 2 - math.floor(math.log10(least)))
            rows.append(
                {
                    "item": name,
                    "from": graph.labels[source],
                    "to": graph.labels[target],
                    "units": int(units) if whole_units else round(units, digits),
                    "arrives": clock.day(lead_times[link]),
                    "asked": round(wanted, digits),
                    "cut": round(cut, digits),
                    "reason": reasons(item, link) if cut else "",
                }
            )
    return pd.DataFrame(rows, columns=["item", "from", "to", "units", "arrives", "asked", "cut", "reason"])


def demand_rows(
    sales: str | Path, recipe: Recipe, network: nx.DiGraph, state: "pd.DataFrame", clock: Clock, where: str
) -> "pd.DataFrame":
    """The last periods of a panel as rows of recent demand, for the items that a table of today's state names.

    Args:
        sales: the file of the panel; its last period is the one before today.
        recipe: whose columns it has.
        network: where orders are placed.
        state: the table.
        clock: today's date, where it is known: a panel with dates must then end just before.
        where: what errors call it.

    Raises:
        InputError: the state has rows of demand already; the panel names no items, not those of the state, locations that the network
            has no customers at, or ends at another time than just before today.
    """
    import pandas as pd

    settings = recipe.demand
    panel = load_panel(sales, COLUMNS if settings is None else settings.columns, settings is not None and settings.clamp)
    if panel.items is None or panel.locations is None:
        raise InputError(f"{sales}: got a bare tensor; expected sales with names of items and locations (CSV or Parquet)")
    if "record" in state and bool((state["record"] == "demand").any()):
        raise InputError(f"{where}: got rows of demand, and sales beside them; expected one of both")
    customers = parse_network(network).customers
    problems = [
        f"{sales}: location '{name}' has no customers in the network; {nearest(name, customers)}"
        for name in panel.locations
        if name not in customers
    ]
    problems += _out_of_date(panel, clock)
    if problems:
        raise InputError(problems)
    items = sorted({str(item).strip() for item in state["item"]}) if "item" in state else list(panel.items)
    unknown = [item for item in items if item not in panel.items]
    if unknown:
        raise InputError(f"{where}: item '{item}' is not in {sales}; {nearest(item, panel.items)}" for item in unknown)
    if "item" not in state and len(items) > 1:
        raise InputError(f"{where}: column 'item': missing; {sales} has {len(items)} items")
    last = panel.sales.shape[2]
    rows = [
        {"item": item, "record": "demand", "location": location, "from": "", "when": period - last, "units": float(units)}
        for item in items
        for location, series in zip(panel.locations, panel.sales[panel.items.index(item)], strict=True)
        for period, units in enumerate(series)
    ]
    columns = ["item", "record", "location", "from", "when", "units"]
    found = pd.DataFrame(rows, columns=columns)
    return found if "item" in state else found.drop(columns="item")


def _out_of_date(panel: SalesPanel, clock: Clock) -> list[str]:
    """What is wrong with a panel that has dates, whose last period is to be the one before today."""
    if clock.today is None or not panel.days:
        return []
    days, last = panel.step_days, panel.days[-1]
    if days is None:  # months
        if (clock.today.year - last.year) * 12 + clock.today.month - last.month == 1:
            return []
        return [f"{panel.where}: its last month is {last:%Y-%m}; expected sales up to the month before {clock.today}"]
    if days != clock.period_days:
        return [f"--period-days: got {clock.period_days}; expected {days}, as {panel.where} has"]
    due = last.toordinal() + days
    if due != clock.today.toordinal():
        expected = f"sales up to the period before {clock.today}, or --today {date.fromordinal(due)}"
        return [f"{panel.where}: its last period begins on {last} and has {days} days; expected {expected}"]
    return []


def calendar_now(recipe: Recipe, row: int | None) -> Float[Tensor, " channel"] | None:
    """The row of a recipe's calendar that is this period, as training saw it; None where none is named.

    Raises:
        InputError: the recipe has no calendar, or not so many rows.
    """
    if row is None:
        return None
    calendar = None if recipe.demand is None else calendar_of(recipe.demand)
    if calendar is None or recipe.demand is None:
        raise InputError(f"--period: got {row}; {recipe.name} has no calendar; expected no --period")
    if row >= len(calendar):
        raise InputError(f"--period: got {row}; expected a row of the calendar, 0 to {len(calendar) - 1}")
    return scaled_calendar(calendar, Windows(**recipe.demand.windows.model_dump()))[row]


def _known(
    policy: Policy, network: Network, graph: InventoryGraph, position: Position, history: int | None
) -> tuple[Known, Float[Tensor, "scenario past node"]]:
    """What is known of each item, and the demand that the policy looks at: before what was given stands the mean."""
    if graph.drawn_parameters:
        raise InputError(
            f"{network.name}: {name}: differs by scenario; an order needs one number: --network NETWORK"
            for name in graph.drawn_parameters
        )
    if is_panel(network):
        seen = position.demand.shape[1]
        recent = position.demand[:, 0 if history is None else seen - history :]
        mean = mean_seen(recent, graph.has_demand)
        std = recent.std(1) if recent.shape[1] > 1 else torch.zeros_like(mean)
    else:
        mean, std = (value.expand(len(position.items), -1) for value in (graph.mean_demand, graph.std_demand))
    parameters: Parameters = graph.parameters()
    known = Known(parameters, mean, std, *graph.flows(mean))
    earlier = max(policy.window - position.demand.shape[1], 0)
    past = torch.cat([mean.unsqueeze(1).expand(-1, earlier, -1), position.demand], dim=1)
    return known, past[:, past.shape[1] - policy.window :]


def _reasons(decision: Decision, whole: bool) -> Callable[[int, int], str]:
    """What to call with an item and a link for the reason why its order differs from what was asked."""
    graph, desired, stock = decision.graph, decision.desired, decision.position.on_hand
    asked = desired.orders.clamp_min(0.0)
    on_link, on_location = torch.minimum(asked, graph.link_capacity), within_capacities(graph, desired.orders)
    cut = proportional(graph, stock, desired.orders, desired.keep)
    rounded = whole_units(graph, stock, cut) if whole else cut
    total = torch.zeros_like(stock).index_add(1, graph.source, on_location)

    def reason(item: int, link: int) -> str:
        source = int(graph.source[link])
        name, held = graph.labels[source], max(float(stock[item, source]), 0.0)
        least, found = float(decision.least[item, link]), []
        if float(asked[item, link] - on_link[item, link]) >= least:
            found.append(f"the link carries at most {amount(float(graph.link_capacity[link]))}")
        if float(on_link[item, link] - on_location[item, link]) >= least:
            found.append(f"{name} ships at most {amount(float(graph.ship_capacity[source]))} in a period")
        if not bool(graph.holds_stock[source]):
            found.append(f"{name} cannot hold stock and ships all it has, {amount(held)}")
        elif float(on_location[item, link] - cut[item, link]) >= least:
            kept = 0.0 if desired.keep is None else float(desired.keep[item, source].clamp_min(0.0))
            keeps = f" and {amount(kept)} kept for its own customers and for later" if kept >= KEPT * max(held, 1.0) else ""
            found.append(f"{name} has {amount(held)}, {amount(float(total[item, source]))} asked of it{keeps}")
        if abs(float(cut[item, link] - rounded[item, link])) >= least:
            found.append("rounded to whole units")
        if abs(float(rounded[item, link] - decision.orders[item, link])) >= least:
            found.append(f"an order on the link is 0 or at least {amount(float(graph.minimum_order[link]))}")
        return "; ".join(found)

    return reason
