"""Training on a distribution of networks: what is drawn, what stands side by side, what counts alike."""

import itertools
import json

import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.cli import app
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.scenarios import side_by_side
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies import make_policy
from gnn_inventory.rollout import periods
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.distribution import PAIRED, NetworkDistribution, _Ends
from gnn_inventory.topology.families import build_family
from gnn_inventory.topology.network import parse_network
from gnn_inventory.topology.schema import Normal, Poisson
from gnn_inventory.training.coverage import Coverage
from gnn_inventory.training.data import data_of, training_networks
from gnn_inventory.training.recipe import recipe_of
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.train import prepared

STORE = {
    "holding_cost": {"uniform": [0.7, 1.3]},
    "underage_cost": {"uniform": [6.3, 11.7]},
    "unmet_demand": "lost",
    "demand": {"normal": {"mean": {"uniform": [2.5, 7.5]}, "std": {"uniform": [0.25, 0.5], "times": "mean"}}},
}
ONE_WAREHOUSE = {
    "family": "one_warehouse",
    "stores": {"per_network": {"integers": [2, 4]}},
    "warehouse": {"holding_cost": {"per_network": {"choice": [0.2, 0.4]}}},
    "warehouse_link": {"lead_time": {"per_network": {"integers": [1, 3]}}},
    "store": STORE,
    "store_link": {"lead_time": {"integers": [1, 4]}},
}
SERIAL = {
    "family": "serial",
    "echelons": {"per_network": {"integers": [3, 5]}},
    "upstream": {"holding_cost": {"uniform": [0.1, 0.5]}},
    "store": {**STORE, "underage_cost": {"per_network": {"log_uniform": [4, 20]}}, "unmet_demand": "backlogged"},
    "upstream_link": {"lead_time": 2},
    "store_link": {"lead_time": 1},
}
TRAINING = {
    "scenarios": 16,
    "batch": 8,
    "networks": 4,
    "periods": 12,
    "warm_up": 4,
    "epochs": 2,
    "dev_scenarios": 6,
    "dev_networks": 3,
    "dev_periods": 12,
    "dev_warm_up": 4,
}


def recipe(**changes):
    content = {
        "networks": {"one warehouse": ONE_WAREHOUSE, "serial": SERIAL},
        "policy": {"name": "message_passing", "width": 8, "slots": 3},
        "training": TRAINING,
    }
    return recipe_of({**content, **changes}, "many", "many.yaml")


def test_recipes_that_differ_in_their_anchors_alone_are_the_same():
    link = {"lead_time": {"integers": [1, 4]}}
    anchored = {**ONE_WAREHOUSE, "warehouse_link": link, "store_link": link}
    in_full = {**anchored, "store_link": {"lead_time": {"integers": [1, 4]}}}
    other = {**anchored, "store_link": {"lead_time": {"integers": [1, 3]}}}
    first, second, third = (recipe(networks={"w": family}) for family in (anchored, in_full, other))
    assert first.to_yaml() != second.to_yaml()
    assert first.without_device() == second.without_device()
    assert first.without_device() != third.without_device()


def test_sizes_and_parameters_stay_in_their_ranges_and_take_all_of_them():
    networks = [NetworkDistribution({"w": ONE_WAREHOUSE}, "many").draw(0, number) for number in range(100)]
    assert {len(network.customers) for network in networks} == {2, 3, 4}
    assert {network.location("warehouse").holding_cost for network in networks} == {0.2, 0.4}
    assert {network.links["supplier", "warehouse"].lead_time for network in networks} == {1, 2, 3}
    held = [network.location(name).holding_cost for network in networks for name in network.customers]
    assert 0.7 <= min(held) < 0.72
    assert 1.28 < max(held) <= 1.3
    assert len(set(held)) == len(held)


def test_families_take_turns_and_the_same_key_gives_the_same_network():
    mixture = NetworkDistribution({"w": ONE_WAREHOUSE, "s": SERIAL}, "many")
    names = [mixture.draw(3, number).name for number in range(4)]
    assert names == ["many: w", "many: s", "many: w", "many: s"]
    assert mixture.draw(3, 1).nodes == mixture.draw(3, 1).nodes
    assert mixture.draw(3, 1).nodes != mixture.draw(4, 1).nodes


