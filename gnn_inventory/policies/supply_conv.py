"""One round of message passing on the supply network."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn_inventory.graph import InventoryGraph

__all__ = ["SupplyConv"]


class SupplyConv(nn.Module):
    """One round: links hear both ends, nodes hear their links.

    .. math::
        m_e = silu(A x_u + B x_v + C z_e), \\quad
        x_v' = x_v + silu(D x_v + F \\sum_{e \\to v} w^{in}_e m_e + G \\sum_{v \\to e} w^{out}_e m_e)

    with weights w, the share of each link in the mean flow through the node: so messages add up as units of stock do,
    whatever the number of links.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.from_source = nn.Linear(width, width, bias=False)
        self.from_target = nn.Linear(width, width, bias=False)
        self.from_link = nn.Linear(width, width)
        self.update_node = nn.Linear(3 * width, width)

    def on(self, graph: InventoryGraph) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Put the round on a network: what does not change per period is computed here, once.

        A node has two rows, one for each side of its links, so that one product, one gather and one sum do for both.

        Returns:
            x [B, N, F], z [B, E, F], shares [1 or B, 2, E, 1] of each link in the flow into its target and out of its source
            -> x' [B, N, F] and m [B, E, F].
        """
        nodes, links, width = graph.nodes, graph.links, self.from_link.in_features
        to_links = torch.cat([self.from_source.weight, self.from_target.weight])
        own, heard = self.update_node.weight.split([width, 2 * width], dim=1)
        said = torch.cat([2 * graph.source, 2 * graph.target + 1])
        hears = torch.cat([2 * graph.target, 2 * graph.source + 1])

        def once(x: Tensor, z: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
            size = len(x)
            ends = functional.linear(x, to_links).view(size, 2 * nodes, width).index_select(1, said)
            ends = ends.view(size, 2, links, width).sum(1)
            message = functional.silu(ends + self.from_link(z))
            parts = (message.unsqueeze(1) * shares).view(size, 2 * links, width)
            sums = x.new_zeros(size, 2 * nodes, width).index_add(1, hears, parts).view(size * nodes, 2 * width)
            before = torch.addmm(functional.linear(x, own, self.update_node.bias).view(size * nodes, width), sums, heard.t())
            return x + functional.silu(before).view_as(x), message

        return once
