"""Families of every acyclic shape: sizes, degrees, depth, the same network from the same seed."""

import networkx as nx
import numpy as np
import pytest

import gnn_inventory as gi
from gnn_inventory.errors import InputError
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.network import parse_network

LOST = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "lost", "demand": {"poisson": {"mean": 5.0}}}
UPSTREAM = {"holding_cost": 0.3}
LINK = {"lead_time": 2}


def random_acyclic(**changes):
    settings = dict(family="random_acyclic", locations=60, depth=5, sources=1.5, upstream=UPSTREAM, store=LOST)
    return build_network({**settings, "supplier_link": LINK, "link": LINK, **changes})


def layers(**changes):
    settings = dict(family="layers", sizes=[3, 4, 12], sources=[1, 2], upstream=UPSTREAM, store=LOST)
    return build_network({**settings, "supplier_link": LINK, "link": LINK, **changes})


def express(**changes):
    settings = dict(family="express", depots=3, stores=12, quick=0.5, upstream=UPSTREAM, store=LOST)
    parts = dict(upstream_link=LINK, store_link=LINK, express_link={"lead_time": 1, "unit_cost": 0.8})
    return build_network({**settings, **parts, **changes})


def tree(**changes):
    return gi.load_network("tree", **changes)


def locations(network):
    return network.subgraph(node for node in network if node != "supplier")


@pytest.mark.parametrize(("levels", "fan_out"), [(2, 4), (3, 3), (4, 2)])
def test_a_tree_has_one_source_each_and_fans_out_evenly(levels, fan_out):
    parts = dict(upstream=UPSTREAM, store=LOST, upstream_link=LINK, store_link={"lead_time": 1})
    network = build_network({"family": "tree", "levels": levels, "fan_out": fan_out, **parts})
    assert nx.is_arborescence(network)
    parsed = parse_network(network)
    assert len(parsed.customers) == fan_out ** (levels - 1)
    assert {network.out_degree(node) for node in network if node not in ("supplier", *parsed.customers)} == {fan_out}
    assert nx.dag_longest_path_length(network, weight="") == levels
    assert {parsed.links[u, v].lead_time for u, v in parsed.links if v in parsed.customers} == {1}


def test_a_tree_may_be_wide():
    assert len(locations(tree(levels=2, fan_out=1001))) == 1002


def test_layers_order_from_the_layer_above_and_nobody_ships_nowhere():
    network = layers(sizes=[3, 4, 40], sources=[1, 3])
    stores = [node for node in network if str(node).startswith("store")]
    assert len(stores) == 40
    assert {str(u).split("_")[0] for u, v in network.edges if v in stores} == {"layer1"}
    degrees = [network.in_degree(node) for node in stores]
    assert set(degrees) == {1, 2, 3}  # each of them is as likely: 40 stores miss one of three with a chance below 1e-6
    assert all(network.out_degree(node) for node in network if node not in stores)


def test_branches_part_and_meet():
    parts = dict(upstream=UPSTREAM, store=LOST, upstream_link=LINK, store_link=LINK)
    network = build_network({"family": "branches", "branches": 3, "length": 2, "stores": 4, **parts})
    assert network.out_degree("head") == 3
    assert network.in_degree("hub") == 3
    assert len(list(nx.all_simple_paths(network, "supplier", "store_0"))) == 3
    assert nx.dag_longest_path_length(network, weight="") == 5  # head, two of a chain, hub, store


def test_express_links_go_past_the_depots_and_cross_links_to_other_ones():
    quick = [
        len(express(seed=seed).in_edges(store)) == 2 for seed in range(40) for store in (f"store_{n:02d}" for n in range(12))
    ]
    assert abs(np.mean(quick) - 0.5) < 4 * (0.25 / 480) ** 0.5
    network = express(quick=1.0, cross=1.0)
    for number in range(12):
        sources = set(network.predecessors(f"store_{number:02d}"))
        assert {"plant", f"depot_{number % 3}"} < sources
        assert len(sources) == 3  # and one of the two other depots
    parsed = parse_network(network)
    assert {link.unit_cost for (u, v), link in parsed.links.items() if u == "plant" and v.startswith("store")} == {0.8}
    assert nx.dag_longest_path_length(network, weight="") == 3
    assert nx.is_arborescence(express(quick=0.0))
    assert len(express(depots=1, quick=0.0, cross=1.0).edges) == 14  # there is no other depot


