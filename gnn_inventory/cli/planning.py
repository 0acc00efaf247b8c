"""Commands for planners: draft, order, backtest, report, export."""

import json
import shlex
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnn_inventory.cli.app import app, say_beyond
from gnn_inventory.console import print_backtest, print_orders, progress_bar
from gnn_inventory.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["backtest", "draft", "export", "order", "report"]

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a trained policy of the package.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


def _write_table(path: Path, table: "pd.DataFrame") -> None:
    """As CSV; with a mark of UTF-8 where it holds more than ASCII, without which Excel takes it for another encoding."""
    from gnn_inventory.files import write_text

    text = table.to_csv(index=False)
    write_text(path, text if text.isascii() else f"\ufeff{text}")


def _refuse_other_endings(path: Path, why: str, *endings: str) -> None:
    if path.suffix.lower() not in endings:
        raise UsageError(f"{path}: got ending '{path.suffix}'; expected {' or '.join(endings)}, {why}")


def _refuse_existing(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise UsageError(f"{path}: exists already; name another file, or replace it: --force")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: no such folder '{path.parent}'; make it, or name another file")


@app.command()
def draft(
    sales: Annotated[Path, typer.Option("--sales", help="Sales: CSV or Parquet, a row per item, location and period.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the recipe goes (.yaml).")],
    network: Annotated[str | None, typer.Option("--network", help="A network of the catalogue, or a file.")] = None,
    locations: Annotated[Path | None, typer.Option("--locations", help="CSV of locations: a column `name`, costs.")] = None,
    lanes: Annotated[Path | None, typer.Option("--lanes", help="CSV of lanes: columns `from`, `to`, `lead_time`.")] = None,
    columns: Annotated[
        str, typer.Option("--columns", help="Of item, location, period and sales.")
    ] = "item,location,period,sales",
    season: Annotated[int, typer.Option("--season", min=0, help="Periods of a season; 0 = none.")] = 0,
    clamp: Annotated[bool, typer.Option("--clamp", help="Take negative sales (returns) for 0.")] = False,
    force: Force = False,
) -> None:
    """Write a recipe for a network and its sales, to look at, to edit and to train."""
    from gnn_inventory.files import dump_yaml, write_text
    from gnn_inventory.planning.draft import draft_recipe
    from gnn_inventory.topology.catalogue import network_mapping
    from gnn_inventory.topology.readers import read_tables

    _refuse_other_endings(output, "as recipes have", ".yaml", ".yml")
    _refuse_existing(output, force)
    tables = locations is not None and lanes is not None
    if tables == (network is not None) or (locations is None) != (lanes is None):
        raise UsageError("draft: expected either --network NETWORK, or --locations FILE and --lanes FILE")
    if network is not None:
        mapping = network_mapping(network)
    else:
        assert locations is not None
        assert lanes is not None
        mapping = {"name": output.stem, **read_tables(locations, lanes)}
    named = columns.split(",")
    if len(named) != 4:
        raise UsageError(f"--columns: got {len(named)} names; expected four: of item, location, period and sales")
    content, said = draft_recipe(mapping, sales.absolute(), [name.strip() for name in named], season, clamp)
    write_text(output, dump_yaml(content))
    for line in said:
        print(f"  {line}")
    print(f"{output}: train it: gnn-inventory train {shlex.quote(str(output))} -o RUN")


@app.command()
def order(
    run: RunPath,
    state: Annotated[
        Path, typer.Option("--state", help="CSV: item, record (on_hand, in_transit, demand), location, from, when, units.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the orders go (.csv).")],
    network: Annotated[str | None, typer.Option("--network", help="Another network than the run's.")] = None,
    sales: Annotated[Path | None, typer.Option("--sales", help="A panel whose last periods are the recent demand.")] = None,
    today: Annotated[str | None, typer.Option("--today", help="First day of this period, where the state has dates.")] = None,
    period_days: Annotated[int, typer.Option("--period-days", min=1, help="Days in a period.")] = 1,
    period: Annotated[
        int | None, typer.Option("--period", min=0, help="Row of the recipe's calendar that is now; the first is 0.")
    ] = None,
    whole_units: Annotated[bool | None, typer.Option("--whole-units/--any-units", help="Default: as the recipe says.")] = None,
    force: Force = False,
) -> None:
    """Today's orders from today's stock, goods on their way and recent demand."""
    import pandas as pd

    from gnn_inventory.planning.orders import calendar_now, demand_rows, order_list
    from gnn_inventory.planning.position import Clock, read_table
    from gnn_inventory.topology.catalogue import build_network, load_network
    from gnn_inventory.topology.network import is_panel, parse_network
    from gnn_inventory.training.run_folder import RunFolder

    _refuse_other_endings(output, "which spreadsheets open", ".csv")
    _refuse_existing(output, force)
    folder = RunFolder.of(run)
    recipe, policy = folder.recipe(), folder.policy()
    if network is None and recipe.networks is not None:
        raise UsageError(f"{run}: was trained on a distribution of networks; name yours: --network NETWORK")
    chosen = build_network(recipe.mapping) if network is None else load_network(network)
    table, clock = read_table(state), Clock(_date(today), period_days)
    if sales is not None:
        if policy.window == 0 and not is_panel(parse_network(chosen)):
            raise UsageError(
                f"--sales: the network states its demand, and {run} looks at none before now: sales would change nothing; leave "
                "--sales out, or write `demand: panel` at the network's customers"
            )
        table = pd.concat([table, demand_rows(sales, recipe, chosen, table, clock, str(state))], ignore_index=True)
    history = None if recipe.demand is None else recipe.demand.windows.history
    whole = recipe.evaluation.whole_units if whole_units is None else whole_units
    orders = order_list(policy, chosen, table, history, whole, clock, calendar_now(recipe, period), str(state))
    _write_table(output, orders)
    print_orders(orders, output)
    if network is not None:
        say_beyond(str(run), recipe, chosen)


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--today: got '{text}'; expected a date as 2026-01-31") from None


@app.command()
def backtest(
    run: RunPath,
    panel: Annotated[Path, typer.Option("--panel", help="Sales: CSV, Parquet or a tensor.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Cost of each item (.csv).")] = None,
    network: Annotated[str | None, typer.Option("--network", help="Another network than the run's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    force: Force = False,
) -> None:
    """What the policy would have done over one's own sales, beside what base stock would have done."""
    from gnn_inventory.planning.backtest import backtest as look_back
    from gnn_inventory.topology.catalogue import load_network, network_mapping
    from gnn_inventory.training.run_folder import RunFolder

    if output is not None:
        _refuse_other_endings(output, "which spreadsheets open", ".csv")
        _refuse_existing(output, force)
    trained = RunFolder.of(run).recipe()
    recipe = trained if network is None else trained.on(network_mapping(network))
    with progress_bar(None, "fitting base stock", silent=as_json) as (start, advance, describe):
        done = 0

        def on_epoch(epoch: int, epochs: int) -> None:
            nonlocal done
            start(epochs)
            advance(epoch - done)
            done = epoch
            if epoch == epochs:
                describe("testing")

        found = look_back(RunFolder.of(run).policy(), recipe, panel, on_epoch)
    if output is not None:
        _write_table(output, found.by_item())
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        print_backtest(found, output)
    if network is not None:
        say_beyond(str(run), trained, load_network(network))


@app.command()
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Run folders, or trained policies of the package; the first is shown, the others beside it."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The page (.html): one file that needs nothing else.")],
    network: Annotated[str | None, typer.Option("--network", help="Another network than the run's.")] = None,
    scenarios: Annotated[int | None, typer.Option("--scenarios", min=2, help="Default: the recipe's, at most 1024.")] = None,
    force: Force = False,
) -> None:
    """One page about a run: costs, service, stocks and orders, what the policy does, its training."""
    from gnn_inventory.report.page import Run, write_report
    from gnn_inventory.topology.catalogue import load_network
    from gnn_inventory.training.run_folder import RunFolder

    _refuse_other_endings(output, "which browsers open", ".html")
    _refuse_existing(output, force)
    other = None if network is None else load_network(network)
    found = [Run.of(folder.path) for folder in RunFolder.all_of(runs)]
    if len({run.name for run in found}) < len(found):
        found = [replace(run, name=str(path)) for run, path in zip(found, runs, strict=True)]
    with progress_bar(None, "report") as (_, _, describe):
        write_report(found, output, other, scenarios, describe)
    print(output)
    if other is not None:
        for run in found:
            say_beyond(run.name, run.recipe, other)


@app.command()
def export(
    run: RunPath,
    output: Annotated[Path, typer.Option("-o", "--output", help="The program: .pt2 (torch.export) or .onnx.")],
    network: Annotated[str | None, typer.Option("--network", help="Another network than the run's.")] = None,
    force: Force = False,
) -> None:
    """One decision as a program of its own, checked to give the same orders."""
    from gnn_inventory.planning.export import export_decision
    from gnn_inventory.topology.catalogue import load_network
    from gnn_inventory.topology.network import parse_network
    from gnn_inventory.training.run_folder import RunFolder

    _refuse_existing(output, force)
    recipe = RunFolder.of(run).recipe()
    parsed = recipe.network if network is None else parse_network(load_network(network))
    told: dict[str, Any] = export_decision(RunFolder.of(run).policy(), parsed, output)
    print(json.dumps(told, indent=2))
