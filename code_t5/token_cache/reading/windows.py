"""Windows: slices of one length of a split's tokens, read many at a time.

A *window* of `seq_len` is `seq_len + 1` tokens in a row: its *inputs* are all but the last, its
*labels* all but the first, so that each input's label is the token after it. A window begins
`seq_len - overlap` tokens after the one before it.

Windows that *cross documents* tile the split's tokens as one stream; what is left over at its end
is in none. The others begin anew with each document, and a document's last window is filled up
with `pad_id`. A document of one token or none has none of these, since it has no label.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.encoding.whole_numbers import read_indexes, read_whole_number
from code_t5.token_cache.reading import window_segments
from code_t5.token_cache.token_split import TokenSplit

# The label that PyTorch's losses pass over.
IGNORED_LABEL = -100
_CHUNK_DOCUMENTS = 1 << 20
_ALIGNMENT = 64


class Windows(NamedTuple):
    """Some windows.

    Attributes:
      tokens: uint16 or uint32 `[num_windows, seq_len + 1]`.
      lengths: int32 `[num_windows]`; how many tokens of each are real; padding follows.
    """

    tokens: np.ndarray
    lengths: np.ndarray

    def pairs(self, dtype: Any = np.int64) -> tuple[np.ndarray, np.ndarray]:
        """Returns inputs and labels.

        Args:
          dtype: Of both; must be signed, and hold the ids.

        Returns:
          Two arrays `[num_windows, seq_len]`. A label that is padding is `IGNORED_LABEL`.
        """
        width = self.tokens.shape[1]
        # One block for both: two are so often given back to the system and asked for again that
        # this takes longer than filling them.
        block = _empty_aligned((2, len(self.tokens), width - 1), dtype=np.dtype(dtype))
        inputs, labels = block
        inputs[:] = self.tokens[:, :-1]
        labels[:] = self.tokens[:, 1:]
        if self.lengths.min(initial=width) < width:
            labels[np.arange(1, width) >= self.lengths[:, None]] = IGNORED_LABEL
        return inputs, labels

    @property
    def inputs(self) -> np.ndarray:
        """int64 `[num_windows, seq_len]`."""
        return self.pairs()[0]

    @property
    def labels(self) -> np.ndarray:
        """int64 `[num_windows, seq_len]`, the inputs shifted by one."""
        return self.pairs()[1]


class _Places(NamedTuple):
    """Where windows lie: int64 `[num_windows]` each.

    Attributes:
      starts: Place of the first token in the split.
      lengths: Real tokens.
      skipped: Tokens of the document before the window.
    """

    starts: np.ndarray
    lengths: np.ndarray
    skipped: np.ndarray


class WindowReader:
    """The windows of one split, by number.

    Attributes:
      split: What they are of.
      seq_len: Inputs of a window.
      overlap: Inputs that a window shares with the one before it.
      cross_documents: Whether documents follow each other in a window.
      pad_id: What fills up the last window of a document.
      num_windows: How many there are.
    """

    def __init__(
        self,
        split: TokenSplit,
        *,
        seq_len: int,
        overlap: int = 0,
        cross_documents: bool = True,
        pad_id: int = 0,
    ) -> None:
        """Counts the windows; reads where documents begin unless windows cross them.

        Args:
          split: The tokens.
          seq_len: Inputs of a window, at least 1.
          overlap: Inputs that a window shares with the one before it; below `seq_len`.
          cross_documents: Whether a window may hold more than one document.
          pad_id: What fills up the last window of a document.

        Raises:
          InputError: A number does not do, or there is no window of this length.
          ArtifactError: The places where documents begin are not in order.
        """
        self.split = split
        self.seq_len = read_whole_number(seq_len, name="seq_len", at_least=1)
        self.overlap = read_whole_number(overlap, name="overlap")
        self.cross_documents = bool(cross_documents)
        self.pad_id = read_whole_number(pad_id, name="pad_id")
        _check_numbers(split, seq_len=self.seq_len, overlap=self.overlap, pad_id=self.pad_id)
        self._step = self.seq_len - self.overlap
        self._table = None if cross_documents else self._count_windows()
        if self._table is not None:
            self.num_windows = int(self._table[-1])
        else:
            spare = split.num_tokens - self.seq_len - 1
            self.num_windows = spare // self._step + 1 if spare >= 0 else 0
        if not self.num_windows:
            raise self._no_windows()

    def _no_windows(self) -> errors.InputError:
        found = f"{self.split.num_tokens:,} tokens in {self.split.num_documents:,} documents"
        if self.cross_documents:
            return errors.InputError(
                f"the split {self.split.split_name!r} holds {found}; wanted {self.seq_len + 1:,} "
                f"tokens at least, for one window of seq_len {self.seq_len:,}; choose a smaller "
                "seq_len, or more data"
            )
        return errors.InputError(
            f"the split {self.split.split_name!r} holds {found}; wanted a document of two "
            "tokens at least; choose another split, or let windows cross documents"
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What the numbers of windows hang on, JSON values by name."""
        return {
            "fingerprint": self.split.fingerprint,
            "split": self.split.split_name,
            "seq_len": self.seq_len,
            "overlap": self.overlap,
            "cross_documents": self.cross_documents,
            "num_windows": self.num_windows,
        }

    def __len__(self) -> int:
        """Returns how many windows there are."""
        return self.num_windows

    def _count_windows(self) -> np.ndarray:
        """Returns the number of the first window of each document, int64 `[num_documents + 1]`."""
        table = np.zeros(self.split.num_documents + 1, dtype=np.int64)
        for first in range(0, self.split.num_documents, _CHUNK_DOCUMENTS):
            last = min(first + _CHUNK_DOCUMENTS, self.split.num_documents)
            labels = np.diff(self.split.checked_offsets(first, last)) - 1
            more = np.maximum(labels - self.seq_len, 0)
            counts = np.where(labels > 0, 1 + -(-more // self._step), 0)
            table[first + 1 : last + 1] = table[first] + np.cumsum(counts)
        return table

    def _places(self, numbers: np.ndarray) -> _Places:
        if self._table is None:
            starts = numbers * self._step
            return _Places(starts, np.full(len(numbers), self.seq_len + 1), starts)
        documents = np.searchsorted(self._table, numbers, side="right") - 1
        skipped = (numbers - self._table[documents]) * self._step
        begins = np.asarray(self.split.offsets[documents], dtype=np.int64)
        starts = begins + skipped
        left = np.asarray(self.split.offsets[documents + 1]) - starts
        self.split.note_places(len(numbers))
        return _Places(starts, np.minimum(left, self.seq_len + 1), skipped)

    def read(self, indexes: np.ndarray) -> Windows:
        """Reads windows.

        Args:
          indexes: int `[num_windows]`, from 0 to the reader's `num_windows - 1`.

        Returns:
          The windows, in this order; the caller's to change.

        Raises:
          InputError: The indexes are no whole numbers.
          IndexError: There is no such window.
          ArtifactError: The file cannot be read.
        """
        places = self._places(read_indexes(indexes, size=self.num_windows))
        tokens = self._read_rows(places)
        width = self.seq_len + 1
        if places.lengths.min(initial=width) < width:
            tokens[np.arange(width) >= places.lengths[:, None]] = self.pad_id
        return Windows(tokens, places.lengths.astype(np.int32))

    def _read_rows(self, places: _Places) -> np.ndarray:
        """Reads rows of `seq_len + 1` tokens; what lies beyond the length of a row is anything."""
        width = self.seq_len + 1
        last_start = self.split.num_tokens - width
        if last_start < 0:
            tokens = np.zeros((len(places.starts), width), dtype=self.split.tokens.dtype)
            for row, start, length in zip(tokens, places.starts, places.lengths):
                row[:length] = self.split.tokens[start : start + length]
            return tokens
        tokens = self.split.read_rows(np.minimum(places.starts, last_start), width=width)
        # The last documents' rows would end behind the last token: they were read from before it.
        for index in np.flatnonzero(places.starts > last_start).tolist():
            skipped, length = int(places.starts[index]) - last_start, int(places.lengths[index])
            tokens[index, :length] = tokens[index, skipped : skipped + length].copy()
        return tokens

    def segments(self, indexes: np.ndarray) -> window_segments.Segments:
        """Says to which document each input of some windows belongs.

        Args:
          indexes: int `[num_windows]`, from 0 to the reader's `num_windows - 1`.

        Returns:
          Its segment and its place in the document.

        Raises:
          InputError: The indexes are no whole numbers.
          IndexError: There is no such window.
          ArtifactError: The places where documents begin are not in order.
        """
        places = self._places(read_indexes(indexes, size=self.num_windows))
        if self._table is not None:
            columns = np.arange(self.seq_len)
            is_real = columns < places.lengths[:, None]
            positions = np.where(is_real, places.skipped[:, None] + columns, 0)
            return window_segments.Segments(is_real.astype(np.int32), positions)
        return window_segments.stream_segments(
            self.split, starts=places.starts, seq_len=self.seq_len
        )

    def segment_ids(self, indexes: np.ndarray) -> np.ndarray:
        """Returns the segment of each input of some windows; see `segments`.

        Args:
          indexes: int `[num_windows]`.

        Returns:
          int32 `[num_windows, seq_len]`.

        Raises:
          InputError: The indexes are no whole numbers.
          IndexError: There is no such window.
          ArtifactError: The places where documents begin are not in order.
        """
        return self.segments(indexes).segment_ids

    def positions(self, indexes: np.ndarray) -> np.ndarray:
        """Returns the place in its document of each input of some windows; see `segments`.

        Args:
          indexes: int `[num_windows]`.

        Returns:
          int64 `[num_windows, seq_len]`.

        Raises:
          InputError: The indexes are no whole numbers.
          IndexError: There is no such window.
          ArtifactError: The places where documents begin are not in order.
        """
        return self.segments(indexes).positions


def _empty_aligned(shape: tuple[int, ...], *, dtype: np.dtype) -> np.ndarray:
    """Returns an array that begins where TensorFlow takes it without a copy."""
    num_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(num_bytes + _ALIGNMENT, dtype=np.uint8)
    skipped = -memory.__array_interface__["data"][0] % _ALIGNMENT
    return memory[skipped : skipped + num_bytes].view(dtype).reshape(shape)


def _check_numbers(split: TokenSplit, *, seq_len: int, overlap: int, pad_id: int) -> None:
    if not 0 <= overlap < seq_len:
        raise errors.InputError(
            f"found overlap {overlap} with seq_len {seq_len}; wanted 0 or more and below seq_len; "
            "choose a smaller overlap"
        )
    largest = int(np.iinfo(split.tokens.dtype).max)
    if not 0 <= pad_id <= largest:
        raise errors.InputError(
            f"found pad_id {pad_id}; wanted 0 to {largest:,}, as the tokens are "
            f"{split.tokens.dtype.name}; choose another"
        )
