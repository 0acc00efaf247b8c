"""Panels of real sales: reading them, and scenarios from them, split by time so that nothing leaks."""

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gnn_inventory.demand.scenarios import STREAMS, Scenarios, ScenarioSource, initial_values
from gnn_inventory.errors import InputError, UsageError, nearest, problem
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.network import Network
from gnn_inventory.types import Float

__all__ = ["PanelDemand", "SalesPanel", "Windows", "load_calendar", "load_panel"]

COLUMNS = ("item", "location", "period", "sales")


@dataclass(frozen=True)
class SalesPanel:
    """Sales of items at locations over periods.

    Attributes:
        sales: units [item, location, period].
        locations: names, or None for a bare tensor, whose locations stand in the order in which the network lists its own.
        where: what errors call it.
    """

    sales: Float[Tensor, "item location period"]
    locations: tuple[str, ...] | None
    where: str


@dataclass(frozen=True)
class Windows:
    """Periods [first, last) of the panel for each use; the first `history` of each are seen, not simulated.

    Attributes:
        train, dev, test: [first, last).
        history: periods of past demand at the start of a window.
        warm_up: periods after them that are simulated and not counted.
    """

    train: tuple[int, int]
    dev: tuple[int, int]
    test: tuple[int, int]
    history: int
    warm_up: int

    def problems(self, periods: int, where: str) -> list[str]:
        """What is wrong with these windows for a panel of `periods` periods: too short, or leaking."""
        found = []
        for name in STREAMS:
            first, last = getattr(self, name)
            needed = self.history + self.warm_up + 1
            if last > periods:
                found.append(problem(where, f"windows.{name}", [first, last], f"periods of the panel, which has {periods}"))
            if first < 0 or last - first < needed:
                expected = f"at least {needed} periods (history {self.history}, warm-up {self.warm_up}, and one that counts)"
                found.append(problem(where, f"windows.{name}", [first, last], expected))
        for earlier, later in (("train", "dev"), ("train", "test"), ("dev", "test")):
            counted = getattr(self, later)[0] + self.history + self.warm_up
            if counted < getattr(self, earlier)[1]:
                expected = f"its counted periods (from {counted}) to start at or after the end of '{earlier}', else it leaks"
                found.append(problem(where, f"windows.{later}", list(getattr(self, later)), expected))
        return found


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
        first = f"the first at item {item}, location {name}, period {period}"
        raise InputError(f"{path}: {gaps} gaps ({first}); expected sales of every item at every location in every period")
    infinite = int(torch.isinf(panel.sales).sum())
    if infinite:
        raise InputError(f"{path}: {infinite} infinite values; expected finite sales")
    negative = int((panel.sales < 0).sum())
    if negative and not clamp:
        lowest = float(panel.sales.min())
        raise InputError(f"{path}: {negative} negative values (lowest {lowest:g}); expected sales >= 0, or 'clamp: true'")
    return replace(panel, sales=panel.sales.clamp_min(0.0))


def load_calendar(path: str | Path, columns: Sequence[str]) -> Float[Tensor, "period channel"]:
    """Columns of numbers of a CSV file with a row per period, in order of time."""
    path = Path(path)
    rows = _rows(path)
    missing = [column for column in columns if column not in (rows[0] if rows else {})]
    if missing:
        valid = list(rows[0]) if rows else []
        raise InputError(f"{path}: no column '{column}'; {nearest(column, valid)}" for column in missing)
    values = [
        [_number(row[column], f"{path}: row {number}: {column}") for column in columns] for number, row in enumerate(rows, 1)
    ]
    found = torch.tensor(values, dtype=torch.float32)
    if not found.isfinite().all():
        row, column = (~found.isfinite()).nonzero()[0].tolist()
        raise InputError(f"{path}: row {row + 1}: {columns[column]}: got {float(found[row, column])}; expected a finite number")
    return found