def test_a_family_with_a_seed_is_drawn_anew():
    layers = {
        "family": "layers",
        "sizes": [2, {"per_network": {"integers": [3, 6]}}, 8],
        "sources": [1, 2],
        "upstream": {"holding_cost": 0.2},
        "store": STORE,
        "supplier_link": {"lead_time": 1},
        "link": {"lead_time": 1},
    }
    drawn = [NetworkDistribution({"l": layers}, "many").draw(0, number) for number in range(20)]
    assert {sum(name.startswith("layer1") for name in network.nodes) for network in drawn} == {3, 4, 5, 6}
    assert len({tuple(network.links) for network in drawn}) == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stores": {"per_network": {"integers": [3.5, 4]}}}, r"networks.w.stores: per_network.integers: .*two integers"),
        ({"stores": {"per_network": {"normal": [3, 4]}}}, r"networks.w.stores: per_network: .*one of uniform"),
        ({"stores": {"per_network": {"choice": []}}}, r"per_network.choice: got \[\]; expected a list of values"),
        (
            {"stores": {"per_networks": {"integers": [3, 4]}}},
            r"stores: per_networks: got .*; expected per_network or per_scenario",
        ),
        ({"warehouse": {"holding_costs": 1}}, r"unknown key 'holding_costs'; did you mean 'holding_cost'"),
        ({"store": {**STORE, "demand": "panel"}}, r"got a panel; networks that are drawn state their own demand"),
        ({"stores": {"per_network": {"choice": [*range(2, 14), -1]}}}, r"stores: got -1; expected an integer >= 1"),
        ({"family": ["one_warehouse"]}, r"family: got \['one_warehouse'\]; expected one of"),
        ({"family": "one_warehous"}, r"unknown family 'one_warehous'; did you mean 'one_warehouse'"),
    ],
)
def test_a_distribution_that_is_not_valid_says_where(change, message):
    with pytest.raises(InputError, match=message) as caught:
        NetworkDistribution({"w": {**ONE_WAREHOUSE, **change}}, "many")
    assert len(caught.value.problems) == 1


RANDOM = {"family": "random_acyclic", "sources": 1.5, "upstream": {"holding_cost": 0.2}, "store": STORE}
RANDOM |= {"supplier_link": {"lead_time": 1}, "link": {"lead_time": 1}}


def test_a_choice_may_be_of_mappings_and_what_is_drawn_in_them_differs_by_member():
    kinds = [{"normal": {"mean": {"uniform": [2, 8]}, "std": 1.0}}, {"poisson": {"mean": {"uniform": [2, 8]}}}]
    store = {**STORE, "demand": {"per_network": {"choice": kinds}}}
    many = NetworkDistribution({"w": {**ONE_WAREHOUSE, "store": store}}, "many")
    found = {type(demand).__name__: [] for demand in (Normal(mean=1, std=1), Poisson(mean=1))}
    for number in range(20):
        network = many.draw(0, number)
        demands = [network.location(name).distribution for name in network.customers]
        assert len({type(demand) for demand in demands}) == 1
        assert len({demand.mean for demand in demands}) == len(demands)
        found[type(demands[0]).__name__] += demands
    assert all(found.values())


def test_a_range_of_values_that_are_not_valid_is_not_cut_short():
    """Four in five deviations are below 0."""
    demand = {"normal": {"mean": 5.0, "std": {"per_network": {"uniform": [-4, 1]}}}}
    with pytest.raises(InputError, match=r"std: got -.*; expected a number >= 0"):
        NetworkDistribution({"w": {**ONE_WAREHOUSE, "store": {**STORE, "demand": demand}}}, "many")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"demand": {"correlation": {"per_network": {"uniform": [-0.35, 0.6]}}}}, r"correlation: got -0\.35; .*for 4 locations"),
        ({"store": {**STORE, "holding_cost": {"uniform": [-0.02, 0.5]}}}, r"store_0': holding_cost: got -0\.02"),
        (
            {"store_link": {"lead_time": {"per_network": {"choice": [1, 2.5, 3]}}}},
            r"store_0': lead_time: got 2\.5; expected an integer",
        ),
    ],
)
def test_networks_that_are_seldom_not_valid_are_found_before_training(change, message):
    """Of the first one in 170: four stores, and a correlation of at most -1 / 3."""
    with pytest.raises(InputError, match=message):
        NetworkDistribution({"w": {**ONE_WAREHOUSE, **change}}, "many")


