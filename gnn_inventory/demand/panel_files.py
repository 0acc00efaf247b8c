"""Reading panels of sales and calendars: CSV, Parquet or tensors, strictly, every mistake with its place."""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gnn_inventory.errors import InputError, UsageError, nearest, problem
from gnn_inventory.types import Float

__all__ = ["COLUMNS", "SalesPanel", "load_calendar", "load_panel", "on_circles", "with_neighbours"]

COLUMNS = ("item", "location", "period", "sales")


@dataclass(frozen=True)
class SalesPanel:
    """Sales of items at locations over periods.

    Attributes:
        sales: units [item, location, period].
        locations: names, or None for a bare tensor, whose locations stand in the order in which the network lists its own.
        where: what errors call it.
        items: names, or None for a bare tensor.
        periods: their labels in order; none for a bare tensor.
    """

    sales: Float[Tensor, "item location period"]
    locations: tuple[str, ...] | None
    where: str
    items: tuple[str, ...] | None = None
    periods: tuple[str, ...] = ()

    @property
    def days(self) -> list[date]:
        """The dates of the periods; none where they are numbers."""
        return _dates(self.periods)

    @property
    def step_days(self) -> int | None:
        """Days from one period to the next, where they are dates in equal steps; None where they are numbers or months."""
        steps = {(after - before).days for before, after in pairwise(self.days)}
        return steps.pop() if len(steps) == 1 else None


def load_panel(path: str | Path, columns: Sequence[str] = COLUMNS, clamp: bool = False) -> SalesPanel:
    """Read a panel of sales.

    Args:
        path: `.csv` or `.parquet` with a row per item, location and period, or a tensor [item, location, period] as `.pt`
            (read with `weights_only=True`: tensors alone, never code) or `.npy`.
        columns: names of the columns of item, location, period and sales; periods are sorted as numbers where all are
            numbers, else as text (ISO dates).
        clamp: set negative sales to 0; otherwise they are an error.

    Raises:
        UsageError: the file is not there or not of these kinds. InputError: gaps, doubles, negative or unreadable values.
    """
    path = Path(path)
    if len(set(columns)) != len(columns) or len(columns) != len(COLUMNS):
        raise InputError(
            problem(str(path), "columns", list(columns), "four different names, of item, location, period and sales")
        )
    if path.is_dir() or not path.exists():
        raise UsageError(f"{path}: {'is a folder; expected a panel of sales' if path.is_dir() else 'no such file'}")
    readers = {".csv": _from_csv, ".parquet": _from_parquet, ".pt": _from_tensor, ".npy": _from_tensor}
    if path.suffix not in readers:
        raise UsageError(problem(str(path), "ending", path.suffix, f"one of: {', '.join(sorted(readers))}"))
    panel = readers[path.suffix](path, columns)
    gaps = int(torch.isnan(panel.sales).sum())
    if gaps:
        item, location, period = torch.isnan(panel.sales).nonzero()[0].tolist()
        name = panel.locations[location] if panel.locations else location
        item = panel.items[item] if panel.items else item
        period = panel.periods[period] if panel.periods else period
        first = f"the first at item {item}, location {name}, period {period}"
        raise InputError(f"{path}: {gaps} gaps ({first}); expected sales of every item at every location in every period")
    infinite = int(torch.isinf(panel.sales).sum())
    if infinite:
        raise InputError(f"{path}: {infinite} infinite values; expected finite sales")
    negative = int((panel.sales < 0).sum())
    if negative and not clamp:
        lowest = float(panel.sales.min())
        raise InputError(
            f"{path}: {negative} negative values (lowest {lowest:g}); expected sales >= 0; returns are taken for 0 with demand.clamp: true, or draft --clamp"
        )
    return replace(panel, sales=panel.sales.clamp_min(0.0))


