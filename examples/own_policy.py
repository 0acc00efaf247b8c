"""Write a policy of your own: what it may see, what it gives back, and that it trains and is judged as every other.

This one orders a share of what it lacks of a level: one level and one share for all locations, in periods of mean demand, so the
same two numbers run on any network. Takes about half a minute.
"""

import torch
from torch import nn

import gnn_inventory as gi
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy


class PartOfTheGap(Policy):
    """Orders `share` x (level - position)+ on each link; where several links enter a location, in equal parts."""

    def __init__(self) -> None:
        super().__init__()
        self.config = {}
        self.level = nn.Parameter(torch.tensor(4.0))  # periods of mean demand
        self.share = nn.Parameter(torch.tensor(0.0))  # before the sigmoid

    def start(self, graph: gi.InventoryGraph, known: Known) -> Decide:
        flow = known.node_flow  # [1 or B, N], units per period: no policy should depend on scale
        target, sources = graph.target, graph.inbound.clamp_min(1)

        def decide(seen: Observation) -> Desired:
            on_its_way = torch.zeros_like(seen.on_hand).index_add(1, target, seen.in_transit.sum(-1))
            lacking = (self.level * flow - seen.on_hand - on_its_way).clamp_min(0.0)
            orders = torch.sigmoid(self.share) * lacking / sources
            return Desired(orders[:, target])  # made feasible by allocation, which is not the policy's business

        return decide


def main() -> None:
    network = gi.one_warehouse(stores=3)
    settings = gi.Training(scenarios=1024, batch=256, epochs=8, learning_rate=0.1, dev_scenarios=256, seed=0)
    result = gi.train(PartOfTheGap(), network, settings)
    print(f"level {result.policy.level.item():.2f} periods, share {torch.sigmoid(result.policy.share).item():.2f}")
    print(gi.evaluate(result.policy, network, scenarios=256, periods=200, warm_up=100))
    print("the same two numbers on ten stores:")
    print(gi.evaluate(result.policy, gi.one_warehouse(stores=10), scenarios=256, periods=200, warm_up=100))


if __name__ == "__main__":
    main()
