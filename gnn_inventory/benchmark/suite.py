"""A suite: which policies are trained on which problems, with which seeds, and on which instances they are tested."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, ValidationError, model_validator

from gnn_inventory.errors import InputError
from gnn_inventory.files import read_yaml
from gnn_inventory.topology.catalogue import catalogue, locate_in
from gnn_inventory.topology.schema import Strict
from gnn_inventory.topology.wording import problems_of
from gnn_inventory.training.settings import Evaluation, Seed

__all__ = ["Cell", "Problem", "Suite", "load_suite", "suites"]

LONGEST = 200
"""Bytes of the name of a run folder."""


def _once(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"got {seeds}; expected each seed once")
    return seeds


Values = dict[str, Annotated[list[JsonValue], Field(min_length=1)]]
"""Dotted key -> the values that it takes; every combination is meant."""
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_once)]


class Contender(Strict):
    """A policy of a problem, as a recipe trains it.

    Attributes:
        recipe: its name.
        shared: whether one training serves all instances, on the network of the recipe; else each instance has its own.
        vary: settings of the recipe, each with the values that it takes.
        seeds: of its trainings; the suite's where None.
    """

    recipe: str
    shared: bool = False
    vary: Values = {}
    seeds: Seeds | None = None


class Problem(Strict):
    """A network, the instances of it that policies are tested on, and the policies.

    Attributes:
        network: its name in the catalogue.
        instances: settings of the network, each with the values that it takes; every combination is an instance.
        evaluation: how; a panel of sales has its own windows.
        policies: what the table calls it -> the recipe.
    """

    network: str
    instances: Values = {}
    evaluation: Evaluation = Evaluation()
    policies: Annotated[dict[str, Contender], Field(min_length=1)]


class Suite(Strict):
    """Problems, seeds and a budget.

    Attributes:
        about: what it shows.
        minutes: after which no more is started, and what is being trained is left for the next call.
        seeds: of the trainings.
        problems: what the table calls it -> the problem.
    """

    about: str
    minutes: Annotated[float, Field(gt=0)]
    seeds: Seeds = [0, 1, 2]
    problems: Annotated[dict[str, Problem], Field(min_length=1)]

    @model_validator(mode="after")
    def _plain_names(self) -> "Suite":
        for name in [*self.problems, *(policy for problem in self.problems.values() for policy in problem.policies)]:
            if not re.fullmatch(r"[\w ,()-]+", name):
                raise ValueError(f"name '{name}': expected letters, digits, spaces, commas and brackets")
        return self

    @model_validator(mode="after")
    def _nothing_stated_twice(self) -> "Suite":
        for name, policy, contender in self._contenders():
            instances = () if contender.shared else self.problems[name].instances
            for key, place in {"training.seed": "seeds", **{f"network.{key}": "instances" for key in instances}}.items():
                if key in contender.vary:
                    raise ValueError(f"problem '{name}', policy '{policy}': vary: got '{key}'; expected its values in {place}")
        return self

    def cells(self) -> Iterator["Cell"]:
        """All trainings, those of the first seed first: a budget that ends early has touched every problem."""
        for place in range(max(len(contender.seeds or self.seeds) for _, _, contender in self._contenders())):
            for problem, policy, contender in self._contenders():
                seeds = contender.seeds or self.seeds
                if place >= len(seeds):
                    continue
                instances = combinations(self.problems[problem].instances)
                for varied in combinations(contender.vary):
                    for tested in [instances] if contender.shared else [[instance] for instance in instances]:
                        yield Cell(problem, policy, contender, varied, tuple(tested), seeds[place])

    def _contenders(self) -> Iterator[tuple[str, str, Contender]]:
        for problem, stated in self.problems.items():
            for policy, contender in stated.policies.items():
                yield problem, policy, contender


@dataclass(frozen=True)
class Cell:
    """One training, and the instances that it is tested on.

    Attributes:
        problem, policy: names.
        contender: what the suite says of the policy.
        varied: settings of the recipe.
        instances: settings of the network, one mapping for each instance tested.
        seed: of the training.
    """

    problem: str
    policy: str
    contender: Contender
    varied: Mapping[str, Any]
    instances: tuple[Mapping[str, Any], ...]
    seed: int

    @property
    def settings(self) -> list[str]:
        """What makes the recipe this cell's, as `--set` takes it."""
        network = {} if self.contender.shared else {f"network.{key}": value for key, value in self.instances[0].items()}
        return settings_of({**network, **self.varied, "training.seed": self.seed})

    @property
    def folder(self) -> str:
        """Name of its run folder; of a long one a digest stands for the rest."""
        own = {} if self.contender.shared else self.instances[0]
        parts = [self.problem, self.policy, *(f"{key}={value}" for key, value in {**own, **self.varied}.items())]
        name = re.sub(r"[^\w=.,-]+", "_", " ".join([*parts, f"seed={self.seed}"]))
        if len(name.encode()) <= LONGEST:
            return name
        return f"{name[: LONGEST // 5]}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def settings_of(values: Mapping[str, Any]) -> list[str]:
    """Values by their dotted key, as `--set` takes them."""
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def combinations(values: Values) -> list[dict[str, Any]]:
    """Every combination of the values of each key."""
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


def suites() -> dict[str, Path]:
    """Name -> file of the suites that come with the package."""
    return catalogue("training/suites")


def load_suite(name: str) -> Suite:
    """A suite of the catalogue, or of a YAML file.

    Raises:
        UsageError: no such suite. InputError: every mistake in it.
    """
    path = locate_in(name, suites())
    try:
        return Suite.model_validate(read_yaml(path))
    except ValidationError as error:
        raise InputError(problems_of(error, Suite, str(path))) from None
