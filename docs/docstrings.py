"""What griffe does not read of our docstrings: one entry for several names, `behind, ahead: periods before and after`."""

import re
from typing import Any

from griffe import Extension, Object

ENTRY = re.compile(r"^(?P<indent> +)(?P<names>\w+(?:, \w+)+): (?P<text>.*(?:\n(?P=indent) +\S.*)*)", re.MULTILINE)


class SeveralNames(Extension):
    """Gives each of the names the whole entry."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = ENTRY.sub(_each, obj.docstring.value)


def _each(entry: re.Match[str]) -> str:
    return "\n".join(f"{entry['indent']}{name}: {entry['text']}" for name in entry["names"].split(", "))
