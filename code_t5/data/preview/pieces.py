"""Ids as pieces of text, each of one kind, so that whoever draws them can give kinds a colour.

A *sentinel* is one of the ids above a vocabulary's pieces, by which an objective marks a gap;
sentinel 0 is the last id, as T5 counts them. Kinds other than text are written in brackets that
`visible_text` keeps out of texts, so that they are told apart without colours too.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

TEXT, SENTINEL, END, UNKNOWN, PADDING = "text", "sentinel", "end", "unknown", "padding"
KINDS = (TEXT, SENTINEL, END, UNKNOWN, PADDING)


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some tokens that follow each other.

    Attributes:
      kind: One of `KINDS`.
      text: What they stand for, as it stands in the source; of another kind, its name.
      num_tokens: How many tokens they are.
    """

    kind: str
    text: str
    num_tokens: int


@dataclasses.dataclass(frozen=True)
class TokenReader:
    """What has to be known of a vocabulary to read its ids.

    Attributes:
      decode: Turns ids into text; whatever is not text is written out.
      vocab_size: Ids from 0, sentinels included.
      num_sentinels: The ids at the top.
      pad_id: Padding.
      end_id: End of text; None without.
      unknown_id: Unknown; None without.
    """

    decode: Callable[[list[int]], Any]
    vocab_size: int
    num_sentinels: int
    pad_id: int = 0
    end_id: int | None = 1
    unknown_id: int | None = 2

    @classmethod
    def of_vocabulary(cls, vocabulary: Any) -> TokenReader:
        """Returns the reader of a `seqio.Vocabulary` of any kind."""
        return cls(
            decode=vocabulary.decode,
            vocab_size=vocabulary.vocab_size,
            num_sentinels=vocabulary.extra_ids,
            pad_id=vocabulary.pad_id,
            end_id=vocabulary.eos_id,
            unknown_id=vocabulary.unk_id,
        )

    def kind_of(self, token_id: int) -> str:
        """Returns the kind of an id.

        >>> reader = TokenReader(str, vocab_size=110, num_sentinels=100)
        >>> [reader.kind_of(token_id) for token_id in (0, 1, 2, 9, 10, 109, 110)]
        ['padding', 'end', 'unknown', 'text', 'sentinel', 'sentinel', 'unknown']
        """
        if token_id == self.pad_id:
            return PADDING
        if token_id == self.end_id:
            return END
        if token_id == self.unknown_id or not 0 <= token_id < self.vocab_size:
            return UNKNOWN
        return SENTINEL if token_id >= self.vocab_size - self.num_sentinels else TEXT

    def _decode(self, token_ids: list[int]) -> str:
        decoded = self.decode(token_ids)
        return decoded if isinstance(decoded, str) else " ".join(map(str, decoded))

    def _text(self, token_ids: list[int], *, at_start: bool) -> str:
        """Decodes ids; behind another token, a leading space of theirs is one."""
        if at_start or not self.num_sentinels:
            return self._decode(token_ids)
        # A decoder that drops the first space of a text keeps it behind a sentinel.
        sentinel = self.vocab_size - 1
        before, text = self._decode([sentinel]), self._decode([sentinel, *token_ids])
        return text[len(before) :] if before and text.startswith(before) else text

    def read(self, token_ids: Sequence[int] | np.ndarray) -> list[Piece]:
        """Reads ids.

        Args:
          token_ids: int `[num_tokens]`.

        Returns:
          Pieces whose `num_tokens` add up to `num_tokens`; neighbours of kind text and padding are
          one piece.
        """
        found, start = [], 0
        for kind, group in itertools.groupby(map(int, token_ids), self.kind_of):
            same = list(group)
            if kind == TEXT:
                found.append(Piece(TEXT, self._text(same, at_start=start == 0), len(same)))
            elif kind == PADDING:
                found.append(Piece(PADDING, f"padding \u00d7 {len(same):,}", len(same)))
            else:
                found += [Piece(kind, self._name(kind, token_id), 1) for token_id in same]
            start += len(same)
        return found

    def _name(self, kind: str, token_id: int) -> str:
        if kind == SENTINEL:
            return f"extra_id_{self.vocab_size - 1 - token_id}"
        return "end" if kind == END else f"unknown {token_id}"
