"""Policies by name: (graph, observation) -> desired orders. The one registry, used by recipes and the command line."""

from collections.abc import Mapping

from gnn_inventory.errors import InputError, nearest
from gnn_inventory.policies.base import Oracle, Policy, setting_problem
from gnn_inventory.policies.base_stock import BaseStock, EchelonBaseStock
from gnn_inventory.policies.capped_base_stock import CappedBaseStock
from gnn_inventory.policies.equal_fractile import EqualFractile
from gnn_inventory.policies.fully_connected import FullyConnected
from gnn_inventory.policies.just_in_time import JustInTime
from gnn_inventory.policies.message_passing import MessagePassing
from gnn_inventory.policies.newsvendor import FixedQuantile, NewsvendorQuantile, NewsvendorWithReturns, TransformedQuantile
from gnn_inventory.policies.published_message_passing import PublishedMessagePassing
from gnn_inventory.policies.reorder_point import ReorderPoint

__all__ = ["ORACLES", "POLICIES", "make_policy", "policy_name", "policy_problems"]

POLICIES: dict[str, type[Policy]] = {
    "base_stock": BaseStock,
    "capped_base_stock": CappedBaseStock,
    "echelon_base_stock": EchelonBaseStock,
    "equal_fractile": EqualFractile,
    "fixed_quantile": FixedQuantile,
    "fully_connected": FullyConnected,
    "message_passing": MessagePassing,
    "newsvendor_quantile": NewsvendorQuantile,
    "newsvendor_with_returns": NewsvendorWithReturns,
    "published_message_passing": PublishedMessagePassing,
    "reorder_point": ReorderPoint,
    "transformed_quantile": TransformedQuantile,
}
"""Name -> policy that can be trained."""
ORACLES: dict[str, type[Oracle]] = {"just_in_time": JustInTime}
"""Name -> yardstick that sees the future and has nothing to train."""


def make_policy(name: str, **settings: int) -> Policy:
    """A policy by name.

    Raises:
        InputError: no such policy, or a setting that it does not have.
    """
    problems = policy_problems(name, settings)
    if problems:
        raise InputError(problems)
    return POLICIES[name](**settings)


def policy_problems(name: object, settings: Mapping[str, object]) -> list[str]:
    """What is wrong with the name and the settings of a policy that can be trained, one line per mistake."""
    if name not in POLICIES:
        return [f"policy.name: got '{name}'; {nearest(str(name), POLICIES)}"]
    valid = POLICIES[str(name)]().config
    problems = [f"policy: unknown key '{key}'; {nearest(str(key), [*valid, 'name'])}" for key in settings if key not in valid]
    found = [setting_problem(key, value) for key, value in settings.items() if key in valid]
    return problems + [f"policy.{problem}" for problem in found if problem is not None]


def policy_name(policy: Policy | Oracle) -> str:
    """The name under which the registry knows a policy; of one that it does not know, the class's."""
    kinds = {**POLICIES, **ORACLES}
    return next((name for name, kind in kinds.items() if type(policy) is kind), type(policy).__name__)
