from __future__ import annotations

import numpy as np

from preprocessing import decisions, scan
from preprocessing.dedup import apply, exact


def _rows(*rows: tuple[int, int, int]) -> np.ndarray:
    """Index rows of `(content, file_id, licence rank)`."""
    made = np.zeros(len(rows), dtype=scan.INDEX_DTYPE)
    made["hash"] = [bytes([content, 7]) for content, _, _ in rows]
    made["file_id"] = [file_id for _, file_id, _ in rows]
    made["rank"] = [rank for _, _, rank in rows]
    made["num_ngrams"] = 9
    return made


def _said(decided: decisions.Decisions) -> list[tuple[str, int, int]]:
    return [
        (decisions.VERDICTS[reason], copy_of, cluster)
        for reason, copy_of, cluster in zip(
            decided.reason.tolist(), decided.duplicate_of.tolist(), decided.cluster_id.tolist()
        )
    ]


def test_the_best_licence_is_kept_and_of_equal_ones_the_first(tmp_path):
    decided = decisions.create(tmp_path, 6)
    rows = _rows((1, 0, 1), (2, 1, 0), (1, 2, 0), (1, 3, 0), (2, 5, 0))
    kept = exact.mark_copies(rows[::-1], decided)
    assert kept["file_id"].tolist() == [2, 1]
    assert _said(decided) == [
        ("exact_duplicate", 2, 0), ("kept", -1, 1), ("kept", -1, 0), ("exact_duplicate", 2, 0),
        ("kept", -1, -1), ("exact_duplicate", 1, 1),
    ]  # fmt: skip


def test_near_copies_take_the_exact_copies_of_theirs_along(tmp_path):
    decided = decisions.create(tmp_path, 7)
    rows = _rows((1, 0, 1), (1, 3, 1), (2, 1, 1), (3, 2, 0), (3, 6, 0), (4, 4, 0), (5, 5, 0))
    survivors = np.sort(
        apply.select_survivors(exact.mark_copies(rows, decided), decided), order="file_id"
    )
    assert survivors["file_id"].tolist() == [0, 1, 2, 4, 5]
    # Contents 1, 2 and 3 are near-duplicates; 2 has the best licence.
    count = apply.mark_near_duplicates(
        survivors, cluster=np.array([0, 0, 0, 3, 4]), decided=decided
    )
    assert count == 1
    assert _said(decided) == [
        ("near_duplicate", 2, 0), ("near_duplicate", 2, 0), ("kept", -1, 0),
        ("exact_duplicate", 2, 0), ("kept", -1, -1), ("kept", -1, -1), ("exact_duplicate", 2, 0),
    ]  # fmt: skip


def test_a_cluster_is_named_by_its_smallest_file_even_if_that_is_a_dropped_copy(tmp_path):
    decided = decisions.create(tmp_path, 4)
    rows = _rows((1, 0, 1), (1, 2, 0), (2, 1, 1), (3, 3, 1))
    survivors = np.sort(
        apply.select_survivors(exact.mark_copies(rows, decided), decided), order="file_id"
    )
    apply.mark_near_duplicates(survivors, cluster=np.array([0, 0, 2]), decided=decided)
    assert _said(decided) == [
        ("exact_duplicate", 2, 0), ("near_duplicate", 2, 0), ("kept", -1, 0), ("kept", -1, -1),
    ]  # fmt: skip


def test_whoever_pointed_at_a_dropped_file_points_at_the_file_that_it_was_dropped_for(tmp_path):
    decided = decisions.create(tmp_path, 5)
    decided.drop(np.array([3, 4]), kept=np.array([2, 2]), reason=decisions.EXACT)
    decided.drop(np.array([2, 1]), kept=np.array([1, 0]), reason=decisions.LEAK)
    assert decided.duplicate_of.tolist() == [-1, 0, 0, 0, 0]
    assert [decisions.VERDICTS[reason] for reason in decided.reason] == [
        "kept", "split_leak", "split_leak", "exact_duplicate", "exact_duplicate",
    ]  # fmt: skip


def test_files_without_ngrams_are_not_compared(tmp_path):
    decided = decisions.create(tmp_path, 2)
    rows = _rows((1, 0, 1), (2, 1, 1))
    rows["num_ngrams"] = [0, 3]
    assert apply.select_survivors(rows, decided)["file_id"].tolist() == [1]
