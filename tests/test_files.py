"""Files: what stood there stands until the new one is whole."""

import os

import pytest

from gnn_inventory import files
from gnn_inventory.errors import UsageError


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    files.write_text(tmp_path / "table.csv", "old")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", full)
        with pytest.raises(UsageError, match=r"table\.csv: cannot be written: No space left on device"):
            files.write_text(tmp_path / "table.csv", "new")
    assert (tmp_path / "table.csv").read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]
    files.write_text(tmp_path / "table.csv", "new")
    assert (tmp_path / "table.csv").read_text() == "new"
