"""The unigram baseline, on numbers that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from code_t5 import errors
from code_t5.training import unigram


def test_loss_is_the_mean_of_the_negative_logarithms():
    # Raised by one: 4, 4, 2 of 10.
    train = np.array([3, 3, 1])
    found = unigram.unigram_loss_from_counts(train, np.array([5, 4, 1]))
    assert found == pytest.approx(-(9 * math.log(0.4) + math.log(0.2)) / 10)


def test_unseen_piece_costs_something_finite():
    found = unigram.unigram_loss_from_counts(np.array([8, 0]), np.array([0, 1]))
    assert found == pytest.approx(math.log(10))


def test_uniform_counts_give_the_logarithm_of_the_vocabulary_size():
    found = unigram.unigram_loss_from_counts(np.full(64, 5), np.full(64, 2))
    assert found == pytest.approx(math.log(64))


@pytest.mark.parametrize("counts", [np.zeros(2, np.int64), np.array([1, 1, 1])])
def test_nothing_to_evaluate_or_another_vocabulary_is_refused(counts):
    with pytest.raises(ValueError, match="wanted"):
        unigram.unigram_loss_from_counts(np.array([1, 1]), counts)


def test_baseline_counts_train_and_validation_apart(monkeypatch):
    counts = {"train": np.array([0, 2, 0]), "validation": np.array([0, 3, 1])}
    asked = []

    def fake_counts(name, *, split, max_examples=None, **_):
        asked.append((name, split, max_examples))
        return counts[split]

    monkeypatch.setattr(unigram.targets, "target_counts", fake_counts)
    found = unigram.unigram_loss("dev", sequence_length={"targets": 4}, max_examples=7)
    assert asked == [("dev", "train", None), ("dev", "validation", 7)]
    assert (found.num_tokens, found.num_train_tokens) == (4, 2)
    assert found.nats_per_token == pytest.approx(-(3 * math.log(0.6) + math.log(0.2)) / 4)


def test_empty_split_is_named(monkeypatch):
    monkeypatch.setattr(unigram.targets, "target_counts", lambda *_, **__: np.zeros(3, np.int64))
    with pytest.raises(errors.InputError, match="validation split of dev"):
        unigram.unigram_loss("dev", sequence_length={"targets": 4})
