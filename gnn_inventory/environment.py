"""Gymnasium environments over the simulator: one scenario at a time, or many as one batch.

Both play the period of `gnn_inventory.simulator`, orders cut as everywhere (`gnn_inventory.allocation`). An observation and an
action are what `gnn_inventory.policies.vectors.Vectors` says. The reward of a period is minus its cost, whole network, divided by
the locations with demand and by `money`: the mean reward of an episode is minus the mean of what `evaluate` calls
`cost_per_store`, in units of `money`. An episode has `periods` periods and ends by truncation, never by termination: the world
goes on, so a learner that looks ahead must count on more cost.

Scenarios are those of the rest of the library. `reset(seed=s)` starts with the first of `SyntheticDemand(network, s, stream)`,
each further `reset()` plays the next ones; without any seed, one is drawn from the environment's own generator. The streams keep
what is learnt from (`train`) apart from what `evaluate` judges on (`test`), whatever the seed.
"""

from pathlib import Path

import networkx as nx
import numpy as np

from gnn_inventory.demand.scenarios import ScenarioSource
from gnn_inventory.episodes import Episodes, Info
from gnn_inventory.errors import InputError, UsageError, problem
from gnn_inventory.policies.vectors import FARTHEST, Vectors

try:
    import gymnasium
    from gymnasium.spaces import Box
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
except ImportError as error:
    raise UsageError(f"environments need Gymnasium 1.1 or later ({error}): pip install 'gnn_inventory[gym]'") from None

__all__ = ["InventoryEnvironment", "InventoryVectorEnvironment"]


class InventoryEnvironment(gymnasium.Env[np.ndarray, np.ndarray]):
    """One scenario of a network as a `gymnasium.Env`.

    Spaces, reward, episode and scenarios are as the module says. `info` of a step holds `cost` (money, whole network), `orders`
    shipped on each link [E], and per node [N] `demand`, `sales`, `unmet` (lost in the period, or the backlog at its end) and
    `left` (on hand after demand: holding is charged on it), units, in the order of `vectors.graph`'s links and nodes; that of
    a reset holds `scenario`, its number. `reset(options={"scenario": 7})` plays that one and goes on after it.

    Args:
        network: a `networkx.DiGraph`, or a name of the catalogue or file as of `load_network`.
        periods: of an episode, T.
        window: periods of past demand that are seen, W.
        largest: most that can be asked for on a link in a period, in units of the link's mean flow (what an action of 1 is).
        money: money per unit of reward.
        whole_units: round orders to whole units, feasibly.
        stream: "train" (where None), "dev" or "test" of demand as the network states it: the same seed gives other scenarios in each.
        source: of the scenarios, for panels of sales or demand of your own: each episode draws one of them, by the environment's
            generator; demand as the network states it where None.
        render_mode: there is none.

    Attributes:
        vectors: what stands where in observations and actions.
        observation_space: Box [n], each entry from -1e6 to 1e6 (what lies beyond is seen as that).
        action_space: Box [E], from -1 to 1.

    Raises:
        UsageError: an argument that makes no sense, a panel without source, an unknown network. InputError: an invalid one.
    """

    metadata = {"render_modes": []}

    def __init__(
        self,
        network: nx.DiGraph | str | Path,
        *,
        periods: int = 50,
        window: int = 0,
        largest: float = 2.0,
        money: float = 1.0,
        whole_units: bool = False,
        stream: str | None = None,
        source: ScenarioSource | None = None,
        render_mode: None = None,
    ) -> None:
        if render_mode is not None:
            raise UsageError(problem("environment", "render_mode", render_mode, "none: there is nothing to look at"))
        self._episodes = Episodes(network, 1, periods, window, largest, money, whole_units, stream, source)
        self.vectors, self.render_mode = self._episodes.vectors, render_mode
        self.observation_space, self.action_space = _spaces(self.vectors)

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[np.ndarray, Info]:
        """Start an episode; see the class for seeds and options."""
        super().reset(seed=seed)
        observations, info = self._episodes.reset(seed, options, self.np_random)
        return observations[0], {"scenario": int(info["scenario"][0])}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, Info]:
        """Play a period: observation, reward, terminated (never), truncated (after the last period), info.

        Raises:
            InputError: an action of another shape or outside of [-1, 1]. UsageError: the episode is over.
        """
        if np.shape(action) != self.action_space.shape:
            raise InputError(f"action: got shape {np.shape(action)}; expected a number per link, {self.action_space.shape}")
        observations, rewards, info = self._episodes.step(np.asarray(action)[None])
        cost = float(info.pop("cost")[0])
        only = {"cost": cost, **{name: values[0] for name, values in info.items()}}
        return observations[0], float(rewards[0]), False, self._episodes.over, only


