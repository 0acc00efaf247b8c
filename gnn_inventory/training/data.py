"""The scenarios of a training: what is trained on, in batches, and what the best policy is chosen by."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch

from gnn_inventory.demand.scenarios import Scenarios, ScenarioSource, generator
from gnn_inventory.errors import InputError
from gnn_inventory.training.recipe import Recipe, Training

__all__ = ["Data", "data_of", "steps_per_epoch"]


@dataclass(frozen=True)
class Data:
    """Scenarios to train on and to choose by.

    Attributes:
        train: source of the training scenarios.
        dev: dev scenarios.
        dev_warm_up: first periods of them that are not counted.
        size: training scenarios.
        periods: simulated per training scenario.
        warm_up: first periods of a training scenario that are left out of the cost reported as `train`.
        whole_units: whether dev orders are rounded, as they will be where the policy is used.
        starts: first periods at which a training scenario may start (more than one: it is drawn per step).
    """

    train: ScenarioSource
    dev: Scenarios
    dev_warm_up: int
    size: int
    periods: int
    warm_up: int
    whole_units: bool = False
    starts: int = 1

    def batches(self, settings: Training, epoch: int) -> Iterator[Scenarios]:
        """The batches of an epoch: a permutation of the scenarios drawn from (seed, epoch), cut in equal parts."""
        random = generator(settings.seed, 7, epoch)
        order = torch.randperm(self.size, generator=random)
        steps = steps_per_epoch(self.size, settings.batch)
        for rows in order.chunk(steps):
            if self.starts == 1:
                yield self._drawn[rows]
            else:
                start = int(torch.randint(self.starts, (), generator=random))
                yield self.train.sample(0, self.size, self.periods, start)[rows]

    @cached_property
    def _drawn(self) -> Scenarios:
        """The training set, drawn once."""
        return self.train.sample(0, self.size, self.periods)


def steps_per_epoch(size: int, batch: int) -> int:
    """Batches per epoch; the last may be a little smaller than the others."""
    return math.ceil(size / batch)


def data_of(recipe: Recipe, train: ScenarioSource, dev: ScenarioSource) -> Data:
    """The scenarios of a recipe: as many as it says, or as a panel has."""
    settings, whole = recipe.training, recipe.evaluation.whole_units
    if train.count is None:
        drawn = dev.sample(0, settings.dev_scenarios, settings.dev_periods)
        return Data(train, drawn, settings.dev_warm_up, settings.scenarios, settings.periods, settings.warm_up, whole)
    assert recipe.demand is not None
    assert train.periods is not None
    assert dev.periods is not None
    assert dev.count is not None
    if settings.random_start and settings.periods > train.periods:
        expected = f"at most {train.periods}, the training window's"
        raise InputError(f"{recipe.name}: training.periods: got {settings.periods}; expected {expected}")
    periods = settings.periods if settings.random_start else train.periods
    chosen = dev.sample(0, min(dev.count, settings.dev_scenarios), dev.periods)
    size = min(train.count, settings.scenarios)
    warm_up = recipe.demand.windows.warm_up
    if warm_up >= periods:
        raise InputError(f"{recipe.name}: training.periods: got {periods}; expected more than windows.warm_up, {warm_up}")
    return Data(train, chosen, warm_up, size, periods, warm_up, whole, train.periods - periods + 1)
