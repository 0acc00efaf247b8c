"""Message passing on the supply network: the same weights run on any graph."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy, UnsupportedNetworkError, refuse_settings
from gnn_inventory.policies.echelon import Cover, echelon_position, flow_shares
from gnn_inventory.policies.features import LINK_FACTS, NODE_FACTS, bounded, link_features, node_features, unit_of_money
from gnn_inventory.policies.linear import Linear
from gnn_inventory.policies.lumps import Lumps, LumpSizes
from gnn_inventory.policies.routes import RouteFacts, Routes
from gnn_inventory.policies.supply_conv import SupplyConv
from gnn_inventory.policies.survey import Survey
from gnn_inventory.types import Float, LinkPerScenario, LinkValues, NodeValues, Past

__all__ = ["MessagePassing"]

POSITIONS = 4
SHARPNESS = 8.0
"""Of the softplus that keeps orders positive, per unit of mean flow: near to what it lacks of a level, never dead."""
SMALLEST_DEVIATION = 0.1
"""In units of mean flow: what a position is divided by is no smaller."""
LARGEST_RISE = 3.0
"""Of demand over its mean a season ago: what is beyond is taken for this."""


@dataclass(frozen=True)
class _Terms:
    """What follows from what is known of demand and costs, before any state is seen."""

    node_flow: NodeValues
    link_flow: LinkValues
    out_of: LinkValues
    shares: tuple[Tensor, Tensor]
    periods: NodeValues
    level: NodeValues
    scale: NodeValues
    sooner: LinkValues
    burden: LinkValues
    node_facts: Tensor
    link_facts: Tensor
    lumps: LumpSizes | None


class MessagePassing(Policy):
    """Orders on links and a quantity to keep per location, by rounds of message passing.

    Every quantity enters and leaves in units of the mean demand that flows through its node or link, money in units of the
    network's mean cost of a lost sale: the policy depends on no scale. Positions enter less what they must cover of mean
    demand, and the order adds a linear term in them: training starts at echelon base stock and learns where to leave it.
    Where a location has several sources, a faster link counts only what arrives by the time that its order would: training
    starts at a dual-index policy (Veeraraghavan and Scheller-Wolf 2008). What a location lacks of the orders asked of it is cut
    from them by the deviations that they cover, and what it cannot hold is added so: training starts at equal chances of
    running out, the myopic allocation of Federgruen and Zipkin (1984). On links with a fixed cost it decides whether to order at
    all: training starts at echelon (s, S), with the economic order quantity between them.

    Args:
        width: channels per node and link.
        rounds: of message passing, K.
        slots: periods until arrival that the policy tells apart, at least the largest lead time minus 1.
        window: periods of past demand that it looks at, W. Their mean and deviation, as the window moves, are then what it
            knows of demand, and upstream locations look at what was demanded below them.
        season: periods of a season, 0 where there is none: it also looks at how demand went on a season ago, over the next
            2 x slots periods, against the mean of the window before.
        calendar: channels of the calendar that it looks at.
        lumps: 1: it has weights for links with a fixed cost, which training gives it where its network has one; 0: it has none, and
            takes no notice of fixed costs.
        routes: 1: it expects the flow into a location with several sources by their routes (`RouteFacts`), and has weights for what
            sets them apart, which training gives it where its network has such; 0: it expects equal parts, and has none.
        survey_rounds: of message passing over what is known, before the first period: each location so hears of others far from
            it, and sources share the flow as is planned from all of it.
        seed: of the initial weights.
    """

    lumps: Lumps | None
    routes: Routes | None

    def __init__(
        self,
        width: int = 32,
        rounds: int = 2,
        slots: int = 8,
        window: int = 0,
        season: int = 0,
        calendar: int = 0,
        lumps: int = 0,
        routes: int = 0,
        survey_rounds: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = dict(width=width, rounds=rounds, slots=slots, window=window, season=season, calendar=calendar)
        self.config |= dict(lumps=lumps, routes=routes, survey_rounds=survey_rounds, seed=seed)
        refuse_settings("message_passing", self.config)
        if slots < 1:
            raise InputError("policy message_passing: slots: got 0; expected at least 1")
        if window == 1 or (season and (not window or season < 2 * slots)):
            got = f"window {window}, season {season}"
            raise InputError(
                f"policy message_passing: got {got}; expected a window of 0 or at least 2, and a season only with a window, at least {2 * slots} (2 x slots) long"
            )
        self.slots, self.recent, self.season, self.calendar = slots, window, season, calendar
        self.window = window + season
        ahead = 2 * slots if season else 0
        self.node_facts = Linear(NODE_FACTS, width)
        self.node_state = Linear(1 + POSITIONS + slots + window + ahead + calendar, width, bias=False)
        self.link_facts = Linear(LINK_FACTS, width)
        self.link_state = Linear(slots + 1, width, bias=False)
        self.rounds = nn.ModuleList(SupplyConv(width) for _ in range(rounds))
        self.order = Linear(width, 1)
        self.order_of_target = Linear(width, 1, bias=False)
        self.order_of_state = Linear(POSITIONS, 1, bias=False)
        self.order_of_lateness = Linear(1, 1, bias=False)
        self.balance = Linear(width, 1)
        self.keep = Linear(width, 1)
        self.survey = Survey(width, survey_rounds) if survey_rounds else None
        self.reset_parameters(seed)

    def fit_to(self, graph: InventoryGraph) -> None:
        """Make the weights for links with a fixed cost, and those for several sources, where the network has such."""
        if self.lumps is None and bool((graph.fixed_cost + graph.fixed_cost_span > 0).any()):
            self.config["lumps"], self.lumps = 1, Lumps(self.config["width"])
        if self.routes is None and bool((graph.inbound > 1).any()):
            self.config["routes"], self.routes = 1, Routes(self.config["width"])

    @property
    def least_history(self) -> int:
        return self.recent

    def reset_parameters(self, seed: int) -> None:
        """Draw the weights anew; orders start at about echelon base stock, what is kept at a little of the flow."""
        random = torch.Generator().manual_seed(seed)
        self.lumps = self.routes = None
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, Linear):
                    bound = (1.0 / max(module.in_features, 1)) ** 0.5
                    module.weight.uniform_(-bound, bound, generator=random)
                    if module.bias is not None:
                        module.bias.zero_()
            for head in (self.order, self.order_of_target, self.balance, self.keep):
                head.weight.mul_(0.1)
            self.order_of_state.weight.copy_(torch.tensor([[0.0, -1.0, 0.0, 0.0]]))
            self.order_of_lateness.weight.fill_(1.0)
            self.balance.bias.fill_(1.0)
            self.keep.bias.fill_(-0.3)
            if self.survey is not None:
                self.survey.choice.weight.zero_()
        if self.config["lumps"]:
            self.lumps = Lumps(self.config["width"])
        if self.config["routes"]:
            self.routes = Routes(self.config["width"])

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        if graph.slots > self.slots:
            raise UnsupportedNetworkError(
                f"policy message_passing: got a lead time of {graph.slots + 1}; its weights accept at most {self.slots + 1}; "
                f"train with policy.slots={graph.slots}"
            )
        source, target, slots = graph.source, graph.target, graph.slots
        fixed = self.lumps is not None and bool((known.parameters.fixed_cost != 0).any())
        several = bool((graph.inbound > 1).any())
        on_routes, leaning = None, None
        if self.routes is not None and several:
            routes = RouteFacts.of(graph, known.parameters, unit_of_money(graph, known))
            on_routes, shares = self.routes(routes), routes.shares
            known = known.shared(graph, shares)
            if self.survey is not None:
                shares = self.survey.shares(graph, shares, self._terms(graph, known, fixed, on_routes).link_facts)
                known = known.shared(graph, shares)
            leaning = self.routes.leaning(graph, routes, shares)
        before = None if self.recent else self._terms(graph, known, fixed, on_routes)  # with a window they move with it
        lead_time = known.parameters.lead_time
        pad = self.slots - slots
        after = (torch.arange(slots, device=target.device) >= lead_time.unsqueeze(-1)).to(lead_time.dtype)
        rounds = [cast(SupplyConv, layer).on(graph) for layer in self.rounds]
        of_nodes, of_links = _side_by_side(self.order_of_target, self.keep), _side_by_side(self.order, self.balance)

        def decide(seen: Observation) -> Desired:
            recent = seen.past_demand[:, -self.recent :]
            terms = before or self._terms(graph, known.from_past(graph, recent), fixed, on_routes)
            on_hand = seen.on_hand / terms.node_flow
            transit = seen.in_transit / terms.link_flow.unsqueeze(-1)
            inbound = seen.in_transit.new_zeros(on_hand.shape[0], graph.nodes, slots)
            inbound = inbound.scatter_add(
                1, target.unsqueeze(-1).expand_as(seen.in_transit), seen.in_transit
            ) / terms.node_flow.unsqueeze(-1)
            position = on_hand + inbound.sum(-1)
            echelon = echelon_position(graph, position, terms.out_of) - terms.level
            position = position - terms.periods
            positions = torch.stack([position, echelon, position * terms.scale, echelon * terms.scale], dim=-1)
            stock = bounded(torch.cat([on_hand.unsqueeze(-1), positions, inbound], dim=-1))
            parts = [stock, *_empty(inbound, pad)]
            if self.recent:
                parts.append(_below(graph, recent, known.shares).transpose(1, 2) / terms.node_flow.unsqueeze(-1))
            if self.season:
                parts.append(self._season(graph, seen.past_demand, known.shares))
            if self.calendar:
                parts.append(seen.calendar.expand(*on_hand.shape, -1))
            x = functional.silu(terms.node_facts + self.node_state(torch.cat(parts, dim=-1).transpose(0, 1)))
            late = on_hand.new_zeros(on_hand.shape[0], graph.links)
            if several:  # what arrives later than an order on this link would, beyond the mean demand of that time
                late = (inbound.index_select(1, target) * after).sum(-1) - terms.sooner
            sent = bounded(torch.cat([transit, late.unsqueeze(-1)], dim=-1))
            on_links = torch.cat([sent[..., :slots], *_empty(transit, pad), sent[..., slots:]], dim=-1)
            z = functional.silu(terms.link_facts + self.link_state(on_links.transpose(0, 1)))
            for once in rounds:
                x, message = once(x, z, *terms.shares)
                z = z + message
            of_target, keep = (value.t() for value in functional.linear(x, *of_nodes).unbind(-1))
            of_link, balance = (value.t() for value in functional.linear(z, *of_links).unbind(-1))
            of_target = of_target + self.order_of_state(positions).squeeze(-1)
            wanted = of_link + self.order_of_lateness(late.unsqueeze(-1)).squeeze(-1) + of_target.index_select(1, target)
            placed = None
            if self.lumps is not None and terms.lumps is not None:
                theory = late - echelon.index_select(1, target)
                wanted, placed = self.lumps(graph, terms.lumps, theory, wanted, terms.node_facts, terms.link_facts)
            unit = terms.link_flow if leaning is None else terms.link_flow * leaning(z)
            orders = _placed(functional.softplus(wanted, beta=SHARPNESS) * unit, placed)
            short = torch.zeros_like(on_hand).scatter_add(1, source.expand_as(orders), orders) - seen.on_hand.clamp_min(0.0)
            short = torch.where(graph.holds_stock, short.clamp_min(0.0), short).masked_fill(graph.is_supplier, 0.0)
            cut = balance * terms.burden * short.index_select(1, source)
            orders = _placed(functional.softplus(wanted - cut / unit, beta=SHARPNESS) * unit, placed)
            return Desired(orders, functional.softplus(keep, beta=SHARPNESS) * terms.node_flow, placed=placed)

        return decide

    def _terms(self, graph: InventoryGraph, known: Known, fixed_costs: bool, on_routes: Tensor | None) -> _Terms:
        """What follows from what is known, before any state is seen."""
        source, target = graph.source, graph.target
        into, out_of = flow_shares(graph, known)
        shares = into.t().unsqueeze(-1), out_of.t().unsqueeze(-1)
        cover = Cover.of(graph, known, out_of)
        spread = cover.deviation[:, target] * known.link_flow
        total = spread.new_zeros(spread.shape[0], graph.nodes).index_add(1, source, spread)
        node_facts = self.node_facts(node_features(graph, known, cover).transpose(0, 1))
        link_facts, lumps = self.link_facts(link_features(graph, known).transpose(0, 1)), None
        if on_routes is not None:
            link_facts = link_facts + on_routes
        if self.lumps is not None and fixed_costs:
            lumps = LumpSizes.of(graph, known)
            link_facts = link_facts + self.lumps.on_links(lumps)
        if self.survey is not None:
            node_facts, link_facts = self.survey(graph, node_facts, link_facts, shares)
        return _Terms(
            known.node_flow,
            known.link_flow,
            out_of,
            shares,
            cover.periods,
            level=cover.echelon_periods + cover.fractile * cover.deviation,
            scale=1.0 / cover.deviation.clamp_min(SMALLEST_DEVIATION),
            sooner=cover.longest[:, target] - known.parameters.lead_time,
            burden=spread / total.clamp_min(1e-12)[:, source],
            node_facts=node_facts,
            link_facts=link_facts,
            lumps=lumps,
        )

    def _season(
        self, graph: InventoryGraph, past: Past, shares: LinkValues | None = None
    ) -> Float[Tensor, "scenario node channel"]:
        """Demand below each node a season ago, from now on, over the mean of the window before, less 1."""
        mean = _below(graph, past[:, : self.recent], shares).mean(1)
        base = torch.where(mean > 0, mean, 1.0 / self.recent)
        then = _below(graph, past[:, self.recent : self.recent + 2 * self.slots], shares)
        return (then.transpose(1, 2) / base.unsqueeze(-1) - 1.0).clamp(-1.0, LARGEST_RISE)

    def __repr__(self) -> str:
        return f"MessagePassing({', '.join(f'{key}={value}' for key, value in self.config.items())})"


def _placed(orders: LinkPerScenario, placed: LinkPerScenario | None) -> LinkPerScenario:
    """Orders where they are placed: all of them where nothing decides."""
    return orders if placed is None else orders * placed


def _empty(transit: Tensor, slots: int) -> list[Tensor]:
    """What stands for further slots, in which nothing is on its way; nothing where there are none."""
    return [transit.new_zeros(*transit.shape[:-1], slots)] if slots else []


def _side_by_side(*layers: Linear) -> tuple[Tensor, Tensor]:
    """Weight and bias of the layers as one; 0 where a layer has no bias."""
    weights: list[Tensor] = [layer.weight for layer in layers]
    biases: list[Tensor] = [layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias for layer in layers]
    return torch.cat(weights), torch.cat(biases)


def _below(graph: InventoryGraph, past: Past, shares: LinkValues | None) -> Past:
    """Demand of each node and of all below it, per period."""
    size, periods, nodes = past.shape
    if shares is not None and shares.shape[0] > 1:
        shares = shares.repeat_interleave(periods, dim=0)
    return graph.below(past.reshape(size * periods, nodes), shares).reshape(size, periods, nodes)
