"""Train the default recipe and two tuned baselines, then compare them on the same fresh scenarios.

Usage: python examples/demo.py [RUN] [--set key=value ...]    (stopped runs are gone on with; settings go to each training)
"""

import subprocess
import sys
from pathlib import Path

RECIPES = {"": "one_warehouse", "-base-stock": "one_warehouse_base_stock", "-echelon": "one_warehouse_echelon_base_stock"}


def gnn_inventory(*arguments: str) -> None:
    """Run the command line of this environment."""
    subprocess.run([sys.executable, "-c", "from gnn_inventory.cli import main; main()", *arguments], check=True)


def main() -> None:
    named = len(sys.argv) > 1 and not sys.argv[1].startswith("-")
    run, settings = (sys.argv[1], sys.argv[2:]) if named else ("runs/demo", sys.argv[1:])
    folders = [f"{run}{ending}" for ending in RECIPES]
    for folder, recipe in zip(folders, RECIPES.values(), strict=True):
        resume = ["--resume"] if (Path(folder) / "recipe.yaml").exists() else []
        gnn_inventory("train", recipe, "-o", folder, *resume, *settings)
    gnn_inventory("evaluate", *folders)
    print(f"run folder: {run} (picture: {run}/network.svg, training curve: {run}/training.svg)")


if __name__ == "__main__":
    main()
