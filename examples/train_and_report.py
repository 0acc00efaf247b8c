"""Train a policy and a baseline from recipes, put both on one page, and read the page's main numbers here.

Takes about half a minute; leave out the settings for a policy worth using. Needs the extra `report`.
"""

import sys
import tempfile
from pathlib import Path

import gnn_inventory as gi
from gnn_inventory.report.page import Run
from gnn_inventory.training.run_folder import RunFolder

QUICK = ["training.scenarios=512", "training.batch=128", "training.epochs=4", "training.dev_scenarios=128",
         "evaluation.scenarios=128", "evaluation.periods=150", "evaluation.warm_up=50"]  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    runs = []
    for name in ("one_warehouse", "one_warehouse_echelon_base_stock"):
        result = gi.train_recipe(gi.load_recipe(name, QUICK), RunFolder(folder / name))
        print(f"{name}: best dev cost per store and period {result.dev_cost:.4f}")
        runs.append(Run.of(folder / name))
    gi.write_report(runs, folder / "report.html")
    print(f"open {folder / 'report.html'} in a browser: it needs no network")


if __name__ == "__main__":
    main()
