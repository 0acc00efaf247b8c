"""Distributions of networks: families with ranges of sizes and parameters, from which fresh networks are drawn."""

import inspect
import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from gnn_inventory.errors import InputError, MisfitError, problem
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.families import FAMILIES
from gnn_inventory.topology.network import Network, is_panel, parse_network
from gnn_inventory.topology.values import KINDS as GROUP_KINDS
from gnn_inventory.topology.values import is_range

__all__ = ["NetworkDistribution"]

KINDS = (*GROUP_KINDS, "choice")
PAIRED = 10
"""Networks of each family, of values from the ends of their ranges, by which it is seen whether a distribution is valid."""
MOST_PAIRED = 64
"""Such networks of a family with several long choices: so many pairs of their values are tried, all of them where none has more than 8."""
DRAWS = 64
"""Of one network, until its sizes fit each other."""
AGAIN = 2
"""Ends the key of a further draw of a network, so that nothing else is drawn by it."""
Random = np.random.Generator


class _Ends:
    """Draws the low or high end of each range, in place of what lies between.

    Over `PAIRED` rows each pair of up to 126 ranges meets in all four pairs of ends: to each range belongs a set of half of the
    rows that holds the first (Kleitman and Spencer 1973, Families of k-independent sets). Later rows are as these, but for choices: over n x n rows
    two choices among n values meet in all pairs, where the number of choices between them has no divisor with n in common.
    """

    def __init__(self, row: int) -> None:
        self._row, self._sets, self._choices = row, combinations(range(1, PAIRED), PAIRED // 2 - 1), 0

    def _high(self) -> bool:
        chosen = next(self._sets, None)
        if chosen is None:
            self._sets = combinations(range(1, PAIRED), PAIRED // 2 - 1)
            return self._high()
        return self._row % PAIRED == 0 or self._row % PAIRED in chosen

    def integers(self, low: int, high: int | None = None) -> int:
        """As numpy's generator, from low up to below high; of a choice among `low` values each in turn."""
        if high is None:
            if low == 2:
                return int(self._high())
            self._choices += 1
            return (self._row + self._choices * (self._row // low)) % low
        return high - 1 if self._high() else low

    def uniform(self, low: float, high: float) -> float:
        return high if self._high() else low


class NetworkDistribution:
    """A mixture of families: network number i is of family i modulo their number, so that all come equally often.

    A family is written as a network of that family is, but that any value may be `{per_network: {integers: [3, 10]}}` (or
    `uniform`, `log_uniform`, `choice`, of values or mappings): one value for each network; and that a draw over the members of a group, such as
    `{uniform: [0.7, 1.3]}`, states no seed: then each network draws its members anew. A family's own `seed` is drawn too.

    Args:
        families: what the mixture calls it -> the mapping of the family.
        where: what errors call the mixture.

    Attributes:
        ends: networks of each family whose values stand at the ends of their ranges: what can serve these can serve all.

    Raises:
        InputError: a range is not well formed, or a network that was drawn is not valid, with every mistake.
    """

    def __init__(self, families: Mapping[str, Any], where: str) -> None:
        self.families, self._where = dict(families), where
        problems = [] if families else [problem(where, "networks", families, "at least one family, by name")]
        for name, family in self.families.items():
            if not isinstance(family, Mapping) or "family" not in family:
                problems.append(problem(where, f"networks.{name}", family, "a mapping with a family and its parameters"))
        if problems:
            raise InputError(problems)
        self.ends: list[Network] = []
        for family in self.families:
            longest = _longest_choice(self.families[family])
            for row in range(max(PAIRED, longest, min(longest**2, MOST_PAIRED))):
                try:
                    self.ends.append(_built(self._mapping(family, _Ends(row))))
                except MisfitError:
                    continue  # sizes that do not fit each other are drawn anew
                except InputError as error:
                    problems += str(error).splitlines()
                    break
        if problems:
            raise InputError(dict.fromkeys(problems))
        for number in range(len(self.families)):
            self.draw(0, number)

    def draw(self, *key: int, number: int | None = None) -> Network:
        """The network of a key of integers; the same key gives the same network.

        Sizes that do not fit each other, such as fewer locations than levels, are drawn anew.

        Args:
            key: of its random numbers.
            number: which decides its family; the last of the key where None.

        Raises:
            InputError: a network is not valid, or the sizes of none of `DRAWS` fit: with the mistakes of the last.
        """
        return self._drawn(key, number)[1]

    def mapping(self, *key: int) -> dict[str, Any]:
        """The network that `draw` gives for a key, written as a mapping of its family."""
        return self._drawn(key, None)[0]

    def _drawn(self, key: Sequence[int], number: int | None) -> tuple[dict[str, Any], Network]:
        """The network of a key, as a mapping and built."""
        family = list(self.families)[(key[-1] if number is None else number) % len(self.families)]
        for attempt in range(DRAWS):
            seeds = np.random.SeedSequence([*key, *([attempt, AGAIN] if attempt else [])])
            mapping = self._mapping(family, np.random.default_rng(seeds))
            try:
                return mapping, _built(mapping)
            except MisfitError:
                if attempt == DRAWS - 1:
                    raise
        raise AssertionError("DRAWS is positive")

    def _mapping(self, name: str, random: Random | _Ends) -> dict[str, Any]:
        """What is drawn of a family; it may not be valid."""
        problems: list[str] = []
        where = f"{self._where}: networks.{name}"
        mapping = _drawn(self.families[name], random, where, problems)
        if problems:
            raise InputError(problems)
        build = FAMILIES.get(mapping["family"]) if isinstance(mapping["family"], str) else None  # else the builder says so
        if build is not None and "seed" in inspect.signature(build).parameters:
            mapping.setdefault("seed", _seed(random))
        return {"name": f"{self._where}: {name}", **mapping}


def _built(mapping: dict[str, Any]) -> Network:
    """The network of a mapping.

    Raises:
        InputError: it is not valid; MisfitError: its sizes do not fit each other.
    """
    network = parse_network(build_network(mapping))
    if is_panel(network):
        raise InputError(f"{mapping['name']}: demand: got a panel; networks that are drawn state their own demand")
    return network


def _drawn(value: Any, random: Random | _Ends, where: str, problems: list[str]) -> Any:
    """A value with all in it that differs by network drawn; what differs by scenario stays as it is."""
    if isinstance(value, list | tuple):
        return [_drawn(item, random, where, problems) for item in value]
    if not isinstance(value, Mapping) or "per_scenario" in value:
        return value
    if "per_network" in value:
        return _one(value, random, where, problems)
    for key in value:
        if str(key).startswith("per_") and key != "per_network":
            problems.append(problem(where, str(key), value[key], "per_network or per_scenario"))
            return None
    drawn = {key: _drawn(item, random, f"{where}.{key}", problems) for key, item in value.items()}
    for kind in GROUP_KINDS:
        if kind in value and "seed" not in value:
            if isinstance(random, _Ends) and is_range(drawn[kind], whole=kind == "integers"):
                drawn[kind] = [drawn[kind][random.integers(2)]] * 2
            drawn["seed"] = _seed(random)
    return drawn


def _longest_choice(value: Any) -> int:
    """Values of the longest choice in a family; 0 where there is none."""
    if isinstance(value, Mapping):
        own = value.get("choice")
        return max([len(own) if isinstance(own, list) else 0, *(_longest_choice(item) for item in value.values())])
    return max((_longest_choice(item) for item in value), default=0) if isinstance(value, list | tuple) else 0


def _one(value: Mapping[str, Any], random: Random | _Ends, where: str, problems: list[str]) -> Any:
    """The value of one network; None, with a problem, where its range is not well formed."""
    ranges = value["per_network"]
    if len(value) != 1 or not isinstance(ranges, Mapping) or len(ranges) != 1 or next(iter(ranges)) not in KINDS:
        problems.append(problem(where, "per_network", ranges, f"one of {', '.join(KINDS)}, and nothing beside it"))
        return None
    kind, bounds = next(iter(ranges.items()))
    if kind == "choice":
        if not isinstance(bounds, list) or not bounds:
            problems.append(problem(where, "per_network.choice", bounds, "a list of values"))
            return None
        return _drawn(bounds[random.integers(len(bounds))], random, where, problems)
    if not is_range(bounds, whole=kind == "integers") or (kind == "log_uniform" and bounds[0] <= 0):
        expected = "[low, high], two " + ("integers" if kind == "integers" else "numbers")
        problems.append(problem(where, f"per_network.{kind}", bounds, expected + (" > 0" if kind == "log_uniform" else "")))
        return None
    low, high = bounds
    if kind == "integers":
        return int(random.integers(low, high + 1))
    if kind == "log_uniform":
        return math.exp(random.uniform(math.log(low), math.log(high)))
    return float(random.uniform(low, high))


def _seed(random: Random | _Ends) -> int:
    """A seed for a draw over the members of a group."""
    return 0 if isinstance(random, _Ends) else int(random.integers(2**32))
