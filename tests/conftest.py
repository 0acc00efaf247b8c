"""What the tests share: a recipe that trains in seconds."""

import sys
from pathlib import Path

import pytest
import torch
import yaml

from gnn_inventory import load_recipe
from gnn_inventory.cli import main
from gnn_inventory.training.recipe import Recipe

QUICK = {
    "network": "one_warehouse",
    "policy": {"name": "message_passing", "width": 8, "rounds": 1, "slots": 3},
    "training": {
        "scenarios": 64,
        "periods": 12,
        "warm_up": 4,
        "batch": 32,
        "epochs": 3,
        "dev_scenarios": 16,
        "dev_periods": 12,
        "dev_warm_up": 4,
    },
    "evaluation": {"scenarios": 16, "periods": 20, "warm_up": 10},
}


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """The file of a recipe that trains in seconds."""
    path = tmp_path / "quick.yaml"
    path.write_text(yaml.safe_dump(QUICK))
    return path


def command(*arguments):
    """Call the command line; its exit code."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["gnn-inventory", *map(str, arguments)])
        try:
            main()
        except SystemExit as stopped:
            return stopped.code or 0
    return 0


@pytest.fixture
def run(capsys):
    """Call the command line; exit code, standard output and standard error."""

    def call(*arguments):
        capsys.readouterr()
        code = command(*arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def tiny(tmp_path: Path):
    """A recipe of the catalogue, cut to one epoch of one step."""

    def cut(name: str, *changes: str) -> Recipe:
        size = ["scenarios=8", "batch=8", "epochs=1", "dev_scenarios=12", "networks=2", "dev_networks=12"]
        settings = [f"training.{setting}" for setting in size]
        if name.startswith("favorita"):
            random = torch.Generator().manual_seed(0)
            torch.save(torch.randint(0, 50, (8, 21, 171), generator=random).float(), tmp_path / "sales.pt")
            settings.append(f"demand.panel={tmp_path / 'sales.pt'}")
        else:
            length = (
                24 if "serial" in name or name == "any" else 12
            )  # until something that was ordered upstream is with a customer
            settings += [f"training.periods={length}", "training.warm_up=2"]
        return load_recipe(name, [*settings, *changes])

    return cut
