"""Endless streams of packed rows in which any row is found at once.

The examples of a stream are cut into *blocks* of a fixed number, and each block is packed on its
own, so a block can be made without those before it. How many rows it gives depends on its examples;
a memo (`code_t5.data.row_memo`) keeps where each begins. Batch `n` of a run is the `batch_size`
rows from row `n * batch_size` on, in whatever process it is read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from code_t5 import progress
from code_t5.data import packing
from code_t5.data.example_stream import ExampleStream
from code_t5.data.packing import Rows
from code_t5.data.row_memo import RowMemo

# The last row of a block is filled by half on average: more examples waste less, and take longer
# until the first row is there.
BLOCK_EXAMPLES = 1024
# Counted up whenever the same settings would give other rows.
STREAM_VERSION = 1


class RowStream:
    """The rows of a stream of examples.

    Attributes:
      num_blocks: How many there are; None if there is no end.
    """

    def __init__(
        self,
        examples: ExampleStream,
        *,
        lengths: Mapping[str, int],
        pack: bool = True,
        num_examples: int | None = None,
        memo: RowMemo | None = None,
    ) -> None:
        """Sets what rows are made of; makes none.

        Args:
          examples: The examples.
          lengths: Of a row, by feature.
          pack: Whether to put several examples into a row.
          num_examples: Where to stop; None for never.
          memo: Where blocks begin, as far as known; by default only this object knows.
        """
        self._examples = examples
        self._lengths = dict(lengths)
        self._pack = pack
        self._num_examples = num_examples
        self._memo = memo if memo is not None else RowMemo()
        self.num_blocks = None if num_examples is None else -(-num_examples // BLOCK_EXAMPLES)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of a row's arrays."""
        return packing.PACKED_KEYS if self._pack else packing.FEATURES

    def row_length(self, key: str) -> int:
        """Returns the length of one of a row's arrays."""
        return self._lengths[key.split("_")[0]]

    def block(self, index: int) -> Rows:
        """Makes the rows of one block.

        Args:
          index: From 0 on.

        Returns:
          int32 `[num_rows, length]` by name.
        """
        examples = self._examples.at(self._numbers(index))
        if not self._pack:
            return packing.pad(examples, self._lengths)
        rows = packing.pack(examples, self._lengths)
        self._memo.record(index, len(rows["targets"]))
        return rows

    def locate(self, row: int) -> tuple[int, int]:
        """Finds a row.

        What the memo does not know is computed from the last block that it knows.

        Args:
          row: From 0 on, of a stream without end.

        Returns:
          The block that holds it, and which of the block's rows it is.
        """
        if not self._pack:
            return divmod(row, BLOCK_EXAMPLES)
        memo = self._memo
        known = memo.first_row(memo.num_known - 1)
        if known <= row:
            with progress.progress_bar(
                description="finding the row to go on from",
                unit="row",
                total=row,
                initial=known,
                unit_scale=True,
            ) as bar:
                while known <= row:
                    block = memo.num_known - 1
                    examples = self._examples.at(self._numbers(block))
                    starts = packing.first_examples(examples, self._lengths)
                    memo.record(block, len(starts) - 1)
                    bar.update(min(row, memo.first_row(block + 1)) - min(row, known))
                    known = memo.first_row(block + 1)
        block = memo.last_block_before(row)
        return block, row - memo.first_row(block)

    def _numbers(self, block: int) -> np.ndarray:
        stop = (block + 1) * BLOCK_EXAMPLES
        if self._num_examples is not None:
            stop = min(stop, self._num_examples)
        return np.arange(block * BLOCK_EXAMPLES, stop)
