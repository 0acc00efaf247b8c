"""What a backtest holds a policy against: base stock whose levels no other level betters."""

import numpy as np
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.errors import InputError
from gnn_inventory.planning.backtest import backtest
from gnn_inventory.training.recipe import recipe_of, scenario_source

STOCKED = {"per_scenario": {"uniform": [0.0, 2.0], "times": "mean_flow"}}
SHOP = {
    "holding_cost": 1.0,
    "underage_cost": 19.0,
    "unmet_demand": "backlogged",
    "demand": "panel",
    "initial_stock": STOCKED,
}
LINKS = [{"from": "port", "to": "shop", "lead_time": 4, "initial_in_transit": STOCKED}]
WINDOWS = {"windows": {"train": [0, 30], "dev": [18, 40], "test": [28, 52], "history": 7, "warm_up": 5}}


def test_one_item_is_refused_before_anything_is_trained(tmp_path):
    np.save(tmp_path / "sales.npy", np.ones((1, 1, 52), dtype=np.float32))
    content = {"network": {"nodes": {"port": {"kind": "supplier"}, "shop": SHOP}, "links": LINKS}, "demand": WINDOWS}
    content |= {"policy": {"name": "message_passing", "width": 4}}
    recipe = recipe_of({**content, "demand": {**WINDOWS, "panel": str(tmp_path / "sales.npy")}}, "shop", "shop")
    with pytest.raises(InputError, match=r"sales\.npy: items: got 1; expected at least 2"):
        backtest(gi.MessagePassing(width=4), recipe, tmp_path / "sales.npy", on_epoch=lambda *_: pytest.fail("trained"))


def test_its_base_stock_is_the_best_level_though_an_epoch_is_one_step(tmp_path):
    """Far from where training starts (5 periods, which cost three times as much): against a grid of levels over the tested periods."""
    random = np.random.default_rng(0)
    sales = np.maximum(0, np.round(random.normal(10, 5, (16, 1, 52)))).astype(np.float32)
    np.save(tmp_path / "sales.npy", sales)
    content = {
        "network": {
            "nodes": {"port": {"kind": "supplier"}, "shop": SHOP},
            "links": LINKS,
        },
        "demand": {**WINDOWS, "panel": str(tmp_path / "sales.npy")},
        "policy": {"name": "message_passing", "width": 4},
        "training": {"scenarios": 16, "batch": 88},
    }
    recipe = recipe_of(content, "shop", "shop")
    found = backtest(gi.MessagePassing(width=4), recipe, tmp_path / "sales.npy")
    source = scenario_source(recipe, "test", 0)
    level = gi.BaseStock(window=7)
    level.fit_to(source.graph)
    costs = []
    for periods in torch.arange(5.0, 9.5, 0.5):
        with torch.no_grad():
            level.levels.fill_(periods)
        costs.append(gi.evaluation.evaluate_on(level, recipe.network, source, 16, 17, 5).cost)
    assert costs[0] > 2 * min(costs)
    assert found.lines[1].result.cost < 1.05 * min(costs)
