"""Seconds of a training step (rollout, gradient and update) on the CPU and, where there is one, on a GPU, for growing batches.

`python benchmarks/devices.py [RECIPE ...]`; the first step of each, which makes room, does not count.
"""

import statistics
import sys
import time

import torch

import gnn_inventory as gi
from gnn_inventory.training.gradient import gradient
from gnn_inventory.training.machine import machine
from gnn_inventory.training.state import TrainingState
from gnn_inventory.training.train import prepared

STEPS = 4
BATCHES = {"cpu": (64, 1024), "cuda": (64, 1024, 8192)}


def seconds_per_step(recipe_name: str, device: str, batch: int) -> float:
    """The middle of several steps."""
    recipe = gi.load_recipe(recipe_name, [f"training.device={device}", f"training.batch={batch}"])
    settings, (policy, data) = recipe.training, prepared(recipe)
    times = []
    with machine(device) as here:
        policy.to(here.device)
        state = TrainingState(policy, settings, STEPS)
        for drawn, _ in zip(data.batches(settings, 0, here.processes), range(STEPS), strict=False):
            began = time.perf_counter()
            own = drawn.to(here.device, getattr(torch, settings.dtype))
            state.advance(gradient(policy, own, here, settings, data.warm_up, state.price, (0, state.step)).fill_rate)
            if here.device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def main() -> None:
    """Each recipe on each device."""
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    print(f"CPU with {torch.get_num_threads()} threads")
    if "cuda" in devices:
        print(torch.cuda.get_device_name())
    for recipe in sys.argv[1:] or ["many_warehouses", "specialist"]:
        for device in devices:
            for batch in BATCHES[device]:
                print(f"{recipe}, {device}, {batch} scenarios: {seconds_per_step(recipe, device, batch):.2f} s", flush=True)


if __name__ == "__main__":
    main()
