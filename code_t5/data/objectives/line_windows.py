"""Line windows: pieces of a document, side by side, that begin with a line where they can.

A border between two windows moves back to the last line end before it, if there is one within the
*slack*, and else to where a character begins. So a window has no more than `window + slack` tokens.
"""

from __future__ import annotations

import numpy as np

from code_t5.data.objectives import token_tables, windows
from code_t5.data.objectives.objective import Documents, Requests

# A character has no more bytes, and so no more tokens.
_MAX_CHARACTER_TOKENS = 4


def _borders(
    documents: Documents,
    nominal: np.ndarray,
    *,
    firsts: np.ndarray,
    slack: int,
    tables: token_tables.TokenTables,
) -> np.ndarray:
    """Moves borders back.

    Args:
      documents: The documents.
      nominal: int64 `[num_rows]`: positions in their tokens, none past a document's last token.
      firsts: int64 `[num_rows]`: where each document begins.
      slack: How far back a border may go for a line end.
      tables: Of the vocabulary.
    """
    # Only a document's own begin, which stays where it is, has less than the slack before it.
    places = np.maximum(nominal[:, None] - np.arange(1, slack + 1), firsts[:, None])
    is_line_end = tables.is_newline[documents.tokens[places].astype(np.int64)]
    to_line = np.argmax(is_line_end, axis=1)
    # Of the token at the border and of those before it, the first that begins a character.
    steps = np.minimum(np.arange(_MAX_CHARACTER_TOKENS), (nominal - firsts)[:, None])
    begins = tables.begins_character[documents.tokens[nominal[:, None] - steps].astype(np.int64)]
    to_character = np.minimum(np.argmax(begins, axis=1), nominal - firsts)
    return nominal - np.where(is_line_end.any(axis=1), to_line, to_character)


def line_window_bounds(
    documents: Documents,
    *,
    requests: Requests,
    window: int,
    slack: int,
    tables: token_tables.TokenTables,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the requested windows lie.

    Args:
      documents: The documents; each has `windows.count_windows` windows.
      requests: The number of a request is that of its window.
      window: Tokens from border to border before borders move.
      slack: How far a border moves for a line end; at least 1, less than the window.
      tables: Of the vocabulary.

    Returns:
      Positions in the documents' tokens and lengths, int64 `[num_requests]` both.

    Raises:
      InputError: A document has no window of that number.
    """
    offsets = np.asarray(documents.offsets)
    nominal, lengths = windows.window_bounds(documents, requests=requests, window=window)
    firsts, lasts = offsets[requests.documents], offsets[requests.documents + 1]
    both = np.concatenate([nominal, np.minimum(nominal + window, lasts - 1)])
    moved = _borders(
        documents, both, firsts=np.concatenate([firsts, firsts]), slack=slack, tables=tables
    )
    starts, ends = np.split(moved, 2)
    starts = np.where(requests.numbers == 0, firsts, starts)
    ends = np.where(nominal + lengths == lasts, lasts, ends)
    return starts, ends - starts
