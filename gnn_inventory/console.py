"""What the command line prints: progress and tables. rich is imported late, so that `--help` is quick."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from gnn_inventory.evaluation import EvaluationResult
    from gnn_inventory.planning.backtest import Backtest

__all__ = ["parts_of", "print_backtest", "print_evaluations", "print_orders", "print_suite", "print_transfer", "progress_bar"]

SHOWN = 20
"""Orders that are printed; the file holds all."""


@contextmanager
def progress_bar(total: int | None, text: str, silent: bool = False) -> Iterator[tuple[Any, Any, Any]]:
    """A bar with the time left; nothing where the output is no terminal. Gives: set the total, advance, describe."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, disable=silent or not console.is_terminal) as progress:
        task = progress.add_task(text, total=total)
        yield (
            lambda count: progress.update(task, total=count),
            lambda count: progress.advance(task, count),
            lambda description: progress.update(task, description=description),
        )


def _console(width: int) -> "Console":
    """Where tables are printed, at least so wide; names are text, whatever brackets they hold."""
    from rich.console import Console

    return Console(width=max(width, Console().width), markup=False, emoji=False)


def parts_of(start: Any, advance: Any, describe: Any) -> Callable[[int, int, str], None]:
    """What to call before each part of long work, with its number, how many there are, and its name."""
    done = 0

    def on_part(number: int, count: int, name: str) -> None:
        nonlocal done
        start(count)
        advance(number - 1 - done)
        done = number - 1
        describe(name)

    return on_part


def print_evaluations(names: list[str], results: "list[EvaluationResult]") -> None:
    from rich.table import Table

    first = results[0]
    title = f"{first.network}: {first.scenarios} scenarios, {first.periods} periods"
    table = Table(title=title, title_justify="left")
    for column in ("run", "policy", "cost", "cost per store", "95 % interval", "gap (95 %)"):
        table.add_column(column, justify="left" if column in ("run", "policy") else "right")
    for name, result in zip(names, results, strict=True):
        low, high = result.ci95
        gap = ""
        if result.gap_percent is not None and result.gap_ci95 is not None:
            gap = f"{result.gap_percent:.3f} % ({result.gap_ci95[0]:.3f} to {result.gap_ci95[1]:.3f})"
        interval = f"{low:.4f} to {high:.4f}"
        table.add_row(name, result.policy, f"{result.cost:.4f}", f"{result.cost_per_store:.4f}", interval, gap)
    console = _console(110)
    console.print(table)
    if first.reference is not None:
        kind = first.reference.kind.replace("_", " ")
        console.print(f"gap to the {kind} {first.reference.value:.4f} (whole network): {first.reference.source}", highlight=False)
    if first.bound is not None:
        console.print(f"lower bound {first.bound.value:.4f} (whole network): {first.bound.source}", highlight=False)
    if first.over_items:
        from gnn_inventory.intervals import OVER_ITEMS

        console.print(OVER_ITEMS, highlight=False)


def print_suite(rows: list[dict[str, Any]], left: int, lacking: int, output: Path) -> None:
    from rich.table import Table

    from gnn_inventory.benchmark.table import gap_text

    table = Table()
    for column in ("problem", "policy", "settings", "seeds", "cost per store", "worst gap (95 %)", "over", "s"):
        table.add_column(column, justify="left" if column in ("problem", "policy", "settings", "over") else "right")
    for row in rows:
        gap = gap_text(row["worst gap %"], row["low"], row["high"], row["over"])
        values = [row["problem"], row["policy"], row["settings"], str(row["seeds"]), f"{row['cost per store']:.4f}"]
        table.add_row(*values, gap, row["over"], str(row["training seconds"]))
    console = _console(150)
    console.print(table)
    rest = f"; {left} trainings are not done: the same command goes on" if left else ""
    sales = f", with --set demand.panel=FILE for {lacking} of them that need a panel of sales" if lacking else ""
    written = ", ".join(sorted(path.name for path in output.iterdir() if path.is_file()))
    console.print(f"{output}: {written}{rest}{sales}", highlight=False)


def print_transfer(rows: list[dict[str, Any]], output: Path) -> None:
    from rich.table import Table

    from gnn_inventory.benchmark.table import gap_text

    table = Table()
    for column in ("network", "trained on", "policy", "cost per store", "95 %", "gap (95 %)", "over", "s", "beyond the training"):
        table.add_column(column, justify="right" if column in ("cost per store", "95 %", "gap (95 %)", "s") else "left")
    for row in rows:
        gap = gap_text(row["gap %"], row["low"], row["high"], row["over"])
        told = [
            row["network"],
            row["trained on"],
            row["policy"],
            f"{row['cost per store']:.4f}",
            row["cost 95 %"],
            gap,
            row["over"],
        ]
        table.add_row(*told, str(row["training seconds"]), row["beyond the training"])
    console = _console(170)
    console.print(table)
    console.print(f"{output}: {', '.join(sorted(path.name for path in output.iterdir() if path.is_file()))}", highlight=False)


def print_orders(orders: "pd.DataFrame", output: Path) -> None:
    from rich.table import Table

    table, console = Table(), _console(150)
    for column in orders.columns:
        table.add_column(str(column), justify="right" if column in ("units", "arrives", "asked", "cut") else "left")
    for row in orders.head(SHOWN).itertuples(index=False, name=None):
        table.add_row(*(f"{value:g}" if isinstance(value, float) else str(value) for value in row))
    console.print(table)
    rest = f", the first {SHOWN} of which are shown" if len(orders) > SHOWN else ""
    cut = int((orders["cut"] > 0).sum())
    console.print(f"{output}: {len(orders)} orders{rest}; {cut} cut, each with its reason", highlight=False)


def print_backtest(found: "Backtest", output: Path | None) -> None:
    from rich.table import Table

    from gnn_inventory.intervals import OVER_ITEMS

    items = f"{len(found.items)} items"
    table = Table(title=f"{items}, periods {found.first} to {found.last - 1} (the first is 0)", title_justify="left")
    for column in ("", "cost per store", "95 % interval", "fill rate", "stock", "ordered", "gap to perfect information"):
        table.add_column(column, justify="left" if not column else "right")
    for line in found.lines:
        low, high = line.result.ci95
        gap, between = "", line.result.gap_ci95
        if line.result.gap_percent is not None and between is not None:
            gap = f"{line.result.gap_percent:.2f} % ({between[0]:.2f} to {between[1]:.2f})"
        cost, interval = f"{line.result.cost_per_store:.4f}", f"{low:.4f} to {high:.4f}"
        table.add_row(line.name, cost, interval, f"{line.fill_rate:.2%}", f"{line.stock:.1f}", f"{line.ordered:.1f}", gap)
    console = _console(120)
    console.print(table)
    low, high = found.difference_ci95
    console.print(
        f"the policy costs {found.difference:+.4f} per store and period against base stock (95 %: {low:+.4f} to {high:+.4f}); "
        f"a negative cost is profit; stock and orders are units per item and period; {OVER_ITEMS}",
        highlight=False,
    )
    if output is not None:
        console.print(f"{output}: cost of each item", highlight=False)
