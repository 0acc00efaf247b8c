"""PPO, as most people know reinforcement learning, and HDPO on the same network, judged on the same scenarios.

Usage: python examples/ppo.py [NETWORK] [MILLIONS]    (simulated periods for each, in millions; 2 or more let PPO show what it can)

PPO (Schulman et al. 2017, with generalised advantage estimation) is that of Stable-Baselines3: it sees rewards only. HDPO sees
the gradient through the simulator. Both train a fully connected network of two layers of 64 from random weights.
"""

import sys
import time

import networkx as nx
from stable_baselines3 import PPO

import gnn_inventory as gi

PERIODS, SCENARIOS = 50, 128


def by_ppo(network: nx.DiGraph, simulated: int) -> gi.EnvironmentPolicy:
    """Train by PPO on `simulated` periods, in batches of scenarios that are simulated at once."""
    environment = gi.StableBaselinesEnvironment(network, SCENARIOS, periods=PERIODS, money=10.0)
    model = PPO(
        "MlpPolicy",
        environment,
        n_steps=PERIODS,
        batch_size=SCENARIOS * PERIODS // 8,
        n_epochs=10,
        learning_rate=lambda left: 1e-3 * left,
        gamma=0.97,
        gae_lambda=0.95,
        policy_kwargs={"log_std_init": -1.0},
        seed=0,
        device="cpu",
    )
    model.learn(simulated)
    return gi.EnvironmentPolicy(environment.vectors, lambda seen: model.predict(seen, deterministic=True)[0])


def by_hdpo(network: nx.DiGraph, simulated: int) -> gi.FullyConnected:
    """Train by HDPO on as many periods."""
    epochs = max(round(simulated / (1024 * PERIODS)), 1)
    settings = gi.Training(scenarios=1024, batch=32, periods=PERIODS, epochs=epochs, learning_rate=1e-2, dev_scenarios=128)
    return gi.train(gi.FullyConnected(width=64), network, settings).policy


def main() -> None:
    network = gi.load_network(sys.argv[1] if len(sys.argv) > 1 else "one_store_backlogged")
    simulated = int(float(sys.argv[2] if len(sys.argv) > 2 else 0.3) * 1e6)
    for name, learn in (("PPO", by_ppo), ("HDPO", by_hdpo)):
        began = time.perf_counter()
        policy = learn(network, simulated)
        took = time.perf_counter() - began
        print(f"{name}, {took:.0f} s: {gi.evaluate(policy, network, scenarios=2048, periods=400, warm_up=200)}")


if __name__ == "__main__":
    main()
