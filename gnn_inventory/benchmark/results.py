"""The folder of measured results: what it is for, the trainings, the cost of every scenario, and what each cell gave."""

import io
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gnn_inventory.errors import InputError, TrainingError, UsageError
from gnn_inventory.evaluation import evaluate_on
from gnn_inventory.files import holds_anything, replace_file, write_text
from gnn_inventory.policies.base import Oracle, Policy
from gnn_inventory.policies.newsvendor import NewsvendorWithReturns
from gnn_inventory.rollout import periods
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.network import is_panel, parse_network
from gnn_inventory.training.recipe import Recipe, scenario_source
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.settings import Evaluation, PanelSettings

__all__ = ["Outcome", "Results", "decide_once"]

Outcome = dict[str, Any]
"""What one policy gave on one network: a line of the table of all cells."""


class Results:
    """A folder of results that is gone on with.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.costs = path, path / "costs"

    def claim(self, kind: str, content: Mapping[str, Any], decisive: Sequence[str], growing: Sequence[str] = ()) -> None:
        """Make the folder, or see that it is of the same work.

        Args:
            kind: of work: "suite" or "transfer"; the file that says what the folder is for has this name.
            content: of that file.
            decisive: keys of it that must be the same to go on, where the folder states them.
            growing: keys whose mappings may be added to: what has a name there already must be the same. The file then says the new
                content, and what these held before as well.

        Raises:
            UsageError: the folder holds something else.
        """
        stated, now = self.path / f"{kind}.json", json.loads(json.dumps(content))
        if stated.exists():
            before = _content(stated)
            other = [key for key in decisive if key in before and before[key] != now[key]]
            for key in growing:
                had = before.get(key)
                if isinstance(had, dict):
                    other += [f"{key} of {name}" for name, value in had.items() if now[key].setdefault(name, value) != value]
                else:
                    other.append(key)
            if other:
                raise UsageError(f"{self.path}: holds results of another {kind} (other {', '.join(other)}); name another folder")
        elif self.path.exists() and (not self.path.is_dir() or holds_anything(self.path)):
            raise UsageError(f"{self.path}: exists already and holds no {kind}; name another folder")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if growing or not stated.exists():
                write_text(stated, json.dumps(now, indent=1))
            for part in ("cells", "costs", "runs"):
                (self.path / part).mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be made: {error.strerror}; name another folder") from None

    def run(self, cell: str) -> RunFolder:
        """The run folder of a cell."""
        return RunFolder(self.path / "runs" / cell)

    def outcomes(self, cell: str) -> list[Outcome] | None:
        """What a cell gave; None where it is not done."""
        file = self._cell_file(cell)
        return _content(file) if file.exists() else None

    def refuse_other_sales(self, outcomes: Sequence[Outcome], recipe: Recipe, mapping: Mapping[str, Any]) -> None:
        """Raise where what is done was measured on other sales, or in other periods of them, than the recipe names now."""
        network = build_network(mapping)
        if recipe.demand is None or recipe.demand.panel is None or not is_panel(parse_network(network)):
            return
        now = {"sales": scenario_source(recipe, "test", 0, network).fingerprint, "window": _window(recipe.demand)}
        if any(outcome.get(key, value) != value for outcome in outcomes for key, value in now.items()):
            raise UsageError(f"{self.path}: '{recipe.name}' was measured there on other sales; name another folder")

    def finish(self, cell: str, outcomes: Sequence[Outcome]) -> None:
        """Write what a cell gave: it is done."""
        replace_file(self._cell_file(cell), json.dumps(outcomes, indent=1).encode())

    def measure(
        self,
        name: str,
        recipe: Recipe,
        policy: Policy | Oracle,
        mapping: Mapping[str, Any],
        asked: Evaluation,
        about: Mapping[str, Any],
    ) -> Outcome:
        """Test a policy on a network, on the sales of its recipe where the network has a panel; keep the cost of each scenario.

        Args:
            name: of the file of costs.
            recipe: whose policy it is.
            policy: trained, or an oracle.
            mapping: of the network.
            asked: how many scenarios and periods; a panel has its own.
            about: what the outcome says of the training.

        Raises:
            TrainingError: its cost is not finite.
        """
        network = build_network(mapping)
        parsed = parse_network(network)
        source = scenario_source(recipe, "test", asked.seed, network)
        scenarios, periods, warm_up = asked.scenarios, asked.periods, asked.warm_up
        if is_panel(parsed):
            if source.count is None or source.periods is None or recipe.demand is None:
                raise InputError(f"{recipe.name}: expected a panel of sales for network '{parsed.name}'")
            scenarios, periods, warm_up = min(source.count, scenarios), source.periods, recipe.demand.windows.warm_up
        evaluated = evaluate_on(policy, parsed, source, scenarios, periods, warm_up, asked.whole_units)
        assert evaluated.per_scenario is not None
        if not math.isfinite(evaluated.cost):
            raise TrainingError(
                f"{recipe.name} on {parsed.name}: costs {evaluated.cost:g}: the policy has left all bounds; train it anew"
            )
        costs = io.BytesIO()
        np.save(costs, evaluated.per_scenario.numpy(), allow_pickle=False)
        replace_file(self.costs / f"{name}.npy", costs.getvalue())
        return {
            **evaluated.to_json(),
            **about,
            **({"sales": source.fingerprint} if source.fingerprint else {}),
            **({"window": _window(recipe.demand)} if recipe.demand is not None and is_panel(parsed) else {}),
            "stores": len(parsed.customers),
            "admissible": not isinstance(policy, Oracle | NewsvendorWithReturns),
            "counted_periods": periods - warm_up,
            "costs": f"{name}.npy",
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{_processor()}, torch {torch.__version__} on {torch.get_num_threads()} of {os.cpu_count()} cores",
        }

    def _cell_file(self, cell: str) -> Path:
        return self.path / "cells" / f"{cell}.json"


def _window(sales: PanelSettings) -> dict[str, Any]:
    """The periods of the sales that a policy is tested in."""
    windows = sales.windows.model_dump(mode="json")
    return {key: windows[key] for key in ("test", "history", "warm_up")}


def decide_once(policy: Policy | Oracle, recipe: Recipe, mapping: Mapping[str, Any]) -> None:
    """Let a policy decide once where it is to be tested.

    Raises:
        InputError: it cannot.
    """
    source = scenario_source(recipe, "test", 0, build_network(mapping))
    next(iter(periods(policy, source.graph, source.sample(0, 1, source.periods or 1))))


def _processor() -> str:
    """What the machine calls its processor; its architecture where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _content(file: Path) -> Any:
    """What a file of JSON holds."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{file}: damaged ({error}); name another folder, or delete this file: what it held is measured again"
        ) from None
