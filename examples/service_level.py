"""The least cost at which 95 % of demand is served at once, and what a little more service would cost, where both are known.

One store, backlogged demand N(10, 2.5^2), lead time 2, no cost of a backlog: without the constraint it would hold nothing. A base-stock
level S covers demand of L + 1 periods before the next order can be there, so with D_n ~ N(10 n, 2.5^2 n) and the loss function
n -> E(D_n - S)+, the fill rate is 1 - (E(D_3 - S)+ - E(D_2 - S)+) / 10: what is short at the end of a period less what was before it.
"""

from statistics import NormalDist

import gnn_inventory as gi

MEAN, STD, LEAD_TIME, HOLDING, ASKED = 10.0, 2.5, 2, 1.0, 0.95
STORE = {
    "holding_cost": HOLDING,
    "underage_cost": 0.0,
    "unmet_demand": "backlogged",
    "demand": {"normal": {"mean": MEAN, "std": STD, "clip": True}},
    "initial_stock": 30.0,
}


def covered(periods: int) -> NormalDist:
    """Demand of so many periods."""
    return NormalDist(MEAN * periods, STD * periods**0.5)


def short(level: float, periods: int) -> float:
    """E(D - S)+ over the demand of so many periods, units."""
    demand = covered(periods)
    return demand.variance * demand.pdf(level) + (demand.mean - level) * (1 - demand.cdf(level))


def fill_rate(level: float) -> float:
    return 1 - (short(level, LEAD_TIME + 1) - short(level, LEAD_TIME)) / MEAN


def theory() -> tuple[float, float]:
    """The level that serves what is asked, by bisection, and its price of service: d cost / d fill rate there."""
    low, high = 0.0, 100.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if fill_rate(middle) > ASKED else (middle, high)
    before, after = covered(LEAD_TIME).cdf(low), covered(LEAD_TIME + 1).cdf(low)
    return low, HOLDING * after / ((before - after) / MEAN)


def main() -> None:
    network = gi.one_store(store=STORE, link={"lead_time": LEAD_TIME})
    settings = gi.Training(
        scenarios=8192, batch=256, epochs=12, periods=12, warm_up=4, learning_rate=0.05, dev_scenarios=4096, dev_periods=30,
        dev_warm_up=6, fill_rate=ASKED, multiplier_rate=60.0,
    )  # fmt: skip
    result = gi.train(gi.BaseStock(), network, settings)
    store = gi.InventoryGraph.from_network(network).labels.index("store")
    found, (level, price) = float(result.policy.levels.detach()[store]) * MEAN, theory()
    print(f"level {found:.2f} (theory {level:.2f}), fill rate on dev {result.fill_rate:.4f}, cost {result.dev_cost:.3f}")
    print(
        f"price of service {result.metrics[-1]['multiplier']:.1f} (theory {price:.1f}): one point more costs {price / 100:.2f} a period"
    )


if __name__ == "__main__":
    main()
