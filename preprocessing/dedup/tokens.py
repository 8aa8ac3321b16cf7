"""Tokens and n-grams of many texts at once, as 64-bit hashes.

A *token* is a maximal run of bytes that are ASCII letters, digits, `_` or at least 0x80: an
identifier, a keyword, a number, a word of any language. An *n-gram* is a run of `size` neighbouring
tokens of one text; what stands between the tokens (spaces, operators, line ends) does not count.

Everything is done by array operations over half a megabyte of text at a time, so that the arrays
stay in the processor's cache: there is no Python loop over tokens, except for those of more than
64 bytes, which are rare. The hashes are the same on every machine and in every run. Different
tokens of at most 8 bytes never share a hash; others do so once in 2^64 pairs, unless somebody wrote
them for it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

import numpy as np

from code_t5 import errors
from code_t5.encoding import byte_runs

_TOKEN_BYTES = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz" + bytes(
    range(0x80, 0x100)
)
_IS_TOKEN_BYTE = bytes(byte in _TOKEN_BYTES for byte in range(256))
_OTHER_BYTE = re.compile(rb"[^0-9A-Za-z_\x80-\xff]")
_PIECE_BYTES = 1 << 19
# Windows at a time: five arrays of this many numbers stay in the second-level cache.
_BLOCK_WINDOWS = 1 << 14


@dataclasses.dataclass(frozen=True)
class TokenBatch:
    """The tokens of several texts, in order.

    Attributes:
      hashes: uint64 `[num_tokens]`.
      offsets: int64 `[num_texts + 1]`; text `i` has `hashes[offsets[i]:offsets[i + 1]]`.
    """

    hashes: np.ndarray
    offsets: np.ndarray


@dataclasses.dataclass(frozen=True)
class NgramBatch:
    """The n-grams of several texts.

    Attributes:
      hashes: uint64 `[total]`.
      offsets: int64 `[num_texts + 1]`; text `i` has `hashes[offsets[i]:offsets[i + 1]]`.
    """

    hashes: np.ndarray
    offsets: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Piece:
    """Some texts, or a part of a long one, in one buffer with a zero byte around each.

    Attributes:
      data: The buffer; readable for 8 bytes from every token's start.
      first_text: Position of the first text.
      bases: int64 `[num_texts]`; where each text's bytes begin in `data`, for a part less the
        bytes that come before it in its text.
    """

    data: bytes
    first_text: int
    bases: np.ndarray


def _make_piece(parts: Sequence[bytes], first_text: int, skipped: int) -> _Piece:
    sizes = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    bases = np.cumsum(sizes + 1) - sizes - skipped
    return _Piece(b"\0".join([b"", *parts, b"\0" * byte_runs.WORD_BYTES]), first_text, bases)


def _long_parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Cuts a long text between tokens into parts of at least `_PIECE_BYTES`, the last excepted."""
    start = 0
    while start < len(content):
        cut = _OTHER_BYTE.search(content, start + _PIECE_BYTES)
        stop = cut.start() if cut else len(content)
        yield start, content[start:stop]
        start = stop


def _pieces(contents: Sequence[bytes]) -> Iterator[_Piece]:
    first, size = 0, 0
    for position, content in enumerate(contents):
        if size + len(content) > _PIECE_BYTES:
            if position > first:
                yield _make_piece(contents[first:position], first, 0)
            first, size = position, 0
            if len(content) > _PIECE_BYTES:
                for start, part in _long_parts(content):
                    yield _make_piece([part], position, start)
                first = position + 1
                continue
        size += len(content)
    if first < len(contents):
        yield _make_piece(contents[first:], first, 0)


