"""Quantiles of the demand of the next periods, by gradient-boosted trees (LightGBM), without scale.

The trees are grown and asked on the CPU wherever the tensors lie.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnn_inventory.errors import UsageError
from gnn_inventory.types import Float

__all__ = ["QUANTILES", "QuantileForecaster"]

QUANTILES = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995)
"""Between them a quantile is interpolated, beyond them it is the lowest or the highest."""
ROWS = 60_000
"""Most examples that the trees are grown on."""
TREES, LEAVES, RATE = 60, 31, 0.1


class QuantileForecaster:
    """One model per quantile of total demand over a horizon, all in units of the mean of the past that is seen.

    What is minimised is the quantile loss in goods: else the few series that begin to sell after a past of next to nothing, whose
    demand is hundreds of times that mean, set the upper quantiles of all.

    Args:
        models: in LightGBM's own text form, one per quantile of `QUANTILES`.
    """

    def __init__(self, models: Sequence[str]) -> None:
        booster = _lightgbm().Booster
        self.models = list(models)
        self._boosters = [booster(model_str=model) for model in self.models]

    @classmethod
    def fit(
        cls,
        past: Float[Tensor, "series past"],
        calendar: Float[Tensor, "series channel"],
        horizon: Float[Tensor, " series"],
        total: Float[Tensor, " series"],
        seed: int,
    ) -> "QuantileForecaster":
        """Grow the trees.

        Args:
            past: demand of the periods before, oldest first, units.
            calendar: of the period in which the forecast is made.
            horizon: periods of demand that are forecast.
            total: what was demanded in them, units.
            seed: of the examples that are drawn where there are more than `ROWS`.
        """
        lightgbm = _lightgbm()
        past, calendar, horizon, total = past.cpu(), calendar.cpu(), horizon.cpu(), total.cpu()
        chosen = np.random.default_rng(seed).permutation(len(past))[:ROWS]
        unit = _unit(past[chosen])
        features = _features(past[chosen], calendar[chosen], horizon[chosen])
        goods = unit * horizon[chosen]
        target = (total[chosen] / goods).numpy()
        settings = {"objective": "quantile", "num_leaves": LEAVES, "learning_rate": RATE, "verbosity": -1, "seed": 0}
        settings |= {"deterministic": True, "force_row_wise": True, "num_threads": torch.get_num_threads()}
        data = lightgbm.Dataset(features, target, weight=goods.numpy(), free_raw_data=False)
        models = [lightgbm.train({**settings, "alpha": alpha}, data, TREES).model_to_string() for alpha in QUANTILES]
        return cls([re.sub(r"\[num_threads: \d+\]\n", "", model) for model in models])  # the same trees, whoever grew them

    def __deepcopy__(self, memo: dict[int, Any]) -> "QuantileForecaster":
        """Itself: nothing in it changes."""
        return self

    def predict(
        self,
        past: Float[Tensor, "series past"],
        calendar: Float[Tensor, "series channel"],
        horizon: Float[Tensor, " series"],
    ) -> Float[Tensor, "series quantile"]:
        """Quantiles of total demand over the horizon [.., Q], units, never falling."""
        unit = _unit(past) * horizon
        features = _features(past, calendar, horizon)
        found = np.stack([booster.predict(features) for booster in self._boosters], axis=1)
        rising = np.maximum.accumulate(np.maximum(found, 0.0), axis=1)
        return torch.from_numpy(rising).to(past) * unit.unsqueeze(1)


def _unit(past: Tensor) -> Tensor:
    """Mean of the past; of a past without demand, the smallest of whole units that could have been seen."""
    mean = past.mean(1)
    return torch.where(mean > 0, mean, 1.0 / past.shape[1])


def _features(past: Tensor, calendar: Tensor, horizon: Tensor) -> np.ndarray:
    return torch.cat([past / _unit(past).unsqueeze(1), calendar, horizon.unsqueeze(1)], dim=1).double().cpu().numpy()


def _lightgbm() -> Any:
    try:
        import lightgbm
    except (ModuleNotFoundError, OSError) as error:  # the package, or the OpenMP library that it links to
        raise UsageError(f"this policy's forecaster needs LightGBM ({error}): pip install 'gnn_inventory[forecast]'") from None
    return lightgbm
