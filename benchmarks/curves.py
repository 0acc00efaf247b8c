"""Training curves of several runs in one picture: what was tried, side by side.

Usage: python benchmarks/curves.py OUT.svg LABEL=RUN...    (RUN: a run folder, or its metrics.jsonl)
"""

import json
import sys
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure


def main() -> None:
    out, *runs = sys.argv[1:]
    figure = Figure(figsize=(9, 3.2))
    both = figure.subplots(1, 2, sharex=True)
    for run in runs:
        label, _, folder = run.partition("=")
        path = Path(folder)
        path = path / "metrics.jsonl" if path.is_dir() else path
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for axes, key in zip(both, ("train", "dev"), strict=True):
            axes.plot([line["epoch"] for line in lines], [line[key] for line in lines], label=label, linewidth=1)
    for axes, key in zip(both, ("train", "dev"), strict=True):
        last = [line.get_ydata()[-1] for line in axes.lines]
        span = max(max(last) - min(last), 0.01 * abs(min(last)))
        axes.set_ylim(min(last) - 0.5 * span, max(last) + 3 * span)
        axes.set_xlabel("epoch", fontsize=8)
        axes.set_title(f"{key} cost per store and period", fontsize=9)
        axes.tick_params(labelsize=7)
    both[0].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    with rc_context({"svg.hashsalt": "gnn_inventory"}):
        figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()
