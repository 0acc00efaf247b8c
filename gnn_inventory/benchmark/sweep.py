"""Sweeps: recipes with settings drawn by Optuna, judged by their best dev cost, never by test scenarios."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnn_inventory.benchmark.results import Results
from gnn_inventory.benchmark.table import csv_text, markdown_table
from gnn_inventory.errors import InputError, TrainingError, UsageError
from gnn_inventory.files import LOCKS, digest, lock, parse_yaml, write_text
from gnn_inventory.training.recipe import Recipe, recipe_of, with_settings
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.service import shortfall
from gnn_inventory.training.train import prepared, train_recipe

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["Sweep", "run_sweep", "write_sweep"]

STARTUP = 8
"""Trials drawn at random before the sampler goes by what it has seen."""


JUDGING = (
    "network",
    "demand",
    "training.dev_",
    "training.objective",
    "training.fill_rate",
    "training.relative",
    "training.seed",
    "evaluation",
)
"""Beginnings of keys that decide on which scenarios trials are judged, or by what."""


@dataclass(frozen=True)
class Sweep:
    """What is to be tried.

    Attributes:
        content: of the recipe, as its file says it.
        name: of the recipe.
        vary: `key=range` each, the key dotted; a range is `{uniform: [a, b]}`, `{log_uniform: [a, b]}`, `{integers: [a, b]}` or
            `{choice: [...]}`.
        trials: how many, of all processes and calls together.
    """

    content: Mapping[str, Any]
    name: str
    vary: Sequence[str]
    trials: int

    def recipe(self, drawn: Mapping[str, Any]) -> Recipe:
        """The recipe of a trial."""
        settings = [f"{key}={json.dumps(value)}" for key, value in drawn.items()]
        return recipe_of(with_settings(self.content, settings), self.name, self.name)


def run_sweep(asked: Sweep, folder: Path, on_trial: Callable[[int, int, str], None] | None = None) -> list[dict[str, Any]]:
    """Train what is not trained yet; the same call, in any number of processes at once, goes on with the folder.

    Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) chooses. A trial whose process was killed is gone on with
    from its last epoch.

    Args:
        asked: what.
        folder: of the results: Optuna's journal, and a run folder for each trial.
        on_trial: called before each trial with its number, how many there are, and what was drawn.

    Returns:
        A row for each trial: its number, what was drawn, `dev` (None where it failed), and `failed`, why: training broke off, or
        the fill rate that the recipe asks for was not reached.

    Raises:
        InputError: a range that is none, or of a key that decides what dev costs are of; or a choice or end of one with which the recipe cannot be trained.
        UsageError: the folder holds something else, or Optuna is not installed.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UsageError("sweep: needs optuna, which is not installed: pip install 'gnn_inventory[sweep]'") from None
    if not LOCKS:
        raise UsageError("sweep: this system has no file locks, by which processes share trials; expected Linux or macOS")
    space = _space(asked.vary)
    first = {key: values[0] for key, (_, values) in space.items()}
    lowest = asked.recipe(first)
    recipes = [lowest, *(asked.recipe({**first, key: value}) for key, (_, values) in space.items() for value in values[1:])]
    sales = [prepared(recipe)[1].fingerprint for recipe in recipes]  # what cannot be trained says so before anything is written
    starts = list(dict.fromkeys(digest(recipe.start) for recipe in recipes if recipe.start is not None))
    statement = {"recipe": asked.content, "vary": list(asked.vary), "sales": sales[0], "start": starts}
    Results(folder).claim("sweep", statement, list(statement))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.create_study(study_name="sweep", storage=storage, load_if_exists=True)
    distributions = {key: _distribution(values) for key, values in space.items()}
    while True:
        with _next_trial(study, asked.trials, lowest.training.seed, distributions, folder) as found:
            if found is None:
                break
            number, drawn = found
            if on_trial is not None:
                on_trial(number + 1, asked.trials, ", ".join(f"{key} {value}" for key, value in drawn.items()))
            run = RunFolder(folder / "trials" / str(number))
            try:
                recipe = asked.recipe(drawn)
                result = train_recipe(recipe, run, resume=run.recipe_file.exists())
                if shortfall(recipe.training, result.fill_rate) > 0:
                    got = f"{result.fill_rate:.4f} on dev, asked {recipe.training.fill_rate:g}"
                    raise TrainingError(f"training.fill_rate: got {got}; train longer, or raise training.multiplier_rate")
            except UsageError:  # no fault of the trial: a disk is full, or a device is not there
                raise
            except (InputError, TrainingError) as error:
                write_text(folder / "trials" / f"{number}.failed", str(error) + "\n")
                study.tell(number, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(number, result.dev_cost)
    return _rows(study, folder)


@contextmanager
def _next_trial(
    study: "Study", trials: int, seed: int, distributions: dict[str, Any], folder: Path
) -> Iterator[tuple[int, dict[str, Any]] | None]:
    """A trial that nobody works on, held as long as this lasts; None where all are done or held by others.

    The random numbers of each are of a seed of its own, whichever process draws them.
    """
    from optuna.samplers import TPESampler

    with ExitStack() as held:
        (folder / "trials").mkdir(exist_ok=True)
        with lock(folder / "trials" / "choosing.lock", wait=True):
            chosen = None
            for trial in study.get_trials(deepcopy=False):
                if trial.state.is_finished() or not held.enter_context(lock(folder / "trials" / f"{trial.number}.lock")):
                    continue
                if not study.get_trials(deepcopy=False)[trial.number].state.is_finished():  # while it was another's
                    chosen = trial.number, dict(trial.params)
                    break
            asked = len(study.get_trials(deepcopy=False))
            if chosen is None and asked < trials:
                study.sampler = TPESampler(seed=seed + asked, n_startup_trials=STARTUP, constant_liar=True)
                fresh = study.ask(distributions)
                held.enter_context(lock(folder / "trials" / f"{fresh.number}.lock"))
                chosen = fresh.number, dict(fresh.params)
        yield chosen


def _space(vary: Sequence[str]) -> dict[str, tuple[str, list[Any]]]:
    """Kind and values of each range."""
    problems: list[str] = []
    found: dict[str, tuple[str, list[Any]]] = {}
    for text in vary:
        key, _, value = text.partition("=")
        stated = parse_yaml(value, f"--vary {text}")
        kind, values = next(iter(stated.items())) if isinstance(stated, dict) and len(stated) == 1 else ("", None)
        if key.startswith(JUDGING):
            problems.append(
                f"--vary {text}: dev costs of different {key} cannot be compared; expected it by --set, the same for all"
            )
        elif key and isinstance(values, list) and _is_range(kind, values):
            found[key] = (kind, values)
        else:
            problems.append(
                f"--vary {text}: expected key=range, a range being {{uniform: [a, b]}}, {{log_uniform: [a, b]}}, "
                "{integers: [a, b]} with a < b, or {choice: [...]} of plain values"
            )
    if problems or not found:
        raise InputError(problems or ["sweep: nothing varies; expected at least one --vary key=range"])
    return found


def _is_range(kind: str, values: list[Any]) -> bool:
    """Whether these values make a range of that kind."""
    if kind == "choice":
        return bool(values) and all(isinstance(value, int | float | str) for value in values)
    if kind not in ("uniform", "log_uniform", "integers") or len(values) != 2:
        return False
    types = int if kind == "integers" else int | float
    if not all(isinstance(value, types) and not isinstance(value, bool) for value in values):
        return False
    return values[0] < values[1] and (kind != "log_uniform" or values[0] > 0)


def _distribution(values: tuple[str, list[Any]]) -> Any:
    """Optuna's name for a range."""
    from optuna import distributions

    kind, numbers = values
    if kind == "choice":
        return distributions.CategoricalDistribution(numbers)
    if kind == "integers":
        return distributions.IntDistribution(*numbers)
    return distributions.FloatDistribution(float(numbers[0]), float(numbers[1]), log=kind == "log_uniform")


def _rows(study: "Study", folder: Path) -> list[dict[str, Any]]:
    """A row for each trial that is finished."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.is_finished():
            failed = folder / "trials" / f"{trial.number}.failed"
            reason = failed.read_text(encoding="utf-8").strip().replace("\n", "; ") if failed.exists() else ""
            rows.append({"trial": trial.number, **trial.params, "dev": trial.value, "failed": reason})
    return rows


def write_sweep(rows: Sequence[Mapping[str, Any]], folder: Path) -> Mapping[str, Any]:
    """Write `table.csv` and `table.md`, the best trial first, and its recipe, `best.yaml`; that row.

    Raises:
        UsageError: no trial is finished, or all failed, with why.
    """
    done = sorted((row for row in rows if row["dev"] is not None), key=lambda row: row["dev"])
    if not rows:
        raise UsageError(f"{folder}: no trial is finished yet; the same command goes on")
    ordered = [*done, *(row for row in rows if row["dev"] is None)]
    write_text(folder / "table.csv", csv_text(ordered))
    cells = [["" if value is None else str(value) for value in row.values()] for row in ordered]
    write_text(folder / "table.md", markdown_table(list(ordered[0]), cells) + "\n")
    if not done:
        raise UsageError(f"{folder}: no trial is of use; of the first, {rows[0]['trial']}: {rows[0]['failed']}")
    best = RunFolder(folder / "trials" / str(done[0]["trial"]))
    write_text(folder / "best.yaml", best.recipe_file.read_text(encoding="utf-8"))
    return done[0]