class InventoryVectorEnvironment(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Many scenarios of a network as a `gymnasium.vector.VectorEnv`: the batch axis of the simulator, one call per period.

    Observations [B, n], actions [B, E], rewards [B] and `info` [B, ...] are those of `InventoryEnvironment` in rows; each key of
    `info` has its mask `_key`, as Gymnasium says. `reset(seed=s)` plays scenarios 0 to B - 1 of that seed, each further episode
    the next B. All end together, after T periods. What follows is `metadata["autoreset_mode"]`, Gymnasium's `AutoresetMode`:

    - NEXT_STEP: the step that ends them returns their last observations; the next one ignores its actions, starts new episodes,
      and returns their first observations and rewards of 0.
    - SAME_STEP: the step that ends them starts new ones and returns their first observations; the last ones of the old are in
      `info["final_obs"]`, their info in `info["final_info"]`.
    - DISABLED: a step after the end is an error; call `reset` (of all rows: there is no `reset_mask`, since they end together).

    Args:
        network: as for `InventoryEnvironment`.
        num_envs: scenarios at once, B.
        autoreset_mode: see above.
        periods, window, largest, money, whole_units, stream, source: as for `InventoryEnvironment`.

    Raises:
        UsageError, InputError: as for `InventoryEnvironment`.
    """

    def __init__(
        self,
        network: nx.DiGraph | str | Path,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        periods: int = 50,
        window: int = 0,
        largest: float = 2.0,
        money: float = 1.0,
        whole_units: bool = False,
        stream: str | None = None,
        source: ScenarioSource | None = None,
    ) -> None:
        modes = [mode.value for mode in AutoresetMode]
        if not isinstance(autoreset_mode, AutoresetMode) and autoreset_mode not in modes:
            raise UsageError(problem("environment", "autoreset_mode", autoreset_mode, f"one of: {', '.join(modes)}"))
        self._episodes = Episodes(network, num_envs, periods, window, largest, money, whole_units, stream, source)
        self.num_envs, self.vectors = num_envs, self._episodes.vectors
        self._autoreset = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self._autoreset}
        self.single_observation_space, self.single_action_space = _spaces(self.vectors)
        self.observation_space, self.action_space = (
            batch_space(space, num_envs) for space in (self.single_observation_space, self.single_action_space)
        )

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[np.ndarray, Info]:
        """Start an episode in every row; see `InventoryEnvironment` for seeds and options."""
        super().reset(seed=seed)
        observations, info = self._episodes.reset(seed, options, self.np_random)
        return observations, self._masked(info)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Info]:
        """Play a period in every row: observations, rewards, terminations (none), truncations (all or none), info.

        Raises:
            InputError: actions of another shape or outside of [-1, 1]. UsageError: the episodes are over and autoreset is off.
        """
        never, always = np.zeros(self.num_envs, dtype=bool), np.ones(self.num_envs, dtype=bool)
        if self._episodes.over and self._autoreset is AutoresetMode.NEXT_STEP:
            observations, info = self.reset()
            return observations, np.zeros(self.num_envs), never, never.copy(), info
        observations, rewards, info = self._episodes.step(actions)
        info = self._masked(info)
        if not self._episodes.over:
            return observations, rewards, never, never.copy(), info
        if self._autoreset is AutoresetMode.SAME_STEP:
            last = np.empty(self.num_envs, dtype=object)
            last[:] = list(observations)
            final = {"final_obs": last, "_final_obs": always.copy(), "final_info": info, "_final_info": always.copy()}
            observations, info = self.reset()
            info |= final
        return observations, rewards, never, always, info

    def _masked(self, info: Info) -> Info:
        """With Gymnasium's mask of each key: which rows have it; all have."""
        return info | {f"_{key}": np.ones(self.num_envs, dtype=bool) for key in info}


def _spaces(vectors: Vectors) -> tuple[Box, Box]:
    """Of the observations and actions of one scenario."""
    seen = Box(-FARTHEST, FARTHEST, (len(vectors.names),), np.float32)
    return seen, Box(-1.0, 1.0, (vectors.graph.links,), np.float32)


gymnasium.register(
    id="gnn_inventory/Inventory-v0",
    entry_point="gnn_inventory.environment:InventoryEnvironment",
    vector_entry_point="gnn_inventory.environment:InventoryVectorEnvironment",
)
