"""Packs examples into rows of fixed lengths, a block at a time.

A *row* is what the trainer batches: int32 arrays, one entry per feature, filled up with padding.
*Packing* puts several examples into one row, one after the other, as long as the next one fits in
every feature; the arrays `…_segmentation` and `…_position` tell them apart. The rows are those of
`mesh_tensorflow.transformer.dataset.pack_dataset`, which makes them one example at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from code_t5.encoding import ragged
from code_t5.encoding.piece_model import EOS_ID
from code_t5.encoding.ragged import Ragged

FEATURES = ("inputs", "targets")
SEGMENTATION = "_segmentation"
POSITION = "_position"
# What a packed row holds; an unpacked one holds `FEATURES` alone.
PACKED_KEYS = tuple(name + end for name in FEATURES for end in ("", SEGMENTATION, POSITION))

Rows = dict[str, np.ndarray]


class InputsAndTargets(Protocol):
    """Examples, as an objective makes them: tokens without an end."""

    @property
    def inputs(self) -> Ragged:
        """int32, one row per example."""

    @property
    def targets(self) -> Ragged:
        """int32, one row per example."""


def first_examples(examples: InputsAndTargets, lengths: Mapping[str, int]) -> np.ndarray:
    """Returns the example that begins each packed row.

    Args:
      examples: To be packed.
      lengths: Of a row, by feature, room for each example's EOS included.

    Returns:
      int64 `[num_rows + 1]`; the last is the number of examples.

    Raises:
      ValueError: An example is longer than a row.
    """
    num_examples = examples.inputs.num_rows
    next_starts = np.full(num_examples, num_examples, dtype=np.int64)
    for feature in FEATURES:
        ends = _offsets_with_eos(examples, feature, lengths)
        fits = np.searchsorted(ends, ends[:-1] + lengths[feature], side="right") - 1
        np.minimum(next_starts, fits, out=next_starts)
    # A row's end is the start of the next: follow the arrows from the first example.
    following, starts, start = next_starts.tolist(), [], 0
    while start < num_examples:
        starts.append(start)
        start = following[start]
    return np.array([*starts, num_examples], dtype=np.int64)


def pack(examples: InputsAndTargets, lengths: Mapping[str, int]) -> Rows:
    """Packs examples, in their order, each with EOS at its end.

    Args:
      examples: What to pack.
      lengths: Of a row, by feature.

    Returns:
      int32 `[num_rows, length]` for each of `PACKED_KEYS`. Segments are counted from 1 and
      positions from 0; both are 0 in padding.

    Raises:
      ValueError: An example is longer than a row.
    """
    starts = first_examples(examples, lengths)
    sizes = np.diff(starts)
    of_examples = np.repeat(np.arange(len(sizes)), sizes)
    # Of each example: its place in its row, counted from 1.
    segments = np.arange(1, starts[-1] + 1) - starts[of_examples]
    rows: Rows = {}
    for feature in FEATURES:
        length = lengths[feature]
        tokens, segmentation, position = (
            np.zeros((len(sizes), length), dtype=np.int32) for _ in range(3)
        )
        ends = _offsets_with_eos(examples, feature, lengths)
        begins = ends[:-1] - ends[starts[of_examples]] + of_examples * length
        _write_examples(getattr(examples, feature), begins, tokens=tokens.reshape(-1))
        _write_places(begins, np.diff(ends), segments, segmentation, position)
        rows[feature] = tokens
        rows[feature + SEGMENTATION] = segmentation
        rows[feature + POSITION] = position
    return rows


def pad(examples: InputsAndTargets, lengths: Mapping[str, int]) -> Rows:
    """Gives each example, with EOS at its end, a row of its own.

    Args:
      examples: What to pad.
      lengths: Of a row, by feature.

    Returns:
      int32 `[num_examples, length]` for each of `FEATURES`.

    Raises:
      ValueError: An example is longer than a row.
    """
    rows: Rows = {}
    for feature in FEATURES:
        num_rows, length = getattr(examples, feature).num_rows, lengths[feature]
        _offsets_with_eos(examples, feature, lengths)
        rows[feature] = np.zeros((num_rows, length), dtype=np.int32)
        begins = np.arange(num_rows) * length
        _write_examples(getattr(examples, feature), begins, tokens=rows[feature].reshape(-1))
    return rows


def _offsets_with_eos(
    examples: InputsAndTargets, feature: str, lengths: Mapping[str, int]
) -> np.ndarray:
    """Returns where each example begins once each has an EOS: int64 `[num_examples + 1]`."""
    counts = getattr(examples, feature).lengths + 1
    longest = int(counts.max(initial=0))
    if longest > lengths[feature]:
        raise ValueError(
            f"the {feature} of an example have {longest} tokens with EOS; wanted at most "
            f"{lengths[feature]}"
        )
    return ragged.offsets_of(counts)


# Copying example by example is quicker than any single operation on all tokens of a block: an
# example has some hundred tokens, and the copy of a slice touches each of them once.


def _write_examples(examples: Ragged, begins: np.ndarray, *, tokens: np.ndarray) -> None:
    """Copies examples, each with EOS, to where they begin in a flat array."""
    values, offsets = examples.values, examples.offsets
    bounds = zip(begins.tolist(), offsets[:-1].tolist(), offsets[1:].tolist())
    for begin, start, stop in bounds:
        tokens[begin : begin + stop - start] = values[start:stop]
    tokens[begins + np.diff(offsets)] = EOS_ID


def _write_places(
    begins: np.ndarray,
    counts: np.ndarray,
    segments: np.ndarray,
    segmentation: np.ndarray,
    position: np.ndarray,
) -> None:
    """Numbers the examples of each row, and the tokens of each example, in two arrays of rows."""
    flat_segmentation, flat_position = segmentation.reshape(-1), position.reshape(-1)
    numbers = np.arange(counts.max(initial=0), dtype=np.int32)
    for begin, count, segment in zip(begins.tolist(), counts.tolist(), segments.tolist()):
        flat_segmentation[begin : begin + count] = segment
        flat_position[begin : begin + count] = numbers[:count]
