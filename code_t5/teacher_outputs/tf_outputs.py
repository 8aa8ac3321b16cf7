"""Teacher outputs for TensorFlow: tf.data pipelines of whole batches.

    batches = TfOutputBatches(open_outputs("cached_train"), batch_size=64)
    for batch in batches:                          # one epoch; {"x": float32 [64, ...], ...}
        state = batches.state_dict()               # goes on behind this batch
    model.fit(batches.dataset(num_epochs=None), ...)

The pipeline calls Python once for each batch, which NumPy makes, and reads ahead. It begins where
its reader is and does not move it, since nobody can see what a pipeline has handed out: iterating
over the reader counts, and `state_after` says where a pipeline is after so many batches. TensorFlow
is imported when a pipeline is made, not before.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from code_t5 import errors, pipeline_calls
from code_t5.encoding.tf_stream import TfBatches
from code_t5.encoding.whole_numbers import read_whole_number
from code_t5.teacher_outputs.reader import TeacherOutputs
from code_t5.teacher_outputs.sample_batches import OutputBatches, batch_dtype

if TYPE_CHECKING:
    import tensorflow as tf

_NUM_PREFETCHED = 2
# At a time; their order stays.
_NUM_CALLS = 2
_ENDLESS = 1 << 62


class _Calls:
    """What the calls of one pipeline read: a batch each, of one epoch after another."""

    def __init__(self, batches: OutputBatches) -> None:
        self._reader = batches.reader
        first, later = copy.copy(batches.order), copy.copy(batches.order)
        later.epoch, later.position = first.epoch + 1, 0
        self._first, self._later = first, later
        self._lock = threading.Lock()
        self.error: errors.CodeT5Error | None = None

    def num_batches(self, num_epochs: int) -> int:
        """Of so many epochs, the one that was begun among them."""
        return self._first.num_batches + self._later.num_batches * (num_epochs - 1)

    def read(self, number: np.ndarray) -> list[np.ndarray]:
        """Reads one batch: the arrays in the order of the reader's names."""
        index = int(number) - self._first.num_batches
        with self._lock:
            if index < 0:
                samples = self._first.batch(int(number))
            else:
                epoch, within = divmod(index, self._later.num_batches)
                self._later.epoch = self._first.epoch + 1 + epoch
                samples = self._later.batch(within)
        try:
            batch = self._reader.read(samples)
        except errors.CodeT5Error as error:
            # TensorFlow makes an error of its own of it.
            self.error = error
            raise
        return [batch[name] for name in self._reader.names]


class TfOutputBatches(TfBatches):
    """The batches of one rank as a tf.data pipeline.

    Attributes:
      batches: Reads them, and knows the place.
    """

    def __init__(self, outputs: TeacherOutputs, *, batch_size: int, **options: Any) -> None:
        """Begins with the first epoch.

        Args:
          outputs: What is read.
          batch_size: Samples of a batch of one rank.
          **options: `shuffle`, `seed`, `rank`, `world_size`, `drop_last`, `fields`, `fill` and
            `pad_to` of `sample_batches.OutputBatches`.

        Raises:
          InputError: An option does not do.
        """
        self.batches = OutputBatches(outputs, batch_size=batch_size, **options)

    def dataset(self, num_epochs: int | None = 1) -> tf.data.Dataset:
        """Returns a pipeline of the batches from here on.

        Args:
          num_epochs: How many, the one that was begun among them; None for no end.

        Returns:
          A dataset of mappings of tensors. Shapes are known but for the padded axis of ragged
          fields without `pad_to`, and for the size of batches without `drop_last`.

        Raises:
          InputError: `num_epochs` is no whole number of 1 or more.
        """
        if num_epochs is not None:
            num_epochs = read_whole_number(num_epochs, name="num_epochs", at_least=1)
        return self._dataset(self._calls(), num_epochs)

    def _signature(self) -> tuple[list[np.dtype], list[list[int | None]]]:
        """Returns dtype and shape of what a batch is made of."""
        order, reader = self.batches.order, self.batches.reader
        size = order.batch_size if order.drop_last else None
        dtypes: list[np.dtype] = []
        shapes: list[list[int | None]] = []
        for field in reader.fields:
            dtypes.append(batch_dtype(field))
            rows = [] if field.length is None else [reader.pad_to.get(field.length)]
            shapes.append([size, *rows, *field.row_shape])
        for _ in reader.lengths:
            dtypes.append(np.dtype(np.int64))
            shapes.append([size])
        return dtypes, shapes

    def _dataset(self, calls: _Calls, num_epochs: int | None) -> tf.data.Dataset:
        import tensorflow as tf

        read_call = pipeline_calls.pipeline_call(calls.read)
        num_calls = _ENDLESS if num_epochs is None else calls.num_batches(num_epochs)
        dtypes, shapes = self._signature()
        types = [tf.as_dtype(dtype) for dtype in dtypes]
        names = self.batches.reader.names

        @tf.autograph.experimental.do_not_convert
        def read(number: tf.Tensor) -> dict[str, tf.Tensor]:
            found = tf.numpy_function(read_call, [number], types, stateful=False)
            for array, shape in zip(found, shapes):
                # What the reader makes has it: no step of the pipeline looks again.
                array.set_shape(shape)
            return dict(zip(names, found))

        dataset = tf.data.Dataset.range(num_calls).map(read, num_parallel_calls=_NUM_CALLS)
        if num_epochs is None:
            dataset = dataset.apply(
                tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
            )
        return dataset.prefetch(_NUM_PREFETCHED).with_options(self._options(tf))

    @property
    def _place(self) -> Any:
        return self.batches

    def _calls(self) -> _Calls:
        return _Calls(self.batches)
