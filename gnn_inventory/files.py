"""Reading YAML with line numbers, and writing files so that a reader sees the old one or the new one, never half."""

import contextlib
import hashlib
import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gnn_inventory.errors import InputError, UsageError

__all__ = [
    "LOCKS",
    "digest",
    "dump_yaml",
    "holds_anything",
    "lock",
    "parse_yaml",
    "read_text",
    "read_yaml",
    "replace_file",
    "write_text",
]

LOCKS = importlib.util.find_spec("fcntl") is not None
"""Whether the system has locks on files."""
TEMPORARY = ".tmp"
"""End of the names of files that are being written."""

FLOAT = re.compile(r"[-+]?((\d+\.\d*|\.\d+)(e[-+]?\d+)?|\d+e[-+]?\d+|\.inf)|\.nan", re.IGNORECASE)
PLAIN = {
    "bool": (re.compile(r"true|false", re.IGNORECASE), "tTfF"),
    "int": (re.compile(r"[-+]?(0|[1-9]\d*)"), "-+0123456789"),
    "float": (FLOAT, "-+.0123456789"),
}
"""What is no text without quotes, and how it may begin. As in YAML 1.2, `NO` and `0042` are names and 1e-3 is a number."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice: YAML would keep the last one in silence."""

    yaml_implicit_resolvers = {
        first: [(tag, text) for tag, text in tried if tag.rpartition(":")[2] not in PLAIN]
        for first, tried in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, AttributeError) as error:
            raise yaml.constructor.ConstructorError(None, None, f"not a value: {error}", node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float):
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is not a name", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key}' stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that also puts in quotes what `_Loader` takes for a number."""


class _InFull(_Dumper):
    """Writes a value wherever it stands, without anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


for kind, (text, beginnings) in PLAIN.items():
    whole = re.compile(f"^(?:{text.pattern})$", text.flags)
    for either in (_Loader, _Dumper, _InFull):
        either.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", whole, list(beginnings))


def digest(file: Path) -> str:
    """Of what a file holds.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None


def dump_yaml(content: Any, in_full: bool = False) -> str:
    """Plain values as YAML, in their order; `in_full` writes out what stands several times, which else has an anchor."""
    return str(yaml.dump(content, Dumper=_InFull if in_full else _Dumper, sort_keys=False))


def parse_yaml(text: str, where: str) -> Any:
    """The content of YAML text.

    Args:
        text: the text.
        where: what errors call it.

    Raises:
        InputError: the text does not parse, with the line.
    """
    try:
        content = yaml.load(text, Loader=_Loader)  # a SafeLoader: plain data only
        _refuse_loops(content, where, [])
        return content
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{where}{line}: not readable as YAML: {error.problem}; correct that line") from None
    except RecursionError:
        raise InputError(f"{where}: nested too deeply to be read; expected a file of ordinary depth") from None
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not readable as YAML: {str(error).splitlines()[0]}") from None


def _refuse_loops(content: Any, where: str, above: list[int]) -> None:
    """Raise where an anchor holds itself."""
    if id(content) in above:
        raise InputError(f"{where}: an anchor (&) holds itself; expected plain values")
    inside = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    for value in inside:
        _refuse_loops(value, where, [*above, id(content)])


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        UsageError: the file is not there, is a folder, or cannot be read.
        InputError: it does not parse (with the line), or holds no mapping.
    """
    content = parse_yaml(read_text(path), str(path))
    if not isinstance(content, dict):
        got = "nothing" if content is None else type(content).__name__
        raise InputError(f"{path}: got {got}; expected a mapping of keys to values")
    return content


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, without a byte order mark, or one clear line about why not."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; expected a file")
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None


def replace_file(path: Path, content: bytes) -> None:
    """Write under a temporary name in the same folder, flush to disk, rename: after a kill the old file still stands.

    Where the path is a link, the file that it leads to is replaced.
    """
    real = path.resolve()
    temporary = real.with_name(f".{real.name}.{os.getpid()}{TEMPORARY}")
    try:
        if real.exists() and not real.is_file():
            raise UsageError(f"{path}: is no file; name another place")
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, real)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; name another place") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(path: Path, wait: bool = False) -> Iterator[bool]:
    """A lock on a file, made where it is not there, that ends with its process, however that ends; whether it could be had.

    Where the system has none (`LOCKS`), it always can.
    """
    with open(path, "a", encoding="utf-8") as file:
        if LOCKS:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
        yield True


def holds_anything(folder: Path) -> bool:
    """Whether there is anything in a folder but what a kill left half-written."""
    return any(not (path.name.startswith(".") and path.name.endswith(TEMPORARY)) for path in folder.iterdir())


def write_text(path: Path, text: str) -> None:
    """`replace_file` for text."""
    replace_file(path, text.encode("utf-8"))
