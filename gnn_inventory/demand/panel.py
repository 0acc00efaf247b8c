"""Scenarios from panels of real sales, split by time so that nothing leaks."""

import hashlib
from dataclasses import dataclass

import networkx as nx
import torch

from gnn_inventory.demand.panel_files import SalesPanel
from gnn_inventory.demand.scenarios import STREAMS, Scenarios, ScenarioSource, checked, initial_values, mean_seen
from gnn_inventory.errors import InputError, nearest, problem
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.network import Network, is_panel
from gnn_inventory.types import Float, Tensor

__all__ = ["PanelDemand", "Windows", "scaled_calendar"]


@dataclass(frozen=True)
class Windows:
    """Periods [first, last) of the panel for each use; the first `history` of each are seen, not simulated; what lies before
    them a policy may look back to.

    Attributes:
        train, dev, test: [first, last).
        history: periods at the start of a window that mean and standard deviation are taken from.
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
        if self.history < 2:
            found.append(
                problem(where, "windows.history", self.history, "at least 2: mean and deviation of demand are known from it")
            )
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


def scaled_calendar(calendar: Float[Tensor, "period channel"], windows: Windows) -> Float[Tensor, "period channel"]:
    """A calendar as policies see it: by its mean and deviation over the training window; what is constant there, by its mean alone."""
    seen = calendar[windows.train[0] : windows.train[1]]
    deviation = torch.where(seen.amax(0) > seen.amin(0), seen.std(0), 1.0)
    return (calendar - seen.mean(0)) / deviation


class PanelDemand(ScenarioSource):
    """Scenarios from a panel: one per item, all locations, over a window of time.

    What a policy knows of an item beforehand (mean and standard deviation) is computed from the window's history alone.

    Args:
        network: the network, its demand a panel, in NetworkX or parsed.
        panel: the sales.
        windows: the split by time.
        stream: "train", "dev" or "test".
        seed: of initial stock and parameters that scenarios draw, an integer >= 0.
        calendar: values of each period [T, F], or None.

    Raises:
        InputError: other locations than the network's, panel or calendar shorter than the windows, windows that leak; the network states its
            own demand; no such stream or seed.
    """

    def __init__(
        self,
        network: nx.DiGraph | Network,
        panel: SalesPanel,
        windows: Windows,
        stream: str,
        seed: int,
        calendar: Float[Tensor, "period channel"] | None = None,
    ) -> None:
        network = checked(network, stream, seed)
        if not is_panel(network):
            raise InputError(f"{network.name}: states its own demand; expected `demand: panel` at its locations with demand")
        problems = windows.problems(panel.sales.shape[2], panel.where)
        if calendar is not None and len(calendar) < panel.sales.shape[2]:
            problems.append(
                problem(
                    "calendar",
                    "rows",
                    len(calendar),
                    f"one per period of the panel, {panel.sales.shape[2]}; its file has as many more as it is seen `ahead`",
                )
            )
        order = self._order(network, panel, problems)
        if problems:
            raise InputError(problems)
        self.graph = InventoryGraph.from_network(network)
        self.count = len(panel.sales)
        self.first, last = getattr(windows, stream)
        self.history = windows.history
        self.periods = last - self.first - self.history
        seen = panel.sales.contiguous().numpy().tobytes()
        seen += b"" if calendar is None else calendar.contiguous().numpy().tobytes()
        self.fingerprint = hashlib.sha256(seen).hexdigest()
        self._key = (seed, STREAMS[stream])
        names = list(network.nodes)
        self._sales = torch.zeros(self.count, panel.sales.shape[2], len(names))
        columns = torch.tensor([names.index(name) for name in network.customers])
        self._sales[:, :, columns] = panel.sales[:, order].transpose(1, 2)
        self._calendar = torch.zeros(panel.sales.shape[2], 0)
        if calendar is not None:
            self._calendar = scaled_calendar(calendar, windows)

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
        mean = mean_seen(history, self.graph.has_demand)
        on_hand, in_transit, parameters = initial_values(self.graph, *self._key, first, last, mean)
        return Scenarios(
            demand=self._sales[first:last, now : now + periods],
            mean_demand=mean,
            std_demand=history.std(1) if self.history > 1 else torch.zeros_like(mean),
            on_hand=on_hand,
            in_transit=in_transit,
            parameters=parameters,
            history=self._sales[first:last, :now],
            calendar=self._calendar[now : now + periods],
        )
