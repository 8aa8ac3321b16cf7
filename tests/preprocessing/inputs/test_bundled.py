"""Tests of preprocessing.inputs.bundled."""

from __future__ import annotations

import pytest

from code_t5 import errors
from preprocessing import dev_dataset, flcc_layout
from preprocessing.inputs import bundled, source


def test_tree_holds_every_file_of_the_data_set_and_counts_them(tmp_path):
    fields, is_new = source.prepare_tree(bundled.BundledSource(), output_dir=tmp_path / "dev")
    root = flcc_layout.find_v3_root(tmp_path / "dev")
    branches = list(flcc_layout.list_branches(root, flcc_layout.select_languages(root, ["all"])))
    entries = [entry for branch in branches for entry in flcc_layout.list_files(branch)]
    plain = [entry for entry in entries if entry.is_regular]
    counts = fields["counts"]
    assert is_new
    assert counts["num_files"] == len(plain) >= 60
    assert counts["size_bytes"] == sum(entry.size_bytes for entry in plain) > 1_000_000
    assert counts["num_repositories"] == len({branch.full_name for branch in branches}) >= 10
    assert counts["skipped"] == {
        "symbolic link, left for the build to skip": len(entries) - len(plain)
    }
    assert not source.prepare_tree(bundled.BundledSource(), output_dir=tmp_path / "dev")[1]


def test_data_set_of_another_version_is_told_apart(tmp_path, monkeypatch):
    source.prepare_tree(bundled.BundledSource(), output_dir=tmp_path / "dev")
    (tmp_path / "newer/v3").mkdir(parents=True)
    (tmp_path / "newer/v3/file.py").write_text("new = 1\n")
    monkeypatch.setattr(dev_dataset, "bundled_root", lambda: tmp_path / "newer")
    with pytest.raises(errors.InputError, match="holds the bundled data set .* wanted the bundled"):
        source.prepare_tree(bundled.BundledSource(), output_dir=tmp_path / "dev")