def load_calendar(path: str | Path, columns: Sequence[str]) -> Float[Tensor, "period channel"]:
    """Columns of numbers of a CSV file with a row per period, in order of time."""
    path = Path(path)
    rows = _rows(path)
    if not rows:
        raise InputError(f"{path}: got no rows; expected one per period")
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise InputError(f"{path}: no column '{column}'; {nearest(column, rows[0])}" for column in missing)
    values = [
        [_number(row[column], f"{path}: row {number}: {column}") for column in columns] for number, row in enumerate(rows, 1)
    ]
    found = torch.tensor(values, dtype=torch.float32)
    if not found.isfinite().all():
        row, column = (~found.isfinite()).nonzero()[0].tolist()
        raise InputError(f"{path}: row {row + 1}: {columns[column]}: got {float(found[row, column])}; expected a finite number")
    return found


def with_neighbours(calendar: Float[Tensor, "period channel"], behind: int, ahead: int) -> Float[Tensor, "row wide"]:
    """The calendar of each period beside that of the periods around it: it is known beforehand, as no demand is.

    Args:
        calendar: [T, F].
        behind, ahead: periods before and after; the first row stands for those before it.

    Returns:
        [T - ahead, F (behind + 1 + ahead)], from the earliest to the latest.
    """
    padded = torch.cat([calendar[:1].expand(behind, -1), calendar])
    rows = len(calendar) - ahead
    return torch.cat([padded[shift : shift + rows] for shift in range(behind + ahead + 1)], dim=1)


def on_circles(calendar: Float[Tensor, "period channel"], lengths: Sequence[float]) -> Float[Tensor, "period wide"]:
    """Columns that go round, as cosine and sine of once and twice the angle: the last day of a month is beside the first of the next.

    Where in its cycle a period is also says where those after it are.

    Args:
        calendar: [T, F].
        lengths: of the cycle of each column, in its units.

    Returns:
        [T, 4 F]: of each column cos a, sin a, cos 2a, sin 2a, where a is 2 pi times the value over the length.
    """
    angle = 2 * math.pi * calendar / torch.tensor(lengths, dtype=calendar.dtype)
    waves = [wave(angle * times) for times in (1, 2) for wave in (torch.cos, torch.sin)]
    return torch.stack(waves, dim=-1).flatten(1)


def _rows(path: Path) -> list[dict[str, str]]:
    if path.is_dir() or not path.exists():
        raise UsageError(f"{path}: {'is a folder; expected a CSV file' if path.is_dir() else 'no such file'}")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            rows, header = list(reader), reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error}); expected text in UTF-8, separated by commas") from None
    double = sorted({name for name in header if list(header).count(name) > 1})
    if double:
        raise InputError(f"{path}: column '{double[0]}' stands twice; expected different names")
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise InputError(f"{path}: row {number}: got another number of cells than the header's {len(header)}")
    return rows


def _from_csv(path: Path, columns: Sequence[str]) -> SalesPanel:
    return _from_records(_rows(path), columns, path)


def _from_parquet(path: Path, columns: Sequence[str]) -> SalesPanel:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise UsageError(f"{path}: Parquet needs pyarrow: pip install 'gnn_inventory[parquet]'") from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's errors are of these kinds
        raise InputError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    return _from_records(rows, columns, path)


def _from_records(rows: Sequence[Mapping[str, object]], columns: Sequence[str], path: Path) -> SalesPanel:
    """A panel from one row per item, location and period."""
    if not rows:
        raise InputError(f"{path}: got no rows; expected one per item, location and period")
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise InputError(f"{path}: no column '{column}'; {nearest(column, map(str, rows[0]))}" for column in missing)
    nameless = [(number, column) for number, row in enumerate(rows, 1) for column in columns[:3] if _is_nothing(row[column])]
    if nameless:
        raise InputError(
            f"{path}: row {number}: {column}: missing; expected what the sales are of" for number, column in nameless
        )
    keys = [sorted({_key(row[column]) for row in rows}) for column in columns[:3]]
    _refuse_jumps([text for _, _, text in keys[2]], f"{path}: {columns[2]}")
    places = [{key: number for number, key in enumerate(values)} for values in keys]
    sales = np.full([len(values) for values in keys], np.nan, dtype=np.float32)
    seen = np.zeros_like(sales, dtype=bool)
    problems = []
    for number, row in enumerate(rows, start=1):
        place = tuple(index[_key(row[column])] for index, column in zip(places, columns, strict=False))
        if seen[place]:
            problems.append(f"{path}: row {number}: {', '.join(str(row[column]) for column in columns[:3])} stands twice")
        seen[place] = True
        sales[place] = _number(row[columns[3]], f"{path}: row {number}: {columns[3]}")
    if problems:
        raise InputError(problems)
    items, locations, periods = (tuple(str(text) for _, _, text in names) for names in keys)
    return SalesPanel(torch.from_numpy(sales), locations, str(path), items, periods)


