"""Tests of tokens and n-grams against plain loops over regular expressions."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from code_t5 import errors
from preprocessing.dedup import tokens

_TOKEN = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")
GOLDEN_TOKENS = ["49e849070e1268d3", "3ca5756d5a712a27", "116455813dc60fa9", "bbfcdbca4a61fb54"]
GOLDEN_NGRAMS = ["15b7629e79e030cc", "0f8981470e99faa7"]


def _texts(seed: int, count: int) -> list[bytes]:
    """Random texts over an alphabet that makes tokens of many lengths, some beyond 64 bytes."""
    source = random.Random(seed)
    alphabet = b"ab_0\xc3\xa9" * 6 + b" \n.(\0"
    texts = [
        bytes(source.choices(alphabet, k=source.choice([0, 1, 7, 9, 300]))) for _ in range(count)
    ]
    return [*texts, b"x" * 65 + b"+" + b"x" * 64 + b"+" + b"x" * 500]


def _names(contents: list[bytes]) -> list[list[bytes]]:
    return [_TOKEN.findall(content) for content in contents]


def _rows(batch: tokens.TokenBatch | tokens.NgramBatch) -> list[list[int]]:
    bounds = batch.offsets.tolist()
    return [batch.hashes[start:stop].tolist() for start, stop in zip(bounds, bounds[1:])]


def test_equal_tokens_and_only_they_have_equal_hashes() -> None:
    contents = _texts(0, 200)
    rows = _rows(tokens.hash_tokens(contents))
    names = _names(contents)
    assert [len(row) for row in rows] == [len(row) for row in names]
    hash_of: dict[bytes, int] = {}
    for row, name_row in zip(rows, names):
        for value, name in zip(row, name_row):
            assert hash_of.setdefault(name, value) == value
    assert len(set(hash_of.values())) == len(hash_of) > 1000


def test_starts_count_from_each_text() -> None:
    contents = _texts(1, 100)
    wanted = [match.start() for content in contents for match in _TOKEN.finditer(content)]
    assert tokens.token_starts(contents).tolist() == wanted


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = _texts(2, 60)
    whole = tokens.hash_tokens(contents)
    starts = tokens.token_starts(contents)
    for piece_bytes in (1, 5, 64, 1000):
        monkeypatch.setattr(tokens, "_PIECE_BYTES", piece_bytes)
        pieces = tokens.hash_tokens(contents)
        assert pieces.hashes.tolist() == whole.hashes.tolist()
        assert pieces.offsets.tolist() == whole.offsets.tolist()
        assert tokens.token_starts(contents).tolist() == starts.tolist()


def test_hashes_are_the_same_in_every_run() -> None:
    batch = tokens.hash_tokens([b"return x", b"a_long_identifier_name", b"z" * 70])
    assert [f"{value:016x}" for value in batch.hashes.tolist()] == GOLDEN_TOKENS
    grams = tokens.ngram_hashes(tokens.hash_tokens([b"def f(a, b, c): return"]), 5)
    assert [f"{value:016x}" for value in grams.hashes.tolist()] == GOLDEN_NGRAMS


def test_no_texts_and_empty_texts_have_no_tokens() -> None:
    assert tokens.hash_tokens([]).offsets.tolist() == [0]
    assert tokens.token_starts([]).tolist() == []
    batch = tokens.hash_tokens([b"", b" \n", b""])
    assert batch.offsets.tolist() == [0, 0, 0, 0]
    assert tokens.unique_ngrams(tokens.ngram_hashes(batch, 5)).offsets.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("size", [1, 2, 5, 13])
def test_ngrams_are_the_runs_within_one_text(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_BLOCK_WINDOWS", 16)
    contents = _texts(3, 100)
    rows = _rows(tokens.ngram_hashes(tokens.hash_tokens(contents), size))
    hash_of: dict[tuple[bytes, ...], int] = {}
    for row, names in zip(rows, _names(contents)):
        grams = [tuple(names[place : place + size]) for place in range(len(names) - size + 1)]
        assert len(row) == len(grams)
        for value, gram in zip(row, grams):
            assert hash_of.setdefault(gram, value) == value
    assert len(set(hash_of.values())) == len(hash_of) > 50


def test_order_of_tokens_counts() -> None:
    grams = tokens.ngram_hashes(tokens.hash_tokens([b"a b c d e", b"e d c b a", b"a b c e d"]), 5)
    assert len(set(grams.hashes.tolist())) == 3


def test_what_stands_between_tokens_does_not_count() -> None:
    first, second = _rows(
        tokens.ngram_hashes(tokens.hash_tokens([b"a=b+c(d,e)", b"a b\n\tc - d.e"]), 5)
    )
    assert first == second


def test_unique_ngrams_are_sorted_sets_per_text() -> None:
    contents = [b"a b a b a b", b"", b"b a b", b"a b"]
    ngrams = tokens.ngram_hashes(tokens.hash_tokens(contents), 2)
    before = ngrams.hashes.copy()
    rows = _rows(tokens.unique_ngrams(ngrams))
    assert rows == [sorted(set(row)) for row in _rows(ngrams)]
    assert [len(row) for row in rows] == [2, 0, 2, 1]
    assert np.array_equal(ngrams.hashes, before)


def test_size_below_one_is_refused() -> None:
    with pytest.raises(errors.InputError, match="wanted 1 or more"):
        tokens.ngram_hashes(tokens.hash_tokens([b"a"]), 0)
