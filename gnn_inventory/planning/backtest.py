"""A look back: what a policy would have done over one's own sales, beside what base stock would have done."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnn_inventory.demand.panel_files import COLUMNS, load_panel
from gnn_inventory.errors import InputError, nearest, problem
from gnn_inventory.evaluation import EvaluationResult, evaluate_on
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.intervals import interval
from gnn_inventory.planning.draft import on_panel, split_by_time
from gnn_inventory.policies.base import Policy
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.explicit import explicit_mapping
from gnn_inventory.topology.network import is_panel
from gnn_inventory.training.data import OneNetwork, steps_per_epoch
from gnn_inventory.training.hdpo import hdpo
from gnn_inventory.training.recipe import Recipe, recipe_of, scenario_source
from gnn_inventory.training.train import prepared
from gnn_inventory.trajectory import Trajectory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Backtest", "Line", "backtest", "recipe_on_sales"]

STEPS, RATE = 100, 3e-1
"""Of the training of base stock: steps at least, and how far one moves a level at the most, in periods of mean demand."""


@dataclass(frozen=True)
class Line:
    """What one policy did over the tested periods.

    Attributes:
        name: of the policy.
        result: its cost, with interval, and the gap to perfect information.
        fill_rate: of all customers together, demand served at once over demand.
        stock: mean units left at the end of a period, whole network and item.
        ordered: mean units that customers' locations and all others ordered per period, whole network and item.
    """

    name: str
    result: EvaluationResult
    fill_rate: float
    stock: float
    ordered: float


@dataclass(frozen=True)
class Backtest:
    """A policy and base stock over the same sales.

    Attributes:
        first, last: tested periods of the panel, [first, last).
        items: names, or their numbers.
        lines: the policy's and base stock's.
        difference: the policy's cost less base stock's, per location with demand, period and item, money.
        difference_ci95: its 95 % interval over items.
    """

    first: int
    last: int
    items: tuple[str, ...]
    lines: tuple[Line, Line]
    difference: float
    difference_ci95: tuple[float, float]

    def by_item(self) -> "pd.DataFrame":
        """Cost per period of each item under both, whole network, money."""
        import pandas as pd

        values: dict[str, Any] = {"item": self.items}
        for line in self.lines:
            assert line.result.per_scenario is not None
            values[line.name] = line.result.per_scenario.tolist()
        return pd.DataFrame(values)

    def to_json(self) -> dict[str, Any]:
        """What `backtest --json` prints."""
        names = ("fill_rate", "stock", "ordered")
        lines = [
            {"name": line.name, **line.result.to_json(), **{key: getattr(line, key) for key in names}} for line in self.lines
        ]
        low, high = self.difference_ci95
        return {
            "first": self.first,
            "last": self.last,
            "items": len(self.items),
            "lines": lines,
            "difference": self.difference,
            "difference_ci95": [low, high],
        }


def backtest(policy: Policy, recipe: Recipe, sales: str | Path, on_epoch: Callable[[int, int], None] | None = None) -> Backtest:
    """Roll a policy over one's own sales, beside base stock fitted to the sales before.

    The tested periods are those of the recipe's test window, and all that the file holds after it; of a recipe without a panel
    the last 15 % of the file. Base stock has one level per location, in units of the item's mean demand
    over the periods just past (as many as the policy looks at), trained by the same gradient to what is best in the training window: neither has
    seen what it is tested on, where the file begins at the period at which the one that was trained on begins.

    Args:
        policy: the trained one.
        recipe: the one that it was trained by.
        sales: the file of a panel (see `load_panel`).
        on_epoch: called with the epoch of base stock's training that is done, and how many there are.

    Raises:
        UsageError: no such file. InputError: the sales do not fit the network or the windows, or are of one item alone. TrainingError: base
            stock cannot be trained on them.
    """
    own = recipe_on_sales(recipe, sales)
    source = scenario_source(own, "test", own.evaluation.seed)
    assert own.demand is not None
    assert source.count is not None
    assert source.periods is not None
    if source.count < 2:
        raise InputError(problem(str(sales), "items", source.count, "at least 2, over which there is an interval"))
    base = _base_stock(own, on_epoch)
    warm_up, whole = own.demand.windows.warm_up, own.evaluation.whole_units
    scenarios = source.sample(0, source.count, source.periods)
    lines = []
    for name, judged in (("policy", policy), ("base stock", base)):
        result = evaluate_on(judged, own.network, source, source.count, source.periods, warm_up, whole)
        happened = Trajectory.of(judged, source.graph, scenarios, warm_up, whole)
        left, ordered = (value[:, warm_up:].sum(2).double().mean() for value in (happened.left, happened.orders))
        lines.append(Line(name, result, happened.fill_rate_of_all, float(left), float(ordered)))
    ours, theirs = (line.result.per_scenario for line in lines)
    assert ours is not None
    assert theirs is not None
    difference = (ours - theirs) / source.graph.demand_locations
    panel = load_panel(sales, own.demand.columns, own.demand.clamp)
    first = own.demand.windows.test[0] + own.demand.windows.history + warm_up
    chosen = slice(None) if own.demand.items is None else slice(*own.demand.items)
    items = panel.items or tuple(str(number) for number in range(len(panel.sales)))
    return Backtest(
        first, own.demand.windows.test[1], items[chosen], (lines[0], lines[1]), float(difference.mean()), interval(difference)
    )


def recipe_on_sales(recipe: Recipe, sales: str | Path) -> Recipe:
    """A recipe whose network takes its demand from a file of sales, its test window up to the end of the file.

    Raises:
        InputError: the sales do not fit the network or the windows.
    """
    network, demand = recipe.network, recipe.demand
    columns, clamp = (COLUMNS, False) if demand is None else (demand.columns, demand.clamp)
    panel = load_panel(sales, columns, clamp)
    periods = panel.sales.shape[2]
    if demand is not None and is_panel(network):
        windows = demand.windows.model_copy(update={"test": (demand.windows.test[0], max(periods, demand.windows.test[1]))})
        return replace(recipe, demand=demand.model_copy(update={"panel": str(Path(sales).absolute()), "windows": windows}))
    mapping = explicit_mapping(build_network(recipe.mapping))
    if panel.locations is None:
        raise InputError(f"{sales}: got a bare tensor; expected sales with named locations, as the network states its own demand")
    problems = [
        f"{sales}: no sales of location '{name}', which states a demand; {nearest(name, panel.locations)}"
        for name in recipe.network.customers
        if name not in panel.locations
    ]
    if problems:
        raise InputError(problems)
    nodes = {name: {key: value for key, value in node.items() if key != "demand"} for name, node in mapping["nodes"].items()}
    mapping = on_panel({key: value for key, value in mapping.items() if key != "demand"} | {"nodes": nodes}, panel)
    content = {
        "network": mapping,
        "demand": {"panel": str(sales), "windows": split_by_time(periods, str(sales)), "columns": columns, "clamp": clamp},
        "policy": dict(recipe.policy),
        "training": recipe.training.model_dump(),
        "evaluation": recipe.evaluation.model_dump(),
    }
    return recipe_of(content, recipe.name, str(sales))


def _base_stock(recipe: Recipe, on_epoch: Callable[[int, int], None] | None) -> Policy:
    """Base stock, of the echelons where a location cannot hold stock, trained on the recipe's training window."""
    assert recipe.demand is not None
    holds = bool(InventoryGraph.from_network(recipe.network).holds_stock.all())
    window = max(int(recipe.policy.get("window", 0)), recipe.demand.windows.history, 2)
    changes = {
        "learning_rate": RATE,
        "optimiser": "adam",
        "estimator": "pathwise",
        "early_stopping": 0,
        "average": 0.0,
    }
    settings = recipe.training.model_copy(update=changes)
    plain = replace(
        recipe, policy={"name": "base_stock" if holds else "echelon_base_stock", "window": window}, start=None, training=settings
    )
    fresh, data = prepared(plain)
    assert isinstance(data, OneNetwork)
    chosen = data.dev._replace(scenarios=data.train.sample(0, data.size, data.periods))
    data = replace(data, dev=chosen, dev_warm_up=data.warm_up)  # a few levels fit no noise, and dev is short
    epochs = math.ceil(STEPS / steps_per_epoch(data.size, settings.batch))

    def after(line: dict[str, Any]) -> None:
        if on_epoch is not None:
            on_epoch(int(line["epoch"]), epochs)

    return hdpo(fresh, data, settings.model_copy(update={"epochs": epochs}), on_epoch=after).policy