def _refuse_jumps(periods: list[str], where: str) -> None:
    """Periods must be whole numbers or ISO dates, in equal steps (or on one day of each month, or its last): else one is missing for
    all."""
    dates = _dates(periods)
    try:
        places = [day.toordinal() for day in dates] or [_whole(text) for text in periods]
        if any(after <= before for before, after in pairwise(places)):  # twice the same, or dates in several spellings
            raise ValueError
    except (ValueError, OverflowError):
        expected = "whole numbers, or dates as 2024-01-31, all in one spelling"
        raise InputError(f"{where}: got {periods[0]!r} to {periods[-1]!r}; expected {expected}") from None
    steps = [after - before for before, after in pairwise(places)]
    if len(set(steps)) > 1 and dates and _are_monthly(dates):
        steps = [(after.year - before.year) * 12 + after.month - before.month for before, after in pairwise(dates)]
    if len(set(steps)) <= 1:
        return
    usual = Counter(steps).most_common(1)[0][0]
    place = next(number for number, step in enumerate(steps) if step != usual)
    raise InputError(
        f"{where}: {periods[place + 1]!r} follows {periods[place]!r}, elsewhere the step is {usual}; "
        "expected every period, with a row of 0 where nothing was sold"
    )


def _dates(periods: Sequence[str]) -> list[date]:
    """The dates that periods are called by, 2024-01-31 or 20240131; none where they are numbers."""
    try:
        return [date.fromisoformat(text[:10]) for text in periods]
    except ValueError:
        return []


def _are_monthly(dates: Sequence[date]) -> bool:
    """Whether all are on one day of the month, or each on the last."""
    return len({day.day for day in dates}) == 1 or all((day + timedelta(1)).day == 1 for day in dates)


def _whole(text: str) -> int:
    number = float(text)
    if number != int(number):
        raise ValueError
    return int(number)


def _is_nothing(value: object) -> bool:
    """Whether a cell holds no name: it is empty, or missing in the file's own way."""
    return value is None or value != value or not str(value).strip()


def _key(value: object) -> tuple[int, float, str]:
    """Sorts numbers as numbers, before text."""
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    return (0, number, str(value)) if math.isfinite(number) else (1, 0.0, str(value))


def _number(value: object, where: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise InputError(f"{where}: got {value!r}; expected a number") from None


def _from_tensor(path: Path, _: Sequence[str]) -> SalesPanel:
    try:
        if path.suffix == ".npy":
            values = torch.from_numpy(np.load(path, allow_pickle=False))
        else:
            values = torch.load(path, weights_only=True)
    except Exception as error:  # whatever a broken file makes the reader raise: one line of it
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(
            f"{path}: cannot be read as a tensor ({reason}); expected one saved by torch.save or numpy.save"
        ) from None
    if isinstance(values, Tensor) and (values.layout != torch.strided or values.is_complex() or values.numel() == 0):
        raise InputError(f"{path}: got a sparse, complex or empty tensor; expected sales [item, location, period]")
    if not isinstance(values, Tensor) or values.dim() != 3:
        got = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise InputError(problem(str(path), "shape", got, "a tensor [item, location, period]"))
    return SalesPanel(values.detach().to(torch.float32), None, str(path))