def test_every_two_ranges_meet_at_all_their_ends():
    rows = [_Ends(row) for row in range(PAIRED)]
    ends = [[row.uniform(0, 1) for row in rows] for _ in range(126)]
    pairs = {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(set(zip(one, other, strict=True)) == pairs for one, other in itertools.combinations(ends, 2))


def test_networks_of_ranges_that_do_not_fit_each_other_are_drawn_anew():
    """3 locations cannot be 4 levels deep: a ninth of the pairs is not valid."""
    ranges = {"locations": {"per_network": {"integers": [3, 5]}}, "depth": {"per_network": {"integers": [2, 4]}}}
    many = NetworkDistribution({"r": {**RANDOM, **ranges}}, "many")
    drawn = [many.draw(0, number) for number in range(100)]
    assert {len(network.nodes) for network in drawn} == {4, 5, 6}  # and the supplier
    assert many.draw(0, 7) == drawn[7]
    written = json.loads(json.dumps([many.mapping(0, number) for number in range(100)]))
    assert [parse_network(build_network(mapping)) for mapping in written] == drawn
    with pytest.raises(InputError, match=r"locations: got [23]; expected at least depth, 4"):
        NetworkDistribution({"r": {**RANDOM, "locations": {"per_network": {"integers": [2, 3]}}, "depth": 4}}, "many")


@pytest.mark.parametrize(
    "policy",
    [
        gi.MessagePassing(width=8, slots=5),
        gi.MessagePassing(width=8, slots=5, routes=1, survey_rounds=2),
        make_policy("published_message_passing", width=8, slots=5),
    ],
    ids=["message_passing", "surveying", "published"],
)
def test_networks_side_by_side_cost_what_they_cost_one_by_one(policy):
    """Networks of other sizes, depths, lead times, numbers of sources and unmet demand, as one union and alone."""
    mixture = NetworkDistribution({"w": ONE_WAREHOUSE, "s": SERIAL}, "many")
    networks = [mixture.draw(7, number) for number in range(3)] + [parse_network(gi.many_warehouses())]
    sources = [SyntheticDemand(network, number, "train") for number, network in enumerate(networks)]
    parts = [source.sample(0, 5, 9) for source in sources]
    union = InventoryGraph.union([source.graph for source in sources])
    with torch.no_grad():
        together = torch.stack([period.outcome.cost for period in periods(policy, union, side_by_side(parts))])
        alone = [
            torch.stack([period.outcome.cost for period in periods(policy, source.graph, part)])
            for source, part in zip(sources, parts, strict=True)
        ]
    torch.testing.assert_close(together, sum(alone))


def test_a_network_with_ten_times_the_costs_counts_no_more():
    """All costs and prices of every second network times ten: its dev cost stays, since its money has its own unit."""
    dear = {
        **SERIAL,
        "upstream": {"holding_cost": 3.0},
        "store": {**SERIAL["store"], "holding_cost": 10.0, "underage_cost": 90.0},
    }
    cheap = {**SERIAL, "upstream": {"holding_cost": 0.3}, "store": {**SERIAL["store"], "holding_cost": 1.0, "underage_cost": 9.0}}
    found = []
    for second in (cheap, dear):
        graph, scenarios, *_ = data_of(recipe(networks={"first": cheap, "second": second})).dev
        with torch.no_grad():
            cost = torch.stack([period.outcome.cost for period in periods(gi.MessagePassing(width=8), graph, scenarios)])
        found.append(cost)
    torch.testing.assert_close(found[0], found[1])


def test_the_unit_of_money_is_what_a_network_usually_costs():
    """A store's newsvendor cost, (1 + 9) phi(1.2816) sqrt(2) = 2.4819, and 5 units a period at 2 each: 12.4819."""
    store = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "lost", "demand": {"normal": {"mean": 5.0, "std": 1.0}}}
    bought = {"family": "one_store", "store": store, "link": {"lead_time": 1, "unit_cost": 2.0}}
    for link, unit in ((bought["link"], 12.4819), ({"lead_time": 1}, 2.4819)):
        _, scenarios, *_ = data_of(recipe(networks={"store": {**bought, "link": link}})).dev
        assert float(scenarios.parameters.holding_cost.max()) == pytest.approx(1 / unit, rel=1e-4)


