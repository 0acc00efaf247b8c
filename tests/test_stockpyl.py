"""Networks of stockpyl: the timing, and what cannot be mapped."""

import json

import pytest

import gnn_inventory as gi
from gnn_inventory.errors import InputError, UsageError

EMPTY = {"type": None, "mean": None, "standard_deviation": None, "n": None, "p": None, "round_to_int": None}
NODE = {
    "name": None,
    "_predecessor_indices": [],
    "_successor_indices": [],
    "local_holding_cost": None,
    "local_holding_cost_function": None,
    "stockout_cost": None,
    "stockout_cost_function": None,
    "revenue": None,
    "shipment_lead_time": None,
    "order_lead_time": None,
    "demand_source": EMPTY,
    "initial_inventory_level": None,
    "supply_type": None,
    "disruption_process": {"random_process_type": None},
    "order_capacity": None,
    "processing_time": None,
    "external_inbound_cst": None,
    "external_outbound_cst": None,
}
NORMAL = {**EMPTY, "type": "N", "mean": 5, "standard_deviation": 1}


def chain(lead_times=(2, 1, 2), **changes):
    """Nodes 3 -> 2 -> 1 of stockpyl's example 6.1, with these lead times, and changes of node 1."""
    third = {**NODE, "_index": 3, "_successor_indices": [2], "local_holding_cost": 3, "supply_type": "U"}
    second = {**NODE, "_index": 2, "_predecessor_indices": [3], "_successor_indices": [1], "local_holding_cost": 5}
    first = {**NODE, "_index": 1, "_predecessor_indices": [2], "local_holding_cost": 7, "stockout_cost": 37.12}
    nodes = [third, second, {**first, "demand_source": NORMAL, **changes}]
    for node, lead_time in zip(nodes, lead_times, strict=True):
        node["shipment_lead_time"] = lead_time
    return {"name": "chain", "description": "three stages", "data": {"_nodes": nodes, "_products": [{"is_dummy": True}]}}


def written(path, *instances):
    path.write_text(json.dumps({"_id": "", "instances": list(instances), "last_updated": ""}))
    return path


@pytest.mark.parametrize(("lead_times", "theirs", "in_transit"), [((2, 1, 2), 87.28782, 65.0), ((3, 2, 2), 105.74327, 80.0)])
def test_the_optimal_cost_of_a_chain_is_that_of_stockpyl(tmp_path, lead_times, theirs, in_transit):
    """`stockpyl.ssm_serial.optimize_base_stock_levels` (1.0.2, echelon holding costs 3, 2, 2, stockout cost 37.12, x_num=4000)
    gives `theirs`, with the holding cost of goods in transit: 3 x 5 x the lead time of node 2 + 5 x 5 x that of node 1. Its grid
    is coarse: a hundredth."""
    network = gi.load_network(written(tmp_path / "chain.json", chain(lead_times)))
    network.nodes["1"]["demand"]["normal"]["clip"] = True  # five deviations above 0: the same
    assert gi.reference_of(network).value + in_transit == pytest.approx(theirs, abs=0.01)


def test_fields_are_mapped_by_name(tmp_path):
    shop = {"revenue": 12.5, "initial_inventory_level": 4, "name": "shop", "order_capacity": 30}
    shop |= {
        "purchase_cost": 2.5,
        "initial_shipments": 6,
        "initial_orders": 6,
        "echelon_holding_cost": 2,
    }  # of no order lead time
    network = gi.load_network(written(tmp_path / "chain.json", chain(**shop)))
    assert network.nodes["shop"] == {
        "holding_cost": 7,
        "underage_cost": 37.12,
        "price": 12.5,
        "initial_stock": 10,  # and the shipment that arrives before the first customers
        "demand": {"normal": {"mean": 5, "std": 1, "clip": False}},
        "unmet_demand": "backlogged",
    }
    assert dict(network.edges) == {
        ("external supplier", "3"): {"lead_time": 2},
        ("3", "2"): {"lead_time": 1},
        ("2", "shop"): {"lead_time": 1, "capacity": 30, "unit_cost": 2.5, "initial_in_transit": 6},
    }
    assert gi.check_network(network) == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"type": "P", "mean": 4.0}, {"poisson": {"mean": 4.0}}),
        ({"type": "NB", "n": 6, "p": 0.4}, {"negative_binomial": {"successes": 6, "probability": 0.4}}),
    ],
)
def test_distributions_are_mapped(tmp_path, kind, expected):
    network = gi.load_network(written(tmp_path / "chain.json", chain(demand_source={**EMPTY, **kind})))
    assert network.nodes["1"]["demand"] == expected


