from __future__ import annotations

import itertools
import math
import time

import pytest
from small_token_source import ListSource, small_source, store_words

from code_t5 import errors
from code_t5.token_cache.building import estimate
from code_t5.token_cache.building.build_config import BuildConfig


@pytest.fixture(name="tokenizer")
def _tokenizer(tmp_path):
    return store_words(tmp_path / "tokenizer")


def _estimate(tokenizer, source, **changes):
    config = BuildConfig("nowhere", encoder="tokenizers", **changes)
    return estimate.estimate(source, tokenizer=tokenizer, config=config)


class _First(ListSource):
    """Gives batches of its first documents only, so that the rest must be reckoned."""

    NUM_BATCHES = 2

    def sample(self, split, *, num_bytes):
        batches = super().sample(split, num_bytes=num_bytes)
        return (batch for batch, _ in zip(batches, range(self.NUM_BATCHES)))


def test_sample_of_everything_is_exact(tokenizer):
    found = _estimate(tokenizer, small_source())
    train = found.splits["train"]
    assert (train.num_documents, train.num_bytes, train.num_tokens, train.spread) == (6, 21, 19, 0)
    assert found.splits["validation"].num_tokens == 7
    assert (
        _estimate(tokenizer, small_source(), use_eos_token=False).splits["train"].num_tokens == 13
    )


def test_rest_is_reckoned_by_documents(tokenizer):
    source = _First({"train": ["a b", "a b c d", *["?"] * 8]})
    train = _estimate(tokenizer, source).splits["train"]
    # Two documents of 10, with 3 and 5 tokens, ends included.
    assert (train.num_documents, train.num_bytes, train.num_tokens) == (10, 50, 40)
    # Residuals -1 and 1 of two clusters, of 80 % unknown: sqrt(0.8 * 2 / 1 * 2) / 8.
    assert train.spread == pytest.approx(math.sqrt(3.2) / 8)


def test_one_place_has_no_spread(tokenizer, monkeypatch):
    monkeypatch.setattr(_First, "NUM_BATCHES", 1)
    found = _estimate(tokenizer, _First({"train": ["a b", "?", "?"]}))
    assert math.isnan(found.splits["train"].spread)
    assert "±" not in estimate.describe(found)[0]


def test_size_counts_two_bytes_a_token_or_four(tmp_path, tokenizer):
    small = _estimate(tokenizer, small_source()).size_bytes
    large = store_words(tmp_path / "large", [str(number) for number in range(65_537)])
    many = _estimate(large, ListSource({"train": ["1 2"]}))
    fixed = 24 + 40
    assert small == 2 * 26 + 8 * fixed
    assert many.size_bytes == 4 * 3 + fixed


def test_lines_say_how_much_and_how_long(tokenizer):
    lines = estimate.describe(_estimate(tokenizer, small_source()))
    assert lines[0] == "train: 6 documents, about 0.0 MB of text, 19 tokens (± 0.0 %)"
    assert lines[2].startswith("together: about 0.0 MB on the disk")
    assert lines[2].endswith("about 1 s with tokenizers")


def test_split_that_does_not_know_its_size_is_one_line(tokenizer):
    with pytest.raises(errors.InputError, match="does not say how many documents"):
        _estimate(tokenizer, small_source(knows_counts=False))


def test_empty_split_is_one_line(tokenizer):
    with pytest.raises(errors.InputError, match="'test' has no documents"):
        _estimate(tokenizer, ListSource({"test": []}))


def test_large_splits_get_more_of_the_sample(tokenizer):
    asked = {}

    class Source(ListSource):
        def sample(self, split, *, num_bytes):
            asked[split] = num_bytes
            return super().sample(split, num_bytes=num_bytes)

    _estimate(tokenizer, Source({"train": ["a"] * 30, "test": ["a"]}), num_workers=1)
    # By documents, but not below an eighth for each of two; the proof asks before, for half each.
    assert asked == {"train": (4 << 20) * 30 // 31, "test": (4 << 20) // 8}


def test_joining_is_reckoned_with_100_mb_a_second(tokenizer, monkeypatch):
    # Encoding takes next to no time here.
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks) * 1e-15)
    found = _estimate(tokenizer, small_source())
    assert found.seconds == pytest.approx(found.size_bytes / 100e6)


def test_encoding_is_reckoned_by_the_samples_time_and_shared_by_workers(tokenizer, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    source = _First({"train": ["a b", "a b c d", *["?"] * 8]})
    found = _estimate(tokenizer, source, num_workers=4)
    # Two batches of 10 bytes in all take a second each; there are 50 bytes.
    assert found.seconds == pytest.approx(50 * 2 / 10 / 4, abs=1e-3)
