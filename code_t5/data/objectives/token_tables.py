"""What an objective must know of each id: its bytes, and where lines and characters begin.

No token crosses a line end, so lines begin between two tokens, and the ids of a text's lines are
those of the text (`code_t5.encoding.text_units`). Whatever cuts inside a line encodes the two parts
of that line anew, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from code_t5.encoding import ragged
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.token_model import TokenModel
from code_t5.encoding.unit_encoder import UnitEncoder

_NEWLINE = ord("\n")
WHITE_SPACE = " \t\r\n\f\v"


class TokenTables:
    """Tables by id, and an encoder; threads may share one.

    Attributes:
      is_newline: bool `[vocab_size]`: the token is a line end.
      is_blank: bool `[vocab_size]`: all its bytes are white space.
      begins_character: bool `[vocab_size]`: its first byte is the first of a character.
    """

    def __init__(self, model: TokenModel) -> None:
        """Builds the tables.

        Args:
          model: The vocabulary's.
        """
        rows = model.token_bytes
        self._bytes, self._lengths = rows, rows.lengths
        first = np.zeros(rows.num_rows, dtype=np.uint8)
        (some,) = np.nonzero(self._lengths)
        first[some] = rows.values[rows.offsets[:-1][some]]
        self.is_newline = (self._lengths == 1) & (first == _NEWLINE)
        is_filled = ~np.isin(rows.values, np.frombuffer(WHITE_SPACE.encode(), dtype=np.uint8))
        num_filled = ragged.offsets_of(is_filled)
        self.is_blank = num_filled[rows.offsets[1:]] == num_filled[rows.offsets[:-1]]
        self.begins_character = (first & 0xC0) != 0x80
        self._encoder = UnitEncoder(model)

    def byte_offsets(self, token_ids: np.ndarray) -> np.ndarray:
        """Returns where each token begins, and where the last ends.

        Args:
          token_ids: int `[num_tokens]`.

        Returns:
          int64 `[num_tokens + 1]`, in bytes.
        """
        return ragged.offsets_of(self._lengths[token_ids])

    def decode(self, token_ids: np.ndarray) -> np.ndarray:
        """Returns the bytes of tokens.

        Args:
          token_ids: int `[num_tokens]`.

        Returns:
          uint8 `[num_bytes]`.
        """
        return ragged.gather_ranges(
            self._bytes.values,
            starts=self._bytes.offsets[:-1][token_ids],
            lengths=self._lengths[token_ids],
        ).values

    def encode(self, contents: Sequence[bytes]) -> Ragged:
        """Returns the ids of texts: int32, a row for each.

        Args:
          contents: UTF-8.
        """
        return self._encoder.encode(contents)
