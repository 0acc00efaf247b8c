"""Values that an instance draws: `{uniform: [a, b], seed: s}` and lists, spread over the members of a group.

An instance is drawn with numpy's legacy generator, `numpy.random.RandomState(seed)`, one draw of length n for a group of n
members, since published instances of this field are drawn so: the same seed gives the same instance as elsewhere.
"""

from collections.abc import Mapping
from numbers import Number
from typing import Any

import numpy as np

from gnn_inventory.errors import nearest, problem

__all__ = ["LARGEST", "in_plain_types", "is_range", "spread"]

LARGEST = 1e12
"""Of any number; beyond it sums in float32 lose units."""
KINDS = ("uniform", "log_uniform", "integers")
"""Of draws over the members of a group."""
DECIMALS = 15
"""At the most: a number has no more."""
_OTHERS = ("times", "over")
"""Ways in which a draw may go by another attribute."""
_DRAW_KEYS = {*KINDS, "seed", "decimals", *_OTHERS}


def in_plain_types(value: Any) -> Any:
    """A value in YAML's own types, copied: numpy's and other numbers as Python's, arrays and tuples as lists."""
    if isinstance(value, Mapping):
        return {key: in_plain_types(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [in_plain_types(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Number) and not isinstance(value, int | float | complex):
        return float(value)  # type: ignore[arg-type]  # Decimal, Fraction
    return value


def spread(template: Mapping[str, Any], count: int, where: str, problems: list[str]) -> list[dict[str, Any]]:
    """The attributes of each of `count` members of a group, from one template for all of them.

    Args:
        template: attributes; a value is a plain value (the same for all members), a list of `count` values (one each), or
            a draw: `{uniform: [a, b], seed: s}`, `{log_uniform: [a, b], seed: s}` (its logarithm is uniform: many small ones, few
            large) or `{integers: [a, b], seed: s}` (b included), optionally with `decimals: d` (rounded so; 0: whole numbers) and `times: other` or `over: other` (multiplied or
            divided by the attribute `other` of the same member, so that what is sooner may be dearer).
        count: members of the group [1].
        where: what problems call the group.
        problems: mistakes are appended here.

    Returns:
        One dictionary of plain values per member; a draw that is not well formed is left out of them.
    """
    members: list[dict[str, Any]] = [{} for _ in range(count)]
    late = [key for key, value in template.items() if _is_draw(value) and any(other in value for other in _OTHERS)]
    for key in [key for key in template if key not in late] + _in_order(late, template):
        value = template[key]
        if key == "demand" and _is_draw(value):
            expected = "a distribution, such as {normal: {mean: 5, std: 2}}, whose values may be drawn"
            problems.append(problem(where, key, in_plain_types(value), expected))
            continue
        if _is_draw(value):
            columns: list[Any] = list(_draw(value, key, members, where, problems))
        elif isinstance(value, Mapping) and "per_scenario" not in value:
            columns = spread(value, count, f"{where}: {key}", problems)
        elif isinstance(value, list):
            columns = value
            if len(value) != count:
                problems.append(problem(where, key, value, f"one value, or a list of {count} values, one each"))
                continue
        else:
            columns = [value] * count
        for member, column in zip(members, columns, strict=False):
            member[key] = column
    return members


def _in_order(late: list[str], template: Mapping[str, Any]) -> list[str]:
    """Draws that go by other attributes, those that others of them go by first; as they stand where that is a circle."""
    ready: list[str] = []
    while len(ready) < len(late):
        waiting = [key for key in late if key not in ready]
        free = [key for key in waiting if not any(template[key].get(other) in waiting for other in _OTHERS)]
        ready.append((free or waiting)[0])
    return ready


def is_range(bounds: object, whole: bool) -> bool:
    """Whether these are two numbers, or two integers, [low, high]."""
    number = int if whole else int | float
    return (
        isinstance(bounds, list | tuple)
        and len(bounds) == 2
        and all(isinstance(bound, number) and not isinstance(bound, bool) and abs(bound) <= LARGEST for bound in bounds)
        and bounds[0] <= bounds[1]
    )


def _is_draw(value: object) -> bool:
    """Whether a value is drawn for each member of a group."""
    return isinstance(value, Mapping) and any(kind in value for kind in KINDS)


def _draw(
    draw: Mapping[str, Any], key: str, members: list[dict[str, Any]], where: str, problems: list[str]
) -> list[float] | list[int]:
    """The values drawn, one per member; none where the draw is not well formed."""
    before, draw = len(problems), in_plain_types(draw)
    for name in draw:
        if name not in _DRAW_KEYS:
            problems.append(f"{where}: {key}: unknown key '{name}'; {nearest(str(name), _DRAW_KEYS)}")
    kind, *others = (kind for kind in KINDS if kind in draw)
    if others:
        problems.append(f"{where}: {key}: got {kind} and {others[0]}; expected one of them")
    bounds, seed, decimals = draw[kind], draw.get("seed"), draw.get("decimals")
    if not is_range(bounds, whole=kind == "integers") or (kind == "log_uniform" and bounds[0] <= 0):
        expected = "[low, high], two " + ("integers" if kind == "integers" else "numbers")
        problems.append(problem(where, f"{key}.{kind}", bounds, expected + (" > 0" if kind == "log_uniform" else "")))
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        problems.append(
            problem(where, f"{key}.seed", seed, "an integer from 0 to 4294967295, so that the instance is the same again")
        )
    if decimals is not None and (not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= DECIMALS):
        problems.append(problem(where, f"{key}.decimals", decimals, f"an integer from 0 to {DECIMALS}"))
    for other in [other for other in _OTHERS if draw.get(other) is not None]:
        if kind == "integers":
            problems.append(f"{where}: {key}: got {other} beside integers, which stay whole; expected uniform or log_uniform")
        name = draw[other]
        numbers = [member.get(name) if isinstance(name, str) else None for member in members]
        if not all(isinstance(number, int | float) and (number or other == "times") for number in numbers):
            expected = "the name of a number that stands beside it" + (" and is not 0" if other == "over" else "")
            problems.append(problem(where, f"{key}.{other}", name, expected))
    if len(problems) > before:
        return []
    generator = np.random.RandomState(seed)
    if kind == "integers":
        return [int(value) for value in generator.randint(bounds[0], bounds[1] + 1, size=len(members))]
    if kind == "log_uniform":
        values = np.exp(generator.uniform(np.log(bounds[0]), np.log(bounds[1]), size=len(members)))
    else:
        values = generator.uniform(bounds[0], bounds[1], size=len(members))
    if draw.get("times") is not None:
        values = values * np.array([member[draw["times"]] for member in members])
    if draw.get("over") is not None:
        values = values / np.array([member[draw["over"]] for member in members])
    if decimals is not None:
        values = np.round(values, decimals)
    return [int(value) if decimals == 0 else float(value) for value in values]
