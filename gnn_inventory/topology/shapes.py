"""Families of other shapes: trees, layers of many to many, chains that branch and merge, random acyclic networks.

What is drawn of a shape (who orders from whom, who sells) is drawn with `numpy.random.RandomState(seed)`: the same call gives
the same network. `store` holds the attributes of the locations that face customers. `selling` locations upstream of them face
customers as well: those, drawn by the seed, have the store's attributes where the two templates differ.
"""

from collections.abc import Sequence
from itertools import pairwise

import networkx as nx
import numpy as np

from gnn_inventory.errors import Misfit, problem
from gnn_inventory.topology.assembly import Attributes, Template, assemble, links, members, numbered
from gnn_inventory.topology.values import is_range

__all__ = ["MOST", "branches", "express", "layers", "random_acyclic", "tree"]

Pairs = list[tuple[str, str]]
MOST = 1_000_000
"""Largest size of a family, and most locations of a tree: a network of so many takes gigabytes to write out."""


def tree(
    *,
    levels: int,
    fan_out: int,
    upstream: Template,
    store: Template,
    upstream_link: Template,
    store_link: Template,
    selling: int = 0,
    seed: int = 0,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """supplier -> one location -> `fan_out` locations -> ... -> stores: `levels` levels of locations, the last the stores.

    `upstream_link` holds the attributes of the links into all levels but the last.
    """
    if levels < 2:
        problems.append(problem("tree", "levels", levels, "an integer >= 2"))
    elif sum(fan_out**level for level in range(min(levels, 64))) > MOST:
        problems.append(problem("tree", "levels", levels, f"at most {MOST} locations in all, with a fan_out of {fan_out}"))
    if problems:
        return nx.DiGraph()
    names = [numbered(f"level{level}", fan_out**level) for level in range(levels - 1)] + [
        numbered("store", fan_out ** (levels - 1))
    ]
    pairs = [("supplier", names[0][0])]
    pairs += [(above[place // fan_out], below[place]) for above, below in pairwise(names) for place in range(len(below))]
    upstream_names = [name for level in names[:-1] for name in level]
    nodes = _locations(upstream_names, names[-1], upstream, store, selling, np.random.RandomState(seed), problems)
    return assemble(nodes, pairs, links([upstream_link, store_link], [len(upstream_names), len(names[-1])], problems), demand)


def layers(
    *,
    sizes: Sequence[int],
    sources: Sequence[int],
    upstream: Template,
    store: Template,
    supplier_link: Template,
    link: Template,
    selling: int = 0,
    seed: int = 0,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """supplier -> every location of the first layer; each location below orders from several of the layer above it.

    Args:
        sizes: locations per layer, the stores last. A location that no one chose as a source gets one customer more.
        sources: [low, high] number of sources of each location, drawn evenly; no more than the layer above has.
        supplier_link: attributes of the links into the first layer.
        link: attributes of all other links, layer by layer and target by target.
    """
    if len(sizes) < 2:
        problems.append(problem("layers", "sizes", sizes, "at least two integers, the stores last"))
    if sum(sizes) > MOST:
        problems.append(problem("layers", "sizes", sizes, f"at most {MOST} locations in all"))
    if not is_range(sources, whole=True):
        problems.append(problem("layers", "sources", sources, "[low, high], two integers >= 1"))
    if problems:
        return nx.DiGraph()
    random = np.random.RandomState(seed)
    names = [numbered(f"layer{layer}", size) for layer, size in enumerate(sizes[:-1])] + [numbered("store", sizes[-1])]
    linked: Pairs = []
    for above, below in pairwise(names):
        for target in below:
            count = min(int(random.randint(sources[0], sources[1] + 1)), len(above))
            linked += [(above[place], target) for place in sorted(random.choice(len(above), count, replace=False))]
        used = {source for source, _ in linked}
        idle = [source for source in above if source not in used]
        linked += [(source, below[random.randint(len(below))]) for source in idle]  # nobody ships nowhere
    upstream_names = [name for layer in names[:-1] for name in layer]
    nodes = _locations(upstream_names, names[-1], upstream, store, selling, random, problems)
    pairs = [("supplier", name) for name in names[0]] + linked
    return assemble(nodes, pairs, links([supplier_link, link], [len(names[0]), len(linked)], problems), demand)


def branches(
    *,
    branches: int,
    length: int,
    stores: int,
    upstream: Template,
    store: Template,
    upstream_link: Template,
    store_link: Template,
    selling: int = 0,
    seed: int = 0,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """supplier -> head -> `branches` chains of `length` locations -> hub -> `stores` stores: it branches and merges."""
    if branches * length > MOST:
        problems.append(problem("branches", "length", length, f"at most {MOST} locations in all {branches} branches"))
        return nx.DiGraph()
    chains = [[f"{chain}_{step:0{len(str(length - 1))}d}" for step in range(length)] for chain in numbered("chain", branches)]
    pairs = [("supplier", "head")] + [pair for chain in chains for pair in pairwise(["head", *chain, "hub"])]
    shops = numbered("store", stores)
    upstream_names = ["head", *(name for chain in chains for name in chain), "hub"]
    nodes = _locations(upstream_names, shops, upstream, store, selling, np.random.RandomState(seed), problems)
    attributes = links([upstream_link, store_link], [len(pairs), stores], problems)
    return assemble(nodes, pairs + [("hub", shop) for shop in shops], attributes, demand)


def express(
    *,
    depots: int,
    stores: int,
    quick: float,
    cross: float = 0.0,
    upstream: Template,
    store: Template,
    upstream_link: Template,
    store_link: Template,
    express_link: Template,
    selling: int = 0,
    seed: int = 0,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """supplier -> plant -> `depots` depots -> `stores` stores, some of which may also buy from the plant: dual sourcing.

    Args:
        depots: number of them; store i buys from depot i modulo their number.
        stores: number of them.
        quick: chance of each store to buy from the plant too, past its depot.
        cross: chance of each store to buy from another depot too.
        upstream_link: attributes of the links into the plant and the depots.
        store_link: attributes of the links from depots to stores, the usual ones first, then those of `cross`.
        express_link: attributes of the links from the plant to stores.
    """
    for key, value in (("quick", quick), ("cross", cross)):
        if not 0 <= value <= 1:
            problems.append(problem("express", key, value, "a number from 0 to 1"))
    if stores < depots:
        problems.append(Misfit(problem("express", "stores", stores, f"at least depots, {depots}")))
    if problems:
        return nx.DiGraph()
    random = np.random.RandomState(seed)
    above, shops = numbered("depot", depots), numbered("store", stores)
    usual = [(above[place % depots], shop) for place, shop in enumerate(shops)]
    others = random.randint(1, max(depots, 2), size=stores)
    crossed = np.flatnonzero(random.random_sample(stores) < (cross if depots > 1 else 0.0))
    usual += [(above[(place + others[place]) % depots], shops[place]) for place in crossed]
    past = [("plant", shops[place]) for place in np.flatnonzero(random.random_sample(stores) < quick)]
    nodes = _locations(["plant", *above], shops, upstream, store, selling, random, problems)
    pairs = [("supplier", "plant"), *(("plant", depot) for depot in above), *usual, *past]
    templates, counts = [upstream_link, store_link, express_link], [1 + depots, len(usual), len(past)]
    return assemble(nodes, pairs, links(templates, counts, problems), demand)


def random_acyclic(
    *,
    locations: int,
    depth: int,
    sources: float,
    hubs: float = 1.0,
    upstream: Template,
    store: Template,
    supplier_link: Template,
    link: Template,
    selling: int = 0,
    seed: int = 0,
    demand: Template | None = None,
    problems: list[str],
) -> nx.DiGraph:
    """A random network of `locations` locations in `depth` layers, its degrees uneven as those of real chains are.

    Locations are spread over the layers at random. Those of the first buy from the supplier. Every other one orders from one
    location of the layer above, and from others of any layer above, `sources` links on average. A location is chosen as a
    source with a chance in proportion to (1 + links out of it) ** `hubs`: preferential attachment (Barabasi and Albert 1999),
    which gives a few hubs and many locations that serve one. Who serves nobody is a store.

    Real chains: 8 to 2025 nodes in 2 to 10 layers (Willems 2008).

    Args:
        locations: number of them, at least `depth`.
        depth: layers, the links on the longest path from the supplier.
        sources: mean number of links into a location below the first layer, from 1 to `locations`. Where fewer stand above a location
            than are drawn for it, it has all of them: of 8 locations, 2 asked for come to 1.8 or 1.9.
        hubs: 0 = sources are chosen evenly; larger = more uneven. 1.7 gives the largest hub of 2000 locations in 10 layers 40 to 80 links
            with 1 source each, 400 to 900 with 2.
        supplier_link: attributes of the links into the first layer.
        link: attributes of all other links, target by target.
    """
    if locations < depth:
        problems.append(Misfit(problem("random_acyclic", "locations", locations, f"at least depth, {depth}")))
    for key, value, least, most in (("sources", sources, 1, max(locations, 2)), ("hubs", hubs, 0, 10)):
        if not least <= value <= most:
            problems.append(problem("random_acyclic", key, value, f"a number from {least} to {most}"))
    if problems:
        return nx.DiGraph()
    random = np.random.RandomState(seed)
    layer = np.sort(np.concatenate([np.arange(depth), random.randint(depth, size=locations - depth)]))
    names = numbered("location", locations)
    out = np.zeros(locations)
    linked: Pairs = []
    for target in range(int((layer == 0).sum()), locations):
        above = np.flatnonzero(layer == layer[target] - 1)
        first = random.choice(above, p=_chances(out[above], hubs))
        others = np.setdiff1d(np.flatnonzero(layer < layer[target]), [first])
        count = min(int(random.poisson(sources - 1)), len(others))
        chosen = [int(first)]
        if count:
            chosen += random.choice(others, count, replace=False, p=_chances(out[others], hubs)).tolist()
        chosen.sort()
        out[chosen] += 1
        linked += [(names[source], names[target]) for source in chosen]
    stores = [name for name, serves in zip(names, out, strict=True) if not serves]
    upstream_names = [name for name, serves in zip(names, out, strict=True) if serves]
    nodes = _locations(upstream_names, stores, upstream, store, selling, random, problems)
    pairs = [("supplier", name) for name, place in zip(names, layer, strict=True) if place == 0] + linked
    return assemble(nodes, pairs, links([supplier_link, link], [len(pairs) - len(linked), len(linked)], problems), demand)


def _locations(
    upstream_names: Sequence[str],
    stores: Sequence[str],
    upstream: Template,
    store: Template,
    selling: int,
    random: np.random.RandomState,
    problems: list[str],
) -> Attributes:
    """Locations upstream, `selling` of which face customers as well, and stores."""
    if selling > len(upstream_names):
        most = len(upstream_names)
        problems.append(Misfit(problem("family", "selling", selling, f"at most {most}, the locations that are no store")))
        return {}
    both = [upstream_names[place] for place in sorted(random.choice(len(upstream_names), selling, replace=False))]
    nodes = members(upstream_names, upstream, "upstream", problems)
    for name, values in members([*both, *stores], store, "store", problems).items():
        nodes[name] = nodes.get(name, {}) | values
    return nodes


def _chances(links_out: np.ndarray, hubs: float) -> np.ndarray:
    """The chance of each location to be chosen as a source."""
    weights = (1.0 + links_out) ** hubs
    return weights / weights.sum()
