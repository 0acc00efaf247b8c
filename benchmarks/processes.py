"""Seconds of a training epoch in 1 and 2 processes of one thread each, the same global batch.

Usage: python benchmarks/processes.py
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from gnn_inventory.training.run_folder import RunFolder

RECIPES = {"one_warehouse": "training.batch=1024", "any_one_warehouse": "training.networks=16"}
SMALL = ["training.scenarios=4096", "training.epochs=4", "training.dev_scenarios=64"]


def main() -> None:
    for recipe, setting in RECIPES.items():
        seconds = {}
        for count in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                run = RunFolder(Path(folder) / "run")
                words = [word for text in (*SMALL, setting) for word in ("--set", text)]
                command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
                command += ["-m", "gnn_inventory", "train", recipe, "-o", str(run.path), *words]
                subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
                seconds[count] = statistics.median(line["seconds"] for line in run.metrics()[1:])
        print(
            f"{recipe}: {seconds[1]:.2f} s in 1 process, {seconds[2]:.2f} s in 2, efficiency {seconds[1] / seconds[2] / 2:.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
