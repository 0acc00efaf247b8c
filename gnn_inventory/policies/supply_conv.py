"""One round of message passing on the supply network."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.linear import Linear

__all__ = ["SupplyConv"]


class SupplyConv(nn.Module):
    """One round: links hear both ends, nodes hear their links.

        m_e  = silu(A x_u + B x_v + C z_e)
        x_v' = x_v + silu(D x_v + F Σ_in w_e m_e + G Σ_out w_e m_e)

    with sums over the links into and out of v and weights w, the share of each link in the mean flow through the node: so messages
    add up as units of stock do, whatever the number of links.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.from_source = Linear(width, width, bias=False)
        self.from_target = Linear(width, width, bias=False)
        self.from_link = Linear(width, width)
        self.update_node = Linear(3 * width, width)

    def on(self, graph: InventoryGraph) -> Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Put the round on a network.

        The axis of nodes and links comes first here: a row of a gather or a sum is then one piece of memory.

        Returns:
            x [N, B, F], z [E, B, F], shares [E, 1 or B, 1] of each link in the flow into its target and in that out of its
            source -> x' [N, B, F] and m [E, B, F].
        """
        source, target = graph.source, graph.target
        own, inbound, outbound = self.update_node.weight.chunk(3, dim=1)

        def once(x: Tensor, z: Tensor, into: Tensor, out_of: Tensor) -> tuple[Tensor, Tensor]:
            ends = _rows(self.from_source(x)).index_select(0, source) + _rows(self.from_target(x)).index_select(0, target)
            message = functional.silu(ends.view_as(z) + self.from_link(z))
            none, flat = x.new_zeros(len(x), x[0].numel()), (x.shape[0] * x.shape[1], x.shape[2])
            heard_in = none.index_add(0, target, _rows(message * into)).view(flat)
            heard_out = none.index_add(0, source, _rows(message * out_of)).view(flat)
            before = torch.addmm(functional.linear(x.reshape(flat), own, self.update_node.bias), heard_in, inbound.t())
            before = torch.addmm(before, heard_out, outbound.t())
            return x + functional.silu(before).view_as(x), message

        return once


def _rows(values: Tensor) -> Tensor:
    """[N, B, F] as [N, B F]."""
    return values.flatten(1)
