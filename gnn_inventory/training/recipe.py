"""A recipe: everything that a run depends on, in one YAML file, checked as a whole."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import networkx as nx
import torch
from pydantic import Discriminator, Tag, ValidationError

from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.panel import PanelDemand, Windows
from gnn_inventory.demand.panel_files import SalesPanel, load_calendar, load_panel, on_circles, with_neighbours
from gnn_inventory.demand.scenarios import ScenarioSource
from gnn_inventory.errors import InputError, UsageError, nearest, problem
from gnn_inventory.files import dump_yaml, parse_yaml, read_yaml
from gnn_inventory.policies import ORACLES, policy_problems
from gnn_inventory.topology.catalogue import build_network, locate, network_mapping
from gnn_inventory.topology.distribution import NetworkDistribution
from gnn_inventory.topology.network import Network, is_panel, parse_network
from gnn_inventory.topology.schema import Strict
from gnn_inventory.topology.wording import problems_of
from gnn_inventory.training.settings import Evaluation, PanelSettings, Training
from gnn_inventory.types import Float, Tensor

__all__ = ["Recipe", "calendar_of", "load_recipe", "recipe_of", "scenario_source", "with_sales", "with_settings"]

SECTIONS = ("training", "evaluation", "demand")
"""Of a recipe, that settings may begin."""


class _RecipeModel(Strict):
    network: (
        Annotated[
            Annotated[str, Tag("catalogue name")] | Annotated[dict[str, Any], Tag("itself")],
            Discriminator(lambda value: "itself" if isinstance(value, Mapping) else "catalogue name"),
        ]
        | None
    ) = None
    networks: dict[str, Any] | None = None
    policy: dict[str, Any]
    start: str | None = None
    demand: PanelSettings | None = None
    training: Training = Training()
    evaluation: Evaluation = Evaluation()


@dataclass(frozen=True)
class Recipe:
    """A valid recipe, its network built.

    Attributes:
        name: of the recipe.
        mapping: of the network that it trains on; empty where it trains on many.
        networks: the distribution of networks that it trains on; None where it trains on one.
        policy: name and settings, as `make_policy` takes them.
        start: policy file whose weights training starts from; None = fresh ones.
        demand: the panel, where the network's demand is one.
        training, evaluation: as their classes say.
    """

    name: str
    mapping: Mapping[str, Any]
    networks: NetworkDistribution | None
    policy: Mapping[str, Any]
    start: Path | None
    demand: PanelSettings | None
    training: Training
    evaluation: Evaluation

    @cached_property
    def network(self) -> Network:
        """The one network that it trains on.

        Raises:
            UsageError: it trains on a distribution of networks.
        """
        if self.networks is not None:
            raise UsageError(
                f"{self.name}: trains on a distribution of networks, not on one; name one: --network NETWORK, or test on drawn ones: "
                "gnn-inventory transfer RUN --drawn N"
            )
        return parse_network(build_network(self.mapping))

    @property
    def unit(self) -> str:
        """What the costs of its metrics are in."""
        risk = "" if self.training.level is None else f" (conditional value at risk at {self.training.level:g})"
        if self.networks is not None:
            return f"cost in units of each network's usual cost{risk}"
        weighted = ", scenarios weighted by 1 / newsvendor cost" if self.training.relative else ""
        return f"cost per store{weighted}{risk}"

    def on(self, mapping: Mapping[str, Any], **changes: Any) -> "Recipe":
        """The same recipe for the one network of a mapping, and other `changes`; what is for panels alone goes where none is."""
        found = replace(self, mapping=mapping, networks=None, **changes)
        if found.demand is None:
            found = replace(found, training=found.training.model_copy(update={"random_start": False}))
        return found

    def without_device(self) -> str:
        """What makes one recipe differ from another: all of it but the device, and but what stands once under an anchor."""
        content = parse_yaml(self.to_yaml(), self.name)
        del content["training"]["device"]
        return dump_yaml(content, in_full=True)

    def to_yaml(self) -> str:
        """The recipe written out: network and all, nothing left to a catalogue or a default."""
        networks = {"network": dict(self.mapping)} if self.networks is None else {"networks": self.networks.families}
        content: dict[str, Any] = {**networks, "policy": dict(self.policy)}
        if self.start is not None:
            content["start"] = str(self.start)
        if self.demand is not None:
            content["demand"] = self.demand.model_dump(mode="json", exclude_none=True)
        content |= {"training": self.training.model_dump(mode="json"), "evaluation": self.evaluation.model_dump(mode="json")}
        return dump_yaml(content)


def load_recipe(name: str | Path, settings: Sequence[str] = (), option: str = "--set") -> Recipe:
    """A recipe of the catalogue or of a YAML file.

    Args:
        name: a catalogue name or a path.
        settings: `key=value` each, the key dotted (`training.epochs=5`, `network.stores=50`), the value YAML; it replaces
            what the file says there.
        option: what errors call where the settings were given.

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
    return recipe_of(with_settings(content, settings, option), path.stem, str(path))


