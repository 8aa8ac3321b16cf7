"""Whole batches for TensorFlow, in an order that can be gone on with: by readers of any store.

A pipeline of `tf.data` begins where its reader is and does not move it, since nobody can see what a
pipeline has handed out: iterating over the reader counts, and `state_after` says where a pipeline
is after so many batches. TensorFlow is imported when a pipeline is made, not before.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from code_t5.encoding.item_order import Resumable

if TYPE_CHECKING:
    import tensorflow as tf


class TfBatches(Resumable):
    """The batches of one rank as a tf.data pipeline.

    `_place` reads them and has their `order` (`item_order.ShardedOrder`).
    """

    def _calls(self) -> Any:
        """Returns what the calls of one pipeline read; its `error` is ours that ended one."""
        raise NotImplementedError

    def _dataset(self, calls: Any, num_epochs: int | None) -> tf.data.Dataset:
        """Returns a pipeline of these calls."""
        raise NotImplementedError

    def _options(self, tf: Any) -> Any:
        options = tf.data.Options()
        options.deterministic = True
        if self._place.order.world_size > 1:
            # Each rank reads its own batches already.
            options.experimental_distribute.auto_shard_policy = (
                tf.data.experimental.AutoShardPolicy.OFF
            )
        return options

    def __len__(self) -> int:
        """Returns how many batches are left in this epoch."""
        return len(self._place)

    def __iter__(self) -> Iterator[Any]:
        """Yields what is left of an epoch; each batch counts as had when it is handed out.

        Raises:
          CodeT5Error: The store cannot be read.
        """
        calls = self._calls()
        found = iter(self._dataset(calls, 1))
        for _ in range(len(self)):
            try:
                batch = next(found)
            except Exception:
                if calls.error is not None:
                    raise calls.error from None
                raise
            self._place.order.advance(1)
            yield batch

    def state_after(self, num_batches: int) -> dict[str, Any]:
        """Returns where all ranks are after a pipeline that began here gave so many batches.

        Args:
          num_batches: Of one rank; they may be of several epochs.
        """
        order = copy.copy(self._place.order)
        while num_batches:
            step = min(num_batches, order.num_batches)
            order.advance(step)
            num_batches -= step
        return order.state_dict()