class PanelDemand(ScenarioSource):
    """Scenarios from a panel: one per item, all locations, over a window of time.

    What a policy knows of an item beforehand (mean and standard deviation) is computed from the window's history alone.

    Args:
        network: the network, its demand a panel.
        panel: the sales.
        windows: the split by time.
        stream: "train", "dev" or "test".
        seed: of initial stock and parameters that scenarios draw.
        calendar: values of each period [T, F], or None.

    Raises:
        InputError: other locations than the network's, panel or calendar shorter than the windows, windows that leak.
    """

    def __init__(
        self,
        network: Network,
        panel: SalesPanel,
        windows: Windows,
        stream: str,
        seed: int,
        calendar: Float[Tensor, "period channel"] | None = None,
    ) -> None:
        problems = windows.problems(panel.sales.shape[2], panel.where)
        if calendar is not None and len(calendar) < panel.sales.shape[2]:
            problems.append(problem("calendar", "rows", len(calendar), f"one per period of the panel, {panel.sales.shape[2]}"))
        order = self._order(network, panel, problems)
        if problems:
            raise InputError(problems)
        self.graph = InventoryGraph.from_network(network)
        self.count = len(panel.sales)
        self.first, last = getattr(windows, stream)
        self.history = windows.history
        self.periods = last - self.first - self.history
        self.fingerprint = hashlib.sha256(panel.sales.contiguous().numpy().tobytes()).hexdigest()
        self._key = (seed, STREAMS[stream])
        names = list(network.nodes)
        self._sales = torch.zeros(self.count, panel.sales.shape[2], len(names))
        columns = torch.tensor([names.index(name) for name in network.customers])
        self._sales[:, :, columns] = panel.sales[:, order].transpose(1, 2)
        self._calendar = torch.zeros(panel.sales.shape[2], 0)
        if calendar is not None:  # scaled by the training window alone
            seen = calendar[windows.train[0] : windows.train[1]]
            self._calendar = (calendar - seen.mean(0)) / seen.std(0).clamp_min(1e-6)

    @staticmethod
    def _order(network: Network, panel: SalesPanel, problems: list[str]) -> list[int]:
        """Which of the panel's locations each customer of the network is."""
        wanted = network.customers
        if panel.locations is None:
            if panel.sales.shape[1] != len(wanted):
                expected = f"{len(wanted)}, the locations of network '{network.name}' with demand"
                problems.append(problem(panel.where, "locations", panel.sales.shape[1], expected))
            return list(range(len(wanted)))
        for name in wanted:
            if name not in panel.locations:
                problems.append(f"{panel.where}: no sales of location '{name}'; {nearest(name, panel.locations)}")
        for name in panel.locations:
            if name not in wanted:
                problems.append(f"{panel.where}: location '{name}' is not in network '{network.name}'; {nearest(name, wanted)}")
        return [panel.locations.index(name) for name in wanted if name in panel.locations]

    def sample(self, first: int, last: int, periods: int, start: int = 0) -> Scenarios:
        """Items `first` to `last - 1` over `periods` periods from simulated period `start` on.

        Raises:
            InputError: more items or periods than there are.
        """
        assert self.count is not None
        assert self.periods is not None
        if last > self.count or start + periods > self.periods:
            got = f"{last} scenarios of {start + periods} periods"
            raise InputError(f"panel: got {got}; expected at most {self.count} items and {self.periods} simulated periods")
        begin = self.first + start
        now = begin + self.history
        history = self._sales[first:last, begin:now]
        # a series without a sale in its history gets the smallest mean that could have been seen
        seen = history.mean(1) if self.history else torch.zeros(last - first, self.graph.nodes)
        mean = seen.clamp_min(1.0 / max(self.history, 1)) * self.graph.has_demand
        on_hand, in_transit, parameters = initial_values(self.graph, *self._key, first, last, mean)
        return Scenarios(
            demand=self._sales[first:last, now : now + periods],
            mean_demand=mean,
            std_demand=history.std(1) if self.history > 1 else torch.zeros_like(mean),
            on_hand=on_hand,
            in_transit=in_transit,
            parameters=parameters,
            history=history,
            calendar=self._calendar[now : now + periods],
        )


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
    keys = [sorted({_key(row[column]) for row in rows}) for column in columns[:3]]
    _refuse_jumps([text for _, _, text in keys[2]], f"{path}: {columns[2]}")
    places = [{key: number for number, key in enumerate(values)} for values in keys]
    sales = np.full([len(values) for values in keys], np.nan, dtype=np.float32)
    problems = []
    for number, row in enumerate(rows, start=1):
        place = tuple(index[_key(row[column])] for index, column in zip(places, columns, strict=False))
        if not np.isnan(sales[place]):
            problems.append(f"{path}: row {number}: {', '.join(str(row[column]) for column in columns[:3])} stands twice")
        sales[place] = _number(row[columns[3]], f"{path}: row {number}: {columns[3]}")
    if problems:
        raise InputError(problems)
    return SalesPanel(torch.from_numpy(sales), tuple(str(text) for _, _, text in keys[1]), str(path))


def _refuse_jumps(periods: list[str], where: str) -> None:
    """Periods must be whole numbers or ISO dates, in equal steps (or on one day of each month): else one is missing for all."""
    try:
        try:
            steps = [int(float(text)) for text in periods]
            months = []
        except ValueError:
            dates = [date.fromisoformat(text[:10]) for text in periods]
            steps = [day.toordinal() for day in dates]
            months = [day.year * 12 + day.month for day in dates] if len({day.day for day in dates}) == 1 else []
    except ValueError:
        expected = "whole numbers, or dates as 2024-01-31"
        raise InputError(f"{where}: got {periods[0]!r} to {periods[-1]!r}; expected {expected}") from None
    for values in (steps, months):
        if values and len({after - before for before, after in pairwise(values)}) <= 1:
            return
    usual = Counter(after - before for before, after in pairwise(steps)).most_common(1)[0][0]
    place = next(number for number, (before, after) in enumerate(pairwise(steps)) if after - before != usual)
    raise InputError(
        f"{where}: {periods[place + 1]!r} follows {periods[place]!r}, elsewhere the step is {usual}; "
        "expected every period, with a row of 0 where nothing was sold"
    )


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
    return SalesPanel(values.to(torch.float32), None, str(path))