def recipe_of(content: Mapping[str, Any], name: str, where: str) -> Recipe:
    """The recipe that a mapping describes, its network written out."""
    try:
        model = _RecipeModel.model_validate(content)
    except ValidationError as error:
        named = [f"{where}: {line}" for line in _policy_problems(content.get("policy"))]
        raise InputError([*problems_of(error, _RecipeModel, where), *named, *_network_problems(content, name)]) from None
    if (model.network is None) == (model.networks is None):
        got = "none" if model.network is None else "both"
        raise InputError(f"{where}: got {got} of network and networks; expected the one network to train on, or a distribution")
    problems = [f"{where}: {line}" for line in _policy_problems(model.policy)]
    mapping = network_mapping(model.network) if isinstance(model.network, str) else model.network or {}
    try:
        distribution = None if model.networks is None else NetworkDistribution(model.networks, name)
        network = parse_network(build_network(mapping)) if distribution is None else None
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None
    panel = network is not None and is_panel(network)
    if panel and model.demand is None:
        problems.append(f"{where}: demand: missing; its network needs a panel of sales")
    if not panel and model.demand is not None:
        problems.append(f"{where}: demand: got a panel; its network states its own demand, remove one of them")
    if model.training.random_start and model.demand is None:
        problems.append(f"{where}: training.random_start: got true; expected it with a panel of sales only")
    if model.training.whole_units is not None and not model.evaluation.whole_units:
        expected = "evaluation.whole_units: true with it, so that the policy is judged by the orders that it is trained for"
        problems.append(problem(where, "training.whole_units", model.training.whole_units, expected))
    if distribution is not None:
        for setting, plain in (("objective", "mean"), ("fill_rate", None)):
            if getattr(model.training, setting) != plain:
                problems.append(f"{where}: training.{setting}: expected it with one network only; got a distribution of networks")
        if model.training.dev_networks < len(distribution.families):
            expected = f"at least {len(distribution.families)}, a network of each family"
            problems.append(problem(where, "training.dev_networks", model.training.dev_networks, expected))
        for few, many in (("networks", "batch"), ("dev_networks", "dev_scenarios")):
            got, most = getattr(model.training, few), getattr(model.training, many)
            if got > most:
                problems.append(f"{where}: training.{few}: got {got}; expected at most {many}, {most}: a scenario for each")
    if problems:
        raise InputError(problems)
    demand = None if model.demand is None else _absolute(model.demand)
    start = None if model.start is None else Path(model.start).absolute()
    return Recipe(name, mapping, distribution, model.policy, start, demand, model.training, model.evaluation)


def _policy_problems(policy: object) -> list[str]:
    """What is wrong with the policy that a recipe names."""
    if not isinstance(policy, Mapping):
        return []
    if not isinstance(policy.get("name"), str):
        return ["policy.name: missing; expected the name of a policy"]
    settings = {key: value for key, value in policy.items() if key != "name"}
    if policy["name"] not in ORACLES:
        return policy_problems(policy["name"], settings)
    got = ", ".join(sorted(settings))
    return [f"policy: got {got}; expected the name of {policy['name']} alone: it has no settings"] if settings else []


