"""What a step minimises: a sum over scenarios and periods whose weights are known before any gradient is asked for."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gnn_inventory.training.horizon import Simulated
from gnn_inventory.types import PerPeriod, PerScenario

__all__ = ["Loss", "Part"]


@dataclass(frozen=True)
class Loss:
    """Sum over scenarios of weight x mean cost, less the price of what was served at once.

    A sum, so scenarios can be shared out among threads and processes in any way.

    Attributes:
        weights: of each scenario's mean cost [B].
        first: first period of which the cost counts.
        price: of a unit of demand that is served at once, money.
        warm_up: first period from which it is paid.
    """

    weights: PerScenario
    first: int = 0
    price: float = 0.0
    warm_up: int = 0

    def total(self, simulated: Simulated, rows: Tensor) -> Tensor:
        """The loss of some scenarios, one number; `rows` are theirs."""
        mean = simulated.minimised[:, self.first :].mean(1)
        total = (mean * self.weights[rows.to(self.weights.device)]).sum()
        return total if simulated.served is None else total - self.price * simulated.served[:, self.warm_up :].sum()

    def by_period(self, simulated: Simulated, rows: Tensor) -> PerPeriod:
        """What each scenario and period adds to the loss [B, T]."""
        periods = simulated.minimised.shape[1]
        number = torch.arange(periods, device=simulated.minimised.device)
        weights = self.weights[rows.to(self.weights.device)].unsqueeze(1) / (periods - self.first)
        parts = simulated.minimised * weights * (number >= self.first)
        return parts if simulated.served is None else parts - self.price * simulated.served * (number >= self.warm_up)


class Part(NamedTuple):
    """What an estimator found for some of the scenarios.

    Attributes:
        cost: per period, whole network [B, T], money.
        served: units served at once per period [B, T]; None where nobody asked.
        gradients: of the loss of these scenarios, in the order of the policy's trainable parameters; None where it is zero.
    """

    cost: PerPeriod
    served: PerPeriod | None
    gradients: tuple[Tensor | None, ...]
