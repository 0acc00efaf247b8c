"""A recipe: everything that a run depends on, in one YAML file, checked as a whole."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import networkx as nx
import yaml
from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.panel import PanelDemand, Windows
from gnn_inventory.demand.panel_files import COLUMNS, SalesPanel, load_calendar, load_panel, with_neighbours
from gnn_inventory.demand.scenarios import ScenarioSource
from gnn_inventory.errors import InputError, nearest
from gnn_inventory.files import parse_yaml, read_yaml
from gnn_inventory.topology.catalogue import build_network, locate, network_mapping
from gnn_inventory.topology.network import Network, is_panel, parse_network
from gnn_inventory.topology.schema import Strict
from gnn_inventory.topology.wording import problems_of
from gnn_inventory.types import Float, Tensor

__all__ = ["Evaluation", "PanelSettings", "Recipe", "Training", "load_recipe", "recipe_of", "scenario_source", "with_settings"]

Count = Annotated[int, Field(ge=1, le=10**9)]
CountOrNone = Annotated[int, Field(ge=0, le=10**9)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Rate = Annotated[float, Field(gt=0)]


class Training(Strict):
    """How a policy is trained.

    Attributes:
        scenarios: training scenarios, drawn once (a panel: items, at most this many).
        periods: simulated per scenario, T; the cost of all of them is minimised, but for units bought too late for any customer
            (a panel: its whole training window, unless `random_start`).
        warm_up: first periods that are left out of the cost reported as `train` (a panel: its windows' own).
        batch: scenarios per step, B.
        epochs: passes over the scenarios.
        optimiser: adam, adamw or sgd, with torch's defaults but for the learning rate.
        learning_rate: its peak.
        schedule: `one_cycle` (up, then down to nothing) or `constant`.
        gradient_clip: largest norm of the gradient.
        average: decay per step of a running mean of the weights, which is what is kept and judged on dev; 0 = the weights as
            they are (Polyak and Juditsky 1992).
        early_stopping: epochs without a better dev cost after which training ends; 0 = never.
        seed: of scenarios, batches and weights.
        dtype: float32 or float64.
        device: auto (a GPU where there is one), cpu or cuda.
        dev_scenarios, dev_periods, dev_warm_up: the dev set; a panel's own windows come instead.
        relative: weigh each scenario by the inverse of its newsvendor cost, where scenarios are instances of other size: then
            all instances count alike, and a percent of each costs the same.
        random_start: panels only: each step simulates `periods` periods that start anywhere in the training window.
    """

    scenarios: Count = 8192
    periods: Count = 50
    warm_up: CountOrNone = 30
    batch: Count = 1024
    epochs: Count = 40
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Rate = 3e-3
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    gradient_clip: Rate = 1.0
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    early_stopping: CountOrNone = 0
    seed: Seed = 0
    dtype: Literal["float32", "float64"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dev_scenarios: Count = 1024
    dev_periods: Count = 100
    dev_warm_up: CountOrNone = 60
    relative: bool = False
    random_start: bool = False

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
        scenarios: fresh ones (a panel: its items, at most this many).
        periods: simulated per scenario, warm-up included (a panel: the test window).
        warm_up: first periods that are not counted (a panel: its windows' own).
        seed: of the scenarios; they differ from training and dev scenarios whatever it is.
        whole_units: round orders to whole units, feasibly.
    """

    scenarios: Count = 4096
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
    history: CountOrNone
    warm_up: CountOrNone


class _Calendar(Strict):
    file: str
    columns: Annotated[list[str], Field(min_length=1)]
    behind: Annotated[int, Field(ge=0, le=1000)] = 0
    ahead: Annotated[int, Field(ge=0, le=1000)] = 0


class PanelSettings(Strict):
    """A panel of sales.

    Attributes:
        panel: its file (see `load_panel`).
        windows: periods [first, last) for train, dev and test, and how many are history and warm-up.
        columns: of item, location, period and sales.
        clamp: set negative sales to 0.
        items: [first, last) of the items to use; all where None.
        calendar: a CSV file with a row per period, the columns to use, and how many periods behind and ahead a policy sees of
            it: a calendar is known beforehand.
    """

    panel: str | None = None
    windows: _Windows
    columns: tuple[str, str, str, str] = COLUMNS
    clamp: bool = False
    items: tuple[int, int] | None = None
    calendar: _Calendar | None = None


class _RecipeModel(Strict):
    network: Annotated[
        Annotated[str, Tag("catalogue name")] | Annotated[dict[str, Any], Tag("itself")],
        Discriminator(lambda value: "itself" if isinstance(value, Mapping) else "catalogue name"),
    ]
    policy: dict[str, Any]
    demand: PanelSettings | None = None
    training: Training = Training()
    evaluation: Evaluation = Evaluation()


@dataclass(frozen=True)
class Recipe:
    """A valid recipe, its network built.

    Attributes:
        name: of the recipe.
        network: to train on.
        policy: name and settings, as `make_policy` takes them.
        demand: the panel, where the network's demand is one.
        training, evaluation: as their classes say.
    """

    name: str
    network: Network
    mapping: Mapping[str, Any]
    policy: Mapping[str, Any]
    demand: PanelSettings | None
    training: Training
    evaluation: Evaluation

    def without_device(self) -> str:
        """What makes one recipe differ from another: all of it but the device."""
        content = yaml.safe_load(self.to_yaml())
        del content["training"]["device"]
        return yaml.safe_dump(content, sort_keys=False)

    def to_yaml(self) -> str:
        """The recipe written out: network and all, nothing left to a catalogue or a default."""
        content: dict[str, Any] = {"network": dict(self.mapping), "policy": dict(self.policy)}
        if self.demand is not None:
            content["demand"] = self.demand.model_dump(mode="json", exclude_none=True)
        content |= {"training": self.training.model_dump(mode="json"), "evaluation": self.evaluation.model_dump(mode="json")}
        return yaml.safe_dump(content, sort_keys=False)


def load_recipe(name: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """A recipe of the catalogue or of a YAML file.

    Args:
        name: a catalogue name or a path.
        settings: `key=value` each, the key dotted (`training.epochs=5`, `network.stores=50`), the value YAML; it replaces
            what the file says there.

    Raises:
        UsageError: no such recipe. InputError: every mistake in it.
    """
    path = locate(name, "training")
    content = read_yaml(path)
    network = content.get("network")
    if isinstance(network, str):
        content["network"] = network_mapping(network)
    elif isinstance(network, Mapping) and "name" not in network:
        content["network"] = {"name": path.stem, **network}
    return recipe_of(with_settings(content, settings), path.stem, str(path))


def recipe_of(content: Mapping[str, Any], name: str, where: str) -> Recipe:
    """The recipe that a mapping describes, its network written out."""
    try:
        model = _RecipeModel.model_validate(content)
    except ValidationError as error:
        raise InputError(problems_of(error, _RecipeModel, where)) from None
    mapping = network_mapping(model.network) if isinstance(model.network, str) else model.network
    network = parse_network(build_network(mapping))
    problems = []
    if not isinstance(model.policy.get("name"), str):
        problems.append(f"{where}: policy.name: missing; expected the name of a policy")
    if is_panel(network) and model.demand is None:
        problems.append(f"{where}: demand: missing; network '{network.name}' needs a panel of sales")
    if not is_panel(network) and model.demand is not None:
        problems.append(f"{where}: demand: got a panel; network '{network.name}' states its own demand, remove one of them")
    if model.training.random_start and model.demand is None:
        problems.append(f"{where}: training.random_start: got true; expected it with a panel of sales only")
    if problems:
        raise InputError(problems)
    demand = model.demand
    if demand is not None and demand.panel is not None:  # the run folder may be read from another folder
        demand = demand.model_copy(update={"panel": str(Path(demand.panel).absolute())})
        if demand.calendar is not None:
            calendar = demand.calendar.model_copy(update={"file": str(Path(demand.calendar.file).absolute())})
            demand = demand.model_copy(update={"calendar": calendar})
    return Recipe(name, network, mapping, model.policy, demand, model.training, model.evaluation)


def scenario_source(recipe: Recipe, stream: str, seed: int, network: nx.DiGraph | None = None) -> ScenarioSource:
    """Where the scenarios of a stream come from: the demand that the network states, or the recipe's panel where it states one.

    Args:
        recipe: whose network, and whose panel.
        stream: "train", "dev" or "test".
        seed: of the scenarios.
        network: another network than the recipe's.
    """
    parsed = recipe.network if network is None else parse_network(network)
    if recipe.demand is None or not is_panel(parsed):
        return SyntheticDemand(parsed, seed, stream)
    settings = recipe.demand
    if settings.panel is None:
        raise InputError(f"{recipe.name}: demand.panel: missing; name the file of the sales: --set demand.panel=FILE")
    panel = load_panel(settings.panel, settings.columns, settings.clamp)
    if settings.items is not None:
        first, last = settings.items
        if not 0 <= first < last <= len(panel.sales):
            raise InputError(
                f"{recipe.name}: demand.items: got {[first, last]}; expected a range of the {len(panel.sales)} items"
            )
        panel = SalesPanel(panel.sales[first:last], panel.locations, panel.where)
    windows = Windows(**settings.windows.model_dump())
    calendar: Float[Tensor, "period channel"] | None = None
    if settings.calendar is not None:
        stated = settings.calendar
        calendar = load_calendar(stated.file, stated.columns)
        if len(calendar) <= stated.ahead:
            raise InputError(f"{stated.file}: got {len(calendar)} rows; expected more than demand.calendar.ahead, {stated.ahead}")
        calendar = with_neighbours(calendar, stated.behind, stated.ahead)
    return PanelDemand(parsed, panel, windows, stream, seed, calendar)


def with_settings(content: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A mapping with `key=value` settings put in, keys dotted, values YAML; a key whose parent is not there is an error."""
    changed = deepcopy(dict(content))
    problems = []
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            problems.append(f"--set {setting}: expected key=value, such as training.epochs=5")
            continue
        *parents, last = key.split(".")
        place: Any = changed
        for part in parents:
            if isinstance(place, dict) and part not in place and part in ("training", "evaluation", "demand", "calendar"):
                place[part] = {}
            if not isinstance(place, dict) or part not in place:
                valid = [str(name) for name in place] if isinstance(place, dict) else []
                problems.append(f"--set {setting}: unknown key '{part}'; {nearest(part, valid)}")
                place = None
                break
            if not isinstance(place[part], dict):
                problems.append(f"--set {setting}: '{part}' is {place[part]!r}, a value; expected a key that has keys inside")
                place = None
                break
            place = place[part]
        if place is not None:
            place[last] = parse_yaml(text, f"--set {setting}")
    if problems:
        raise InputError(problems)
    return changed
