from __future__ import annotations

import numpy as np
import pytest

from code_t5 import errors
from preprocessing import splits


def _keys(count: int) -> list[int]:
    return [splits.split_key(f"org/repo{number}") for number in range(count)]


def test_split_keys_never_change():
    # A changed value would move repositories between the splits of data sets already built.
    assert splits.split_key("org/name") == 5938257867534886830


def test_large_data_sets_get_about_the_fractions():
    assigned = splits.assign_splits(_keys(20_000), splits.SplitConfig(0.05, 0.02))
    counts = {split: list(assigned.values()).count(split) for split in splits.SPLITS}
    assert counts["validation"] == pytest.approx(1000, rel=0.15)
    assert counts["test"] == pytest.approx(400, rel=0.2)


def test_adding_repositories_moves_none():
    config = splits.SplitConfig(0.05, 0.05)
    before = splits.assign_splits(_keys(500), config)
    after = splits.assign_splits(_keys(1000), config)
    assert all(after[key] == split for key, split in before.items())


def test_small_data_sets_get_one_repository_in_each_split():
    assigned = splits.assign_splits(_keys(3), splits.SplitConfig())
    assert sorted(assigned.values()) == ["test", "train", "validation"]


def test_train_gets_a_repository_even_if_all_keys_fall_elsewhere():
    assigned = splits.assign_splits(_keys(4), splits.SplitConfig(0.98, 0.01))
    assert "train" in assigned.values()
    assert "test" in assigned.values()


def test_a_split_of_fraction_zero_stays_empty():
    assigned = splits.assign_splits(_keys(2), splits.SplitConfig(0.5, 0.0))
    assert sorted(assigned.values()) == ["train", "validation"]


def test_too_few_repositories_are_refused():
    with pytest.raises(
        errors.InputError, match="2 repositories, or groups .* hold a kept file; wanted at least 3"
    ):
        splits.assign_splits(_keys(2), splits.SplitConfig())


@pytest.mark.parametrize("fractions", [(-0.1, 0.1), (0.5, 0.5), (1.5, 0.0)])
def test_impossible_fractions_are_refused(fractions):
    with pytest.raises(errors.InputError, match="validation_fraction"):
        splits.check_config(splits.SplitConfig(*fractions))


def test_lookup_gives_each_row_its_split_and_strangers_none():
    assigned = {10: "train", 2**63 + 5: "validation", 7: "test"}
    rows = np.array([7, 10, 2**63 + 5, 11, 2**64 - 1], dtype=np.uint64)
    assert splits.lookup_splits(rows, assigned).tolist() == [2, 0, 1, -1, -1]
