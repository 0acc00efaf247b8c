"""Errors that a person can cause: one clear line per mistake, all mistakes of an input at once."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "GnnInventoryError",
    "InputError",
    "Misfit",
    "MisfitError",
    "TrainingError",
    "UsageError",
    "amount",
    "nearest",
    "problem",
]


class GnnInventoryError(Exception):
    """Base of every error that this library raises on purpose.

    Attributes:
        exit_code: what the command line exits with.
    """

    exit_code = 1


class InputError(GnnInventoryError):
    """A network, recipe, panel or run folder that says something impossible.

    Args:
        problems: one line per mistake; the message is these lines.
    """

    def __init__(self, problems: Iterable[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class Misfit(str):
    """What is wrong where sizes are each valid by themselves but do not fit each other, such as more levels than locations."""


class MisfitError(InputError):
    """Nothing but misfits: of sizes that are drawn, others may fit."""


class UsageError(InputError):
    """A call that cannot be carried out as it stands: a file, folder, device or name that is not there or in the way."""

    exit_code = 2


class TrainingError(GnnInventoryError):
    """A training that cannot go on: its gradient is dead or has exploded."""


def problem(where: str, field: str, got: object, expected: str) -> str:
    """One line: where, which field, what it holds, what was expected and hence what to do."""
    text = " ".join(repr(got).split())
    if len(text) > 60:
        text = text[:57] + "..."
    return f"{where}: {field}: got {text}; expected {expected}"


def nearest(key: str, valid: Iterable[str]) -> str:
    """The hint of an unknown key: the nearest valid one where there is one, and all valid ones."""
    names = sorted(valid)
    close = get_close_matches(key, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}one of: {', '.join(names)}"


def amount(value: float) -> str:
    """A quantity as people read it: four digits, or all that stand before the point; never as a power of ten where it is large."""
    return f"{value:.4g}" if abs(value) < 9999.5 else f"{value:.0f}"
