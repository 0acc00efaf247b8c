"""pydantic's errors in this library's words: where, which field, what it holds, what was expected."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from gnn_inventory.errors import nearest, problem

__all__ = ["problems_of"]

_TAGS = {"number", "per scenario", "matrix", "catalogue name", "itself", "by name", "by level"}
_EXPECTED = {
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_parsing": "an integer",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "int_parsing_size": "an integer of ordinary size",
    "invalid-json-value": "a number, text, true, false, null, or a list or mapping of these",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}


def problems_of(error: ValidationError, model: type[BaseModel], where: str) -> list[str]:
    """A pydantic error in this library's words, one line per mistake."""
    return [line for item in error.errors(include_url=False) for line in _lines(item, model, where)]


def _lines(item: Mapping[str, Any], model: type[BaseModel], where: str) -> list[str]:
    """A mistake; of a rule between fields, which may find several, a line each."""
    if item["type"] != "value_error":
        return [_line(item, model, where)]
    texts = str(item["ctx"]["error"]).splitlines()
    return [_line({**item, "ctx": {"error": text}}, model, where) for text in texts]


def _line(item: Mapping[str, Any], model: type[BaseModel], where: str) -> str:
    path = [part for part in item["loc"] if part not in _TAGS]
    field = ".".join(str(part) for part in path)
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        inside = "".join(f"{part}: " for part in path[:-1])
        return f"{where}: {inside}unknown key '{path[-1]}'; {nearest(str(path[-1]), _fields(model, path[:-1]))}"
    if kind == "missing":
        return f"{where}: {field}: missing; expected a value"
    if kind == "value_error":
        text = str(context["error"])
        return (
            f"{where}: {field}: got {item['input']!r}; {text}"
            if text == "expected a number"
            else f"{where}: {'.'.join(map(str, path)) + ': ' if path else ''}{text}"
        )
    symbols = {
        "greater_than_equal": (">=", "ge"),
        "greater_than": (">", "gt"),
        "less_than_equal": ("<=", "le"),
        "less_than": ("<", "lt"),
    }
    if kind in symbols:
        symbol, key = symbols[kind]
        return problem(where, field, item["input"], f"a number {symbol} {context[key]:g}")
    if kind == "too_short":
        return problem(where, field, item["input"], f"at least {context['min_length']} of them")
    if kind == "literal_error":
        return problem(where, field, item["input"], context["expected"])
    return problem(where, field, item["input"], _EXPECTED.get(kind, item["msg"]))


def _fields(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    """The valid keys at a path inside a model."""
    for part in path:
        if part not in model.model_fields:  # a key of a mapping, or a place in a list, of such models
            continue
        found = _model_in(model.model_fields[part].annotation)
        if found is None:
            return list(model.model_fields)
        model = found
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
