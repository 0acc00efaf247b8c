"""What takes the steps: matrices and all else, each in its way."""

import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.errors import InputError
from gnn_inventory.training import optimiser
from gnn_inventory.training.optimiser import Optimiser
from gnn_inventory.training.recipe import load_recipe
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.state import TrainingState


def moved(settings):
    """The policy's parameters before, and by how much one step along a fixed gradient moves each."""
    policy = gi.MessagePassing(width=16, rounds=1, slots=3)
    random = torch.Generator().manual_seed(1)
    before = {name: value.detach().clone() for name, value in policy.named_parameters()}
    for value in policy.parameters():
        value.grad = torch.randn(value.shape, generator=random)
    Optimiser(policy, settings).step(0.01)
    for name, value in policy.named_parameters():
        assert ((value.detach() - before[name]) * value.grad).sum() < 0, f"{name}: up the gradient"
    return before, {name: value.detach() - before[name] for name, value in policy.named_parameters()}


def test_muon_steps_a_matrix_alike_in_all_directions_and_all_else_as_adam():
    """Orthogonalised, a step's singular values are about one another's equals: Jordan et al.'s five iterations bring all but tiny
    ones into [0.7, 1.2]. Scaled to Adam's size they are 0.2 x sqrt(longer side) x learning rate of it (Liu et al. 2025)."""
    before, steps = moved(gi.Training(optimiser="muon", learning_rate=0.01))
    matrices = 0
    for name, value in before.items():
        step = steps[name]
        if value.dim() == 2 and min(value.shape) > 1:
            matrices += 1
            usual = 0.2 * max(value.shape) ** 0.5 * 0.01
            assert torch.linalg.svdvals(step).max() < 1.3 * usual
            assert torch.linalg.svdvals(step).median() > 0.6 * usual
        else:  # the first step of Adam is the learning rate against the gradient's sign
            assert torch.allclose(step.abs(), torch.full_like(step, 0.01), rtol=1e-3)
    assert matrices == 8


def test_the_learning_rate_by_hand():
    """One cycle of 10 steps: from a 25th up over the first three, half-way by half the cosine; then down to a ten-thousandth."""
    state = TrainingState(gi.MessagePassing(width=4, rounds=1), gi.Training(learning_rate=0.1), steps=10)
    rates = []
    for state.step in range(10):
        rates.append(state.learning_rate)
    assert (rates[0], rates[3], rates[6], rates[9]) == pytest.approx((0.004, 0.1, 0.0500050, 1e-5))
    assert rates[:4] == sorted(rates[:4])
    assert rates[3:] == sorted(rates[3:], reverse=True)
    state.settings = gi.Training(learning_rate=0.1, schedule="constant")
    assert state.learning_rate == 0.1


def test_muon_is_refused_where_there_is_no_matrix_or_torch_has_none(monkeypatch, tmp_path):
    muon = gi.Training(optimiser="muon")
    with pytest.raises(InputError, match=r"got muon, which steps matrices; .* has none; expected adam"):
        gi.train(gi.BaseStock(), gi.one_store(), muon)
    settings = ["policy={name: echelon_base_stock}", "training.optimiser=muon"]
    with pytest.raises(InputError, match="which steps matrices"):
        gi.train_recipe(load_recipe("serial", settings), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    monkeypatch.delattr(optimiser.torch.optim, "Muon")
    with pytest.raises(InputError, match=r"which torch has from 2\.9 on"):
        Optimiser(gi.MessagePassing(width=8), muon)
