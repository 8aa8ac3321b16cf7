"""Completes lines with an n-gram model, greedily: the likeliest token each time.

A cursor inside of a word cuts tokens that training has never seen cut. So the last token of
the cursor's line is taken back, and written anew under the condition that it begins with the same
text (*healing*): `retu` becomes `return` where that is likelier than whatever follows `retu`. The
model is as good at mid-line cursors as counts allow.
"""

from __future__ import annotations

import bisect

import numpy as np

from code_t5.encoding.token_model import TokenModel
from code_t5.encoding.unit_encoder import UnitEncoder
from code_t5.training.evaluating import ngram_model

_LINE_END = b"\n"
_SEEN_CHARACTERS = 4000
# Of the line's last tokens, so many are written anew.
HEALED_TOKENS = 1


class NgramLines:
    """Writes the rest of lines."""

    def __init__(
        self,
        ngrams: ngram_model.NgramModel,
        *,
        model: TokenModel,
        max_new_tokens: int = 64,
        healed_tokens: int = HEALED_TOKENS,
    ) -> None:
        """Prepares the vocabulary's pieces.

        Args:
          ngrams: Counted on tokens of the vocabulary.
          model: The vocabulary's.
          max_new_tokens: Most tokens of a line's rest, beside those written anew.
          healed_tokens: How many of the line's last tokens are written anew.
        """
        self._ngrams = ngrams
        self._encoder = UnitEncoder(model)
        self._max_new_tokens = max_new_tokens
        self._healed_tokens = healed_tokens
        rows = model.token_bytes
        self._pieces = [rows.row(index).tobytes() for index in range(rows.num_rows)]
        # What stands for no text, or for text that no file holds as such, is never written.
        self._is_written = np.array([bool(piece) for piece in self._pieces])
        self._is_written[model.num_pieces :] = False
        (written,) = np.nonzero(self._is_written)
        self._sorted = sorted((self._pieces[token], int(token)) for token in written)

    def complete(self, prompt: str) -> str:
        """Returns what probably follows, up to the line's end.

        Args:
          prompt: A file up to a cursor.
        """
        whole, line_end, head = prompt.rpartition("\n")
        # Of what stands further away nothing is seen.
        before, tokens = self._encode((whole + line_end)[-_SEEN_CHARACTERS:]), self._encode(head)
        num_healed = min(self._healed_tokens, len(tokens)) if head.strip() else 0
        kept = tokens[: len(tokens) - num_healed]
        wanted = b"".join(self._pieces[token] for token in tokens[len(kept) :])
        context = [ngram_model.BOUNDARY, *before, *kept]
        num_tokens = self._max_new_tokens + num_healed
        written = self._write(context, wanted, num_tokens=num_tokens)
        return written.decode("utf-8", errors="replace")

    def _encode(self, text: str) -> list[int]:
        return [int(token) for token in self._encoder.encode([text.encode("utf-8")]).values]

    def _write(self, context: list[int], wanted: bytes, *, num_tokens: int) -> bytes:
        """Returns the likeliest bytes behind `wanted`, which is what they must begin with."""
        written, num_needed = b"", len(wanted)
        for _ in range(num_tokens):
            missing = wanted[len(written) :]
            probabilities = self._ngrams.probabilities(context[-self._ngrams.max_order :])
            token = self._likeliest(probabilities, missing)
            written += self._pieces[token]
            context.append(token)
            if _LINE_END in self._pieces[token]:
                break
        return written[num_needed:].partition(_LINE_END)[0]

    def _likeliest(self, probabilities: np.ndarray, missing: bytes) -> int:
        if not missing:
            return int(np.argmax(np.where(self._is_written, probabilities, -1)))
        allowed = self._fitting(missing)
        return allowed[int(np.argmax(probabilities[allowed]))]

    def _fitting(self, missing: bytes) -> list[int]:
        """Returns the tokens that begin with `missing`, and those that `missing` begins with."""
        found: list[int] = []
        start = bisect.bisect_left(self._sorted, (missing, -1))
        for piece, token in self._sorted[start:]:
            if not piece.startswith(missing):
                break
            found.append(token)
        for length in range(1, len(missing)):
            prefix = missing[:length]
            place = bisect.bisect_left(self._sorted, (prefix, -1))
            while place < len(self._sorted) and self._sorted[place][0] == prefix:
                found.append(self._sorted[place][1])
                place += 1
        return found
