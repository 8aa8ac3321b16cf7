"""Windows of a token cache for TensorFlow: tf.data pipelines of whole batches.

    source = cache_source("cache/mine", split="train", seq_len=512)
    reader = TfWindowBatches(source, batch_size=64)
    for inputs, labels in reader:                  # one epoch; int32 [64, 512] each
        state = reader.state_dict()                # goes on behind this batch
    model.fit(reader.dataset(num_epochs=None), ...)

The pipeline calls Python once for several batches. It begins where its reader is and does not move
it, since nobody can see what a pipeline has handed out: iterating over the reader counts, and
`state_after` says where a pipeline is after so many batches. TensorFlow is imported when a pipeline
is made, not before.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from code_t5 import errors, pipeline_calls
from code_t5.encoding.tf_stream import TfBatches
from code_t5.token_cache import call_options
from code_t5.token_cache.reading import batches

if TYPE_CHECKING:
    import tensorflow as tf

# Of one call: large enough that the call costs little, small enough to stay in the caches.
_TOKENS_PER_CALL = 1 << 19
_NUM_PREFETCHED = 2
_ENDLESS = 1 << 62


class _Calls:
    """What the calls of one pipeline read: batches of one epoch and one size each."""

    def __init__(self, reader: batches.WindowBatches) -> None:
        self._reader = reader
        first = copy.copy(reader.order)
        later = copy.copy(reader.order)
        later.epoch, later.position = first.epoch + 1, 0
        # The two are walked on their own, so that both keep what they worked out.
        self._orders = first, later
        self._first_epoch = first.epoch
        self._batches_per_call = max(
            1, _TOKENS_PER_CALL // (first.batch_size * reader.windows.seq_len)
        )
        self._cuts = [self._cut(order) for order in self._orders]
        self._lock = threading.Lock()
        self.error: errors.CodeT5Error | None = None

    def _cut(self, order: Any) -> np.ndarray:
        """Returns the first batch of each call of an epoch, and the end."""
        num_batches = order.num_batches
        starts = np.arange(0, num_batches, self._batches_per_call)
        if num_batches and len(order.batch(num_batches - 1)) < order.batch_size:
            # The last batch is shorter: a call of its own.
            starts = np.union1d(starts, [num_batches - 1])
        return np.append(starts, num_batches)

    def num_calls(self, num_epochs: int) -> int:
        """Of so many epochs, the one that was begun among them."""
        first, later = (len(cuts) - 1 for cuts in self._cuts)
        return first + later * (num_epochs - 1)

    def num_batches(self, num_epochs: int) -> int:
        """As `num_calls`."""
        first, later = (order.num_batches for order in self._orders)
        return first + later * (num_epochs - 1)

    def read(self, number: np.ndarray) -> tuple[np.ndarray, ...]:
        """Reads the batches of one call: `[num_batches, batch_size, seq_len]` of each field."""
        first, later = (len(cuts) - 1 for cuts in self._cuts)
        epoch, within = (0, int(number)) if number < first else divmod(int(number) - first, later)
        which = int(number >= first)
        order, cuts = self._orders[which], self._cuts[which]
        with self._lock:
            order.epoch = self._first_epoch + which + epoch * which
            indexes = [order.batch(index) for index in range(cuts[within], cuts[within + 1])]
        try:
            arrays = self._reader.read(np.concatenate(indexes))
        except errors.CodeT5Error as error:
            # TensorFlow makes an error of its own of it.
            self.error = error
            raise
        return tuple(array.reshape(len(indexes), -1, array.shape[-1]) for array in arrays)


class TfWindowBatches(TfBatches):
    """The batches of one rank as a tf.data pipeline.

    Attributes:
      reader: Reads them, and knows the place.
    """

    def __init__(self, source: batches.WindowSource, *, batch_size: int, **options: Any) -> None:
        """Opens the windows and begins with the first epoch.

        Args:
          source: Which windows.
          batch_size: Windows of a batch of one rank.
          **options: `shuffle`, `seed`, `rank`, `world_size`, `drop_last`, `fields` and `dtype` of
            `batches.WindowBatches`.

        Raises:
          InputError: There is no such option, or as there.
          CodeT5Error: As there.
        """
        known = call_options.known_options(batches.WindowBatches)
        call_options.check_options(options, known=known)
        self.reader = batches.WindowBatches(source, batch_size=batch_size, **options)

    def dataset(self, num_epochs: int | None = 1) -> tf.data.Dataset:
        """Returns the batches from here on.

        Args:
          num_epochs: How many, what is left of this one among them; None for no end.

        Returns:
          Tuples of the fields, int32 `[batch_size, seq_len]` each.

        Raises:
          InputError: There is no epoch to give.
        """
        if num_epochs is not None and num_epochs < 1:
            raise errors.InputError(
                f"num_epochs is {num_epochs}; wanted 1 or more, or None for no end; correct it"
            )
        return self._dataset(self._calls(), num_epochs)

    def _dataset(self, calls: _Calls, num_epochs: int | None) -> tf.data.Dataset:
        import tensorflow as tf

        read_call = pipeline_calls.pipeline_call(calls.read)
        total = tf.data.INFINITE_CARDINALITY
        num_calls = _ENDLESS
        if num_epochs is not None:
            total, num_calls = calls.num_batches(num_epochs), calls.num_calls(num_epochs)
        dtype = tf.as_dtype(self.reader.dtype)
        types = [dtype] * len(self.reader.fields)
        size = self.reader.order.batch_size if self.reader.order.drop_last else None
        shape = [None, size, self.reader.windows.seq_len]

        @tf.autograph.experimental.do_not_convert
        def read(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
            found = tf.numpy_function(read_call, [number], types, stateful=False)
            return tuple(tf.ensure_shape(array, shape) for array in found)

        found = tf.data.Dataset.range(num_calls).map(read)
        found = found.flat_map(lambda *arrays: tf.data.Dataset.from_tensor_slices(arrays))
        found = found.apply(tf.data.experimental.assert_cardinality(total))
        return found.prefetch(_NUM_PREFETCHED).with_options(self._options(tf))

    @property
    def _place(self) -> Any:
        return self.reader

    def _calls(self) -> _Calls:
        return _Calls(self.reader)