def _network_problems(content: Mapping[str, Any], name: str) -> list[str]:
    """What is wrong with the network that a recipe writes out, or with its distribution."""
    try:
        if isinstance(content.get("network"), Mapping):
            parse_network(build_network(content["network"]))
        if isinstance(content.get("networks"), Mapping):
            NetworkDistribution(content["networks"], name)
    except InputError as error:
        return list(error.problems)
    return []


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
        names = None if panel.items is None else panel.items[first:last]
        panel = SalesPanel(panel.sales[first:last], panel.locations, panel.where, names)
    windows = Windows(**settings.windows.model_dump())
    return PanelDemand(parsed, panel, windows, stream, seed, calendar_of(settings))


def with_sales(recipe: Recipe, settings: Sequence[str], where: str) -> Recipe:
    """A recipe whose networks state their own demand, with a panel of sales for other networks.

    Args:
        recipe: the recipe.
        settings: `demand.key=value`, as for `load_recipe`.
        where: what errors call the recipe.

    Raises:
        InputError: every mistake in the settings.
    """
    stated = with_settings({"demand": {"windows": {}}}, settings)["demand"]
    try:
        return replace(recipe, demand=_absolute(PanelSettings.model_validate(stated)))
    except ValidationError as error:
        raise InputError(problems_of(error, PanelSettings, f"{where}: demand")) from None


def _absolute(demand: PanelSettings) -> PanelSettings:
    """The same, its files by their whole path: a run folder may be read from another folder."""
    if demand.panel is not None:
        demand = demand.model_copy(update={"panel": str(Path(demand.panel).absolute())})
        if demand.calendar is not None:
            calendar = demand.calendar.model_copy(update={"file": str(Path(demand.calendar.file).absolute())})
            demand = demand.model_copy(update={"calendar": calendar})
    return demand


def calendar_of(settings: PanelSettings) -> Float[Tensor, "period channel"] | None:
    """The calendar that a recipe names, the periods around each beside it; None where it names none."""
    stated = settings.calendar
    if stated is None:
        return None
    calendar = load_calendar(stated.file, [*stated.columns, *stated.cycles])
    rows = len(calendar) - stated.ahead
    if rows <= 0:
        raise InputError(f"{stated.file}: got {len(calendar)} rows; expected more than demand.calendar.ahead, {stated.ahead}")
    columns, cycles = calendar[:, : len(stated.columns)], calendar[:rows, len(stated.columns) :]
    around = with_neighbours(columns, stated.behind, stated.ahead)
    return torch.cat([around, on_circles(cycles, list(stated.cycles.values()))], dim=1)


def with_settings(content: Mapping[str, Any], settings: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """A mapping with `key=value` settings put in, keys dotted, values YAML; a key whose parent is not there is an error.

    Args:
        content: the mapping; it is not changed.
        settings: to put in.
        option: what errors call where they were given.
    """
    changed = deepcopy(dict(content))
    problems = []
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            problems.append(f"{option} {setting}: expected key=value, such as training.epochs=5")
            continue
        *parents, last = key.split(".")
        place: Any = changed
        for part in parents:
            if isinstance(place, dict) and part not in place and part in (*SECTIONS, "calendar"):
                place[part] = {}
            if not isinstance(place, dict) or part not in place:
                valid = {str(name) for name in place} if isinstance(place, dict) else set()
                valid |= set(SECTIONS) if place is changed and "policy" in changed else set()
                problems.append(f"{option} {setting}: unknown key '{part}'; {nearest(part, valid)}")
                place = None
                break
            if not isinstance(place[part], dict):
                problems.append(f"{option} {setting}: '{part}' is {place[part]!r}, a value; expected a key that has keys inside")
                place = None
                break
            place = place[part]
        if place is not None:
            place[last] = parse_yaml(text, f"{option} {setting}")
    if problems:
        raise InputError(problems)
    return changed
