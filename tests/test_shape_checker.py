"""What the tests check at each call: the functions of every module that states shapes."""

import re
import tomllib
from pathlib import Path

import jaxtyping
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.allocation import proportional

ROOT = Path(__file__).parents[1]
SHAPED = re.compile(r"^\s*(from|import) (jaxtyping|gnn_inventory\.types)\b", re.MULTILINE)


def test_every_module_that_states_shapes_is_checked():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["addopts"]
    checked = set(re.search(r"--jaxtyping-packages=(\S+),shape_checker\.check", options)[1].split(","))
    modules = {file: file.relative_to(ROOT).with_suffix("").parts[:2] for file in (ROOT / "gnn_inventory").rglob("*.py")}
    stating = {".".join(parts) for file, parts in modules.items() if SHAPED.search(file.read_text())}
    assert stating == checked


def test_a_wrong_shape_is_refused():
    graph = gi.InventoryGraph.from_network(gi.one_store())
    on_hand, orders = torch.ones(2, graph.nodes), torch.ones(2, graph.links)
    proportional(graph, on_hand, orders)
    with pytest.raises(jaxtyping.TypeCheckError, match="parameter 'desired'"):
        proportional(graph, on_hand, orders[:1])
