"""What takes steps along a gradient: an optimiser of torch, or two where matrices and all else are stepped in other ways."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gnn_inventory.errors import InputError
from gnn_inventory.policies.base import Policy
from gnn_inventory.training.settings import Training

__all__ = ["Optimiser"]

SINGLE: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


class Optimiser:
    """Steps all parameters of a policy; with torch's defaults but for the learning rate.

    `muon` (Jordan et al. 2024; torch >= 2.9) steps every matrix by its orthogonalised momentum, scaled so that entries move about as
    far as by Adam and without weight decay, and everything else by Adam.

    Args:
        policy: whose parameters are stepped.
        settings: of training: which optimiser, and its learning rate.

    Raises:
        InputError: muon for a policy without a matrix, or with a torch that has none.
    """

    def __init__(self, policy: Policy, settings: Training) -> None:
        parameters = list(policy.parameters())
        if settings.optimiser != "muon":
            self.parts = [SINGLE[settings.optimiser](parameters, lr=settings.learning_rate)]
            return
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for value in parameters:
            (matrices if value.dim() == 2 and min(value.shape) > 1 else others).append(value)
        if not matrices:
            raise InputError(f"training.optimiser: got muon, which steps matrices; {policy!r} has none; expected adam")
        if not hasattr(torch.optim, "Muon"):
            raise InputError(f"training.optimiser: got muon, which torch has from 2.9 on, not {torch.__version__}; expected adam")
        rate: dict[str, Any] = {"lr": settings.learning_rate}
        self.parts = [torch.optim.Muon(matrices, weight_decay=0.0, adjust_lr_fn="match_rms_adamw", **rate)]
        self.parts += [torch.optim.Adam(others, **rate)] if others else []

    def step(self, rate: float) -> None:
        """One step at a learning rate along the gradient that the parameters hold."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()

    def tensors(self) -> dict[str, Tensor]:
        """All that is to be kept, by the number of a parameter among those stepped and what it is."""
        found: dict[str, Tensor] = {}
        first = 0
        for part in self.parts:
            for number, values in part.state_dict()["state"].items():
                found |= {f"{first + number}.{key}": value.cpu() for key, value in values.items()}
            first += sum(len(group["params"]) for group in part.param_groups)
        return found

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave.

        Raises:
            RuntimeError, KeyError, ValueError: it is of another optimiser or policy.
        """
        first = 0
        for part in self.parts:
            state, size = part.state_dict(), sum(len(group["params"]) for group in part.param_groups)
            for name, value in tensors.items():
                number, _, key = name.partition(".")
                if first <= int(number) < first + size:
                    state["state"].setdefault(int(number) - first, {})[key] = value
            part.load_state_dict(state)
            first += size
