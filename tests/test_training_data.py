"""What training trains on: these items and periods, this stream, and nothing that testing will see."""

import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.planning.orders import calendar_now
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import data_of
from gnn_inventory.training.recipe import calendar_of, scenario_source
from tests.test_cli import panel_recipe

ITEMS, PERIODS, AHEAD = 5, 60, 2
SETTINGS = ["demand.items=[2,4]", "training.batch=1"]


@pytest.fixture
def telling(tmp_path):
    """A recipe on sales that say their item and period: 1000 x item + period + 1; its calendar says the period."""
    item, period = 1000.0 * torch.arange(ITEMS).reshape(-1, 1, 1), 1.0 + torch.arange(PERIODS)
    file = panel_recipe(tmp_path, (item + period).expand(ITEMS, 2, PERIODS).contiguous())
    rows = "\n".join(f"{number}" for number in range(1, PERIODS + AHEAD + 1))
    (tmp_path / "calendar.csv").write_text(f"week\n{rows}\n")
    calendar = f"demand.calendar={{file: {tmp_path / 'calendar.csv'}, columns: [week], ahead: {AHEAD}}}"
    return lambda *more: gi.load_recipe(file, [*SETTINGS, calendar, *more])


def told(scenarios):
    """Items of the scenarios, and the periods of each, from what the sales say."""
    demand = scenarios.demand[:, :, scenarios.demand.sum((0, 1)) > 0][..., 0].long() - 1
    return (demand[:, 0] // 1000).tolist(), [row.tolist() for row in demand % 1000]


def test_each_window_of_a_panel_is_the_one_that_the_recipe_says(telling):
    """Of windows [0, 30), [20, 45) and [35, 60), five periods are history."""
    recipe = telling()
    data = data_of(recipe)
    trained = [told(batch.scenarios) for batch in data.batches(recipe.training, 0)]
    assert sorted(item for items, _ in trained for item in items) == [2, 3]
    assert all(periods == list(range(5, 30)) for _, rows in trained for periods in rows)
    for scenarios, window in (
        (data.dev.scenarios, range(25, 45)),
        (scenario_source(recipe, "test", 0).sample(0, 2, 20), range(40, 60)),
    ):
        items, rows = told(scenarios)
        assert items == [2, 3]
        assert rows == [list(window)] * 2


def test_a_random_start_takes_all_of_the_training_window_and_no_more(telling):
    recipe = telling("training.random_start=true", "training.periods=10", "training.warm_up=0")
    data = data_of(recipe)
    rows = [row for epoch in range(60) for batch in data.batches(recipe.training, epoch) for row in told(batch.scenarios)[1]]
    assert all(row == list(range(row[0], row[0] + 10)) for row in rows)
    assert {row[0] for row in rows} == set(range(5, 21))  # 120 draws of 16 starts


def test_the_calendar_of_a_period_is_its_own_and_of_those_after_it(telling):
    """Scaled by mean and deviation of the training window, it rises by the same step from row to row and from column to column."""
    recipe = telling()
    test = scenario_source(recipe, "test", 0).sample(0, 1, 20).calendar  # of periods 40 to 59
    now = calendar_now(recipe, 45)
    assert torch.equal(now, test[5])
    assert not torch.equal(calendar_now(recipe, 46), now)
    week = torch.arange(1.0, PERIODS + 1)[:30]  # the column as the file has it, over the training window
    torch.testing.assert_close(test[:, 0] * week.std() + week.mean(), torch.arange(41.0, 61.0))
    later = week + AHEAD
    torch.testing.assert_close(test[:, AHEAD] * later.std() + later.mean(), torch.arange(43.0, 63.0))


def test_a_column_that_goes_round_is_seen_of_its_own_period(telling):
    """After what is seen around it; the week of the file is 1 more than the period."""
    file = telling().demand.calendar.file
    calendar = f"demand.calendar={{file: {file}, columns: [week], ahead: {AHEAD}, cycles: {{week: 8}}}}"
    found, around = (calendar_of(telling(*more).demand) for more in ([calendar], []))
    assert torch.equal(found[:, : 1 + AHEAD], around)
    torch.testing.assert_close(
        found[:2, 1 + AHEAD :], torch.tensor([[0.5**0.5, 0.5**0.5, 0, 1], [0, 1, -1, 0]]), atol=1e-6, rtol=0
    )


def test_a_calendar_of_which_nothing_is_seen_is_refused(telling):
    file = telling().demand.calendar.file
    with pytest.raises(InputError, match="got none, and no cycles; expected at least one column"):
        telling(f"demand.calendar={{file: {file}}}")
    with pytest.raises(InputError, match=r"cycles.week: got 0; expected a number > 0"):
        telling(f"demand.calendar={{file: {file}, cycles: {{week: 0}}}}")
    with pytest.raises(InputError, match="no column 'weak'"):
        calendar_of(telling(f"demand.calendar={{file: {file}, cycles: {{weak: 8}}}}").demand)


def test_stated_demand_is_trained_on_its_own_stream(quick):
    recipe = gi.load_recipe(quick, ["training.seed=3"])
    drawn = [batch.scenarios.demand for batch in data_of(recipe).batches(recipe.training, 1)]
    size, periods = recipe.training.scenarios, recipe.training.periods
    network = parse_network(gi.load_network("one_warehouse"))
    expected, test = (SyntheticDemand(network, 3, stream).sample(0, size, periods).demand for stream in ("train", "test"))
    assert torch.equal(by_first(torch.cat(drawn)), by_first(expected))
    assert not torch.equal(by_first(torch.cat(drawn)), by_first(test))


def by_first(demand):
    """Scenarios in the order of all their demand."""
    return demand[demand.flatten(1).double().sum(1).argsort()]
