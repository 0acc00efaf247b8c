"""What is looked into before the first period: rounds over what is known of a network, and how its sources share the flow."""

from typing import cast

from torch import Tensor, nn

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.linear import Linear
from gnn_inventory.policies.routes import leant
from gnn_inventory.policies.supply_conv import SupplyConv
from gnn_inventory.types import Float, LinkValues

__all__ = ["Survey"]

LEAST = 0.01
"""Added to each source's planned share, so that it has a unit to order in."""


class Survey(nn.Module):
    """Message passing over facts alone, once and not in every period: it costs next to nothing, and reaches far. (With a window of
    past demand what is known moves, and it is done in every period.)

    Facts change by what the rounds say of them; shares stay as expected at the start, and are learnt.

    Args:
        width: channels per node and link.
        rounds: of message passing.
    """

    def __init__(self, width: int, rounds: int) -> None:
        super().__init__()
        self.rounds = nn.ModuleList(SupplyConv(width) for _ in range(rounds))
        self.choice = Linear(width, 1, bias=False)

    def forward(
        self,
        graph: InventoryGraph,
        x: Float[Tensor, "node _ channel"],
        z: Float[Tensor, "link _ channel"],
        shares: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Facts of nodes [N, b, F] and of links [E, b, F], each with what it was told of the network around it.

        Args:
            graph: the network.
            x: facts of nodes.
            z: facts of links.
            shares: of each link in the flow into its target, and in that out of its source [E, 1 or b, 1].
        """
        size = max(value.shape[1] for value in (x, z, *shares))
        x, z = x.expand(-1, size, -1), z.expand(-1, size, -1)
        for layer in self.rounds:
            x, message = cast(SupplyConv, layer).on(graph)(x, z, *shares)
            z = z + message
        return x, z

    def shares(self, graph: InventoryGraph, expected: LinkValues, z: Float[Tensor, "link _ channel"]) -> LinkValues:
        """Each link's share in the flow into its target [b, E], as planned.

        Args:
            graph: the network.
            expected: the shares before anything is learnt [b, E].
            z: facts of links after the rounds.
        """
        share = leant(graph, expected, self.choice(z).squeeze(-1).t())
        return (share + LEAST) / (1.0 + LEAST * graph.inbound[graph.target].to(share.dtype))