def test_the_way_of_an_order_to_the_external_supplier_is_part_of_the_lead_time(tmp_path):
    """By hand: 2 periods for the order and 1 for the goods; of both 6 units are under way in every period."""
    instance = chain()
    head = instance["data"]["_nodes"][0]
    head.update({"shipment_lead_time": 1, "order_lead_time": 2, "initial_shipments": 6, "initial_orders": 6})
    network = gi.load_network(written(tmp_path / "chain.json", instance))
    assert network.edges["external supplier", "3"] == {"lead_time": 3, "initial_in_transit": 6}
    head["initial_orders"] = 4
    with pytest.raises(InputError, match=r"node '3': initial_orders: got 4 beside initial_shipments 6; expected the same"):
        gi.load_network(written(tmp_path / "chain.json", instance))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shipment_lead_time": 1}, r"node '1': shipment_lead_time: got 1; expected at least 2"),
        ({"name": "2"}, r"node '2' stands 2 times; expected a name of its own"),
        ({"name": "external supplier"}, r"node 'external supplier': so is called here where goods enter"),
        ({"demand_source": "N"}, r"node '1': demand_source: got 'N'; expected a mapping"),
        ({"disruption_process": [1]}, r"node '1': disruption_process: got \[1\]; expected a mapping"),
        ({"local_holding_cost": None, "echelon_holding_cost": 2}, r"node '1': echelon_holding_cost: got 2 alone; expected local"),
        ({"order_lead_time": 1}, r"node '1': order_lead_time: got 1; an order that travels"),
        ({"_predecessor_indices": [2, 3]}, r"node '1': got 2 predecessors.*assembly cannot be mapped"),
        ({"_successor_indices": [2]}, r"node '1': got demand and successors"),
        ({"demand_source": {**EMPTY, "type": "UD"}}, r"node '1': demand_source: got type 'UD'; expected N"),
        ({"demand_source": EMPTY}, r"node '1': stockout_cost: got 37\.12; expected none where no customers are"),
        ({"processing_time": 3}, r"node '1': processing_time: got 3; guaranteed service times cannot be mapped"),
        (
            {"in_transit_holding_cost": 0.1},
            r"node '1': in_transit_holding_cost: got 0\.1; holding costs in transit cannot be mapped",
        ),
        ({"_predecessor_indices": [9]}, r"node '1': predecessor 9: no such node; expected one of \[3, 2, 1\]"),
        ({"shipment_lead_time": "two"}, r"node '1': shipment_lead_time: got 'two'; expected a number of periods"),
        ({"initial_shipments": "two"}, r"node '1': initial_shipments: got 'two'; expected a number of units"),
        ({"disruption_process": {"random_process_type": "M"}}, r"node '1': disruption_process: disruptions cannot be mapped"),
    ],
)
def test_what_cannot_be_mapped_is_said(tmp_path, changes, message):
    instance = chain()
    instance["data"]["_nodes"][2].update(changes)
    with pytest.raises(InputError, match=message):
        gi.load_network(written(tmp_path / "chain.json", instance))


def test_one_of_several_instances_is_named(tmp_path):
    file = written(tmp_path / "two.json", chain(), {**chain((3, 2, 2)), "name": "longer"})
    assert gi.load_network(f"{file}#longer").edges["3", "2"]["lead_time"] == 2
    with pytest.raises(InputError, match=r"holds 2 instances; name one of them: .*two\.json#NAME"):
        gi.load_network(file)
    with pytest.raises(InputError, match=r"no instance 'lonker'; did you mean 'longer'"):
        gi.load_network(f"{file}#lonker")
    with pytest.raises(UsageError, match="holds one network; expected no '#x' after it"):
        gi.load_network("one_warehouse#x")
    with pytest.raises(InputError, match="instance 'chain' stands 2 times"):
        gi.load_network(f"{written(tmp_path / 'twins.json', chain(), chain())}#chain")
    with pytest.raises(InputError, match="instance 'e': got no nodes"):
        gi.load_network(written(tmp_path / "eoq.json", {"name": "e", "data": {"holding_cost": 1}}))
