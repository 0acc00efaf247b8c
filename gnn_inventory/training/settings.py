"""What a recipe may say of training, evaluation and a panel of sales; pydantic checks it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from gnn_inventory.demand.panel_files import COLUMNS
from gnn_inventory.topology.schema import Strict

__all__ = ["Evaluation", "PanelSettings", "Seed", "Training"]

Count = Annotated[int, Field(ge=1, le=10**9)]
CountOrNone = Annotated[int, Field(ge=0, le=10**9)]
Few = Annotated[int, Field(ge=1, le=10**4)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Rate = Annotated[float, Field(gt=0)]
Part = Annotated[float, Field(gt=0, lt=1)]


class Risk(Strict):
    """Conditional value at risk as what is minimised.

    Attributes:
        cvar: its level alpha: the mean of the worst part 1 - alpha of the scenarios' mean costs per counted period.
    """

    cvar: Part


def _kind(objective: Any) -> str:
    return "by level" if isinstance(objective, Mapping | Risk) else "by name"


Objective = Annotated[
    Annotated[Literal["mean"], Tag("by name")] | Annotated[Risk, Tag("by level")],
    Discriminator(_kind),
]


class Training(Strict):
    """How a policy is trained.

    Attributes:
        scenarios: training scenarios, drawn once (a panel: items, at most this many).
        periods: simulated per scenario, T; the cost of all of them is minimised, but for units bought or held too late for any customer
            (a panel: its whole training window, unless `random_start`). With a `fill_rate` or `cvar` the counted ones' alone.
        warm_up: first periods that do not count: for the cost reported as `train`, the fill rate and the risk (a panel: its windows' own).
        batch: scenarios per step, B.
        networks: drawn per step, where a recipe trains on a distribution of networks; the batch is divided among them.
        epochs: passes over the scenarios.
        optimiser: adam, adamw or sgd, with torch's defaults but for the learning rate; or muon (torch >= 2.9), which steps matrices by
            their orthogonalised momentum and all else by adam.
        learning_rate: its peak.
        schedule: `one_cycle` (up, then down to nothing) or `constant`.
        gradient_clip: largest norm of the gradient.
        checkpoint_every: periods, of which only the state at the start is kept for the gradient, where memory is short: all within
            is computed again when its gradient is due; 0 = all is kept. About sqrt(T) lets memory grow by the square root of T.
        average: decay per step of a running mean of the weights, which is what is kept and judged on dev; 0 = the weights as
            they are (Polyak and Juditsky 1992).
        early_stopping: epochs without a better dev cost after which training ends; 0 = never.
        seed: of scenarios, batches and weights.
        dtype: float32 or float64.
        device: auto (a GPU where there is one), cpu or cuda.
        dev_scenarios, dev_periods, dev_warm_up: the dev set; a panel's own windows come instead.
        dev_networks: fixed ones, among which the dev scenarios are divided, where a recipe trains on a distribution.
        relative: weigh each scenario by the inverse of its newsvendor cost, where scenarios are instances of other size: then
            all instances count alike, and a percent of each costs the same.
        whole_units: `straight_through`: orders are whole units in training too, and the gradient goes straight through the
            rounding; none: orders are rounded only where a policy is judged and used. Fixed costs and minimum orders hold in
            training whatever this says.
        random_start: panels only: each step simulates `periods` periods that start anywhere in the training window.
        estimator: of the gradient: `pathwise` (HDPO), `score_function` (REINFORCE, from costs alone) or `forward` (slopes along
            random directions).
        rollouts: score_function only: simulations of each scenario, with noise of their own, K.
        exploration: score_function only: deviation of the noise on what the policy asks for, in units of mean flow.
        directions: forward only: simulations of each batch, a direction each.
        objective: what is minimised of the scenarios' costs: `mean`, or `{cvar: 0.95}`, the conditional value at risk at a level.
        fill_rate: part of demand that must be served at once, over all counted periods and the whole network (see
            `training/service.py`); None = no such constraint.
        multiplier_rate: fill_rate only: how quickly its multiplier climbs, money per period and location, per step and missing
            whole of the fill rate; it follows the learning rate's schedule. About the holding cost of a period's mean demand suits.
    """

    scenarios: Count = 8192
    periods: Count = 50
    warm_up: CountOrNone = 30
    batch: Count = 1024
    networks: Few = 8
    epochs: Count = 40
    optimiser: Literal["adam", "adamw", "sgd", "muon"] = "adam"
    learning_rate: Rate = 3e-3
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    gradient_clip: Rate = 1.0
    checkpoint_every: CountOrNone = 0
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    early_stopping: CountOrNone = 0
    seed: Seed = 0
    dtype: Literal["float32", "float64"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dev_scenarios: Count = 1024
    dev_periods: Count = 100
    dev_warm_up: CountOrNone = 60
    dev_networks: Few = 32
    relative: bool = False
    whole_units: Literal["straight_through"] | None = None
    random_start: bool = False
    estimator: Literal["pathwise", "score_function", "forward"] = "pathwise"
    rollouts: Annotated[int, Field(ge=2, le=10**6)] = 8
    exploration: Rate = 0.1
    directions: Few = 8
    objective: Objective = "mean"
    fill_rate: Part | None = None
    multiplier_rate: Rate = 10.0

    @property
    def level(self) -> float | None:
        """Of the conditional value at risk; None where the mean is minimised."""
        return self.objective.cvar if isinstance(self.objective, Risk) else None

    @property
    def rollouts_per_scenario(self) -> int:
        """How often a step simulates each of its scenarios for the gradient."""
        return {"pathwise": 1, "score_function": self.rollouts, "forward": self.directions}[self.estimator]

    @model_validator(mode="after")
    def _settings_go_together(self) -> "Training":
        owners = {"rollouts": "score_function", "exploration": "score_function", "directions": "forward"}
        for name, owner in owners.items():
            if getattr(self, name) != type(self).model_fields[name].default and self.estimator != owner:
                raise ValueError(
                    f"{name}: got {getattr(self, name)}; expected it with estimator {owner} only, not {self.estimator}"
                )
        if self.checkpoint_every and self.estimator != "pathwise":
            raise ValueError(
                f"checkpoint_every: got {self.checkpoint_every}; expected 0 with estimator {self.estimator}, which goes back through no period"
            )
        if self.whole_units is not None and self.estimator != "pathwise":
            raise ValueError(
                f"whole_units: got {self.whole_units}, which is about the gradient of the pathwise estimator; expected none with "
                f"estimator {self.estimator}"
            )
        if self.fill_rate is None and self.multiplier_rate != type(self).model_fields["multiplier_rate"].default:
            raise ValueError(f"multiplier_rate: got {self.multiplier_rate}; expected it with a fill_rate only")
        if self.level is not None and self.estimator == "score_function":
            raise ValueError(
                f"objective: got cvar {self.level} with estimator score_function, whose rewards are sums over periods; expected mean, or "
                "estimator pathwise or forward"
            )
        return self

    @model_validator(mode="after")
    def _something_counts(self) -> "Training":
        if self.warm_up >= self.periods:
            raise ValueError(f"warm_up: got {self.warm_up}; expected less than periods, {self.periods}")
        if self.dev_warm_up >= self.dev_periods:
            raise ValueError(f"dev_warm_up: got {self.dev_warm_up}; expected less than dev_periods, {self.dev_periods}")
        return self


class Evaluation(Strict):
    """How a policy is evaluated.

    Attributes:
        scenarios: fresh ones, at least 2 (a panel: its items, at most this many).
        periods: simulated per scenario, warm-up included (a panel: the test window).
        warm_up: first periods that are not counted (a panel: its windows' own).
        seed: of the scenarios; they differ from training and dev scenarios whatever it is.
        whole_units: round orders to whole units, feasibly.
    """

    scenarios: Annotated[int, Field(ge=2, le=10**9)] = 4096
    periods: Count = 500
    warm_up: CountOrNone = 300
    seed: Seed = 0
    whole_units: bool = False

    @model_validator(mode="after")
    def _something_counts(self) -> "Evaluation":
        if self.warm_up >= self.periods:
            raise ValueError(f"warm_up: got {self.warm_up}; expected less than periods, {self.periods}")
        return self


class _Windows(Strict):
    train: tuple[int, int]
    dev: tuple[int, int]
    test: tuple[int, int]
    history: Annotated[int, Field(ge=2, le=10**9)]  # mean and deviation of demand are known from it
    warm_up: CountOrNone


class _Calendar(Strict):
    file: str
    columns: list[str] = []
    behind: Annotated[int, Field(ge=0, le=1000)] = 0
    ahead: Annotated[int, Field(ge=0, le=1000)] = 0
    cycles: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}

    @model_validator(mode="after")
    def _something_is_seen(self) -> "_Calendar":
        if not self.columns and not self.cycles:
            raise ValueError("columns: got none, and no cycles; expected at least one column of the file")
        return self


class PanelSettings(Strict):
    """A panel of sales.

    Attributes:
        panel: its file (see `load_panel`).
        windows: periods [first, last) for train, dev and test, and how many are history and warm-up.
        columns: of item, location, period and sales.
        clamp: set negative sales to 0.
        items: [first, last) of the items to use; all where None.
        calendar: a CSV file with a row per period, the columns to use, and how many periods behind and ahead a policy sees of
            it: a calendar is known beforehand; and columns that go round, such as the day of the month, with the length of their cycle.
    """

    panel: str | None = None
    windows: _Windows
    columns: tuple[str, str, str, str] = COLUMNS
    clamp: bool = False
    items: tuple[int, int] | None = None
    calendar: _Calendar | None = None
