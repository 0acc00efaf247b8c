"""Today's orders as a data frame, from a data frame of today's stock: what `gnn-inventory order` does, in Python.

Takes a few seconds: the levels are set by hand here; put a trained policy in their place (`gi.load_policy`).
"""

import pandas as pd

import gnn_inventory as gi

STATE = pd.DataFrame(
    [
        ("on_hand", "warehouse", "", "", 12),
        ("on_hand", "store_0", "", "", 3),
        ("on_hand", "store_1", "", "", 9),
        ("in_transit", "warehouse", "supplier", 2, 5),  # on hand at the start of the second period from now
        ("in_transit", "store_0", "warehouse", 1, 2),
    ],
    columns=["record", "location", "from", "when", "units"],
)


def main() -> None:
    network = gi.one_warehouse(stores=2)
    policy = gi.BaseStock()
    policy.set_levels(gi.InventoryGraph.from_network(network), {"warehouse": 40.0, "store_0": 20.0, "store_1": 20.0})
    orders = gi.order_list(policy, network, STATE, whole_units=True)
    print(orders.drop(columns="item").to_string(index=False))


if __name__ == "__main__":
    main()
