"""Windows: pieces of a document of one length, side by side; only the last may be shorter."""

from __future__ import annotations

import numpy as np

from code_t5 import errors
from code_t5.data.objectives.objective import Documents, Requests
from code_t5.encoding import keys, ragged
from code_t5.encoding.ragged import Ragged


def count_windows(lengths: np.ndarray, *, window: int) -> np.ndarray:
    """Returns how many windows documents have.

    Args:
      lengths: int64 `[num_documents]`, in tokens.
      window: Most tokens of a window.

    Returns:
      int64 `[num_documents]`; 0 for an empty document.

    >>> count_windows(np.array([0, 4, 5]), window=4).tolist()
    [0, 1, 2]
    """
    return -(-np.asarray(lengths, dtype=np.int64) // window)


def check_numbers(numbers: np.ndarray, *, num_examples: np.ndarray) -> None:
    """Refuses requests for examples that are not there.

    Args:
      numbers: int64 `[num_requests]`, as requested.
      num_examples: int64 `[num_requests]`, what the document of each has.

    Raises:
      InputError: A number is below 0, or not below the document's number of examples.
    """
    (wrong,) = np.nonzero((numbers < 0) | (numbers >= num_examples))
    if len(wrong):
        raise errors.InputError(
            f"found a request for example {numbers[wrong[0]]} of a document that gives "
            f"{num_examples[wrong[0]]}; wanted a number from 0 on and below that; count the "
            "examples again (num_examples) with the same objective and lengths"
        )


def window_bounds(
    documents: Documents, *, requests: Requests, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the requested windows lie.

    Args:
      documents: The documents.
      requests: The number of a request is that of its window.
      window: Most tokens of a window.

    Returns:
      Positions in the documents' tokens and lengths, int64 `[num_requests]` both.

    Raises:
      InputError: A document has no window of that number.
    """
    starts = np.asarray(documents.offsets)[requests.documents]
    lengths = np.asarray(documents.offsets)[requests.documents + 1] - starts
    check_numbers(requests.numbers, num_examples=count_windows(lengths, window=window))
    skipped = requests.numbers * window
    return starts + skipped, np.minimum(lengths - skipped, window)


def gather_tokens(documents: Documents, *, starts: np.ndarray, lengths: np.ndarray) -> Ragged:
    """Copies stretches of documents.

    Args:
      documents: The documents.
      starts: int64 `[num_rows]`, positions in their tokens.
      lengths: int64 `[num_rows]`.

    Returns:
      int32, a row for each.
    """
    rows = ragged.gather_ranges(documents.tokens, starts=starts, lengths=lengths)
    return Ragged(rows.values.astype(np.int32, copy=False), rows.offsets)


def draw_cuts(lengths: np.ndarray, *, row_keys: np.ndarray, targets_room: int) -> np.ndarray:
    """Draws where windows are cut into inputs and targets, all places alike likely.

    Args:
      lengths: int64 `[num_rows]`, 1 or more.
      row_keys: uint64 `[num_rows]`.
      targets_room: Most tokens behind the cut.

    Returns:
      int64 `[num_rows]`: tokens before the cut, at least 1, or 0 for a window of one token.
    """
    least = np.minimum(np.maximum(1, lengths - targets_room), lengths - 1)
    return least + keys.draw(row_keys, np.maximum(1, lengths - least))
