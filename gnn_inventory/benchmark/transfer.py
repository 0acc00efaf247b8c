"""Transfer: what trained policies cost on networks that they never saw, as they are and after more training on them."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnn_inventory.benchmark.results import Outcome, Results, decide_once
from gnn_inventory.benchmark.table import csv_text, markdown_table, rounded, with_gaps
from gnn_inventory.benchmark.targets import drawn_targets, native_recipes, recipe_of_run, targets_of
from gnn_inventory.errors import InputError, TrainingError, UsageError
from gnn_inventory.evaluation import refuse_other_tests
from gnn_inventory.files import digest, write_text
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.picture import draw_against_sizes, draw_matrix
from gnn_inventory.policies import ORACLES
from gnn_inventory.policies.base import Oracle, Policy
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.network import is_panel, parse_network
from gnn_inventory.training.coverage import Coverage, longest_way, sizes_of
from gnn_inventory.training.recipe import Recipe
from gnn_inventory.training.run_folder import RunFolder, load_policy
from gnn_inventory.training.settings import Evaluation, Training
from gnn_inventory.training.train import prepared, train_recipe

__all__ = ["AS_IT_IS", "Transfer", "run_transfer", "write_transfer"]

AS_IT_IS, ITSELF = "as it is", "the network itself"
LONGEST = 120
"""Characters of a file's name."""
PEAK = 0.1
"""Of the learning rate of the training, in fine-tuning: the weights are near to good ones already."""
LEAD_TIMES = 5
"""Of the network's longest way from a supplier, in fine-tuning: a scenario is at least this long."""


@dataclass(frozen=True)
class Transfer:
    """What is to be transferred where.

    Attributes:
        runs: run folders of trained policies.
        targets: networks, each a catalogue name or file, with `key=value` settings after it: "one_warehouse stores=50"; `name=`
            among them is what the table calls it.
        finetune: epochs of further training on each target; 0 = none.
        native: recipes whose policy is trained on each target itself, with the recipe's training: of the same kind, or baselines;
            settings after each, as after a target: "specialist training.epochs=24". What sees the future has nothing to train.
        evaluation: scenarios and periods of all of them.
        settings: `key=value` put into the runs' recipes, for panels of sales: `demand.items=[200, 288]`.
        drawn: so many test networks of the distribution that all runs were trained on, beside the targets.
    """

    runs: Sequence[Path]
    targets: Sequence[str]
    finetune: int
    native: Sequence[str]
    evaluation: Evaluation
    settings: Sequence[str] = ()
    drawn: int = 0

    def statement(self) -> dict[str, Any]:
        """What the folder of results is for."""
        return {
            "runs": [run.resolve().name for run in self.runs],
            "targets": list(self.targets),
            "drawn": self.drawn,
            "finetune": self.finetune,
            "native": list(self.native),
            "evaluation": self.evaluation.model_dump(mode="json"),
            "settings": list(self.settings),
        }


