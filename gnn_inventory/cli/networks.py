"""Commands about networks: list, check, draw."""

from pathlib import Path
from typing import Annotated

import typer

from gnn_inventory.cli.app import Network, app
from gnn_inventory.errors import UsageError

__all__ = ["check", "draw", "list_catalogue"]


@app.command("list")
def list_catalogue() -> None:
    """What is in the catalogue."""
    from gnn_inventory.files import read_yaml
    from gnn_inventory.topology.catalogue import catalogue, trained_policies

    for title, kind in (("networks", "topologies"), ("recipes", "training"), ("suites", "training/suites")):
        print(f"{title}:")
        for name, path in catalogue(kind).items():
            content = read_yaml(path)
            print(f"  {name:36} {content.get('source') or content.get('about') or content.get('policy', {}).get('name', '')}")
    print("trained policies:")
    for name in trained_policies():
        print(f"  {name}")


@app.command()
def check(network: Network) -> None:
    """Validate a network: every mistake at once, exit 1 if there is any."""
    from gnn_inventory.topology.catalogue import load_network
    from gnn_inventory.topology.network import parse_network

    parsed = parse_network(load_network(network))
    print(f"{parsed.name}: valid: {len(parsed.nodes)} nodes, {len(parsed.links)} links, {len(parsed.customers)} with demand")


@app.command()
def draw(
    network: Network,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the picture goes (.svg).")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Draw a network, echelons from left to right."""
    from gnn_inventory.picture import draw_network
    from gnn_inventory.topology.catalogue import load_network

    if output.exists() and not force:
        raise UsageError(f"{output}: exists already; name another file, or replace it: --force")
    draw_network(load_network(network), output)
    print(output)
