"""One level for a network whose warehouse cannot hold stock, and stores brought to equal chances of running out."""

from torch import Tensor

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, UnsupportedNetworkError
from gnn_inventory.policies.base_stock import EchelonBaseStock
from gnn_inventory.types import NodePerScenario

__all__ = ["EqualFractile"]


class EqualFractile(EchelonBaseStock):
    """Echelon base stock at the warehouse; what arrives there goes to the stores so that all have equal fractiles.

    A store's position after shipment is its mean demand over lead time and one period plus z standard deviations of it, the
    same z for all that are sent something: the myopic allocation of Federgruen and Zipkin (1984). A feasible policy close to
    their bound, so that the optimum is bracketed. Mean and deviation are what is known beforehand.
    """

    _kind = "equal_fractile"

    def __init__(self) -> None:
        super().__init__()
        self.config = {}

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        up_to_level = super().start(graph, known)
        inner = ~graph.is_supplier[graph.source]
        target = graph.target[inner]
        periods = known.parameters.lead_time[:, inner] + 1
        mean, deviation = known.mean_demand[:, target] * periods, known.std_demand[:, target] * periods.sqrt()

        def decide(seen: Observation) -> Desired:
            orders = up_to_level(seen).orders
            position = self._own_position(graph, seen)[:, target]
            stock = seen.on_hand[:, graph.source[inner][0]].clamp_min(0.0)
            sent = _balanced((position - mean) / deviation, deviation, stock)
            return Desired(orders.masked_fill(inner, 0.0).index_copy(1, inner.nonzero().squeeze(1), sent))

        return decide

    def _refuse(self, graph: InventoryGraph) -> None:
        super()._refuse(graph)
        if bool(graph.has_demand.any()) and not bool((graph.mean_demand != 0).any() | (graph.std_demand != 0).any()):
            raise UnsupportedNetworkError(
                "policy equal_fractile: got demand that the network does not state, as with a panel of sales; use echelon_base_stock "
                "or message_passing"
            )
        hubs = graph.source[~graph.is_supplier[graph.source]].unique()
        if len(hubs) != 1 or bool(graph.holds_stock[hubs].any()) or bool((graph.std_demand == 0)[graph.has_demand].any()):
            raise UnsupportedNetworkError(
                "policy equal_fractile: expected one warehouse that cannot hold stock and ships to all stores, whose demand "
                "varies; use echelon_base_stock or message_passing"
            )


def _balanced(fractile: NodePerScenario, deviation: Tensor, stock: Tensor) -> NodePerScenario:
    """What brings the lowest fractiles up to one height, the stock used up: water poured over steps [B, S].

    Args:
        fractile: position less mean, in standard deviations [B, S].
        deviation: units per standard deviation [1 or B, S].
        stock: units to hand out [B].
    """
    ordered, place = fractile.sort(dim=1)
    weight = deviation.expand_as(fractile).gather(1, place)
    wide = weight.cumsum(1)
    # poured so that the first k + 1 stand level with the k-th: units needed
    needed = ordered * wide - (ordered * weight).cumsum(1)
    last = (needed <= stock.unsqueeze(1)).sum(1, keepdim=True) - 1
    level = ordered.gather(1, last) + (stock.unsqueeze(1) - needed.gather(1, last)) / wide.gather(1, last)
    return (level - fractile).clamp_min(0.0) * deviation