def test_money_of_a_network_whose_demand_is_certain_has_a_unit_too():
    """As where demand deviates by a twentieth of its mean: (1 + 9) phi(1.2816) 0.25 sqrt(2) = 0.62047."""
    store = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "lost", "demand": {"normal": {"mean": 5.0, "std": 0.0}}}
    _, scenarios, *_ = data_of(recipe(networks={"store": {"family": "one_store", "store": store, "link": {"lead_time": 1}}})).dev
    assert float(scenarios.parameters.holding_cost.max()) == pytest.approx(1 / 0.62047, rel=1e-4)


def test_training_draws_fresh_networks_and_keeps_the_dev_networks():
    data, settings = data_of(recipe()), recipe().training
    batches = [batch for epoch in (0, 1) for batch in data.batches(settings, epoch)]
    assert [len(batch.scenarios) for batch in batches] == [2, 2, 2, 2]
    assert len({tuple(batch.graph.holding_cost.tolist()) for batch in batches}) == 4
    again = next(iter(data.batches(settings, 0)))
    assert torch.equal(again.scenarios.demand, batches[0].scenarios.demand)
    assert torch.equal(data_of(recipe()).dev.scenarios.demand, data.dev.scenarios.demand)
    assert len(data.dev.scenarios) == 2


def test_a_run_on_many_networks_resumes_bit_for_bit(tmp_path):
    whole = gi.train_recipe(recipe(), RunFolder(tmp_path / "whole"))
    stopped = RunFolder(tmp_path / "stopped")

    def stop(line):
        if line["epoch"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gi.train_recipe(recipe(), stopped, on_epoch=stop)
    found = gi.train_recipe(recipe(), stopped, resume=True)
    for name, value in whole.policy.state_dict().items():
        assert torch.equal(value, found.policy.state_dict()[name])


def test_the_command_line_trains_on_many_networks_and_asks_for_one_to_evaluate_on(tmp_path, capsys):
    (tmp_path / "many.yaml").write_text(recipe().to_yaml())
    app(["train", str(tmp_path / "many.yaml"), "-o", str(tmp_path / "run")], standalone_mode=False)
    assert "best dev cost" in capsys.readouterr().out
    size = ["--scenarios", "4", "--periods", "12", "--warm-up", "4", "--json"]
    with pytest.raises(UsageError, match=r"trains on a distribution of networks.*--network NETWORK"):
        app(["evaluate", str(tmp_path / "run"), *size], standalone_mode=False)
    app(["evaluate", str(tmp_path / "run"), "--network", "one_warehouse", *size], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["network"] == "one_warehouse"


def test_a_policy_that_belongs_to_one_network_is_refused(tmp_path):
    with pytest.raises(InputError, match="policy base_stock: its parameters belong to the locations of one network"):
        gi.train_recipe(recipe(policy={"name": "base_stock"}), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_recipe_states_one_network_or_a_distribution():
    with pytest.raises(InputError, match="got both of network and networks"):
        recipe(network="serial")
    with pytest.raises(InputError, match="got none of network and networks"):
        recipe(networks=None)
    with pytest.raises(InputError, match=r"training\.networks: got 9; expected at most batch, 8"):
        recipe(training={**TRAINING, "networks": 9})
    with pytest.raises(UsageError, match="many: trains on a distribution of networks, not on one; name one: --network"):
        _ = recipe().network


def test_fewer_networks_in_a_step_than_families_leave_none_out(monkeypatch):
    """Three steps of two networks: each of three families comes twice."""
    families = {"w": ONE_WAREHOUSE, "s": SERIAL, "l": {**SERIAL, "echelons": 4}}
    training = {**TRAINING, "batch": 2, "networks": 2, "scenarios": 6, "dev_networks": 3, "dev_scenarios": 3}
    mixture = recipe(networks=families, training=training)
    data, draw, drawn = data_of(mixture), NetworkDistribution.draw, []

    def watched(self, *key, number=None):
        drawn.append(draw(self, *key, number=number).name)
        return draw(self, *key, number=number)

    monkeypatch.setattr(NetworkDistribution, "draw", watched)
    assert len(list(data.batches(mixture.training, 0))) == 3
    assert sorted(drawn) == ["many: l", "many: l", "many: s", "many: s", "many: w", "many: w"]
    with pytest.raises(InputError, match=r"training\.dev_networks: got 2; expected at least 3, a network of each family"):
        recipe(networks=families, training={**training, "dev_networks": 2})


def test_epochs_of_few_networks_leave_no_family_out():
    """Two networks an epoch, of three families: the turn of the last comes in the second epoch, and coverage knows it by then."""
    families = {"w": ONE_WAREHOUSE, "s": SERIAL, "six": {**SERIAL, "echelons": 6}}
    short = {**TRAINING, "scenarios": 2, "batch": 2, "networks": 2, "dev_scenarios": 3, "periods": 20}
    mixture = recipe(networks=families, training={**short, "epochs": 1})
    places = [draw().name for epoch in range(3) for _, draw in training_networks(mixture.networks, mixture.training, epoch)]
    assert places == ["many: w", "many: s", "many: six", "many: w", "many: s", "many: six"]
    assert Coverage.of_recipe(mixture).ranges["depth"][1] <= 5
    assert Coverage.of_recipe(recipe(networks=families, training=short)).ranges["depth"][1] == 6


def test_weights_for_what_the_dev_networks_happen_to_lack():
    """One network in twelve has a fixed cost, or two sources; three dev networks, all without."""
    link = {"lead_time": 1, "fixed_cost": {"per_network": {"choice": [0.0] * 11 + [20.0]}}}
    policy = prepared(recipe(networks={"s": {**SERIAL, "store_link": link}}))[0]
    assert (policy.config["lumps"], policy.config["routes"]) == (1, 0)
    layers = {
        "family": "layers",
        "sizes": [1, 3, 2],
        "sources": {"per_network": {"choice": [[1, 1]] * 11 + [[2, 2]]}},
        "upstream": {"holding_cost": 0.2},
    }
    layers |= {"store": STORE, "supplier_link": {"lead_time": 1}, "link": {"lead_time": 1}}
    policy = prepared(recipe(networks={"l": layers}))[0]
    assert (policy.config["lumps"], policy.config["routes"]) == (0, 1)


def test_what_may_be_drawn_later_is_refused_before_anything_is_written(tmp_path):
    """Lead times up to 9, of which the dev networks may have none; and chains from 3 to 6 long, whose first order takes 11 periods."""
    far = {**SERIAL, "store_link": {"lead_time": {"per_network": {"choice": [1] * 9 + [9]}}}}
    with pytest.raises(InputError, match="got a lead time of 9; its weights accept at most 4"):
        gi.train_recipe(recipe(networks={"s": far}), RunFolder(tmp_path / "run"))
    long = {**SERIAL, "echelons": {"per_network": {"integers": [3, 6]}}}
    with pytest.raises(InputError, match=r"training\.periods: got 11; expected more than 11: what 'echelon0' of many: s orders"):
        gi.train_recipe(recipe(networks={"s": long}, training={**TRAINING, "periods": 11}), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_values_of_two_long_choices_are_tried_in_all_pairs():
    """A capacity of 5 and a minimum order of 9 do not go together: one pair of nine."""
    link = {"lead_time": 1, "capacity": {"per_network": {"choice": [100.0, 5.0, 100.0]}}}
    link["minimum_order"] = {"per_network": {"choice": [1.0, 2.0, 9.0]}}
    with pytest.raises(InputError, match="minimum_order"):
        NetworkDistribution({"s": {**SERIAL, "store_link": link}}, "many")
    link["minimum_order"] = {"per_network": {"choice": [1.0, 2.0, 4.0]}}
    NetworkDistribution({"s": {**SERIAL, "store_link": link}}, "many")


def test_a_file_of_a_policy_that_is_tied_to_another_network_is_refused(tmp_path):
    content = {"policy": {"name": "echelon_base_stock"}, "training": {**TRAINING, "periods": 40}}
    first = recipe_of({"network": "serial", **content}, "first", "first.yaml")
    gi.train_recipe(first, RunFolder(tmp_path / "first"))
    file = str(tmp_path / "first" / "policy.safetensors")
    other = recipe_of({"network": "one_warehouse", "start": file, **content}, "other", "other.yaml")
    with pytest.raises(
        InputError, match="its parameters belong to the locations and links of the network that it was trained on"
    ):
        gi.train_recipe(other, RunFolder(tmp_path / "other"))


def test_a_training_starts_from_the_weights_of_a_file(tmp_path):
    """One step at a learning rate of almost nothing: the weights are still those of the file."""
    gi.train_recipe(recipe(), RunFolder(tmp_path / "first"))
    file = tmp_path / "first" / "policy.safetensors"
    still = {**TRAINING, "epochs": 1, "learning_rate": 1e-12}
    found = gi.train_recipe(recipe(start=str(file), training=still), RunFolder(tmp_path / "second")).policy
    for name, value in gi.load_policy(file).state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=0, atol=1e-9)
    wider = {"name": "message_passing", "width": 9, "slots": 3}
    with pytest.raises(InputError, match=r"start: got .*width=8.*; expected the policy of the recipe, .*width=9"):
        gi.train_recipe(recipe(start=str(file), policy=wider), RunFolder(tmp_path / "third"))


def test_weights_that_no_epoch_betters_are_kept(tmp_path):
    """A learning rate that ruins the policy: what comes out is what went in, and the best dev cost is its own."""
    gi.train_recipe(recipe(), RunFolder(tmp_path / "first"))
    file = tmp_path / "first" / "policy.safetensors"
    wild = {**TRAINING, "batch": 16, "epochs": 1, "optimiser": "sgd", "learning_rate": 10.0, "schedule": "constant"}
    found = gi.train_recipe(recipe(start=str(file), training=wild), RunFolder(tmp_path / "second"))
    for name, value in gi.load_policy(file).state_dict().items():
        assert torch.equal(found.policy.state_dict()[name], value)
    assert all(line["dev"] > found.dev_cost for line in found.metrics)
    graph, scenarios, *_ = data_of(recipe()).dev
    with torch.no_grad():
        cost = torch.stack([period.outcome.cost for period in periods(gi.load_policy(file), graph, scenarios)], 1)[:, 4:]
    assert found.dev_cost == pytest.approx(float(cost.mean()) / graph.demand_locations, rel=1e-5)


def test_random_warehouses_have_a_distance_each_and_serve_every_store():
    family = {"warehouses": 3, "stores": 40, "linked": 0.3, "lead_times": [1, 6], "seed": 5}
    templates = {
        "warehouse": {"holding_cost": 0.3},
        "store": {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "lost", "demand": {"poisson": {"mean": 5.0}}},
        "warehouse_link": {"lead_time": 3},
    }
    network = parse_network(build_family("random_warehouses", {**family, **templates}, "test"))
    served = {target for _, target in network.links if target.startswith("store")}
    assert len(served) == 40
    for warehouse in ("warehouse_0", "warehouse_1", "warehouse_2"):
        times = {link.lead_time for (source, _), link in network.links.items() if source == warehouse}
        assert max(times) - min(times) <= 1
        assert min(times) >= 1
        assert max(times) <= 6
    links = sum(source.startswith("warehouse") for source, _ in network.links)
    assert abs(links / 120 - 0.3) < 0.15