def _token_bounds(piece: _Piece) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each token begins and ends in the piece, int64 `[num_tokens]` both."""
    is_token = np.frombuffer(piece.data.translate(_IS_TOKEN_BYTE), dtype=np.uint8)
    edges = np.flatnonzero(is_token[1:] != is_token[:-1]) + 1
    return edges[0::2], edges[1::2]


def _count_tokens(piece: _Piece, starts: np.ndarray, counts: np.ndarray) -> None:
    """Adds the number of tokens of each text of the piece to `counts`."""
    firsts = np.searchsorted(starts, piece.bases)
    counts[piece.first_text : piece.first_text + len(firsts)] += np.diff(firsts, append=len(starts))


def _offsets(counts: np.ndarray) -> np.ndarray:
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def hash_tokens(contents: Sequence[bytes]) -> TokenBatch:
    """Hashes every token of every text.

    Args:
      contents: The texts.

    Returns:
      The hashes, in order of occurrence.

    >>> batch = hash_tokens([b"a = b", b"", b"b"])
    >>> batch.offsets.tolist(), bool(batch.hashes[1] == batch.hashes[2])
    ([0, 2, 2, 3], True)
    """
    counts = np.zeros(len(contents), dtype=np.int64)
    hashes = [np.zeros(0, dtype=np.uint64)]
    for piece in _pieces(contents):
        starts, ends = _token_bounds(piece)
        _count_tokens(piece, starts, counts)
        hashes.append(byte_runs.hash_runs(piece.data, starts=starts, ends=ends))
    return TokenBatch(np.concatenate(hashes), _offsets(counts))


def token_starts(contents: Sequence[bytes]) -> np.ndarray:
    """Finds where each token begins, counted from the start of its own text.

    Args:
      contents: The texts.

    Returns:
      int64 `[num_tokens]`, in the order of `hash_tokens(contents).hashes`.

    >>> token_starts([b"a = b", b" c"]).tolist()
    [0, 4, 1]
    """
    found = [np.zeros(0, dtype=np.int64)]
    for piece in _pieces(contents):
        starts, _ = _token_bounds(piece)
        counts = np.zeros(piece.first_text + len(piece.bases), dtype=np.int64)
        _count_tokens(piece, starts, counts)
        found.append(starts - np.repeat(piece.bases, counts[piece.first_text :]))
    return np.concatenate(found)


def _is_window(offsets: np.ndarray, size: int) -> np.ndarray:
    """Returns bool `[num_tokens]`: `size` tokens from here on are of one text."""
    is_window = np.ones(int(offsets[-1]), dtype=bool)
    for back in range(1, size):
        last = offsets[1:] - back
        is_window[last[last >= offsets[:-1]]] = False
    return is_window


def ngram_hashes(tokens: TokenBatch, size: int) -> NgramBatch:
    """Hashes every run of `size` neighbouring tokens.

    Args:
      tokens: The tokens.
      size: Tokens in an n-gram, 1 or more.

    Returns:
      The hashes in order of occurrence, with repeats; a text of fewer than `size` tokens has none.

    Raises:
      InputError: `size` is below 1.

    >>> ngram_hashes(hash_tokens([b"a b c", b"d"]), 2).offsets.tolist()
    [0, 2, 2]
    """
    if size < 1:
        raise errors.InputError(f"n-grams of {size} tokens; wanted 1 or more; change the size")
    total = max(0, len(tokens.hashes) - size + 1)
    hashes = np.empty(len(tokens.hashes), dtype=np.uint64)
    for start in range(0, total, _BLOCK_WINDOWS):
        stop = min(total, start + _BLOCK_WINDOWS)
        block = tokens.hashes[start:stop].copy()
        for place in range(1, size):
            # A polynomial with an odd base: every place counts, and differently.
            block *= byte_runs.WORD_MULTIPLIER
            block += tokens.hashes[start + place : stop + place]
        byte_runs.mix_hashes(block)
        hashes[start:stop] = block
    counts = np.maximum(np.diff(tokens.offsets) - (size - 1), 0)
    return NgramBatch(hashes[_is_window(tokens.offsets, size)], _offsets(counts))


def unique_ngrams(ngrams: NgramBatch) -> NgramBatch:
    """Makes a set of each text's n-grams.

    Args:
      ngrams: The n-grams.

    Returns:
      Per text sorted, without repeats.
    """
    hashes = ngrams.hashes.copy()
    bounds = ngrams.offsets.tolist()
    for start, stop in zip(bounds, bounds[1:]):
        hashes[start:stop].sort()
    is_first = np.ones(len(hashes), dtype=bool)
    np.not_equal(hashes[1:], hashes[:-1], out=is_first[1:])
    is_first[ngrams.offsets[:-1][np.diff(ngrams.offsets) > 0]] = True
    kept = np.zeros(len(hashes) + 1, dtype=np.int64)
    np.cumsum(is_first, out=kept[1:])
    return NgramBatch(hashes[is_first], kept[ngrams.offsets])
