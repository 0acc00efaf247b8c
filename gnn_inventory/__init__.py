"""Graph-neural-network policies for supply chains: define a network, train a policy, transfer it.

The names stand in the order in which data flows; each is imported when it is first used.
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "load_network": "topology.catalogue",
    "build_network": "topology.catalogue",
    "save_network": "topology.catalogue",
    "one_store": "topology.catalogue",
    "serial": "topology.catalogue",
    "one_warehouse": "topology.catalogue",
    "transshipment": "topology.catalogue",
    "many_warehouses": "topology.catalogue",
    "check_network": "topology.network",
    "InventoryGraph": "graph",
    "SyntheticDemand": "demand.distributions",
    "load_panel": "demand.panel_files",
    "Observation": "policies.base",
    "MessagePassing": "policies.message_passing",
    "FullyConnected": "policies.fully_connected",
    "BaseStock": "policies.base_stock",
    "EchelonBaseStock": "policies.base_stock",
    "CappedBaseStock": "policies.capped_base_stock",
    "ReorderPoint": "policies.reorder_point",
    "EqualFractile": "policies.equal_fractile",
    "NewsvendorQuantile": "policies.newsvendor",
    "FixedQuantile": "policies.newsvendor",
    "TransformedQuantile": "policies.newsvendor",
    "NewsvendorWithReturns": "policies.newsvendor",
    "PublishedMessagePassing": "policies.published_message_passing",
    "JustInTime": "policies.just_in_time",
    "EnvironmentPolicy": "policies.vectors",
    "Training": "training.settings",
    "load_recipe": "training.recipe",
    "train": "training.train",
    "train_recipe": "training.train",
    "load_policy": "training.run_folder",
    "InventoryEnvironment": "environment",
    "InventoryVectorEnvironment": "environment",
    "StableBaselinesEnvironment": "stable_baselines",
    "evaluate": "evaluation",
    "conditional_value_at_risk": "training.risk",
    "reference_of": "references",
    "Trajectory": "trajectory",
    "draw_network": "picture",
    "order_list": "planning.orders",
    "backtest": "planning.backtest",
    "export_decision": "planning.export",
    "write_report": "report.page",
    "InputError": "errors",
}
__all__ = list(_WHERE)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'gnn_inventory' has no attribute '{name}'")
    return getattr(import_module(f"gnn_inventory.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_WHERE]
