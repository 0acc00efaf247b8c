"""Define a network in NetworkX, train a message-passing policy on it, evaluate it, and put it on a larger network.

Takes about a minute; raise `epochs` for a policy worth using.
"""

import networkx as nx

import gnn_inventory as gi


def bakery(shops: int) -> nx.DiGraph:
    """A mill supplies a bakery, which sells itself and supplies shops."""
    network = nx.DiGraph(name=f"bakery_{shops}")
    network.add_node("mill", kind="supplier")
    demand = {"poisson": {"mean": 8.0}}
    network.add_node("bakery", holding_cost=0.3, underage_cost=6.0, unmet_demand="lost", demand=demand)
    network.add_edge("mill", "bakery", lead_time=2, unit_cost=0.2)
    for number in range(shops):
        demand = {"normal": {"mean": 4.0 + number % 3, "std": 1.5}}
        network.add_node(f"shop_{number}", holding_cost=1.0, underage_cost=8.0, unmet_demand="backlogged", demand=demand)
        network.add_edge("bakery", f"shop_{number}", lead_time=1)
    return network


def main() -> None:
    policy = gi.MessagePassing(width=16, rounds=2)
    settings = gi.Training(scenarios=1024, batch=128, epochs=6, dev_scenarios=128, seed=0)
    result = gi.train(policy, bakery(shops=3), settings)
    print(gi.evaluate(result.policy, bakery(shops=3), scenarios=256, periods=200, warm_up=100))
    print("the same weights on twelve shops:")
    print(gi.evaluate(result.policy, bakery(shops=12), scenarios=256, periods=200, warm_up=100))


if __name__ == "__main__":
    main()