def test_random_acyclic_has_the_stated_depth_and_mean_degree():
    found = []
    for seed in range(30):
        network = random_acyclic(seed=seed)
        parse_network(network)
        assert network.number_of_nodes() == 61
        assert nx.dag_longest_path_length(network, weight="") == 5
        below = [node for node in locations(network) if not network.has_edge("supplier", node)]
        found += [network.in_degree(node) for node in below]
    error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found) - 1.5) < 4 * error + 0.03  # a location that has fewer locations above it takes them all


def test_hubs_gather_customers():
    largest = {
        hubs: np.mean(
            [max(d for _, d in locations(random_acyclic(hubs=hubs, seed=seed, locations=300)).out_degree()) for seed in range(8)]
        )
        for hubs in (0.0, 1.0, 1.5)
    }
    assert largest[0.0] < largest[1.0] < largest[1.5]


def test_sizes_degrees_and_lead_times_of_the_largest_real_chains():
    """Willems (2008): up to 2025 nodes, 10 layers, hundreds of links at one location; lead times of which few are long."""
    lead_time = {"log_uniform": [1, 60], "decimals": 0, "seed": 3}
    network = random_acyclic(locations=2000, depth=10, hubs=1.7, link={"lead_time": lead_time}, seed=1)
    assert nx.dag_longest_path_length(network, weight="") == 10
    assert 100 <= max(degree for _, degree in locations(network).degree()) < 1000
    times = [link["lead_time"] for above, _, link in network.edges(data=True) if above != "supplier"]
    assert all(isinstance(time, int) for time in times)
    assert (min(times), max(times)) == (1, 60)
    # of e^U, U uniform from 0 to log 60, a half lies below 60 ** 0.5 = 7.7, and (60 - 1) / log 60 = 14.4 is the mean
    assert abs(np.mean(np.array(times) < 7.5) - np.log(7.5) / np.log(60)) < 0.04
    assert abs(np.mean(times) - 59 / np.log(60)) < 1.0


@pytest.mark.parametrize("build", [random_acyclic, layers, express])
def test_the_same_seed_gives_the_same_network(build):
    def written(network):
        return sorted(network.nodes(data=True)), sorted(network.edges(data=True))

    drawn = {"upstream": {"holding_cost": {"uniform": [0.1, 0.4], "seed": 1}}}
    assert written(build(seed=7, **drawn)) == written(build(seed=7, **drawn))
    assert set(build(seed=7).edges) != set(build(seed=8).edges)


def test_locations_that_ship_and_sell():
    network = layers(selling=2)
    both = [node for node in network if network.out_degree(node) and network.nodes[node].get("demand")]
    assert len(both) == 2
    assert all(network.nodes[node]["holding_cost"] == 1.0 for node in both)
    with pytest.raises(InputError, match="selling: got 8; expected at most 7"):
        layers(selling=8)


@pytest.mark.parametrize(
    ("build", "changes", "message"),
    [
        (layers, {"sizes": [3]}, "sizes: got .*at least two integers"),
        (layers, {"sizes": [3, 0]}, "sizes"),
        (layers, {"sources": [2, 1]}, "sources"),
        (layers, {"sources": 2}, "sources: got 2; expected a list of integers"),
        (express, {"quick": 1.5}, "quick: got 1.5; expected a number from 0 to 1"),
        (express, {"stores": 2}, "stores: got 2; expected at least depots, 3"),
        (random_acyclic, {"hubs": "many"}, "hubs: got 'many'; expected a number"),
        (random_acyclic, {"locations": 4}, "locations: got 4; expected at least depth, 5"),
        (random_acyclic, {"sources": 0.5}, "sources: got 0.5; expected a number from 1 to 60"),
        (random_acyclic, {"hubs": 500}, "hubs: got 500; expected a number from 0 to 10"),
        (random_acyclic, {"seed": 2**32}, "seed: got 4294967296; expected at most 4294967295"),
        (
            tree,
            {"levels": 3, "fan_out": 1000},
            "levels: got 3; expected at most 1000000 locations in all, with a fan_out of 1000",
        ),
        (random_acyclic, {"hubs": -1}, "hubs"),
        (random_acyclic, {"seed": -1}, "seed: got -1; expected an integer >= 0"),
    ],
)
def test_mistakes_are_one_line_each(build, changes, message):
    with pytest.raises(InputError, match=message):
        build(**changes)


@pytest.mark.parametrize("name", ["tree", "layers", "branches", "random_acyclic"])
def test_message_passing_serves_every_shape(name):
    result = gi.evaluate(gi.MessagePassing(), gi.load_network(name), scenarios=8, periods=120, warm_up=80)
    assert 0 < result.cost_per_store < 30  # untrained; serving nobody costs about 45, more with every period where it is owed
