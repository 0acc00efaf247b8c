"""The run folder: recipe, metrics, best policy, and what is needed to resume bit for bit. Nothing in it is pickled."""

import hashlib
import json
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gnn_inventory.errors import InputError, UsageError, nearest
from gnn_inventory.files import holds_anything, replace_file, write_text
from gnn_inventory.policies import make_policy, policy_name
from gnn_inventory.policies.base import Policy
from gnn_inventory.policies.fully_connected import FullyConnected
from gnn_inventory.policies.linear import Linear
from gnn_inventory.topology.catalogue import trained_policies
from gnn_inventory.training.recipe import Recipe, load_recipe

__all__ = ["SCHEMA", "RunFolder", "load_policy", "save_policy"]

KEY = "gnn_inventory"
SCHEMA = 4
"""Version of the files' layout; a file of another version is refused."""
LONGEST_REASON = 300
"""Characters of what is found amiss in a file that are shown."""


class RunFolder:
    """The files of one run.

    Args:
        path: of the folder.
    """

    @classmethod
    def of(cls, run: str | Path) -> "RunFolder":
        """What was trained: the folder of a run or, where there is none, the policy of that name that comes with the package.

        Raises:
            UsageError: there is neither, with the nearest name.
        """
        folder = _of_the_package(run) or Path(run)
        if not folder.exists():
            raise UsageError(
                f"{run}: no such run folder, nor a trained policy of the package; {nearest(str(run), trained_policies())}"
            )
        return cls(folder)

    @classmethod
    def all_of(cls, runs: Sequence[str | Path]) -> "list[RunFolder]":
        """`of` for each.

        Raises:
            UsageError: a line for each that is not there.
        """
        found: list[RunFolder] = []
        problems: list[str] = []
        for run in runs:
            try:
                found.append(cls.of(run))
            except UsageError as error:
                problems += error.problems
        if problems:
            raise UsageError(dict.fromkeys(problems))
        return found

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.recipe_file = self.path / "recipe.yaml"
        self.metrics_file = self.path / "metrics.jsonl"
        self.policy_file = self.path / "policy.safetensors"
        self.checkpoint_file = self.path / "checkpoint.safetensors"

    def create(self, recipe: Recipe) -> None:
        """Make the folder.

        Raises:
            UsageError: something is there already; nothing is touched.
        """
        self.refuse_existing()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be made: {error.strerror}; name another folder") from None
        write_text(self.recipe_file, recipe.to_yaml())

    def refuse_existing(self) -> None:
        """Raise where something is there already."""
        try:
            there = self.path.exists() and (not self.path.is_dir() or holds_anything(self.path))
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read: {error.strerror}; name another folder") from None
        if there:
            raise UsageError(f"{self.path}: exists already; name another folder, or go on with it: --resume")

    def recipe(self) -> Recipe:
        """The recipe of the run.

        Raises:
            UsageError: this is no run folder.
        """
        if not self.recipe_file.is_file():
            raise UsageError(f"{self.path}: is not a run folder (it has no recipe.yaml); expected the folder of `train -o`")
        return load_recipe(self.recipe_file)

    def policy(self) -> Policy:
        """The best policy so far."""
        if not self.policy_file.is_file():
            raise UsageError(f"{self.path}: holds no policy yet; train it: --resume")
        return load_policy(self.policy_file)

    def save_checkpoint(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any], data: str = "") -> None:
        """Replace the checkpoint; `state` is JSON, `data` the fingerprint of what is trained on."""
        _save(self.checkpoint_file, tensors, {**state, "recipe": self._fingerprint(), "data": data})

    def checkpoint(self, data: str = "") -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and state of the last finished epoch; None before the first.

        Raises:
            InputError: it is damaged, or of another recipe or other data than these.
        """
        if not self.checkpoint_file.exists():
            return None
        tensors, state = _load(self.checkpoint_file)
        for key, expected, text in (("recipe", self._fingerprint(), "another recipe"), ("data", data, "other sales")):
            if state.pop(key, None) != expected:
                raise InputError(f"{self.checkpoint_file}: is of {text}; expected the checkpoint of this run")
        return tensors, state

    def _fingerprint(self) -> str:
        """Of the recipe, whatever device it names."""
        return hashlib.sha256(self.recipe().without_device().encode()).hexdigest()

    def append_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Add a line; it is on the disk before the checkpoint that counts on it."""
        with open(self.metrics_file, "a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def metrics(self, epochs: int | None = None) -> list[dict[str, Any]]:
        """One dictionary per epoch, of the first `epochs` ones (all where None).

        Raises:
            InputError: a line is damaged, or lines are missing.
        """
        try:
            text = self.metrics_file.read_text(encoding="utf-8") if self.metrics_file.exists() else ""
            lines = text.splitlines()[:epochs]
            found = [json.loads(line) for line in lines]
        except ValueError as error:
            raise InputError(f"{self.metrics_file}: damaged ({error}); expected a line of JSON per epoch") from None
        if [line.get("epoch") if isinstance(line, dict) else None for line in found] != list(range(1, len(found) + 1)) or (
            epochs is not None and len(found) < epochs
        ):
            expected = "1, 2, ..." if epochs is None else f"1 to {epochs}, where the checkpoint stands"
            raise InputError(f"{self.metrics_file}: damaged: epochs are missing; expected {expected}; train anew elsewhere")
        return found

    def cut_metrics(self, epochs: int) -> None:
        """Drop the lines after an epoch: those of a run that was stopped before its checkpoint."""
        kept = self.metrics(epochs)
        write_text(self.metrics_file, "".join(json.dumps(line) + "\n" for line in kept))


def save_policy(policy: Policy, path: str | Path) -> None:
    """Write a policy as safetensors, its name, settings and the places that it belongs to in the metadata."""
    state = {"policy": policy_name(policy), "config": policy.config, "places": policy.places}
    _save(Path(path), {name: value.detach() for name, value in policy.state_dict().items()}, state)


def load_policy(path: str | Path) -> Policy:
    """Read a policy, to be used: in `eval` mode.

    Args:
        path: of the file, or the name of a policy that comes with the package, trained: `any-0`.

    Raises:
        UsageError: no such file. InputError: truncated, of another version, or no policy.
    """
    folder = _of_the_package(path)
    path = Path(path) if folder is None else RunFolder(folder).policy_file
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; expected a file, such as policy.safetensors in a run folder")
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    tensors, state = _load(path)
    try:
        policy = make_policy(state["policy"], **state["config"])
        policy.places = tuple(state["places"])
        buffers = dict(policy.named_buffers())
        for name, value in tensors.items():  # what belongs to a network, or to its sales, has their size
            if name in buffers:
                setattr(policy, name, torch.zeros_like(value))
            elif policy.places and "." not in name:
                setattr(policy, name, torch.nn.Parameter(torch.zeros_like(value)))
        if isinstance(policy, FullyConnected):
            sizes = [tensors[f"layers.{number}.weight"].shape for number in range(len(tensors) // 2)]
            policy.layers = torch.nn.ModuleList(Linear(columns, rows) for rows, columns in sizes)
        policy.load_state_dict(tensors)
    except (KeyError, TypeError, AttributeError, RuntimeError, InputError) as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise InputError(
            f"{path}: holds no policy of this version of the library ({reason}); expected a file written by training with it"
        ) from None
    return policy.to(next((value.dtype for value in tensors.values() if value.is_floating_point()), torch.float32)).eval()


def _of_the_package(name: str | Path) -> Path | None:
    """The folder of a trained policy of the package; None where there is none of this name, or a file or folder of one's own has it."""
    return None if Path(name).exists() else trained_policies().get(str(name))


def _save(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    # one key: safetensors writes several in an order of its own, and the same run is to give the same bytes
    metadata = {KEY: json.dumps({"schema": SCHEMA, "state": state})}
    replace_file(path, save({name: value.contiguous() for name, value in tensors.items()}, metadata))


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            found = json.loads((file.metadata() or {}).get(KEY, "{}"))
            found = found if isinstance(found, dict) else {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dictionary)
    except (SafetensorError, OSError, ValueError, struct.error) as error:
        raise InputError(f"{path}: truncated or not a safetensors file ({error}); expected one that training wrote") from None
    if found.get("schema") != SCHEMA:
        raise InputError(f"{path}: got schema version {found.get('schema')}; expected {SCHEMA}: use the version that wrote it")
    state = found.get("state")
    return tensors, state if isinstance(state, dict) else {}
