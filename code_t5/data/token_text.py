"""From ids to bytes by array operations: which bytes of a text each of its ids stands for."""

from __future__ import annotations

import numpy as np

from code_t5.data import ragged
from code_t5.data.token_model import TokenModel


class TokenText:
    """Looks up the bytes of ids."""

    def __init__(self, model: TokenModel) -> None:
        """Takes the table of a model.

        Args:
          model: Of the vocabulary that gave the ids.
        """
        self._bytes = model.token_bytes
        self._lengths = self._bytes.lengths

    def decode_bytes(self, token_ids: np.ndarray) -> bytes:
        """Returns the UTF-8 bytes of some ids, which need not end where a character does.

        Args:
          token_ids: int `[num_tokens]`, all below the vocabulary's size; special ids are nothing.
        """
        starts = self._bytes.offsets[:-1][token_ids]
        return ragged.gather_ranges(
            self._bytes.values, starts=starts, lengths=self._lengths[token_ids]
        ).values.tobytes()

    def byte_offsets(self, token_ids: np.ndarray) -> np.ndarray:
        """Returns where the bytes of each id begin, and where those of the last end.

        Args:
          token_ids: int `[num_tokens]`.

        Returns:
          int64 `[num_tokens + 1]`.
        """
        return ragged.offsets_of(self._lengths[token_ids])
