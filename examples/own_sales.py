"""Bring your own sales: a CSV with a row per item, location and week, split by time, and a policy trained on it.

The sales here are made up; replace `write_sales` by your own file.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np
import yaml

import gnn_inventory as gi
from gnn_inventory.training.run_folder import RunFolder

NETWORK = {
    "nodes": {
        "port": {"kind": "supplier"},
        "depot": {"holding_cost": 0.2},
        "east": {"holding_cost": 1.0, "price": 9.0, "unmet_demand": "lost", "demand": "panel"},
        "west": {"holding_cost": 1.0, "price": 9.0, "unmet_demand": "lost", "demand": "panel"},
    },
    "links": [
        {"from": "port", "to": "depot", "lead_time": 3, "unit_cost": 1.0},
        {"from": "depot", "to": "east", "lead_time": 1},
        {"from": "depot", "to": "west", "lead_time": 2},
    ],
}


def write_sales(path: Path) -> None:
    """40 items, 2 locations, 120 weeks with a season."""
    random = np.random.default_rng(0)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "location", "period", "sales"])
        for item in range(40):
            for location in ("east", "west"):
                mean = random.uniform(5, 50)
                for week in range(120):
                    writer.writerow([item, location, week, random.poisson(mean * (1 + 0.5 * np.sin(week / 52 * 6.283)))])


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    write_sales(folder / "sales.csv")
    recipe = {
        "network": {"name": "two_regions", **NETWORK},
        "demand": {
            "panel": str(folder / "sales.csv"),
            "windows": {"train": [0, 70], "dev": [60, 95], "test": [80, 120], "history": 8, "warm_up": 8},
        },
        "policy": {"name": "message_passing", "width": 16, "window": 8},
        "training": {"scenarios": 40, "batch": 10, "epochs": 8},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    result = gi.train_recipe(gi.load_recipe(folder / "recipe.yaml"), RunFolder(folder / "run"))
    print(f"dev profit per store and week: {-result.dev_cost:.2f}; evaluate it: gnn-inventory evaluate {folder / 'run'}")


if __name__ == "__main__":
    main()
