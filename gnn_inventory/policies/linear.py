"""Affine maps of policies, whose weights come from a generator of their own."""

import torch
from torch import nn

__all__ = ["Linear", "draw_weights"]


class Linear(nn.Linear):
    """Affine map [.., in] -> [.., out] of weights 0, until its policy draws them: torch's own takes them from the global generator."""

    def reset_parameters(self) -> None:
        with torch.no_grad():
            for values in self.parameters():
                values.zero_()


def draw_weights(module: nn.Module, seed: int) -> None:
    """Draw the weights and biases of all linear layers from a seed, uniform within 1 / sqrt(inputs): torch's default."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, Linear):
                bound = (1.0 / layer.in_features) ** 0.5
                for values in (layer.weight, layer.bias):
                    values.uniform_(-bound, bound, generator=random)
