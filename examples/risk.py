"""Order against the worst tenth of outcomes instead of the average one: conditional value at risk, where its optimum is known.

One store, one order before the season, cost h (S - D)+ + p (D - S)+ with D ~ N(100, 20^2). The level that minimises the mean of
the worst part 1 - a of costs is h / (h + p) F^-1((1 - a) p / (h + p)) + p / (h + p) F^-1((p + a h) / (h + p)) (Gotoh and Takano 2007).
"""

from statistics import NormalDist

import gnn_inventory as gi

HOLDING, UNDERAGE, LEVEL = 1.0, 4.0, 0.9
DEMAND = NormalDist(100.0, 20.0)
STORE = {
    "holding_cost": HOLDING,
    "underage_cost": UNDERAGE,
    "unmet_demand": "lost",
    "demand": {"normal": {"mean": DEMAND.mean, "std": DEMAND.stdev, "clip": True}},
    "initial_stock": 0.0,
}


def optimum(level: float) -> float:
    """The stock that minimises the conditional value at risk; level 0: the mean, so the newsvendor's quantile."""
    share = UNDERAGE / (HOLDING + UNDERAGE)
    low, high = DEMAND.inv_cdf(max((1 - level) * share, 1e-300)), DEMAND.inv_cdf(share + level * (1 - share))
    return (1 - share) * low + share * high


def trained(network: object, objective: object) -> tuple[float, gi.BaseStock]:
    """The level that training finds, units, and its policy."""
    one_season = {
        "periods": 2,
        "warm_up": 1,
        "dev_periods": 2,
        "dev_warm_up": 1,
    }  # goods ordered in period 0 meet demand in period 1
    settings = gi.Training(
        **one_season, scenarios=65536, batch=8192, epochs=25, learning_rate=0.05, dev_scenarios=32768, objective=objective
    )
    policy = gi.train(gi.BaseStock(), network, settings).policy
    store = gi.InventoryGraph.from_network(network).labels.index("store")
    return float(policy.levels.detach()[store]) * DEMAND.mean, policy


def main() -> None:
    network = gi.one_store(store=STORE, link={"lead_time": 1})
    for objective, level in (("mean", 0.0), ({"cvar": LEVEL}, LEVEL)):
        stock, policy = trained(network, objective)
        found = gi.evaluate(policy, network, scenarios=16384, periods=2, warm_up=1)
        worst = gi.conditional_value_at_risk(found.per_scenario, LEVEL)
        print(
            f"{objective}: stock {stock:.1f} (theory {optimum(level):.1f}), mean cost {found.cost:.2f}, worst tenth {worst:.2f}"
        )


if __name__ == "__main__":
    main()
