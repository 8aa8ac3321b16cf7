"""Packs examples into rows of fixed lengths, many at a time.

A *row* is what the trainer batches: int32 arrays, one entry per feature, filled up with padding.
*Packing* puts several examples into one row, one after the other, as long as the next one fits in
every feature; the arrays `…_segmentation` and `…_position` tell them apart. The rows are those of
`mesh_tensorflow.transformer.dataset.pack_dataset`, which makes them one example at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from code_t5.data import ragged
from code_t5.data.piece_model import EOS_ID
from code_t5.data.ragged import Ragged

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
    return _rows(examples, lengths, starts)


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
    starts = np.arange(examples.inputs.num_rows + 1)
    rows = {}
    for feature in FEATURES:
        ends = _offsets_with_eos(examples, feature, lengths)
        tokens = _with_eos(getattr(examples, feature), ends)
        (rows[feature],) = _lay_out([tokens], fills=np.diff(ends[starts]), length=lengths[feature])
    return rows


def _rows(examples: InputsAndTargets, lengths: Mapping[str, int], starts: np.ndarray) -> Rows:
    sizes = np.diff(starts)
    # Of each example: its place in its row, counted from 1.
    segments = (np.arange(starts[-1]) - np.repeat(starts[:-1], sizes) + 1).astype(np.int32)
    rows = {}
    for feature in FEATURES:
        ends = _offsets_with_eos(examples, feature, lengths)
        counts = np.diff(ends)
        tokens = _with_eos(getattr(examples, feature), ends)
        positions = np.arange(len(tokens), dtype=np.int32)
        positions -= np.repeat(ends[:-1].astype(np.int32), counts)
        columns = [tokens, np.repeat(segments, counts), positions]
        laid_out = _lay_out(columns, fills=np.diff(ends[starts]), length=lengths[feature])
        for end, array in zip(("", SEGMENTATION, POSITION), laid_out):
            rows[feature + end] = array
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


def _with_eos(rows: Ragged, ends: np.ndarray) -> np.ndarray:
    """Returns the tokens of all rows, each with an EOS after it: int32 `[ends[-1]]`."""
    tokens = np.empty(ends[-1], dtype=np.int32)
    is_token = np.ones(len(tokens), dtype=bool)
    is_token[ends[1:] - 1] = False
    tokens[is_token] = rows.values[rows.offsets[0] : rows.offsets[-1]]
    tokens[ends[1:] - 1] = EOS_ID
    return tokens


def _lay_out(columns: list[np.ndarray], *, fills: np.ndarray, length: int) -> list[np.ndarray]:
    """Cuts flat arrays into rows of one length, the first `fills` entries of each from the array.

    Args:
      columns: int32 `[fills.sum()]` each.
      fills: int64 `[num_rows]`.
      length: Of a row.

    Returns:
      int32 `[num_rows, length]` each.
    """
    is_filled = np.arange(length) < fills[:, None]
    arrays = []
    for column in columns:
        array = np.zeros(is_filled.shape, dtype=np.int32)
        array[is_filled] = column
        arrays.append(array)
    return arrays
