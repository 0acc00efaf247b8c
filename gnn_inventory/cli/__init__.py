"""The command line: parses, calls the library, prints. Imports come late, so that `--help` is quick."""

from gnn_inventory.cli import learning, networks, planning  # noqa: F401  (each registers its commands)
from gnn_inventory.cli.app import app, main

__all__ = ["app", "main"]
