"""Today's stock on hand, goods on their way and recent demand: a table by name -> tensors, every mistake at once."""

import math
import warnings
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gnn_inventory.errors import InputError, UsageError, nearest
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.network import Network
from gnn_inventory.topology.schema import Normal
from gnn_inventory.topology.values import LARGEST
from gnn_inventory.types import NodePerScenario, Past, Transit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "RECORDS", "Clock", "Position", "read_position", "read_table"]

COLUMNS = ("item", "record", "location", "from", "when", "units")
"""Of the table; `item` may be left out where there is one, `from` and `when` where no row needs them."""
RECORDS = ("on_hand", "in_transit", "demand")
MOST_PROBLEMS = 50
"""Lines of mistakes that are shown; how many more there are is said."""


@dataclass(frozen=True)
class Clock:
    """How dates become periods.

    Attributes:
        today: first day of the period for which orders are placed; None where the table counts in periods.
        period_days: days in a period.
    """

    today: date | None = None
    period_days: int = 1

    def __post_init__(self) -> None:
        if self.period_days < 1:
            raise InputError(f"period_days: got {self.period_days}; expected at least 1, the days in a period")

    def periods_from_now(self, value: object) -> int:
        """Periods until the one in which something due counts (1 = on hand at the start of the next), or, of the past,
        since which it counts (-1 = the last period).

        Raises:
            ValueError: neither a whole number of periods nor a date; the text says what was expected.
        """
        text = str(value).strip()
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            if number != int(number) or abs(number) > LARGEST:
                raise ValueError("a whole number of periods, or a date")
            return int(number)
        days = self.days_from_now(text)
        return math.ceil(days / self.period_days) if days > 0 else math.floor(days / self.period_days)

    def days_from_now(self, text: str) -> int:
        """Days until a date, below 0 where it has passed.

        Raises:
            ValueError: it is none, or nobody knows today's; the text says what was expected.
        """
        try:
            day = date.fromisoformat(text[:10])
        except ValueError:
            raise ValueError("a whole number of periods from now (-1 = the last one), or a date as 2026-01-31") from None
        if self.today is None:
            raise ValueError("periods from now, or today's date beside it: --today DATE (and --period-days DAYS)")
        return (day - self.today).days

    def day(self, periods: int) -> str:
        """The first day of the period that many from now, or how many that are."""
        return str(periods) if self.today is None else self.after(periods * self.period_days)

    def after(self, days: int) -> str:
        """The date that many days from today, which is known."""
        assert self.today is not None
        return (self.today + timedelta(days=days)).isoformat()


@dataclass(frozen=True)
class Position:
    """Where each item stands at the start of a period, arrivals included.

    Attributes:
        items: their names; one nameless item where the table has none.
        on_hand: I, units [B, N]; negative = backlog.
        in_transit: units [B, E, L]; slot k arrives after k + 1 periods.
        demand: of the periods before now, as many as all locations have, units [B, W, N], oldest first.
    """

    items: tuple[str, ...]
    on_hand: NodePerScenario
    in_transit: Transit
    demand: Past


