"""The policies that come with the package: what they cost, and that their names stand for run folders."""

import pandas as pd
import pytest

import gnn_inventory as gi
from gnn_inventory.errors import UsageError
from gnn_inventory.topology.catalogue import catalogue, trained_policies
from gnn_inventory.training.recipe import load_recipe
from gnn_inventory.training.run_folder import RunFolder

MOST_BYTES = 1_000_000


@pytest.mark.parametrize("name", trained_policies())
def test_it_is_small_and_of_a_recipe_of_the_catalogue(name):
    folder = RunFolder.of(name)
    assert sum(path.stat().st_size for path in folder.path.iterdir()) < MOST_BYTES
    recipe, seed = folder.recipe(), int(name.rpartition("-")[2])
    own = load_recipe(catalogue("training")[name.rpartition("-")[0]], [f"training.seed={seed}"])
    assert recipe.without_device() == own.without_device()
    assert len(folder.metrics()) == recipe.training.epochs
    assert not folder.checkpoint_file.exists()


def test_it_is_near_the_exact_optimum_of_a_chain_and_below_what_training_starts_from():
    policy = gi.load_policy("any-0")
    chain = gi.evaluate(policy, gi.serial(), scenarios=256, periods=300, warm_up=200)
    assert chain.reference.kind == "optimum"
    assert chain.gap_ci95[1] < 2.0  # percent
    untrained = gi.MessagePassing(**policy.config)
    ours, theirs = (gi.evaluate(one, gi.one_warehouse(), scenarios=256, periods=300, warm_up=200) for one in (policy, untrained))
    saved = theirs.per_scenario - ours.per_scenario  # on the same scenarios
    assert saved.mean() > 3 * saved.std() / len(saved) ** 0.5


def test_a_name_stands_for_a_run_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gnn_inventory.training.coverage.DRAWN", 16)
    assert "any-0" in run("list")[1].split("trained policies:")[1]
    code, out, _ = run("evaluate", "any-0", "--network", "tree", "--scenarios", 4, "--periods", 30, "--warm-up", 20, "--json")
    assert code == 0
    assert '"tree"' in out
    sizes = ["--scenarios", 4, "--periods", 30, "--warm-up", 20]
    assert run("transfer", "any-0", "--to", "diamond", "-o", "beside", *sizes)[0] == 0
    assert pd.read_csv("beside/table.csv")["trained on"].tolist() == ["any-0"]
    state = pd.DataFrame(
        {
            "item": ["a"] * 4,
            "record": ["on_hand"] * 4,
            "location": ["warehouse", "store_0", "store_1", "store_2"],
            "units": [20, 5, 5, 5],
        }
    )
    state.to_csv("state.csv", index=False)
    network = tmp_path / "mine.yaml"
    gi.save_network(gi.one_warehouse(stores=3), network)
    assert run("order", "any-0", "--network", network, "--state", "state.csv", "-o", "orders.csv")[0] == 0
    assert set(pd.read_csv("orders.csv")["to"]) == {"warehouse", "store_0", "store_1", "store_2"}
    dear = gi.one_warehouse(stores=3)
    dear.edges["supplier", "warehouse"]["fixed_cost"] = 100.0
    gi.save_network(dear, tmp_path / "dear.yaml")
    code, _, error = run("order", "any-0", "--network", tmp_path / "dear.yaml", "--state", "state.csv", "-o", "dear.csv")
    assert (code, error) == (0, "any-0: beyond its training: fixed costs, never seen\n")
    arguments = ["--network", network, "--state", "state.csv", "--sales", "sales.csv", "-o", "more.csv"]
    code, _, error = run("order", "any-0", *arguments)
    assert (code, error.count("\n")) == (2, 1)
    assert "any-0 looks at none before now: sales would change nothing" in error


def test_a_folder_of_the_same_name_is_taken_before_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunFolder.of("any-0").path == trained_policies()["any-0"]
    (tmp_path / "any-0").mkdir()
    with pytest.raises(UsageError, match=r"any-0: is not a run folder"):
        RunFolder.of("any-0").recipe()
    with pytest.raises(UsageError, match=r"any-9: no such run folder, nor a trained policy of the package; did you mean 'any-0'"):
        RunFolder.of("any-9")
