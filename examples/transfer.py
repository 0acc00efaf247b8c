"""Train once on a small network, put the same weights on larger ones, and say what of them lies beyond the training.

Takes about half a minute. Where networks of many sizes are to come, train on a distribution of them: the recipes `any_*`.
"""

import gnn_inventory as gi
from gnn_inventory.training.coverage import Coverage

SIZES = (5, 20, 50)


def main() -> None:
    settings = gi.Training(scenarios=1024, batch=256, epochs=6, dev_scenarios=256, seed=0)
    trained = gi.train(gi.MessagePassing(width=16, rounds=2), gi.one_warehouse(stores=SIZES[0]), settings).policy
    seen = Coverage.of_network(gi.one_warehouse(stores=SIZES[0]))
    for stores in SIZES:
        network = gi.one_warehouse(stores=stores)
        baseline = gi.EchelonBaseStock()
        baseline.fit_to(gi.InventoryGraph.from_network(network))  # levels from theory's first guess, not tuned
        print(f"{stores} stores: {'; '.join(seen.beyond(network)) or 'as trained'}")
        for policy in (trained, baseline):
            print(f"  {gi.evaluate(policy, network, scenarios=128, periods=150, warm_up=50)}")


if __name__ == "__main__":
    main()