def run_transfer(
    asked: Transfer,
    folder: Path,
    on_cell: Callable[[int, int, str], None] | None = None,
    on_failure: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Do what is not done yet; nothing is written before all targets are found to fit.

    Args:
        asked: what.
        folder: of the results; the same call goes on with it, and one with other runs, networks or recipes adds what is not there.
        on_cell: called before each part of the work with its number, how many there are, and its name.
        on_failure: called where a training cannot go on, with what and why; the others go on. Where None, the first such is raised.

    Raises:
        TrainingError: a training that cannot go on.
        InputError: a target that is not valid or that a policy cannot serve, one line each.
            Runs of other panels on a panel.
        UsageError: a run folder, network or recipe is not there, or the folder holds something else.
    """
    recipes = [recipe_of_run(run, asked.settings) for run in asked.runs]
    natives = native_recipes(asked.native)
    targets = [*targets_of(asked.targets), *drawn_targets(asked.runs, recipes, asked.drawn, asked.evaluation.seed)]
    for words, hint in (
        ([name for name, _ in targets], "a network gets a name by 'NETWORK name=...'"),
        ([run.resolve().name for run in asked.runs], "name other run folders"),
        ([native.name for native in natives], "a recipe gets a name by 'RECIPE name=...'"),
    ):
        twice = next((word for word in words if words.count(word) > 1), None)
        if twice is not None:
            raise UsageError(f"transfer: '{twice}' stands twice, and tables are by name; {hint}")
    if asked.evaluation.warm_up >= asked.evaluation.periods:
        got = f"{asked.evaluation.periods} periods, warm-up {asked.evaluation.warm_up}"
        raise UsageError(f"transfer: got {got}; expected more periods than warm-up: --periods T --warm-up W")
    if any(is_panel(parse_network(build_network(mapping))) for _, mapping in targets):
        refuse_other_tests([str(run) for run in asked.runs], recipes, ["demand"])
    parts = list(_parts(asked, recipes, natives, dict(targets)))
    for part in parts:
        _refuse_same_name(part, [(other.target, other.trained, other.policy) for other in parts if other.name == part.name])
    _refuse_misfits(parts)
    results = Results(folder)
    starts = {f"the start of {native.name}": digest(native.start) for native in natives if native.start is not None}
    statement = asked.statement() | {
        "weights": {part.trained: digest(part.file) for part in parts if part.file is not None} | starts,
        "networks": dict(targets),
        "recipes": {native.name: native.without_device() for native in natives},
    }
    results.claim("transfer", statement, ["evaluation", "settings"], growing=["weights", "networks", "recipes"])
    outcomes = []
    for number, part in enumerate(parts, 1):
        found = results.outcomes(part.name)
        if found is None:
            if on_cell is not None:
                on_cell(number, len(parts), part.name)
            try:
                found = [_measured(part, results, asked.evaluation)]
            except TrainingError as error:
                failed = f"{part.policy if part.trained == ITSELF else part.trained} on {part.target}: {error}"
                if on_failure is None:
                    raise TrainingError(failed) from None
                on_failure(failed)
                continue
            results.finish(part.name, found)
        else:
            _refuse_same_name(part, [(done["problem"], done["trained"], done["policy"]) for done in found])
            results.refuse_other_sales(found, part.recipe, part.mapping)
        outcomes += found
    return outcomes


@dataclass(frozen=True)
class _Part:
    """A line of the table, before it is measured.

    Attributes:
        target: what the table calls the network.
        graph: of it.
        trained: on what: the name of a run, or `ITSELF`.
        policy: what the table calls the policy.
        recipe: what it was trained by or, where there is no file yet, is to be trained by.
        file: of the policy; None where it is yet to be trained, or has no weights.
        beyond: what of the network the training never saw.
    """

    target: str
    mapping: dict[str, Any]
    graph: InventoryGraph
    trained: str
    policy: str
    recipe: Recipe
    file: Path | None = None
    beyond: tuple[str, ...] = ()

    @property
    def oracle(self) -> Oracle | None:
        """What sees the future, where the recipe names it."""
        kind = ORACLES.get(str(self.recipe.policy["name"]))
        return None if kind is None else kind()

    @property
    def name(self) -> str:
        """Of its files: what no file system takes is left out, and a digest tells it from others."""
        name = f"{self.target} {self.trained} {self.policy}"
        return f"{re.sub(r'[^a-zA-Z0-9=.-]+', '_', name)[:LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _parts(
    asked: Transfer, recipes: Sequence[Recipe], natives: Sequence[Recipe], mappings: Mapping[str, dict[str, Any]]
) -> Iterator[_Part]:
    """All lines of the table."""
    covered = [Coverage.of_recipe(recipe) for recipe in recipes]
    for target, mapping in mappings.items():
        network = parse_network(build_network(mapping))
        graph = InventoryGraph.from_network(network)
        panel = is_panel(network)
        for run, recipe, coverage in zip(asked.runs, recipes, covered, strict=True):
            file, beyond = RunFolder(run).policy_file, tuple(coverage.beyond(network))
            yield _Part(target, mapping, graph, run.resolve().name, AS_IT_IS, recipe, file, beyond)
            if asked.finetune:
                training = _finetuning(recipe.training, asked.finetune, None if panel else graph)
                sales = recipe.demand if panel else None
                more = recipe.on(mapping, start=file.absolute(), demand=sales, training=training)
                yield _Part(target, mapping, graph, run.resolve().name, f"after {asked.finetune} epochs", more, beyond=beyond)
        for native in natives:
            own = native.on(mapping, demand=recipes[0].demand if panel else None)
            yield _Part(target, mapping, graph, ITSELF, own.name, own)


def _finetuning(training: Training, epochs: int, graph: InventoryGraph | None) -> Training:
    """More of a run's training, gentler, and over scenarios long enough for the network (None: a panel, as long as it is).

    What is ordered upstream within the last lead times of a scenario never reaches a customer in it and does not count: where these
    are much of the scenario, training learns little of it.
    """
    least = 0 if graph is None else LEAD_TIMES * longest_way(graph)
    periods, dev_periods = max(training.periods, least), max(training.dev_periods, least)
    changes = {
        "epochs": epochs,
        "learning_rate": training.learning_rate * PEAK,
        "periods": periods,
        "warm_up": training.warm_up * periods // training.periods,
        "dev_periods": dev_periods,
        "dev_warm_up": training.dev_warm_up * dev_periods // training.dev_periods,
    }
    return training.model_copy(update=changes)


def _measured(part: _Part, results: Results, evaluation: Evaluation) -> Outcome:
    """Train what is to be trained, and test it."""
    seconds = 0.0
    policy: Policy | Oracle
    if part.oracle is not None:
        policy = part.oracle
    elif part.file is None:
        run = results.run(part.name)
        trained = train_recipe(part.recipe, run, resume=run.recipe_file.exists())
        policy, seconds = run.policy(), trained.seconds
    else:
        policy = load_policy(part.file)
    about = {
        "problem": part.target,
        "instance": {},
        "trained": part.trained,
        "policy": part.policy,
        "seed": part.recipe.training.seed,
        "sizes": sizes_of(part.graph),
        "beyond": list(part.beyond),
        "training_seconds": round(seconds, 1),
    }
    return results.measure(part.name, part.recipe, policy, part.mapping, evaluation, about)


def _refuse_same_name(part: _Part, others: Sequence[tuple[str, str, str]]) -> None:
    """Raise where something else has the name of a part: what stands before and behind a space is not told apart in it."""
    for target, trained, policy in others:
        if (target, trained, policy) != (part.target, part.trained, part.policy):
            raise UsageError(
                f"transfer: '{part.trained}' on '{part.target}' and '{trained}' on '{target}' have one name in the folder; give the "
                "network another: 'NETWORK name=...'"
            )


def _refuse_misfits(parts: Sequence[_Part]) -> None:
    """Let every policy, trained or not yet, decide once on its target.

    Raises:
        InputError: one line for each that cannot.
    """
    problems = []
    for part in parts:
        try:
            policy = part.oracle if part.file is None else load_policy(part.file)
            if policy is None:
                prepared(part.recipe)
            else:
                decide_once(policy, part.recipe, part.mapping)
        except InputError as error:
            problems.append(f"{part.policy if part.trained == ITSELF else part.trained} on {part.target}: {error}")
    if problems:
        raise InputError(dict.fromkeys(problems))


def write_transfer(outcomes: Sequence[Outcome], folder: Path) -> list[dict[str, Any]]:
    """Write `table.csv`, `table.md`, `table.json`, `sizes.svg` and `matrix.svg` into the folder; the rows of the table."""
    rows = []
    full = with_gaps(outcomes, folder / "costs")
    for outcome in full:
        low, high = outcome["gap_ci95"] or (None, None)
        rows.append(
            {
                "network": outcome["problem"],
                **outcome["sizes"],
                "trained on": outcome["trained"],
                "policy": outcome["policy"],
                "cost per store": round(outcome["cost_per_store"], 4),
                "cost 95 %": " to ".join(f"{end:.4f}" for end in outcome["ci95"]),
                "gap %": rounded(outcome["gap_percent"]),
                "low": rounded(low),
                "high": rounded(high),
                "over": outcome["reference"]["kind"].replace("_", " "),
                "training seconds": round(outcome["training_seconds"]),
                "beyond the training": "; ".join(outcome["beyond"]),
            }
        )
    about = f"Measured on {'; '.join(sorted({o['machine'] for o in full}))}; {max(o['date'] for o in full)}. "
    about += "Best known: the lowest mean cost in this table on the same scenarios.\n"
    write_text(folder / "table.csv", csv_text(rows))
    write_text(
        folder / "table.md",
        markdown_table(list(rows[0]), [["" if value is None else str(value) for value in row.values()] for row in rows])
        + "\n"
        + about,
    )
    write_text(folder / "table.json", json.dumps({"rows": rows, "cells": full}, indent=1))
    draw_against_sizes(full, folder / "sizes.svg")
    transferred = [outcome for outcome in full if outcome["policy"] == AS_IT_IS]
    if transferred:
        draw_matrix(transferred, folder / "matrix.svg")
    return rows
