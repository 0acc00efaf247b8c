"""Orders with a fixed cost, a least size, and in whole units: trained straight through, held against exact optima."""

import gnn_inventory as gi


def fixed_cost() -> None:
    """One store that pays 64 for each order: the optimum is (s, S), and both policies are to find it."""
    network = gi.load_network("one_store_fixed_cost")
    optimum = gi.reference_of(network)
    assert optimum is not None
    print(f"optimal cost {optimum.value:.3f}, orders up to {optimum.levels}; {optimum.source}")
    sizes = {"scenarios": 1024, "periods": 60, "batch": 128, "dev_scenarios": 1024}
    for policy, rate in ((gi.ReorderPoint(), 0.15), (gi.MessagePassing(width=16, rounds=1, slots=1), 5e-3)):
        trained = gi.train(policy, network, gi.Training(**sizes, epochs=10, learning_rate=rate)).policy
        print(gi.evaluate(trained, network, scenarios=1024, periods=150, warm_up=50, whole_units=True))


def minimum_order() -> None:
    """The same store without a fixed cost, but no order below 40 units, four periods' demand."""
    network = gi.load_network("one_store_fixed_cost")
    network.edges["supplier", "store"].update(fixed_cost=0.0, minimum_order=40.0)
    settings = gi.Training(scenarios=512, batch=64, periods=60, epochs=6, learning_rate=5e-3, dev_scenarios=512)
    trained = gi.train(gi.MessagePassing(width=16, rounds=1, slots=1), network, settings).policy
    print(gi.evaluate(trained, network, scenarios=1024, periods=150, warm_up=50))


def whole_units() -> None:
    """One store that loses what it cannot serve, trained on orders in whole units."""
    network = gi.load_network("one_store_lost")
    network.edges["supplier", "store"]["lead_time"] = 2
    settings = gi.Training(scenarios=1024, batch=128, epochs=10, learning_rate=5e-3, whole_units="straight_through")
    trained = gi.train(gi.MessagePassing(width=16, rounds=1, slots=1), network, settings).policy
    print(gi.evaluate(trained, network, scenarios=1024, periods=150, warm_up=50, whole_units=True))


if __name__ == "__main__":
    fixed_cost()
    minimum_order()
    whole_units()
