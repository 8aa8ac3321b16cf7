"""Exact deduplication by ranges of hashes keeps what the local one keeps."""

from __future__ import annotations

import collections

import numpy as np

from preprocessing import decisions, scan
from preprocessing.beam import beam_exact, beam_files
from preprocessing.dedup import exact


def _index(rows: list[tuple[int, int, int]]) -> np.ndarray:
    index = np.zeros(len(rows), scan.INDEX_DTYPE)
    for place, (content, file_id, rank) in enumerate(rows):
        index[place]["hash"] = bytes([content]) * 32
        index[place]["file_id"], index[place]["rank"] = file_id, rank
    return index


def test_ranges_of_hashes_keep_the_same_copies_in_any_order(tmp_path):
    rows = _index([(1, 10, 1), (1, 4, 2), (1, 900, 0), (2, 5, 1), (2, 3, 1), (9, 7, 0)])
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))
        pieces = [rows[order[:2]].tobytes(), rows[order[2:]].tobytes()]
        assert list(beam_exact.keep_one_of_each((3, pieces), step_dir=str(tmp_path))) == []
        kept = np.load(tmp_path / "kept-000003.npy")
        assert sorted(kept["file_id"].tolist()) == [3, 7, 900]
    folder = tmp_path / "local"
    folder.mkdir()
    rows["file_id"] = [1, 0, 5, 3, 2, 4]
    kept = exact.mark_copies(rows, decisions.create(folder, 6))
    assert sorted(kept["file_id"].tolist()) == [2, 4, 5]


def test_ranges_cover_all_hashes_in_their_order():
    hashes = np.sort(np.random.default_rng(1).integers(0, 2**64, 1000, dtype=np.uint64))
    ranges = beam_files.range_of(hashes, 7)
    assert ranges[0] == 0 and ranges[-1] == 6
    assert (np.diff(ranges) >= 0).all()
    counts = collections.Counter(ranges.tolist())
    assert min(counts.values()) > 100
