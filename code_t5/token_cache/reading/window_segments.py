"""Segments: which document each token of a window is of, where windows cross documents.

A *segment* is the piece of one document in a window. Segments count from 1, and 0 is padding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from code_t5.token_cache.token_split import TokenSplit

# Pages of offsets that looking for a document reads for the first time.
_PLACES_OF_SEARCH = 8


class Segments(NamedTuple):
    """Which document each input of some windows is of.

    Attributes:
      segment_ids: int32 `[num_windows, seq_len]`: 1 for the first document of a window, 2 for the
        next; 0 for padding. Documents without tokens are not counted.
      positions: int64 `[num_windows, seq_len]`: tokens of its document before it; 0 for padding.
    """

    segment_ids: np.ndarray
    positions: np.ndarray


def stream_segments(split: TokenSplit, *, starts: np.ndarray, seq_len: int) -> Segments:
    """Says to which document each token of some windows of a split's stream of tokens belongs.

    Args:
      split: The tokens.
      starts: int64 `[num_windows]`, places of the windows' first tokens.
      seq_len: Tokens of a window; all must be there.

    Returns:
      Their segments and places in their documents.

    Raises:
      ArtifactError: The places where documents begin are not in order.
    """
    first, flat_starts = _document_starts(split, starts=starts, seq_len=seq_len)
    # Places in all windows, one after the other, at which segments begin.
    rows = np.arange(len(starts)) * seq_len
    begins = np.unique(np.concatenate([rows, flat_starts]))
    at_rows = np.searchsorted(begins, rows)
    per_row = np.diff(at_rows, append=len(begins))
    numbers = np.arange(1, len(begins) + 1) - np.repeat(at_rows, per_row)
    # A window's first document began before it.
    positions = np.zeros(len(begins), dtype=np.int64)
    positions[at_rows] = starts - split.offsets[first]
    shape = (len(starts), seq_len)
    return Segments(
        _fill(numbers.astype(np.int32), begins=begins, shape=shape, step=0),
        _fill(positions, begins=begins, shape=shape, step=1),
    )


def _document_starts(
    split: TokenSplit, *, starts: np.ndarray, seq_len: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the documents of windows of a stream.

    Returns:
      The document of each window's first token, int64 `[num_windows]`, and where the other
      documents begin, in tokens of all windows one after the other.
    """
    offsets = split.offsets
    split.note_places(_PLACES_OF_SEARCH * len(starts))
    first = np.searchsorted(offsets, starts, side="right") - 1
    first = np.minimum(first, split.num_documents - 1)
    last = np.searchsorted(offsets, starts + seq_len, side="left") - 1
    counts = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(starts)), counts)
    skipped = np.repeat(first + 1 - (np.cumsum(counts) - counts), counts)
    columns = np.asarray(offsets[np.arange(len(rows)) + skipped]) - starts[rows]
    is_inside = (columns > 0) & (columns < seq_len)
    is_in_order = (np.diff(columns) >= 0) | (np.diff(rows) > 0)
    is_first = (offsets[first] <= starts) & (offsets[first + 1] > starts)
    if not (is_inside.all() and is_in_order.all() and is_first.all()):
        # Never where offsets lie in order; this says where they do not.
        split.check_offsets()
    return first, rows * seq_len + columns


def _fill(
    values: np.ndarray, *, begins: np.ndarray, shape: tuple[int, int], step: int
) -> np.ndarray:
    """Returns an array that has some values at some places, and grows by a step from each on."""
    filled = np.full(shape[0] * shape[1], step, dtype=values.dtype)
    # Sums are quicker than `np.repeat`.
    reached = values[:-1] + step * (np.diff(begins) - 1)
    filled[begins[:1]] = values[:1]
    filled[begins[1:]] = values[1:] - reached
    return np.cumsum(filled, dtype=values.dtype, out=filled).reshape(shape)
