"""On a GPU, where there is one: every recipe costs what it costs on the CPU, a run resumes, and it goes on from one to the other."""

import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.topology.catalogue import catalogue
from gnn_inventory.training.run_folder import RunFolder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


def trained(recipe, folder, resume=False):
    return gi.train_recipe(recipe, RunFolder(folder), resume=resume).metrics


@pytest.mark.parametrize("name", sorted(catalogue("training")))
def test_every_recipe_of_the_catalogue_costs_what_it_costs_on_the_cpu(name, tiny, tmp_path):
    (ours,), (theirs,) = (
        trained(tiny(name, "training.dtype=float64", f"training.device={device}"), tmp_path / device)
        for device in ("cuda", "cpu")
    )
    for key in ("train", "dev", "gradient_norm"):
        if key in theirs:
            assert ours[key] == pytest.approx(theirs[key], rel=1e-6), key


def test_a_run_begun_on_a_gpu_goes_on_on_the_cpu_and_back(quick, tmp_path):
    recipes = [gi.load_recipe(quick, [f"training.device={device}", "training.dtype=float64"]) for device in ("cuda", "cpu")]
    whole = trained(recipes[1], tmp_path / "whole")

    def stop(_line):
        raise KeyboardInterrupt

    for turn, recipe in enumerate((*recipes, recipes[0])):
        try:
            gi.train_recipe(recipe, RunFolder(tmp_path / "run"), resume=turn > 0, on_epoch=stop)
        except KeyboardInterrupt:
            continue
    metrics = RunFolder(tmp_path / "run").metrics()
    assert [line["dev"] for line in metrics] == pytest.approx([line["dev"] for line in whole], rel=1e-6)


def test_two_runs_of_a_recipe_differ_in_rounding_alone(quick, tmp_path):
    recipe = gi.load_recipe(quick, ["training.device=cuda"])
    costs = [[cost for line in trained(recipe, tmp_path / name) for cost in (line["train"], line["dev"])] for name in "ab"]
    assert costs[0] == pytest.approx(costs[1], rel=1e-6)
