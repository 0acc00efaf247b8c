"""HDPO, hindsight differentiable policy optimisation: the gradient of the mean simulated cost, straight through the simulator.

Alvo, Russo, Kanoria and Lee, arXiv 2306.11246; or another gradient, of another objective (`training/gradient.py`). A run is a pure function of its recipe: batches are drawn from (seed, epoch),
so a run that was stopped goes on bit for bit from its last finished epoch.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from gnn_inventory.errors import InputError, TrainingError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Policy
from gnn_inventory.training.data import Data, ManyNetworks, OneNetwork, steps_per_epoch
from gnn_inventory.training.gradient import gradient, newsvendor_weights
from gnn_inventory.training.horizon import reach
from gnn_inventory.training.judgement import Judgement, judge
from gnn_inventory.training.machine import Machine, machine
from gnn_inventory.training.optimiser import Optimiser
from gnn_inventory.training.processes import this_process
from gnn_inventory.training.run_folder import RunFolder, save_policy
from gnn_inventory.training.settings import Training
from gnn_inventory.training.state import TrainingState
from gnn_inventory.types import LinkValues

__all__ = ["Result", "hdpo", "refuse_unfit"]

SKIPPED = 20
"""One step in so many may have a gradient that is not finite: such a step is left out, and said."""
FEW = 5
"""Names that a message gives."""


@dataclass(frozen=True)
class Result:
    """What training gives.

    Attributes:
        policy: a copy of the best weights on dev.
        dev_cost: their dev cost, per location with demand and period: the mean, or its conditional value at risk.
        metrics: one dictionary per epoch.
        fill_rate: theirs on dev; None where none is asked for.
    """

    policy: Policy
    dev_cost: float
    metrics: list[dict[str, Any]]
    fill_rate: float | None = None

    @property
    def seconds(self) -> float:
        """What the training took: as many median epochs as it had, so that one in which the machine slept does not count."""
        return len(self.metrics) * median(line["seconds"] for line in self.metrics)


def hdpo(
    policy: Policy,
    data: Data,
    settings: Training,
    folder: RunFolder | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    on_step: Callable[[], None] | None = None,
    trained: bool = False,
) -> Result:
    """Train a policy, together with the other processes that torchrun started, if any.

    Args:
        policy: changed in place; the best weights come back as a copy.
        data: scenarios.
        settings: of training.
        folder: where checkpoints, metrics and the best policy go; a checkpoint in it is gone on from. Of several processes the
            first writes, and all must see it.
        on_epoch: called with the metrics of each epoch.
        on_step: called after each step.
        trained: whether the policy's weights are good ones already: then they are kept where no epoch is better on dev.

    Raises:
        InputError: fewer scenarios or networks in a batch than processes; what `refuse_unfit` raises.
        TrainingError: the gradient is zero in every parameter, or it or the cost is not finite.
    """
    refuse_unfit(policy, data, settings)
    with machine(settings.device) as here:
        processes, dtype = here.processes, getattr(torch, settings.dtype)
        processes.wait()  # the first may have had a folder to make
        policy.to(here.device, dtype)
        dev = data.dev.to(here.device, dtype)
        weights = newsvendor_weights(dev.graph, dev.scenarios, 1 / processes.size, processes) if settings.relative else 1.0

        def judgement_of(judged: Policy) -> Judgement:
            level, serving = settings.level, settings.fill_rate is not None
            return judge(judged, dev, data.dev_warm_up, weights, data.whole_units, here, level, serving)

        if not any(value.requires_grad for value in policy.parameters()):
            return _untrained(policy, judgement_of(policy), folder if processes.first else None, on_epoch)
        state = TrainingState(policy, settings, settings.epochs * steps_per_epoch(data.size, settings.batch))
        if folder is not None:
            saved = folder.checkpoint(data.fingerprint)
            if saved is not None:
                state.restore(*saved)
        metrics = folder.metrics(state.epoch) if folder is not None else []
        processes.wait()  # all have read
        if folder is not None and processes.first:
            folder.cut_metrics(state.epoch)
        if trained and not state.best:
            state.judge(judgement_of(policy))
        while state.epoch < settings.epochs:
            if settings.early_stopping and state.epoch - state.best_epoch >= settings.early_stopping:
                break
            line = _epoch(state, data, here, judgement_of, on_step)
            metrics.append(line)
            if folder is not None and processes.first:
                folder.append_metrics(line)
                state.save(folder, data.fingerprint)
            if on_epoch is not None:
                on_epoch(line)
        chosen = state.best_policy()
        if folder is not None and processes.first and not folder.policy_file.is_file():
            save_policy(chosen, folder.policy_file)
        return Result(chosen, state.best_dev, metrics, state.best_fill_rate)


def refuse_unfit(policy: Policy, data: Data, settings: Training) -> None:
    """Raise where settings of training are not for such a policy or such scenarios.

    Raises:
        InputError: fewer periods than an order of some location takes to a customer; the conditional value at risk of so few scenarios that its tail has none; the estimator score_function with fixed costs, or on many networks in several processes; the optimiser muon for a
            policy without a matrix, or with a torch that has none.
    """
    for name, count in (
        ("batch", data.size // steps_per_epoch(data.size, settings.batch)),
        ("dev_scenarios", len(data.dev.scenarios)),
    ):
        if settings.level is not None and count * (1 - settings.level) < 1 - 1e-9:
            raise InputError(
                f"training.objective: got cvar {settings.level} with {name} {count}, less than one scenario in the tail; expected more"
            )
    if settings.estimator == "score_function":
        processes = this_process().size
        if processes > 1 and isinstance(data, ManyNetworks):
            raise InputError(
                f"training.estimator: got score_function on a distribution of networks in {processes} processes, among which its "
                "noise cannot be divided; expected one process, or pathwise or forward"
            )
        if bool((data.dev.scenarios.parameters.fixed_cost != 0).any()):
            raise InputError(
                "training.estimator: got score_function on a network with fixed costs, where its noise would pay them in every "
                "period; expected pathwise or forward"
            )
    if any(value.requires_grad for value in policy.parameters()):
        Optimiser(policy, settings)  # which refuses what it cannot step
        if isinstance(data, OneNetwork):
            _refuse_too_few_periods(data.dev.graph, data.dev.scenarios.parameters.lead_time, data.periods)
        elif isinstance(data, ManyNetworks):
            for network in data.networks.ends:
                graph = InventoryGraph.from_network(network)
                _refuse_too_few_periods(graph, graph.lead_time.unsqueeze(0), data.periods, f" of {network.name}")


def _refuse_too_few_periods(graph: InventoryGraph, lead_time: LinkValues, periods: int, whose: str = "") -> None:
    """Raise where no order of a location can be with a customer before the end: nothing would be learned there."""
    soonest = reach(graph, lead_time).amin(0)
    of_node = soonest.new_zeros(graph.nodes).scatter_reduce(0, graph.target, soonest, "amin", include_self=False)
    late = ((of_node >= periods) & of_node.isfinite()).nonzero().flatten().tolist()
    if late:
        names = ", ".join(f"'{graph.labels[node]}'" for node in late[:FEW]) + (", ..." if len(late) > FEW else "")
        raise InputError(
            f"training.periods: got {periods}; expected more than {of_node[late].max():g}: what {names}{whose} orders is not with a customer "
            "sooner, and nothing would be learned there"
        )


def _epoch(
    state: TrainingState,
    data: Data,
    here: Machine,
    judgement_of: Callable[[Policy], Judgement],
    on_step: Callable[[], None] | None,
) -> dict[str, Any]:
    """One pass over the scenarios; its metrics."""
    policy, settings = state.policy, state.settings
    began, largest, rate = time.perf_counter(), 0.0, state.learning_rate
    train, steps, skipped, simulated = torch.zeros(1, dtype=torch.float64), 0, 0, 0
    policy.train()
    for batch in data.batches(settings, state.epoch, here.processes):
        own, rate = batch.to(here.device, getattr(torch, settings.dtype)), state.learning_rate
        step = gradient(policy, own, here, settings, data.warm_up, state.price, (state.epoch, state.step))
        simulated += step.simulated_periods
        allowed = steps_per_epoch(data.size, settings.batch) // SKIPPED - skipped
        norm = _checked_norm(policy, float(step.cost.mean()), settings, state.epoch, allowed)
        if norm is None:
            skipped += 1
            state.leave_out()
        else:
            largest, train, steps = max(largest, norm), train + step.train, steps + 1
            state.advance(step.fill_rate)
        if on_step is not None:
            on_step()
    judgement = judgement_of(state.kept)
    if not math.isfinite(judgement.cost):
        raise TrainingError(
            f"training: epoch {state.epoch + 1}: the dev cost is {judgement.cost:g}: the policy has left all bounds; "
            "try a smaller training.learning_rate"
        )
    state.epoch += 1
    state.judge(judgement)
    total, all_periods = here.processes.sum(
        [train.to(here.device), torch.tensor([simulated], dtype=train.dtype, device=here.device)]
    )
    service = {} if judgement.fill_rate is None else {"fill_rate": judgement.fill_rate, "multiplier": state.multiplier}
    return {
        "epoch": state.epoch,
        "train": float(total) / steps,
        "dev": judgement.cost,
        "best_dev": state.best_dev,
        **service,
        "simulated_periods": int(all_periods),
        "skipped_steps": skipped,
        "gradient_norm": largest,
        "learning_rate": rate,
        "seconds": round(time.perf_counter() - began, 3),
    }


def _untrained(
    policy: Policy, judgement: Judgement, folder: RunFolder | None, on_epoch: Callable[[dict[str, Any]], None] | None
) -> Result:
    """The result of a policy that has nothing to train: one line of metrics with its dev cost, and the policy as it is."""
    cost, service = judgement.cost, {} if judgement.fill_rate is None else {"fill_rate": judgement.fill_rate}
    line = {"epoch": 1, "train": cost, "dev": cost, "best_dev": cost, **service, "simulated_periods": 0, "seconds": 0.0}
    if folder is not None:
        folder.cut_metrics(0)
        folder.append_metrics(line)
        save_policy(policy.cpu(), folder.policy_file)
    if on_epoch is not None:
        on_epoch(line)
    return Result(policy.cpu(), cost, [line], judgement.fill_rate)


def _checked_norm(policy: Policy, cost: float, settings: Training, epoch: int, allowed: int = 0) -> float | None:
    """Clip the gradient; its norm before, a positive number; None where it is not finite and the step may be left out.

    Through many periods, and on one network of many, a gradient may grow beyond all numbers and then says nothing of the others. To leave
    it out costs a step; to stop would cost the training, which would meet the same batch whenever it is resumed.
    """
    norm = float(torch.nn.utils.clip_grad_norm_(policy.parameters(), settings.gradient_clip))
    if not math.isfinite(norm) and allowed > 0:
        return None
    if not math.isfinite(cost) or not math.isfinite(norm):
        bad = [name for name, value in policy.named_parameters() if value.grad is not None and not value.grad.isfinite().all()]
        raise TrainingError(
            f"training: epoch {epoch + 1}: the gradient exploded (cost {cost:g}, norm {norm:g}, first in '{(bad or ['cost'])[0]}'); "
            "try a smaller training.learning_rate or training.gradient_clip"
        )
    if norm == 0.0:
        hint = (
            "are training.periods longer than the lead times, and does stock cost anything?"
            if epoch == 0
            else "try a smaller training.learning_rate"
        )
        raise TrainingError(
            f"training: epoch {epoch + 1}: the gradient is dead: zero in every parameter; no order of this policy changes the cost ({hint})"
        )
    return norm
