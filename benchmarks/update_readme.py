"""Put the tables of suites that were run into docs/results and into the README, between its marks.

Usage: python benchmarks/update_readme.py SUITE=DIR...    (DIR as `gnn-inventory benchmark SUITE -o DIR` left it)
"""

import json
import sys
from pathlib import Path

from gnn_inventory.benchmark.table import markdown
from gnn_inventory.files import write_text

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def block() -> str:
    """What stands between the marks: the table of every suite in docs/results."""
    parts = []
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        about = content["about"]
        parts.append(f"`gnn-inventory benchmark {path.stem} -o DIR`, {about}:\n\n{markdown(content['rows'])}")
    return "\n".join(parts)


def main() -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    for argument in sys.argv[1:]:
        suite, _, folder = argument.partition("=")
        table = json.loads((Path(folder) / "table.json").read_text(encoding="utf-8"))
        dates = sorted({row["date"] for row in table["rows"]})
        machines = sorted({row["machine"] for row in table["rows"]})
        missing = f", {len(table['left'])} trainings not done yet" if table["left"] else ""
        about = f"{' and '.join(machines)}, {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}{missing}"
        content = {"suite": suite, "about": about, "rows": table["rows"], "left": table["left"]}
        write_text(RESULTS / f"{suite}.json", json.dumps(content, indent=1) + "\n")
        for name in ("cells.csv", "gaps.svg"):
            write_text(RESULTS / f"{suite}-{name}", (Path(folder) / name).read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    write_text(ROOT / "README.md", before + BEGIN + block() + END + after)


if __name__ == "__main__":
    main()