def read_table(path: str | Path) -> "pd.DataFrame":
    """A CSV file as a data frame of text, cells as they stand.

    Raises:
        UsageError: no such file. InputError: it does not read as CSV.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: {'is a folder; expected a CSV file' if path.is_dir() else 'no such file'}")
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):  # of rows longer than the header
            return pd.read_csv(
                path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True, index_col=False
            )
    except pd.errors.ParserWarning:
        raise InputError(f"{path}: rows have more cells than the header; expected as many, without a comma at the end") from None
    except (ValueError, OSError) as error:  # pandas' errors of parsing are of these kinds
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as CSV ({reason}); expected text in UTF-8, separated by commas") from None


def read_position(table: "pd.DataFrame", network: Network, history: int, clock: Clock, where: str = "state") -> Position:
    """The position that a table states.

    Args:
        table: columns by name, in any order: `record` (on_hand, in_transit or demand), `location`, `units`; for in_transit
            `from` and `when` (periods until it is on hand, at least 1, or a date); for demand `when` (periods ago, -1 = the
            last one, or a date); `item`, where there are several. Several rows of in_transit add up; so does the demand of
            different days that fall into one period. Of a location that cannot hold stock, on_hand is what arrived for this period,
            nothing where no row says it.
        network: where they stand.
        history: periods of demand that the policy needs, from -1 backwards.
        clock: how dates become periods.
        where: what errors call the table.

    Raises:
        InputError: every mistake, with the row of each (the header is row 1).
    """
    reader = _Reader(network, clock, where)
    reader.check_columns(list(table.columns))
    columns = [str(column) for column in table.columns]
    for number, values in enumerate(table.itertuples(index=False, name=None), start=2):
        reader.read_row(number, dict(zip(columns, values, strict=True)))
    return reader.position(history)


@dataclass
class _Reader:
    """What has been read of a table so far: values by item and place, and every mistake; `days` of each period and place of which there
    is demand, the `whole` ones among these, given by their number, and of any place the `latest` day of each period (0 = its first).
    """

    network: Network
    clock: Clock
    where: str
    problems: list[str] = field(default_factory=list)
    on_hand: dict[str, dict[str, float]] = field(default_factory=dict)
    in_transit: dict[tuple[str, int, int], float] = field(default_factory=dict)
    demand: dict[tuple[str, str, int], float] = field(default_factory=dict)
    days: dict[tuple[str, str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    whole: set[tuple[str, str, int]] = field(default_factory=set)
    latest: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph = graph = InventoryGraph.from_network(self.network)
        self.node = {name: number for number, name in enumerate(graph.labels)}
        pairs = graph.edge_index.t().tolist()
        self.link = {(graph.labels[u], graph.labels[v]): number for number, (u, v) in enumerate(pairs)}
        self.stores = [name for name, sells in zip(graph.labels, graph.has_demand.tolist(), strict=True) if sells]
        self.locations = [name for name, supplier in zip(graph.labels, graph.is_supplier.tolist(), strict=True) if not supplier]
        demands = {name: self.network.location(name).distribution for name in self.stores}
        self.returning = [name for name, demand in demands.items() if isinstance(demand, Normal) and not demand.clip]
        self.holders = [name for name in self.locations if graph.holds_stock[self.node[name]]]

    def check_columns(self, columns: list[Hashable]) -> None:
        names = [str(column) for column in columns]
        found = [f"{self.where}: unknown column '{name}'; {nearest(name, COLUMNS)}" for name in names if name not in COLUMNS]
        found += [f"{self.where}: column '{name}' stands twice" for name in sorted(set(names)) if names.count(name) > 1]
        found += [f"{self.where}: column '{name}': missing" for name in ("record", "location", "units") if name not in names]
        if found:
            raise InputError(found)

    def read_row(self, number: int, row: dict[str, Any]) -> None:
        place = f"{self.where}, row {number}"
        record, location, item = (_text(row.get(key)) for key in ("record", "location", "item"))
        self.on_hand.setdefault(item, {})
        units = _number(row.get("units"))
        if record not in RECORDS:
            self.problems.append(f"{place}: record: got {record!r}; {nearest(record, RECORDS)}")
        if location not in self.node:
            self.problems.append(f"{place}: location: unknown name '{location}'; {nearest(location, self.node)}")
        if units is None:
            self.problems.append(
                f"{place}: units: got {_text(row.get('units'))!r}; expected a finite number, at most {LARGEST:g}"
            )
        if record not in RECORDS or location not in self.node or units is None:
            return
        if record == "on_hand":
            self._stock(place, item, location, units)
        elif record == "in_transit":
            self._goods(place, item, location, _text(row.get("from")), row.get("when"), units)
        else:
            self._sold(place, item, location, row.get("when"), units)

    def _stock(self, place: str, item: str, location: str, units: float) -> None:
        if location not in self.locations:
            self.problems.append(f"{place}: on_hand: '{location}' is a supplier; expected no stock there, remove the row")
        elif location in self.on_hand[item]:
            self.problems.append(f"{place}: on_hand: '{location}' stands twice{_of(item)}; expected one row")
        elif units < 0 and bool(self.graph.lost[self.node[location]] | ~self.graph.has_demand[self.node[location]]):
            why = "has no backlog" if location in self.stores else "has no customers"
            self.problems.append(f"{place}: on_hand: got {units:g} at '{location}', which {why}; expected at least 0")
        self.on_hand[item][location] = units

    def _goods(self, place: str, item: str, location: str, source: str, when: object, units: float) -> None:
        if source not in self.node:
            self.problems.append(f"{place}: from: unknown name '{source}'; {nearest(source, self.node)}")
            return
        if (source, location) not in self.link:
            sources = [u for u, v in self.link if v == location]
            expected = f"one of: {', '.join(sources)}" if sources else "no goods on their way to it"
            self.problems.append(f"{place}: in_transit: no link '{source} -> {location}'; expected {expected}")
            return
        if units < 0:
            self.problems.append(f"{place}: in_transit: got {units:g} on '{source} -> {location}'; expected at least 0")
        due = self._when(place, when)
        longest = self.graph.slots
        if due is not None and not 1 <= due <= longest:
            expected = f"1 (on hand at the start of the next period) to {longest}" if longest else "none: every lead time is 1"
            self.problems.append(f"{place}: when: got {due} periods until arrival; expected {expected}")
        elif due is not None:
            key = item, self.link[source, location], due - 1
            self.in_transit[key] = self.in_transit.get(key, 0.0) + units

    def _sold(self, place: str, item: str, location: str, when: object, units: float) -> None:
        if location not in self.stores:
            expected = f"one of: {', '.join(self.stores)}"
            self.problems.append(f"{place}: demand: '{location}' has no customers; expected {expected}")
            return
        ago = self._when(place, when)
        if units < 0 and location not in self.returning:
            self.problems.append(f"{place}: demand: got {units:g} at '{location}'; expected at least 0")
        if ago is None:
            return
        if ago >= 0:
            self.problems.append(f"{place}: when: got {ago}; expected a period before now, -1 or less (or a date before today)")
            return
        key = item, location, ago
        given, whole = _text(when)[:10], _number(when) is not None
        if given in self.days[key] or (self.days[key] and whole) or key in self.whole:
            self.problems.append(f"{place}: demand of {given} at '{location}' stands twice{_of(item)}; expected one row")
        self.days[key].add(given)
        if whole:
            self.whole.add(key)
        else:  # a date: days from the period's first on
            into = self.clock.days_from_now(given) - ago * self.clock.period_days
            self.latest[ago] = max(into, self.latest.get(ago, 0))
        self.demand[key] = self.demand.get(key, 0.0) + units

    def _when(self, place: str, when: object) -> int | None:
        try:
            return self.clock.periods_from_now(_text(when))
        except ValueError as error:
            self.problems.append(f"{place}: when: got {_text(when)!r}; expected {error}")
            return None

    def position(self, history: int) -> Position:
        items = tuple(sorted(self.on_hand)) or ("",)
        graph, size = self.graph, len(items)
        on_hand = torch.zeros(size, graph.nodes)
        seen = min((self._seen(item, name) for item in items for name in self.stores), default=0)
        for row, item in enumerate(items):
            stock = self.on_hand.get(item, {})
            for name in self.locations:
                if name in self.holders and name not in stock:
                    self.problems.append(
                        f"{self.where}: location '{name}': on_hand missing{_of(item)}; expected its stock, 0 if none"
                    )
                on_hand[row, self.node[name]] = stock.get(name, 0.0)
            for name in self.stores:
                if (run := self._seen(item, name)) < history:
                    days = len(self.days[item, name, -run - 1])
                    what = (
                        f"missing{_of(item)}" if not days else f"of {days} of its {self.clock.period_days} days only{_of(item)}"
                    )
                    expected = f"demand of each of the last {history} periods"
                    self.problems.append(
                        f"{self.where}: location '{name}': demand of period {-run - 1} {what}; expected {expected}"
                    )
        usual, reached = max(self.latest.values(), default=0), self.latest.get(-1, 0)
        if -1 in self.latest and reached < usual:  # of nobody on the days after it, though other periods have such days
            ends, last = (self.clock.after(days - self.clock.period_days) for days in (reached, usual))
            self.problems.append(
                f"{self.where}: demand ends on {ends}; expected it up to {last}, as in the periods before: 0 where nothing was demanded"
            )
        if len(self.problems) > MOST_PROBLEMS:
            more = len(self.problems) - MOST_PROBLEMS
            raise InputError([*self.problems[:MOST_PROBLEMS], f"{self.where}: and {more} more mistakes"])
        if self.problems:
            raise InputError(self.problems)
        place = {item: row for row, item in enumerate(items)}
        in_transit, demand = torch.zeros(size, graph.links, graph.slots), torch.zeros(size, seen, graph.nodes)
        for (item, link, slot), units in self.in_transit.items():
            in_transit[place[item], link, slot] = units
        for (item, name, ago), units in self.demand.items():
            if -ago <= seen:
                demand[place[item], seen + ago, self.node[name]] = units
        return Position(items, on_hand, in_transit, demand)

    def _seen(self, item: str, location: str) -> int:
        """Periods of demand from -1 backwards without a gap; not the oldest, where days add up to periods and its first are not there."""
        run = 0
        while (item, location, -run - 1) in self.demand:
            run += 1
        oldest, after = (self.days.get((item, location, -ago), set()) for ago in (run, run - 1))
        partial = run > 1 and len(oldest) < len(after) and self.clock.day(-run) not in oldest
        return run - partial


def _text(value: object) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value).strip()


def _number(value: object) -> float | None:
    try:
        number = float(_text(value))
    except ValueError:
        return None
    return number if abs(number) <= LARGEST else None  # which NaN is not either


def _of(item: str) -> str:
    return f" (item '{item}')" if item else ""
