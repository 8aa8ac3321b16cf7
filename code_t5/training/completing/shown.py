"""Candidates as a person reads them in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from code_t5 import visible_text
from code_t5.training.completing.completer import Candidate


def shown_lines(candidates: Sequence[Candidate]) -> Iterator[str]:
    r"""Yields the lines that show some candidates; nothing in them that a terminal would obey.

    Args:
      candidates: Best first.

    >>> list(shown_lines([Candidate("x = 1\n", score=-0.5, num_tokens=4, is_finished=True)]))
    ['[1] score -0.500 (61 %), 4 tokens', 'x = 1', '']
    """
    for number, one in enumerate(candidates, start=1):
        share = 100 * math.exp(min(0.0, one.score))
        end = "" if one.is_finished else ", cut off"
        tokens = "1 token" if one.num_tokens == 1 else f"{one.num_tokens} tokens"
        yield f"[{number}] score {one.score:.3f} ({share:.2g} %), {tokens}{end}"
        yield "".join(piece for _, piece in visible_text.split_marks(one.text)).rstrip("\n")
        yield ""
