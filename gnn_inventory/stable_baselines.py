"""The vector environment as Stable-Baselines3 takes one: all scenarios of a batch in one call per period."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from gnn_inventory.environment import InventoryVectorEnvironment
from gnn_inventory.errors import UsageError

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise UsageError(f"this environment needs Stable-Baselines3 ({error}): pip install stable-baselines3") from None

__all__ = ["StableBaselinesEnvironment"]


class StableBaselinesEnvironment(VecEnv):
    """An `InventoryVectorEnvironment` as a `VecEnv` of Stable-Baselines3.

    A learner takes `InventoryEnvironment` as it is, and then plays its scenarios one by one; this plays B of them at once. As in
    every `VecEnv`, the step that ends episodes returns the first observations of the next, the last ones stand in
    `infos[i]["terminal_observation"]`, and `infos[i]["TimeLimit.truncated"]` has the learner count on what would have followed.

    Args:
        network: as for `InventoryEnvironment`.
        num_envs: scenarios at once, B.
        settings: as for `InventoryEnvironment`.

    Attributes:
        vectors: what stands where in observations and actions.

    Raises:
        UsageError, InputError: as for `InventoryEnvironment`.
    """

    def __init__(self, network: Any, num_envs: int = 64, **settings: Any) -> None:
        self.environment = InventoryVectorEnvironment(network, num_envs, autoreset_mode="SameStep", **settings)
        self.vectors = self.environment.vectors
        self._actions = np.empty(0)
        super().__init__(num_envs, self.environment.single_observation_space, self.environment.single_action_space)

    def reset(self) -> np.ndarray:
        """First observations [B, n]; the seed is that of `seed(s)`, which all rows share: they play scenarios 0 to B - 1 of it."""
        observations, _ = self.environment.reset(seed=self._seeds[0], options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions of the next period [B, E]."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Play the period: observations [B, n], rewards [B], whether episodes ended [B], and an info of each."""
        observations, rewards, _, truncated, info = self.environment.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in truncated.nonzero()[0]:
            infos[row] = {"terminal_observation": info["final_obs"][row], "TimeLimit.truncated": True}
        return observations, rewards.astype(np.float32), truncated, infos

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """The attribute of the vector environment, once per row asked for."""
        return [getattr(self.environment, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """Rows share all they have."""
        raise UsageError("environment: set_attr: rows of a batch share their settings; expected them in the constructor")

    def env_method(self, method_name: str, *args: Any, indices: int | Iterable[int] | None = None, **named: Any) -> list[Any]:
        """Rows have no methods of their own."""
        raise UsageError(f"environment: env_method: rows of a batch have no method '{method_name}' of their own")

    def env_is_wrapped(self, wrapper_class: Any, indices: int | Iterable[int] | None = None) -> list[bool]:
        """No row is."""
        return [False for _ in self._get_indices(indices)]
