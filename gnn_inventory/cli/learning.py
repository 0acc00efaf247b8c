"""Commands that train and measure: train, evaluate, benchmark, sweep, transfer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnn_inventory.cli.app import app, say_beyond
from gnn_inventory.console import parts_of, print_evaluations, print_suite, print_transfer, progress_bar
from gnn_inventory.errors import InputError, TrainingError, UsageError

if TYPE_CHECKING:
    from gnn_inventory.training.recipe import Recipe

__all__ = ["benchmark", "evaluate", "sweep", "train", "transfer"]

DRAWN = 300
"""Most nodes of a network whose picture training leaves beside its run: larger ones take long and show nothing."""


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe of the catalogue, or a YAML file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run folder.")],
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, such as training.epochs=5.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last finished epoch.")] = False,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")] = None,
) -> None:
    """Train a policy as a recipe says, into a run folder."""
    from gnn_inventory.picture import draw_network, draw_training
    from gnn_inventory.topology.catalogue import build_network
    from gnn_inventory.training.machine import choose_device
    from gnn_inventory.training.processes import this_process
    from gnn_inventory.training.recipe import load_recipe
    from gnn_inventory.training.run_folder import RunFolder
    from gnn_inventory.training.service import shortfall
    from gnn_inventory.training.train import train_recipe

    changes = list(settings or [])
    if device is not None:
        choose_device(device)
        changes.append(f"training.device={device}")
    loaded, folder = load_recipe(recipe, changes), RunFolder(output)
    with progress_bar(None, "training", silent=not this_process().first) as (start, advance, describe):

        def on_epoch(line: dict[str, Any]) -> None:
            describe(f"epoch {line['epoch']}/{loaded.training.epochs} dev {line['dev']:.4f} best {line['best_dev']:.4f}")

        try:
            result = train_recipe(loaded, folder, resume, on_epoch, lambda: advance(1), start)
        except KeyboardInterrupt:
            raise UsageError(f"{output}: stopped; go on from the last finished epoch: --resume") from None
    if not this_process().first:
        return
    asked = loaded.training
    print(f"{output}: best dev {loaded.unit} {result.dev_cost:.4f} after {len(result.metrics)} epochs")
    skipped = sum(line.get("skipped_steps", 0) for line in result.metrics)
    if skipped:
        print(f"{skipped} steps left out, whose gradient was not finite: a smaller training.learning_rate may do better")
    if result.fill_rate is not None and asked.fill_rate is not None:
        missed = shortfall(asked, result.fill_rate) > 0
        hint = ": not reached; train longer, or raise training.multiplier_rate" if missed else ""
        print(f"fill rate on dev {result.fill_rate:.4f}, asked {asked.fill_rate:g}{hint}")
    draw_training(result.metrics, output / "training.svg", loaded.unit)
    if loaded.networks is None and len(loaded.network.nodes) <= DRAWN:
        draw_network(build_network(loaded.mapping), output / "network.svg")


@app.command()
def evaluate(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders, or trained policies of the package; all face the same scenarios."),
    ],
    network: Annotated[str | None, typer.Option("--network", help="Another network than the run's.")] = None,
    scenarios: Annotated[
        int | None, typer.Option("--scenarios", min=2, help="Default of these four: the recipe's evaluation. Of a panel, items.")
    ] = None,
    periods: Annotated[int | None, typer.Option("--periods", min=1, help="Per scenario, warm-up included.")] = None,
    warm_up: Annotated[int | None, typer.Option("--warm-up", min=0, help="First periods that are not counted.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the test scenarios, never those of training.")] = None,
    oracle: Annotated[bool, typer.Option("--just-in-time", help="Add the oracle that sees the future.")] = False,
    bound: Annotated[
        bool,
        typer.Option("--bound", help="Add a lower bound by linear programme: one to four seconds per scenario, see --scenarios."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object (a list for several policies).")] = False,
) -> None:
    """Evaluate trained policies on fresh scenarios, beside each other."""
    from gnn_inventory.evaluation import assessment_of, evaluate_on, programme_bounds, refuse_other_tests
    from gnn_inventory.policies import ORACLES
    from gnn_inventory.topology.catalogue import load_network
    from gnn_inventory.training.run_folder import RunFolder

    folders = RunFolder.all_of(runs)
    recipes = [folder.recipe() for folder in folders]
    policies: list[Any] = [folder.policy() for folder in folders]
    names = [folder.path.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(run) for run in runs]
    trained = list(zip(names, recipes, strict=True))
    if oracle:
        policies.append(ORACLES["just_in_time"]())
        names.append("just_in_time (sees the future)")
    first: Recipe = recipes[0]
    other = None if network is None else load_network(network)
    if other is None and any(recipe.mapping != first.mapping for recipe in recipes):
        raise InputError("evaluate: the runs were trained on different networks; name one for all: --network NETWORK")
    refuse_other_tests([str(run) for run in runs], recipes)
    tested, whole = assessment_of(first, other, scenarios, periods, warm_up, seed), first.evaluation.whole_units
    results, bounds = [], None
    sizes = tested.scenarios, tested.periods, tested.warm_up, whole
    with progress_bar(tested.scenarios * (len(policies) + bound), "evaluating", silent=as_json) as (_, advance, describe):
        if bound:
            describe("lower bound")
            bounds = programme_bounds(tested.source, *sizes, advance)
        for name, policy in zip(names, policies, strict=True):
            describe(name)
            results.append(evaluate_on(policy, tested.network, tested.source, *sizes, advance, bounds))
    if as_json:
        objects = [result.to_json() for result in results]
        print(json.dumps(objects[0] if len(objects) == 1 else objects))
    else:
        print_evaluations(names, results)
    if other is not None:
        for name, recipe in trained:
            say_beyond(name, recipe, other)


@app.command()
def benchmark(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the results; gone on with if it is there.")],
    suite: Annotated[str, typer.Argument(help="A suite of the catalogue (quick, full, ...), or a YAML file.")] = "quick",
    minutes: Annotated[float | None, typer.Option("--minutes", min=0, help="Budget of this call.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="For panels of sales: demand.panel=FILE and the like.")
    ] = None,
) -> None:
    """Train and test policies on problems, within a budget, into one table."""
    from gnn_inventory.benchmark.run import lacks_sales, run_suite
    from gnn_inventory.benchmark.suite import load_suite
    from gnn_inventory.benchmark.table import write_tables

    loaded = load_suite(suite)
    failures: list[str] = []
    with progress_bar(None, "benchmark") as bar:
        on_part = parts_of(*bar)
        try:
            outcomes, left = run_suite(
                loaded,
                output,
                minutes,
                settings or (),
                lambda number, count, cell: on_part(number, count, cell.folder),
                failures.append,
            )
        except KeyboardInterrupt:
            raise UsageError(f"{output}: stopped; the same command goes on from the last finished epoch") from None
    rows = write_tables(outcomes, left, output)
    print_suite(rows, len(left), sum(lacks_sales(cell, settings or ()) for cell in left), output)
    if failures:
        raise TrainingError("\n".join(failures))


@app.command()
def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe of the catalogue, or a YAML file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the results; gone on with if it is there.")],
    vary: Annotated[list[str], typer.Option("--vary", help="key=range, such as 'policy.width={choice: [16, 32]}'.")],
    trials: Annotated[int, typer.Option("--trials", min=1, help="Of all processes and calls together.")] = 20,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, such as training.epochs=5.")] = None,
) -> None:
    """Try settings of a recipe, chosen by Optuna, judged on dev scenarios; several processes may share a folder."""
    from gnn_inventory.benchmark.sweep import Sweep, run_sweep, write_sweep
    from gnn_inventory.files import parse_yaml
    from gnn_inventory.training.recipe import load_recipe

    loaded = load_recipe(recipe, list(settings or []))
    with progress_bar(None, "sweep") as bar:
        try:
            rows = run_sweep(Sweep(parse_yaml(loaded.to_yaml(), recipe), loaded.name, vary, trials), output, parts_of(*bar))
        except KeyboardInterrupt:
            raise UsageError(f"{output}: stopped; the same command goes on from the last finished epoch") from None
    best = write_sweep(rows, output)
    print(
        f"{output}: {len(rows)} trials; best dev {best['dev']:.4f} in trial {best['trial']}, its recipe in {output / 'best.yaml'}"
    )


@app.command()
def transfer(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders of the policies to transfer, or trained policies of the package."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the results; gone on with if it is there.")],
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help="A network to test on, settings after it: 'one_warehouse stores=50'. Repeatable."),
    ] = None,
    drawn: Annotated[
        int, typer.Option("--drawn", min=0, help="Networks to test on, drawn as the runs' recipes draw them, that none has seen.")
    ] = 0,
    finetune: Annotated[int, typer.Option("--finetune", min=0, help="Epochs of more training on each network.")] = 0,
    native: Annotated[
        list[str] | None,
        typer.Option(
            "--native",
            help="A recipe to train on each network itself, settings after it: 'specialist training.epochs=24'. Repeatable.",
        ),
    ] = None,
    scenarios: Annotated[
        int | None, typer.Option("--scenarios", min=2, help="Default: the recipes' evaluation. Of a panel, items at the most.")
    ] = None,
    periods: Annotated[
        int | None, typer.Option("--periods", min=1, help="Per scenario, warm-up included. A panel has its test window.")
    ] = None,
    warm_up: Annotated[
        int | None, typer.Option("--warm-up", min=0, help="First periods that are not counted. A panel has its own.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value put into the runs' recipes, such as demand.items=[200,288].")
    ] = None,
) -> None:
    """Test trained policies on networks that they never saw, as they are and after more training, beside others."""
    from gnn_inventory.benchmark.targets import evaluation_of
    from gnn_inventory.benchmark.transfer import Transfer, run_transfer, write_transfer
    from gnn_inventory.training.run_folder import RunFolder

    if not to and not drawn:
        raise UsageError("transfer: no network to test on; name some: --to NETWORK, or draw some: --drawn N")
    runs = [folder.path for folder in RunFolder.all_of(runs)]
    sizes = {"scenarios": scenarios, "periods": periods, "warm_up": warm_up}
    stated = {key: value for key, value in sizes.items() if value is not None}
    evaluation = evaluation_of(runs, settings or (), stated)
    asked = Transfer(runs, to or (), finetune, native or (), evaluation, settings or (), drawn)
    failures: list[str] = []
    with progress_bar(None, "transfer") as bar:
        try:
            outcomes = run_transfer(asked, output, parts_of(*bar), failures.append)
        except KeyboardInterrupt:
            raise UsageError(f"{output}: stopped; the same command goes on from the last finished epoch") from None
    if outcomes:
        print_transfer(write_transfer(outcomes, output), output)
    if failures:
        raise TrainingError("\n".join(failures))
