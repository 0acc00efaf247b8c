"""The application that commands belong to, and what becomes of an error."""

import io
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gnn_inventory.errors import GnnInventoryError

if TYPE_CHECKING:
    import networkx as nx

    from gnn_inventory.training.recipe import Recipe

__all__ = ["Network", "app", "main", "say_beyond"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Neural networks for supply-chain inventories.",
)

CommandLineError: Any = typer.BadParameter.__mro__[2]  # what all errors of a command line are: typer names no such class

Network = Annotated[str, typer.Argument(help="A network of the catalogue, or a file or folder that holds one.")]


def main() -> None:
    """Run the command line; an error that a person can cause is one line each and exit 1 or 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a sign of a name gets its number
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit(app(standalone_mode=False))
    except GnnInventoryError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror}", 1)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        _fail("memory: this needs more than the machine has; try a smaller batch, fewer scenarios or fewer periods", 1)
    except CommandLineError as error:
        _fail(f"{error.format_message()} See --help.", error.exit_code)


def say_beyond(name: str, recipe: "Recipe", network: "nx.DiGraph") -> None:
    """Say beside the output what of a network the training of a policy never saw: costs and orders there are not to be relied on unseen."""
    from gnn_inventory.training.coverage import Coverage

    beyond = Coverage.of_recipe(recipe).beyond(network)
    if beyond:
        print(f"{name}: beyond its training: {'; '.join(beyond)}", file=sys.stderr)


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        print(f"error: {line}", file=sys.stderr)
    sys.exit(code)
