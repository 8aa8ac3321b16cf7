from __future__ import annotations

import collections
import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from code_t5 import errors
from preprocessing.html_report import ledger_reading, ledger_totals


def _plain(totals):
    values = dataclasses.asdict(totals)
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def test_totals_are_those_of_the_ledger(built):
    totals = ledger_totals.collect_totals(built.ledger_path)
    kept = [row for row in built.rows if row["verdict"] == "kept"]
    assert totals.num_files == len(built.rows)
    assert totals.files_by_verdict == collections.Counter(r["verdict"] for r in built.rows)
    assert totals.bytes_by_verdict == built.report["bytes_by_verdict"]
    assert totals.num_repositories == len({row["repository"] for row in built.rows})
    assert totals.num_kept_repositories == len({row["repository"] for row in kept})
    assert totals.size_by_rank.sum() == sum(row["size_bytes"] for row in kept)
    assert totals.sizes_found.sum() == len(built.rows)
    assert totals.sizes_kept.sum() == len(kept)
    clusters = collections.Counter(r["cluster_id"] for r in built.rows if r.get("cluster_id"))
    assert totals.cluster_sizes == collections.Counter(clusters.values())


def test_the_largest_repository_stands_first(built):
    totals = ledger_totals.collect_totals(built.ledger_path)
    sizes = collections.Counter()
    for row in built.rows:
        if row["verdict"] == "kept":
            sizes[row["repository"]] += row["size_bytes"]
    first = totals.repositories[0]
    assert (first.name, first.size_kept) == sizes.most_common(1)[0]
    assert first.split in ("train", "validation", "test")
    assert [group.name for group in totals.languages] == ["Python", "C++", "<b>Evil</b>"]


def test_size_bins_hold_powers_of_two(tmp_path, built):
    rows = [dict(built.rows[-1], file_id=i, size_bytes=s) for i, s in enumerate((0, 1, 2, 3, 1024))]
    path = tmp_path / "ledger.parquet"
    parquet.write_table(pa.Table.from_pylist(rows, parquet.read_schema(built.ledger_path)), path)
    bins = ledger_totals.collect_totals(path).sizes_found
    assert {i: n for i, n in enumerate(bins.tolist()) if n} == {0: 2, 1: 2, 10: 1}


def test_batches_of_any_size_give_the_same(built, monkeypatch):
    whole = _plain(ledger_totals.collect_totals(built.ledger_path))
    monkeypatch.setattr(ledger_reading, "_BATCH_ROWS", 7)
    assert _plain(ledger_totals.collect_totals(built.ledger_path)) == whole


def test_examples_name_the_copy_that_was_kept(built):
    totals = ledger_totals.collect_totals(built.ledger_path)
    examples = totals.examples["near_duplicate"]
    assert len(examples) == ledger_totals.MAX_EXAMPLES
    for row in examples:
        assert row["original"]["file_id"] == row["duplicate_of"]
    assert {row["original"] for row in totals.examples["empty"]} == {None}
    assert [row["file_id"] for row in examples] != sorted(row["file_id"] for row in examples)


def test_a_kept_copy_that_the_ledger_lacks_is_none(tmp_path, built):
    row = dict(built.rows[-1], file_id=1, verdict="exact_duplicate", duplicate_of=99, split=None)
    path = tmp_path / "ledger.parquet"
    parquet.write_table(pa.Table.from_pylist([row], parquet.read_schema(built.ledger_path)), path)
    assert ledger_totals.collect_totals(path).examples["exact_duplicate"][0]["original"] is None


def test_an_empty_ledger_has_empty_totals(tmp_path, built):
    path = tmp_path / "ledger.parquet"
    parquet.write_table(parquet.read_schema(built.ledger_path).empty_table(), path)
    totals = ledger_totals.collect_totals(path)
    assert (totals.num_files, totals.clusters, totals.repositories) == (0, [], [])


def test_what_is_no_ledger_is_refused(tmp_path, built):
    path = tmp_path / "ledger.parquet"
    with pytest.raises(errors.ArtifactError, match="cannot be read as Parquet"):
        ledger_totals.collect_totals(path)
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(errors.ArtifactError, match="cannot be read as Parquet"):
        ledger_totals.collect_totals(path)
    parquet.write_table(parquet.read_table(built.ledger_path).drop(["cluster_id"]), path)
    with pytest.raises(errors.ArtifactError, match="lacks the column cluster_id"):
        ledger_totals.collect_totals(path)
