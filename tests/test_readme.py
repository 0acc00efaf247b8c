"""The README's tables are those of docs/results, to the letter."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_tables_of_the_readme_are_the_measured_ones():
    spec = importlib.util.spec_from_file_location("update_readme", ROOT / "benchmarks" / "update_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert module.BEGIN + module.block() + module.END in readme
    assert module.block().count("| ") > 20, "there are results"
    transfer = (ROOT / "docs" / "transfer.md").read_text(encoding="utf-8")
    assert module.BEGIN + module.transfer_block() + module.END in transfer
    assert module.transfer_block().count("| ") > 20, "there are results"
