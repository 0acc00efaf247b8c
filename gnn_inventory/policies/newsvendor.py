"""The newsvendor family on a quantile forecaster: order up to a quantile of the demand to come (Alvo et al., arXiv 2306.11246)."""

import torch
from torch import Tensor, nn

from gnn_inventory.demand.scenarios import ScenarioSource
from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy, UnsupportedNetworkError, refuse_settings
from gnn_inventory.policies.echelon import echelon_position, flow_shares
from gnn_inventory.policies.forecast import QUANTILES, QuantileForecaster
from gnn_inventory.policies.linear import Linear
from gnn_inventory.types import NodeValues

__all__ = ["FixedQuantile", "NewsvendorQuantile", "NewsvendorWithReturns", "TransformedQuantile"]


class NewsvendorQuantile(Policy):
    """Every location orders up to the quantile p / (p + h), from 0.1 to 0.995 as forecast, of demand until the order after this one has arrived.

    The demand of a location that ships on is that of all it supplies, its position is that of its echelon, the time that of
    the longest way to customers, p and h are those of the customers below, weighted by their mean demand. The forecaster is
    fitted to the training periods alone, once, and never looks past them.

    Args:
        window: periods of past demand that the forecaster looks at, W.
        calendar: channels of the calendar that it looks at.
        seed: of the examples that it is fitted to, and of the weights that are trained.
    """

    returns = False

    def __init__(self, window: int = 16, calendar: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.config = dict(window=window, calendar=calendar, seed=seed)
        refuse_settings(type(self).__name__, self.config)
        if window < 1:
            raise InputError(f"policy.window: got {window}; expected at least 1: the forecaster looks at nothing else")
        self.window, self.calendar = window, calendar
        self.register_buffer("forecaster", torch.zeros(0, dtype=torch.uint8))  # LightGBM's text
        self._fitted: QuantileForecaster | None = None

    def quantile(self, ratio: NodeValues) -> NodeValues:
        """The quantile that a location orders up to, given p / (p + h)."""
        return ratio

    def prepare(self, train: ScenarioSource, count: int, periods: int) -> None:
        """Fit the forecaster to the training scenarios: at every period from which the horizon lies within them."""
        graph, scenarios = train.graph, train.sample(0, count, periods)
        known = Known.of(graph, scenarios)
        horizon = self._horizon(graph, known)[0]
        demand = torch.cat([scenarios.history, scenarios.demand], dim=1)
        size, total, nodes = demand.shape
        below = graph.below(demand.reshape(-1, nodes)).reshape(size, total, nodes)
        first = scenarios.history.shape[1]
        calendar = scenarios.calendar[:, : self.calendar]
        parts: list[list[Tensor]] = [[], [], [], []]
        for node in (~graph.is_supplier).nonzero().flatten().tolist():
            covered = int(horizon[node])
            for now in range(max(first, self.window), total - covered + 1):
                parts[0].append(below[:, now - self.window : now, node])
                parts[1].append(calendar[now - first].expand(size, -1))
                parts[2].append(torch.full((size,), float(covered)))
                parts[3].append(below[:, now : now + covered, node].sum(1))
        if not parts[0]:
            before, covered = max(first, self.window), int(horizon[~graph.is_supplier].min())
            raise UnsupportedNetworkError(
                f"policy {type(self).__name__}: got {total} periods of history and training; expected at least {before + covered}: "
                f"{before} before the first forecast (its window is {self.window}) and {covered} that an order covers"
            )
        past, at, length, demanded = (torch.cat(part) for part in parts)
        self._fitted = QuantileForecaster.fit(past, at, length, demanded, self.config["seed"])
        text = "\0".join(self._fitted.models).encode()
        self.forecaster = torch.frombuffer(bytearray(text), dtype=torch.uint8)

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        self._refuse(graph)
        model, horizon, ratio = self._model(), self._horizon(graph, known), self._ratio(graph, known)
        inside = (~graph.is_supplier).nonzero().flatten()
        _, out_of = flow_shares(graph, known)
        grid = known.node_flow.new_tensor(QUANTILES)

        def decide(seen: Observation) -> Desired:
            size, window, nodes = seen.past_demand.shape
            past = graph.below(seen.past_demand.reshape(-1, nodes)).reshape(size, window, nodes)[:, :, inside]
            rows = past.transpose(1, 2).reshape(-1, window)
            calendar = seen.calendar[: self.calendar].expand(len(rows), -1)
            forecast = model.predict(rows, calendar, horizon[:, inside].expand(size, -1).reshape(-1))
            quantile = self.quantile(ratio)[:, inside].expand(size, -1).reshape(-1, 1)
            levels = known.node_flow.new_zeros(size, nodes).index_copy(
                1, inside, _interpolated(forecast, grid, quantile).reshape(size, -1)
            )
            own = seen.on_hand.index_add(1, graph.target, seen.in_transit.sum(-1))
            flow = known.node_flow
            lacking = levels - echelon_position(graph, own / flow, out_of) * flow
            if not self.returns:
                lacking = lacking.clamp_min(0.0)
            return Desired(lacking[:, graph.target], free=self.returns)

        return decide

    def _model(self) -> QuantileForecaster:
        if self._fitted is None:
            if not len(self.forecaster):
                raise UnsupportedNetworkError(
                    f"policy {type(self).__name__}: its forecaster is not fitted; train it on the one network that it is for"
                )
            text = bytes(self.forecaster.cpu().numpy().tobytes()).decode()
            self._fitted = QuantileForecaster(text.split("\0"))
        return self._fitted

    def _refuse(self, graph: InventoryGraph) -> None:
        """Raise where a location has several sources, or where returns would have to be shipped by a location."""
        name = type(self).__name__
        several = graph.inbound > 1
        if bool(several.any()):
            where = graph.labels[int(several.nonzero()[0])]
            raise UnsupportedNetworkError(
                f"policy {name}: got location '{where}' with several sources; expected one link into each"
            )
        if self.returns and not bool(graph.is_supplier[graph.source].all()):
            raise UnsupportedNetworkError(
                f"policy {name}: returns go to suppliers alone; expected locations that order from them"
            )

    def _horizon(self, graph: InventoryGraph, known: Known) -> NodeValues:
        """Periods of demand that a level must cover, whole [1, N]."""
        if len(known.parameters.lead_time) > 1:
            raise UnsupportedNetworkError(
                f"policy {type(self).__name__}: got lead times that differ by scenario; expected shared ones"
            )
        lead_time = known.parameters.lead_time[0]
        none = lead_time.new_zeros(graph.nodes)
        periods = none
        for _ in range(int(graph.depth)):
            below = none.scatter_reduce(0, graph.source, periods[graph.target], "amax")
            own = none.scatter_reduce(0, graph.target, lead_time, "amax")
            periods = torch.where(below > 0, below, 1.0) + own
        return periods.unsqueeze(0)

    def _ratio(self, graph: InventoryGraph, known: Known) -> NodeValues:
        """p / (p + h) of the customers below each location [b, N]; p is underage cost and price together."""
        mean, parameters = known.mean_demand.clamp_min(0.0), known.parameters
        lost = graph.below(mean * (parameters.underage_cost + parameters.price))
        held = graph.below(mean * parameters.holding_cost)
        return lost / (lost + held).clamp_min(1e-9)


class FixedQuantile(NewsvendorQuantile):
    """The same, with one quantile for all, trained by the gradient."""

    def __init__(self, window: int = 16, calendar: int = 0, seed: int = 0) -> None:
        super().__init__(window, calendar, seed)
        self.logit = nn.Parameter(torch.tensor(1.5))

    def quantile(self, ratio: NodeValues) -> NodeValues:
        return _within_grid(self.logit).expand_as(ratio)


class TransformedQuantile(NewsvendorQuantile):
    """The same, with a learned map from p / (p + h) to a quantile: two hidden layers of 32 with ELU, then a sigmoid."""

    def __init__(self, window: int = 16, calendar: int = 0, seed: int = 0) -> None:
        super().__init__(window, calendar, seed)
        random = torch.Generator().manual_seed(seed)
        self.map = nn.Sequential(Linear(1, 32), nn.ELU(), Linear(32, 32), nn.ELU(), Linear(32, 1))
        with torch.no_grad():
            for value in self.map.parameters():
                value.uniform_(-0.3, 0.3, generator=random)

    def quantile(self, ratio: NodeValues) -> NodeValues:
        return _within_grid(self.map(ratio.unsqueeze(-1)).squeeze(-1) + 1.5)


class NewsvendorWithReturns(NewsvendorQuantile):
    """The same as p / (p + h), with goods returned where there are too many: not admissible, a yardstick of the forecaster."""

    returns = True


def _within_grid(values: Tensor) -> Tensor:
    """A quantile between the lowest and the highest that are known, from any number: beyond them nothing has a gradient."""
    return QUANTILES[0] + (QUANTILES[-1] - QUANTILES[0]) * torch.sigmoid(values)


def _interpolated(values: Tensor, grid: Tensor, at: Tensor) -> Tensor:
    """Values [R, Q] known at `grid`, at given quantiles [R, 1], linearly; beyond the grid its ends."""
    at = at.clamp(grid[0], grid[-1])
    right = torch.searchsorted(grid, at.detach().contiguous()).clamp(1, len(grid) - 1)
    low, high = grid[right - 1], grid[right]
    share = (at - low) / (high - low)
    return (values.gather(1, right - 1) * (1 - share) + values.gather(1, right) * share).squeeze(1)
