"""One split of a token cache: its documents' ids, and where each document begins.

That documents lie in order is checked where offsets are used, or for all of them by
`TokenSplit.check_offsets`; opening a split does not read them.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np

from code_t5 import errors
from code_t5.token_cache import layout, memory_maps

# Offsets that are checked at a time.
_CHUNK_DOCUMENTS = 1 << 20


def damaged(path: pathlib.Path, found: str) -> errors.ArtifactError:
    """Returns the error of a file of a cache that is not as it was written.

    Args:
      path: The file.
      found: What is wrong with it.
    """
    return errors.ArtifactError(
        f"{path} {found}; wanted what the writer of the cache wrote; remove the cache and run the "
        "command that builds it again"
    )


@dataclasses.dataclass(frozen=True)
class TokenSplit:
    """The documents of one split; every array is read-only.

    Attributes:
      tokens: uint16 or uint32 `[num_tokens]`.
      offsets: int64 `[num_documents + 1]`; document `i` is `tokens[offsets[i]:offsets[i + 1]]`.
      sizes: int64 `[num_documents]`; UTF-8 bytes of each document's text.
      name_bytes: uint8; the names, one after the other.
      name_offsets: int64 `[num_documents + 1]`; where each name begins in `name_bytes`.
      split_name: Name of the split.
      cache_dir: Where the cache is.
      fingerprint: Of the cache.
      maps: The files that the arrays are maps of, by the names of `layout.ARRAYS`; None if they are
        in memory.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    name_bytes: np.ndarray
    name_offsets: np.ndarray
    split_name: str = "split"
    cache_dir: pathlib.Path = pathlib.Path()
    fingerprint: str = ""
    maps: Mapping[str, memory_maps.MappedArray] | None = None

    @property
    def num_documents(self) -> int:
        """How many documents there are."""
        return len(self.sizes)

    @property
    def num_tokens(self) -> int:
        """Of all documents."""
        return len(self.tokens)

    def _damaged(self, array: str, found: str) -> errors.ArtifactError:
        return damaged(self.cache_dir / layout.array_name(self.split_name, array), found)

    def names(self, index: int) -> tuple[str, str]:
        """Returns repository and path of one document.

        Args:
          index: Of the document.

        Raises:
          ArtifactError: The place of its name is none.
        """
        start, stop = self.name_offsets[index], self.name_offsets[index + 1]
        if not 0 <= start <= stop <= len(self.name_bytes):
            raise self._damaged(layout.NAMES_OFFSETS, f"goes from {start} to {stop} at {index}")
        name = self.name_bytes[start:stop].tobytes().decode("utf-8", "surrogateescape")
        repository, _, path = name.partition(layout.NAME_SEPARATOR)
        return repository, path

    def read_rows(self, starts: np.ndarray, *, width: int) -> np.ndarray:
        """Copies stretches of tokens; of a large file, so that none of it stays resident.

        Args:
          starts: int64 `[num_rows]`, places of their first tokens.
          width: Tokens of each; all must be there.

        Returns:
          `[num_rows, width]`, of the tokens' dtype; the caller's to change.

        Raises:
          ArtifactError: The file cannot be read.
        """
        mapped = None if self.maps is None else self.maps[layout.TOKENS]
        if mapped is None or not mapped.is_large:
            step = self.tokens.itemsize
            # All stretches, as a view. NumPy checks that they lie in the array.
            shape = (self.num_tokens - width + 1, width)
            return np.ndarray(shape, self.tokens.dtype, self.tokens, 0, (step, step))[starts]
        try:
            return mapped.read_rows(starts, width=width)
        except OSError as error:
            raise self._damaged(layout.TOKENS, f"cannot be read ({error})") from error

    def note_places(self, num_places: int) -> None:
        """Counts offsets that were looked up, so that few of a large file stay resident.

        Args:
          num_places: How many.
        """
        if self.maps is not None:
            self.maps[layout.OFFSETS].note_places(num_places)

    def checked_offsets(self, first: int, last: int) -> np.ndarray:
        """Returns where some documents begin, if in order.

        Args:
          first: Document.
          last: Document, or `num_documents` for where the last one ends.

        Returns:
          int64 `[last - first + 1]`.

        Raises:
          ArtifactError: They are not in order, or not places of tokens.
        """
        offsets = self.offsets[first : last + 1]
        self._check_order(layout.OFFSETS, offsets, first=first, size=self.num_tokens)
        return offsets

    def _check_order(self, array: str, ends: np.ndarray, *, first: int, size: int) -> None:
        # What lies in order is never a negative length, nor outside of the file.
        falls = ends[1:] < ends[:-1]
        if falls.any():
            place = int(np.argmax(falls))
            found = f"falls from {ends[place]} to {ends[place + 1]} at {first + place + 1}"
            raise self._damaged(array, found)
        if len(ends) and not 0 <= ends[0] <= ends[-1] <= size:
            raise self._damaged(array, f"goes from {ends[0]} to {ends[-1]} at {first}")

    def check_offsets(self) -> None:
        """Reads where all documents and names begin, and all sizes, and checks them.

        Raises:
          ArtifactError: They are not in order, or a size is negative.
        """
        for first in range(0, self.num_documents, _CHUNK_DOCUMENTS):
            last = min(first + _CHUNK_DOCUMENTS, self.num_documents)
            self.checked_offsets(first, last)
            names = self.name_offsets[first : last + 1]
            size = len(self.name_bytes)
            self._check_order(layout.NAMES_OFFSETS, names, first=first, size=size)
            smallest = self.sizes[first:last].min()
            if smallest < 0:
                raise self._damaged(layout.SIZES, f"holds the size {smallest}")
            self.give_back()

    def give_back(self) -> None:
        """Lets the kernel have what was read of large files; reading it again brings it back."""
        for mapped in (self.maps or {}).values():
            if mapped.is_large:
                mapped.give_back()
