"""Networks by name or file: YAML <-> `networkx.DiGraph`, other formats in, and the catalogue that comes with the package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from gnn_inventory.errors import InputError, UsageError, nearest, problem
from gnn_inventory.files import dump_yaml, read_yaml, write_text
from gnn_inventory.topology.explicit import explicit_mapping, explicit_network
from gnn_inventory.topology.families import FAMILIES, build_family
from gnn_inventory.topology.network import parse_network
from gnn_inventory.topology.readers import FORMATS, LINKS, NODES, PARTED, is_tables, read_tables
from gnn_inventory.topology.values import in_plain_types

__all__ = [
    "build_network",
    "catalogue",
    "load_network",
    "locate",
    "locate_in",
    "many_warehouses",
    "network_mapping",
    "one_store",
    "one_warehouse",
    "save_network",
    "serial",
    "trained_policies",
    "transshipment",
]


def catalogue(kind: str) -> dict[str, Path]:
    """Name -> file of the catalogue of `kind`: "topologies", "training" or "training/suites"."""
    return {path.stem: path for path in sorted(_folder(kind).glob("*.yaml"))}


def trained_policies() -> dict[str, Path]:
    """Name -> run folder of the policies that come with the package, trained."""
    return {path.parent.name: path.parent for path in sorted(_folder("training/trained").glob("*/recipe.yaml"))}


def _folder(kind: str) -> Path:
    """Of what comes with the package: in a wheel, or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "catalogue"
    return (installed if installed.is_dir() else package.parent) / kind


def locate(name: str | Path, kind: str) -> Path:
    """The file of a catalogue name or path.

    Raises:
        UsageError: neither is there, with the nearest name, or the path is a folder.
    """
    return locate_in(name, catalogue(kind))


def locate_in(name: str | Path, names: Mapping[str, Path]) -> Path:
    """The same, in a given catalogue: name -> file."""
    path = Path(name)
    if str(name) in names:
        return names[str(name)]
    if path.is_dir():
        raise UsageError(f"{name}: is a folder; expected a file, or a name of the catalogue: {', '.join(names)}")
    if not path.exists():
        raise UsageError(f"{name}: no such file, nor a name of the catalogue; {nearest(str(name), names)}")
    return path


def network_mapping(name: str | Path) -> dict[str, Any]:
    """What the file of a network says, its `name` filled in: YAML, or by its ending GraphML or JSON (node-link, or of
    stockpyl: `file.json#instance`) or the workbook of Willems (`file.xls#07`), or a folder with `nodes.csv` and `links.csv`.
    """
    if str(name) not in catalogue("topologies") and is_tables(Path(name)):
        return {"name": Path(name).resolve().name, **read_tables(Path(name) / NODES, Path(name) / LINKS)}
    for there, missing in ((NODES, LINKS), (LINKS, NODES)):
        if (Path(name) / there).is_file() and not (Path(name) / missing).is_file():
            raise UsageError(f"{name}: holds {there} but no {missing}; expected both tables")
    if Path(name).suffix.lower() == ".csv" and Path(name).is_file():
        raise UsageError(f"{name}: is one table; expected a folder that holds {NODES} and {LINKS}")
    file, mark, part = (str(name), "", "") if Path(name).exists() else str(name).partition("#")
    path = locate(file, "topologies")
    ending = path.suffix.lower()
    if ending in PARTED:
        return {"name": path.stem, **PARTED[ending](path, part if mark else None)}
    if mark:
        raise UsageError(f"{name}: {path} holds one network; expected no '#{part}' after it")
    return {"name": path.stem, **FORMATS.get(ending, read_yaml)(path)}


def load_network(name: str | Path, /, **overrides: Any) -> nx.DiGraph:
    """A network of the catalogue, or of a file: YAML, GraphML, JSON (node-link or stockpyl's), a workbook of Willems, or a folder with
    `nodes.csv` and `links.csv`.

    Args:
        name: a catalogue name (`gnn-inventory list`) or a path.
        overrides: keys of the file to replace, such as `stores=50`.

    Raises:
        UsageError: no such network. InputError: the file is not valid, with every mistake.
    """
    return build_network({**network_mapping(name), **overrides})


def build_network(mapping: Mapping[str, Any]) -> nx.DiGraph:
    """The network that a mapping describes: a family with parameters, or nodes and links.

    Attributes are checked later, where the network is used (`parse_network`), so that mistakes of a file and of a graph made
    in Python read the same.
    """
    content = in_plain_types(mapping)
    name = str(content.pop("name", "network"))
    source = content.pop("source", None)
    if "family" in content:
        family = content.pop("family")
        if not isinstance(family, str):
            raise InputError(problem(name, "family", family, f"one of: {', '.join(FAMILIES)}"))
        network = build_family(family, content, name)
    else:
        network = explicit_network(content, name)
    network.graph["name"] = name
    if source is not None:
        network.graph["source"] = source
    return network


def save_network(network: nx.DiGraph, path: str | Path) -> None:
    """Write a network as YAML, with its nodes and links written out.

    Raises:
        InputError: the network is not valid, with every mistake.
        UsageError: the file's name ends otherwise than in .yaml or .yml, by which it is read again.
    """
    if Path(path).suffix not in (".yaml", ".yml"):
        raise UsageError(problem(str(path), "ending", Path(path).suffix, "one of: .yaml, .yml"))
    parse_network(network)
    write_text(Path(path), dump_yaml(explicit_mapping(network)))


def one_store(**parameters: Any) -> nx.DiGraph:
    """supplier -> store, as in `topologies/one_store_backlogged.yaml` but for `parameters`."""
    return load_network("one_store_backlogged", **parameters)


def serial(**parameters: Any) -> nx.DiGraph:
    """supplier -> echelon0 -> ... -> store, as in `topologies/serial.yaml` but for `parameters`."""
    return load_network("serial", **parameters)


def one_warehouse(**parameters: Any) -> nx.DiGraph:
    """supplier -> warehouse -> stores, as in `topologies/one_warehouse.yaml` but for `parameters`, such as `stores=50`."""
    return load_network("one_warehouse", **parameters)


def transshipment(**parameters: Any) -> nx.DiGraph:
    """A warehouse that cannot hold stock, as in `topologies/transshipment.yaml` but for `parameters`."""
    return load_network("transshipment", **parameters)


def many_warehouses(**parameters: Any) -> nx.DiGraph:
    """supplier -> warehouses -> stores, as in `topologies/many_warehouses.yaml` but for `parameters`."""
    return load_network("many_warehouses", **parameters)
