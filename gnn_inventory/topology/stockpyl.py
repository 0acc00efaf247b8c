"""Networks of stockpyl (Snyder), as its `save_instance` writes them -> the mapping of our YAML.

Timing. stockpyl orders after a period's demand, and goods arrive before the demand of the period in which they are due; here
orders go out before a period's demand. So what covers L periods of demand there covers L + 1 here: a location that faces
customers gets its lead time less 1, one that only ships on keeps it. Optimal base-stock levels and costs of serial systems
then agree, but for a constant: stockpyl also charges holding cost on goods in transit, the sender's, which is
holding cost x lead time x mean demand for each link and depends on no policy where demand is backlogged.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnn_inventory.errors import InputError, nearest, problem
from gnn_inventory.topology.explicit import mistakes_within

__all__ = ["is_stockpyl", "stockpyl_mapping"]

SUPPLIER = "external supplier"
"""Where goods enter."""
UNMAPPED = {
    "local_holding_cost_function": "costs that are functions",
    "stockout_cost_function": "costs that are functions",
    "processing_time": "guaranteed service times",
    "external_inbound_cst": "guaranteed service times",
    "external_outbound_cst": "guaranteed service times",
    "in_transit_holding_cost": "holding costs in transit",
}
"""Fields that this library has nothing for, unless they are empty or 0."""


def is_stockpyl(content: object) -> bool:
    """Whether the content of a JSON file was written by stockpyl."""
    return isinstance(content, Mapping) and isinstance(content.get("instances"), list)


def stockpyl_mapping(content: Mapping[str, Any], instance: str | None, path: Path) -> dict[str, Any]:
    """The mapping of one instance of a file.

    Args:
        content: of the file.
        instance: name of the instance; None where the file holds only one.
        path: of the file.

    Raises:
        InputError: no such instance, or one that cannot be mapped, with every reason.
    """
    named = [str(item.get("name")) for item in content["instances"] if isinstance(item, Mapping)]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise InputError(
            f"{path}: instance '{twice[0]}' stands {named.count(twice[0])} times; expected a name of its own for each"
        )
    found = {str(item.get("name")): item for item in content["instances"] if isinstance(item, Mapping)}
    if instance is None and len(found) != 1:
        raise InputError(f"{path}: holds {len(found)} instances; name one of them: {path}#NAME")
    name = next(iter(found)) if instance is None else instance
    if name not in found:
        raise InputError(f"{path}: no instance '{name}'; {nearest(name, found)}")
    data = found[name].get("data")
    data, where = data if isinstance(data, Mapping) else {}, f"{path}: instance '{name}'"
    nodes = data.get("_nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, Mapping) and "_index" in node for node in nodes):
        raise InputError(f"{where}: got no nodes; expected a supply chain network as stockpyl 1.0 saves it")
    problems = [
        f"{where}: product {product.get('name') if isinstance(product, Mapping) else product!r}: expected one product, that of no name"
        for product in data.get("_products") or []
        if not (isinstance(product, Mapping) and product.get("is_dummy"))
    ]
    names = {node["_index"]: str(node.get("name") or node["_index"]) for node in nodes}
    for called, times in Counter(names[node["_index"]] for node in nodes).items():
        if times > 1:
            problems.append(f"{where}: node '{called}' stands {times} times; expected a name of its own for each")
    if SUPPLIER in names.values():
        problems.append(f"{where}: node '{SUPPLIER}': so is called here where goods enter; expected another name")
    if problems:
        raise InputError(problems)
    mapping: dict[str, Any] = {"name": name, "source": f"stockpyl: {found[name].get('description') or name}"}
    mapping |= {"nodes": {}, "links": []}
    for node in nodes:
        _add(mapping, node, names, f"{where}: node '{names[node['_index']]}'", problems)
    if problems:
        raise InputError(dict.fromkeys([*problems, *mistakes_within(mapping, where)]))
    return mapping


def _add(mapping: dict[str, Any], node: Mapping[str, Any], names: Mapping[Any, str], where: str, problems: list[str]) -> None:
    """Put a node and the links into it into the mapping; what cannot be mapped goes to the problems."""
    name, indices = names[node["_index"]], node.get("_predecessor_indices") or []
    problems += [
        f"{where}: predecessor {index}: no such node; expected one of {list(names)}" for index in indices if index not in names
    ]
    sources = [names[index] for index in indices if index in names]
    demand = _demand(_inside(node, "demand_source", where, problems), where, problems)
    for field, what in UNMAPPED.items():
        if node.get(field) not in (None, 0):
            problems.append(f"{where}: {field}: got {node[field]!r}; {what} cannot be mapped, expected none")
    if node.get("local_holding_cost") is None and node.get("echelon_holding_cost") is not None:
        problems.append(
            f"{where}: echelon_holding_cost: got {node['echelon_holding_cost']!r} alone; expected local_holding_cost, the cost of a unit there"
        )
    for field in ("stockout_cost", "revenue"):
        if demand is None and node.get(field):
            problems.append(f"{where}: {field}: got {node[field]!r}; expected none where no customers are: here only they pay")
    if _inside(node, "disruption_process", where, problems).get("random_process_type") is not None:
        problems.append(f"{where}: disruption_process: disruptions cannot be mapped, expected none")
    external = node.get("supply_type") == "U"
    if len(sources) + external > 1:
        problems.append(
            f"{where}: got {len(sources) + external} predecessors, one unit of each goes into its product there; assembly cannot be mapped, expected one predecessor"
        )
    if demand is not None and node.get("_successor_indices"):
        problems.append(f"{where}: got demand and successors; its lead time would be another for either, expected one of both")
    shipping, ordering = (_number(node, field, "periods", where, problems) for field in ("shipment_lead_time", "order_lead_time"))
    if ordering and not external:
        problems.append(
            f"{where}: order_lead_time: got {ordering}; an order that travels to a location cannot be mapped, expected none"
        )
    on_order, on_way, on_hand = (
        _number(node, field, "units", where, problems)
        for field in ("initial_orders", "initial_shipments", "initial_inventory_level")
    )
    if ordering and on_order != on_way:
        problems.append(
            f"{where}: initial_orders: got {on_order!r} beside initial_shipments {on_way!r}; expected the same in every period of the way from the external supplier"
        )
    lead_time, least = shipping + ordering - (demand is not None), 2 if demand is not None else 1
    if lead_time < 1:
        problems.append(
            f"{where}: shipment_lead_time: got {shipping}; expected at least {least} (orders go out before demand here)"
        )
    attributes = {
        "holding_cost": node.get("echelon_holding_cost")
        if node.get("local_holding_cost") is None
        else node["local_holding_cost"],
        "underage_cost": node.get("stockout_cost") if demand is not None else None,
        "price": node.get("revenue") if demand is not None else None,
        "initial_stock": (on_hand + (on_way if demand is not None else 0)) or None,  # customers come after the first arrival
        "demand": demand,
        "unmet_demand": None if demand is None else "backlogged",
    }
    mapping["nodes"][name] = {key: value for key, value in attributes.items() if value is not None}
    if external:
        mapping["nodes"].setdefault(SUPPLIER, {"kind": "supplier"})
        sources = [SUPPLIER, *sources]
    for source in sources:
        link = {"from": source, "to": name, "lead_time": max(lead_time, 1)}  # shorter ones are among the problems
        for field, value in (("capacity", node.get("order_capacity")), ("unit_cost", node.get("purchase_cost"))):
            if value is not None:
                link[field] = value
        if on_way:
            link["initial_in_transit"] = on_way
        mapping["links"].append(link)


def _inside(node: Mapping[str, Any], field: str, where: str, problems: list[str]) -> Mapping[str, Any]:
    """What is stated under a field; nothing where none is."""
    value = node.get(field) or {}
    if not isinstance(value, Mapping):
        problems.append(problem(where, field, value, "a mapping of keys to values, as stockpyl saves it"))
        return {}
    return value


def _number(node: Mapping[str, Any], field: str, unit: str, where: str, problems: list[str]) -> float:
    """A number of some unit; 0 where none is given."""
    value = node.get(field) or 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        problems.append(problem(where, field, value, f"a number of {unit}"))
        return 1
    return value


def _demand(source: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, Any] | None:
    """The distribution of a demand source; None where there is none, any where it cannot be mapped, which is a problem."""
    kind = source.get("type")
    if kind is None:
        return None
    if source.get("round_to_int"):
        problems.append(f"{where}: demand_source: got demand rounded to whole units; expected it as it is drawn")
    if kind == "N":
        return {"normal": {"mean": source.get("mean"), "std": source.get("standard_deviation"), "clip": False}}
    if kind == "P":
        return {"poisson": {"mean": source.get("mean")}}
    if kind == "NB":
        return {"negative_binomial": {"successes": source.get("n"), "probability": source.get("p")}}
    problems.append(f"{where}: demand_source: got type '{kind}'; expected N (normal), P (Poisson) or NB (negative binomial)")
    return {"poisson": {"mean": 1.0}}
