"""Put measured tables into docs/results and, between their marks, into the pages: suites into docs/results.md and, what they say of
message passing, into the README; transfers into docs/transfer.md.

Usage: python benchmarks/update_readme.py NAME=DIR...
DIR as `gnn-inventory benchmark NAME -o DIR` or `gnn-inventory transfer ... -o DIR` left it.
NAME+=DIR: of a suite's part that was run anew, by a file with some of its problems and policies; their rows replace the old ones,
where there are as many instances and seeds of them, and their gaps do not depend on the rest.
"""

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from gnn_inventory.benchmark.suite import load_suite
from gnn_inventory.benchmark.table import contender, csv_text, gap_text, how_many, markdown, markdown_table, words_of
from gnn_inventory.benchmark.transfer import AS_IT_IS
from gnn_inventory.files import write_text
from gnn_inventory.picture import draw_gaps

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
TRANSFERS = RESULTS / "transfer"
DEPENDENT = {"best known", "nothing else", "nothing"}
"""What a gap is over where it depends on the other policies in the table."""
OURS, PUBLISHED = "message passing", "published message passing"
"""How the names of their rows begin."""
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def summary() -> str:
    """What stands between the marks of the README: of each problem message passing, the lowest of the baselines, and the published network."""
    lines, dates, machines = [], set(), set()
    for path in sorted(RESULTS.glob("*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        dates |= {row["date"] for row in rows}
        machines |= {row["machine"] for row in rows}
        for row in rows:
            if row["policy"].startswith(OURS):
                admissible = [other for other in rows if other["problem"] == row["problem"] and other["admissible"]]
                published = [other for other in admissible if other["policy"].startswith(PUBLISHED)]
                others = [other for other in admissible if not other["policy"].startswith((OURS, PUBLISHED))]
                lines.append(
                    [
                        row["problem"],
                        gap(row) + row["policy"].removeprefix(OURS),
                        lowest(others, ""),
                        lowest(published, PUBLISHED),
                        row["over"],
                        how_many(row["instances"], row["seeds"], row.get("measured")),
                        f"`{path.stem}`",
                    ]
                )
    header = [
        "problem",
        "message passing",
        "lowest of the baselines",
        "published network",
        "gap over",
        "instances x seeds",
        "SUITE",
    ]
    return f"{markdown_table(header, lines)}\nMeasured on {' and '.join(sorted(machines))}, {min(dates)} to {max(dates)}.\n"


def gap(row: dict[str, Any]) -> str:
    """The worst gap of a row, with its interval."""
    return gap_text(row["worst gap %"], row["low"], row["high"], row["over"])


def lowest(rows: list[dict[str, Any]], named: str) -> str:
    """The lowest worst gap, and what its policy's name says beyond what all are `named`; nothing where none has a gap."""
    known = [row for row in rows if row["worst gap %"] is not None]
    if not known:
        return ""
    row = min(known, key=lambda row: row["worst gap %"])
    return gap(row) + (row["policy"].removeprefix(named) if named else f", {row['policy']}")


def block() -> str:
    """What stands between the marks of docs/results.md: the table and the picture of every suite in docs/results."""
    parts = []
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        about = content["about"]
        command = f"`gnn-inventory benchmark {path.stem} -o DIR`, {about}:"
        picture = f"![every training and instance of the suite](results/{path.stem}-gaps.svg)"
        parts.append(f"### {path.stem}\n\n{command}\n\n{markdown(content['rows'])}\n{picture}\n")
    return "\n".join(parts)


def transfer_block() -> str:
    """What stands between the marks of docs/transfer.md: the table and the pictures of every transfer in docs/results."""
    parts = []
    for path in sorted(TRANSFERS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = content["rows"]
        lines = [["" if value is None else str(value) for value in row.values()] for row in rows]
        pictures = f"![gap against sizes](results/transfer/{path.stem}-sizes.svg)"
        if (TRANSFERS / f"{path.stem}-matrix.svg").exists():
            pictures += f"\n![trained on, tested on](results/transfer/{path.stem}-matrix.svg)"
        parts.append(f"### {path.stem}\n\n`{content['command']}`\n\n{markdown_table(list(rows[0]), lines)}\n{pictures}\n")
    return "\n".join(parts)


def add_transfer(name: str, folder: Path) -> None:
    """Copy what a transfer gave, with the command that remakes it.

    docs/results/transfer/NAME then is the folder itself without its trainings: a copy of it is gone on with and added to by the command.
    """
    kept = TRANSFERS / name
    if kept.resolve() == folder.resolve():
        raise SystemExit(
            f"{folder}: is where it is to go; expected the folder of `gnn-inventory transfer -o`, a copy of this one"
        )
    stated = json.loads((folder / "transfer.json").read_text(encoding="utf-8"))
    words = [Path(run).name for run in stated["runs"]]
    for option, values in (("--to", stated["targets"]), ("--native", stated["native"]), ("--set", stated["settings"])):
        words += [word for value in values for word in (option, f"'{value}'" if " " in value else value)]
    words += [word for key in ("drawn", "finetune") if stated.get(key) for word in (f"--{key}", str(stated[key]))]
    for key in ("scenarios", "periods", "warm_up"):
        words += [f"--{key.replace('_', '-')}", str(stated["evaluation"][key])]
    rows = json.loads((folder / "table.json").read_text(encoding="utf-8"))["rows"]
    content = {"command": f"gnn-inventory transfer {' '.join(words)} -o DIR", "rows": rows}
    TRANSFERS.mkdir(parents=True, exist_ok=True)
    write_text(TRANSFERS / f"{name}.json", json.dumps(content, indent=1) + "\n")
    several = len({row["trained on"] for row in rows if row["policy"] == AS_IT_IS}) > 1  # a matrix of one row shows nothing
    for picture in ("sizes.svg", "matrix.svg") if several else ("sizes.svg",):
        write_text(TRANSFERS / f"{name}-{picture}", (folder / picture).read_text(encoding="utf-8"))
    shutil.rmtree(kept, ignore_errors=True)
    for part in ("cells", "costs"):
        shutil.copytree(folder / part, kept / part)
    shutil.copy(folder / "transfer.json", kept)


def write_rows(suite: str, rows: list[dict[str, Any]], left: list[str]) -> None:
    """The summary of a suite, and what is said above it."""
    dates, machines = sorted({row["date"] for row in rows}), sorted({row["machine"] for row in rows})
    missing = f", {len(left)} trainings not done yet" if left else ""
    about = f"{' and '.join(machines)}, {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}{missing}"
    content = {"suite": suite, "about": about, "rows": rows, "left": left}
    write_text(RESULTS / f"{suite}.json", json.dumps(content, indent=1) + "\n")


def add_part(suite: str, folder: Path) -> None:
    """Put a part of a suite, all of whose seeds were run anew, in the place of what stood there."""
    table = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    old = json.loads((RESULTS / f"{suite}.json").read_text(encoding="utf-8"))
    if table["left"]:
        raise SystemExit(f"{folder}: expected a part that is done")
    new = {(row["problem"], row["policy"], row["settings"]): row for row in table["rows"]}
    replaced = [row for row in old["rows"] if (row["problem"], row["policy"], row["settings"]) in new]
    for row in [*replaced, *table["rows"]]:
        if row["over"] in DEPENDENT:
            raise SystemExit(
                f"{folder}: {row['problem']}, {row['policy']}: expected a gap that does not depend on other policies"
            )
    for row in replaced:
        now = new[row["problem"], row["policy"], row["settings"]]
        if now["instances"] < row["instances"] or now["seeds"] < row["seeds"]:
            raise SystemExit(f"{folder}: {row['problem']}, {row['policy']}: expected as many instances and seeds as stand there")
    rows = [row for row in old["rows"] if (row["problem"], row["policy"], row["settings"]) not in new] + table["rows"]
    with open(RESULTS / f"{suite}-cells.csv", encoding="utf-8", newline="") as file:
        cells = [cell for cell in csv.DictReader(file) if _row(cell) not in new]
    with open(folder / "cells.csv", encoding="utf-8", newline="") as file:
        cells += list(csv.DictReader(file))
    write_rows(suite, sorted(rows, key=lambda row: (row["problem"], row["policy"], row["settings"])), not_done(suite, cells))
    write_text(RESULTS / f"{suite}-cells.csv", csv_text(cells))
    gaps = [{key: json.loads(cell[key] or "null") for key in ("gap_percent", "gap_ci95")} for cell in cells]
    names = [contender({**cell, "settings": json.loads(cell["settings"])}) for cell in cells]
    drawn = [
        {**cell, **gap, "policy": name, "reference": {"kind": cell["kind"]}}
        for cell, gap, name in zip(cells, gaps, names, strict=True)
    ]
    draw_gaps(drawn, RESULTS / f"{suite}-gaps.svg")


def not_done(suite: str, cells: list[dict[str, str]]) -> list[str]:
    """Folders of a suite's trainings that the cells measured do not have, on each of their instances."""
    names = ("instance", "settings", "seed")
    measured = [{**cell, **{name: json.loads(cell[name]) for name in names}} for cell in cells]
    keys = ("problem", "policy", *names)
    done = {json.dumps([cell[key] for key in keys], sort_keys=True) for cell in measured}
    return [
        cell.folder
        for cell in load_suite(suite).cells()
        if any(
            json.dumps([cell.problem, cell.policy, instance, cell.varied, cell.seed], sort_keys=True) not in done
            for instance in cell.instances
        )
    ]


def _row(cell: dict[str, str]) -> tuple[str, str, str]:
    """Which row of the summary a line of the cells belongs to."""
    return cell["problem"], cell["policy"], words_of(json.loads(cell["settings"]))


def put(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page."""
    content = page.read_text(encoding="utf-8")
    before, after = content.split(BEGIN)[0], content.split(END)[1]
    write_text(page, before + BEGIN + text + END + after)


def main() -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    for argument in sys.argv[1:]:
        suite, _, folder = argument.partition("=")
        if (Path(folder) / "transfer.json").exists():
            add_transfer(suite, Path(folder))
            continue
        if suite.endswith("+"):
            add_part(suite.removesuffix("+"), Path(folder))
            continue
        table = json.loads((Path(folder) / "table.json").read_text(encoding="utf-8"))
        write_rows(suite, table["rows"], table["left"])
        for name in ("cells.csv", "gaps.svg"):
            write_text(RESULTS / f"{suite}-{name}", (Path(folder) / name).read_text(encoding="utf-8"))
    put(ROOT / "README.md", summary())
    put(ROOT / "docs" / "results.md", block())
    put(ROOT / "docs" / "transfer.md", transfer_block())


if __name__ == "__main__":
    main()
