"""Where a training stands: weights, their mean, the best ones, the optimiser, and how far it is; all that is needed to go on."""

import copy
import math
from typing import Any

import torch
from torch import Tensor

from gnn_inventory.errors import InputError
from gnn_inventory.policies.base import Policy
from gnn_inventory.training.judgement import Judgement
from gnn_inventory.training.optimiser import Optimiser
from gnn_inventory.training.run_folder import RunFolder, save_policy
from gnn_inventory.training.service import next_multiplier, next_price, shortfall
from gnn_inventory.training.settings import Training

__all__ = ["TrainingState"]


class TrainingState:
    """Where a training stands.

    Args:
        policy: to train, changed in place.
        settings: of training.
        steps: of all its epochs.

    Attributes:
        kept: what is judged on dev: the policy, or the running mean of its weights.
        best: the best weights on dev; none before the first epoch.
        epoch, step: finished ones.
        best_dev, best_epoch: the dev cost of the best weights, and when they were found.
        best_fill_rate: theirs on dev; None where none is asked for.
        multiplier: of the fill rate, money per period and location; 0 where none is asked for.
        price: what the next step pays for service, the multiplier and a little for what was missing in this one.
    """

    def __init__(self, policy: Policy, settings: Training, steps: int) -> None:
        self.policy, self.settings, self.steps = policy, settings, steps
        self.optimiser = Optimiser(policy, settings)
        self.kept = copy.deepcopy(policy) if settings.average else policy
        self.best: dict[str, Tensor] = {}
        self.epoch, self.step, self.best_epoch, self.best_dev = 0, 0, 0, math.inf
        self.best_fill_rate: float | None = None
        self.multiplier, self.price = 0.0, 0.0

    @property
    def learning_rate(self) -> float:
        """Of the next step. One cycle (Smith and Topin 2019): up over the first 30 % of the steps, down to nothing by a cosine."""
        settings, step = self.settings, self.step
        if settings.schedule == "constant":
            return settings.learning_rate
        rise = 0.3 * self.steps
        if step < rise:
            low, high, part = settings.learning_rate / 25, settings.learning_rate, step / rise
        else:
            low, high, part = settings.learning_rate, settings.learning_rate * 1e-4, (step - rise) / max(self.steps - 1 - rise, 1)
        return high + (low - high) * (1 + math.cos(math.pi * part)) / 2

    def advance(self, fill_rate: float | None = None) -> None:
        """Take a step along the gradient that the parameters hold; where a fill rate is asked for, the multiplier takes one too.

        Args:
            fill_rate: of the batch.
        """
        self.optimiser.step(self.learning_rate)
        if fill_rate is not None:
            part = self.learning_rate / self.settings.learning_rate
            self.multiplier = next_multiplier(self.multiplier, self.settings, fill_rate, part)
            self.price = next_price(self.multiplier, self.settings, fill_rate)
        self.step += 1
        if self.kept is not self.policy:
            decay = min(self.settings.average, self.step / (10 + self.step))
            with torch.no_grad():
                for mean, value in zip(self.kept.parameters(), self.policy.parameters(), strict=True):
                    mean.lerp_(value, 1 - decay)

    def leave_out(self) -> None:
        """Count a step that is not taken: the learning rate goes on as if it had been."""
        self.step += 1

    def judge(self, judgement: Judgement) -> None:
        """Keep the weights as the best ones where no earlier ones came closer to the fill rate, then where they cost least on dev."""
        missing, before = (shortfall(self.settings, value) for value in (judgement.fill_rate, self.best_fill_rate))
        if not self.best or (missing, judgement.cost) < (before, self.best_dev):
            self.best = {name: value.detach().clone() for name, value in self.kept.state_dict().items()}
            self.best_dev, self.best_epoch, self.best_fill_rate = judgement.cost, self.epoch, judgement.fill_rate

    def best_policy(self) -> Policy:
        """A copy with the best weights, to be used: in `eval` mode."""
        chosen = copy.deepcopy(self.policy)
        chosen.load_state_dict(self.best)
        return chosen.cpu().eval()

    def save(self, folder: RunFolder, data: str) -> None:
        """Write the best policy and the checkpoint; `data` is the fingerprint of what is trained on."""
        save_policy(self.best_policy(), folder.policy_file)
        tensors = {f"policy.{name}": value.detach().cpu() for name, value in self.policy.state_dict().items()}
        if self.kept is not self.policy:
            tensors |= {f"kept.{name}": value.detach().cpu() for name, value in self.kept.state_dict().items()}
        tensors |= {f"best.{name}": value.cpu() for name, value in self.best.items()}
        tensors |= {f"optimiser.{name}": value for name, value in self.optimiser.tensors().items()}
        progress: dict[str, Any] = {
            "epoch": self.epoch,
            "step": self.step,
            "best_dev": self.best_dev,
            "best_epoch": self.best_epoch,
        }
        progress |= {"best_fill_rate": self.best_fill_rate, "multiplier": self.multiplier, "price": self.price}
        folder.save_checkpoint(tensors, progress, data)

    def restore(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Go back to where a checkpoint was written.

        Raises:
            InputError: it is of another policy.
        """
        parts: dict[str, dict[str, Tensor]] = {"policy": {}, "kept": {}, "best": {}, "optimiser": {}}
        try:
            for name, value in tensors.items():
                part, _, rest = name.partition(".")
                parts[part][rest] = value
            self.policy.load_state_dict(parts["policy"])
            if self.kept is not self.policy:
                self.kept.load_state_dict(parts["kept"])
            self.optimiser.restore(parts["optimiser"])
            self.epoch, self.step = progress["epoch"], progress["step"]
            self.best_dev, self.best_epoch = progress["best_dev"], progress["best_epoch"]
            self.best_fill_rate = progress["best_fill_rate"]
            self.multiplier, self.price = progress["multiplier"], progress["price"]
        except (RuntimeError, KeyError, ValueError):
            raise InputError("checkpoint: holds another policy than the recipe says; train anew, in another folder") from None
        device = next(self.policy.parameters()).device
        self.best = {name: value.to(device) for name, value in parts["best"].items()}
