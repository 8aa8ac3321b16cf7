"""The seqio DataSource of what a teacher wrote: inputs, and one of its hypotheses as targets.

An example has int32 `inputs` and `targets`, ends of text included where there is one: a hypothesis
that was cut at its length has none. `best` takes the hypothesis with the highest score, as Kim and
Rush do ("Sequence-Level Knowledge Distillation", 2016, section 3.2); `drawn` draws one of them in
each pass anew, with the probabilities that the scores give them among themselves.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from code_t5 import errors
from code_t5.encoding import keys, permutation
from code_t5.pipeline_calls import pipeline_call
from code_t5.teacher_outputs import t5_samples
from code_t5.teacher_outputs.reader import TeacherOutputs, open_outputs

BEST, DRAWN = HYPOTHESES = ("best", "drawn")
MEND = (
    "generate such outputs with scripts/generate_cached_dataset.py --config t5_dev_nbest4 --output "
    "DIRECTORY"
)
_FIELDS = (t5_samples.INPUTS, t5_samples.SEQUENCES, t5_samples.SEQUENCE_LENGTHS, t5_samples.SCORES)
# Samples that one call of a pipeline reads.
_BATCH_SAMPLES = 64
_NUM_PREFETCHED = 2


def choose_hypotheses(scores: np.ndarray, *, chances: np.ndarray) -> np.ndarray:
    """Draws a hypothesis of each sample.

    Args:
      scores: float `[n, num_hypotheses]`: sums of log-probabilities, in nats.
      chances: float `[n]`, from 0 to less than 1.

    Returns:
      int64 `[n]`.

    >>> scores = np.log([[0.3, 0.1], [0.3, 0.1]])
    >>> choose_hypotheses(scores, chances=np.array([0.7, 0.8])).tolist()
    [0, 1]
    """
    weights = np.exp(np.asarray(scores, dtype=np.float64) - np.max(scores, axis=1, keepdims=True))
    shares = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    return np.minimum((shares <= chances[:, None]).sum(axis=1), scores.shape[1] - 1)


class NBestDataSource(seqio.DataSource):
    """What a teacher wrote for the inputs of a Task.

    Attributes:
      paths: Directory of each split.
      hypothesis: `best` or `drawn`.
    """

    def __init__(self, paths: Mapping[str, str], *, hypothesis: str = BEST) -> None:
        """Remembers what to read; opens nothing.

        Args:
          paths: Directory of each split.
          hypothesis: `best` or `drawn`.

        Raises:
          InputError: `hypothesis` is neither.
        """
        if hypothesis not in HYPOTHESES:
            raise errors.InputError(
                f"teacher_outputs.hypothesis is {hypothesis!r}; wanted {' or '.join(HYPOTHESES)}; "
                "mend it in the gin file or --gin_param"
            )
        super().__init__(
            splits=tuple(paths), caching_permitted=False, performs_internal_shuffling=True
        )
        self.paths = {split: os.path.abspath(os.path.expanduser(p)) for split, p in paths.items()}
        self.hypothesis = hypothesis

    def __getstate__(self) -> dict[str, Any]:
        """Gin and seqio copy sources: the copy opens the outputs itself."""
        return {name: value for name, value in self.__dict__.items() if name != "outputs"}

    @functools.cached_property
    def outputs(self) -> dict[str, TeacherOutputs]:
        """What is read, by split; opened once.

        Raises:
          NotBuiltError: There are none.
          ArtifactError: They are damaged, of the other split, or no hypotheses of a T5.
        """
        return {split: _open(path, split=split) for split, path in self.paths.items()}

    def check(self) -> None:
        """Looks whether the outputs can be read, and are of one teacher.

        Raises:
          NotBuiltError: There are none.
          ArtifactError: They are damaged, or of two teachers.
        """
        opened = list(self.outputs.values())
        names = ("teacher", "vocabulary")
        for other in opened[1:]:
            wrong = [name for name in names if other.parts[name] != opened[0].parts[name]]
            if wrong:
                raise errors.ArtifactError(
                    f"{other.path} is of another {' and '.join(wrong)} than {opened[0].path}; "
                    f"wanted one; {MEND}"
                )

    @property
    def supports_arbitrary_sharding(self) -> bool:
        """Yes: any sample is found at once."""
        return True

    def num_input_examples(self, split: str) -> int | None:
        """Returns the number of samples of a split."""
        return len(self.outputs[split])

    def list_shards(self, split: str) -> list[str]:
        """Returns one name: shares are taken by sample."""
        return [f"{self.paths[split]}:{split}"]

    def get_dataset(
        self,
        split: str = "train",
        shuffle: bool = True,
        seed: int | None = None,
        shard_info: seqio.ShardInfo | None = None,
        **_: Any,
    ) -> tf.data.Dataset:
        """Returns the samples of a split.

        Args:
          split: Its name.
          shuffle: Whether to draw an order, another one each time the result is read.
          seed: Of the order and of the drawing of hypotheses; None to draw one.
          shard_info: Which of how many shares of the samples; None for all.

        Returns:
          Examples with int32 `inputs` and `targets` `[num_tokens]`.

        Raises:
          NotBuiltError: There are none.
          ArtifactError: They are damaged.
        """
        outputs = self.outputs[split]
        index, num_shards = (shard_info.index, shard_info.num_shards) if shard_info else (0, 1)
        if seed is None:
            seed = int.from_bytes(os.urandom(4), "little")
        calls = _SampleCalls(
            outputs,
            numbers=range(index, len(outputs), num_shards),
            seed=seed,
            is_shuffled=shuffle,
            is_drawn=self.hypothesis == DRAWN,
        )
        return calls.dataset()


def _open(path: str, *, split: str) -> TeacherOutputs:
    """Opens the outputs of a split.

    Raises:
      InputError: It is a file.
      NotBuiltError: There are none.
      ArtifactError: They are damaged, of the other split, or no hypotheses of a T5.
    """
    if path.endswith(".pt"):
        raise errors.InputError(
            f"{path} is a .pt file; wanted a directory, from which samples are read one by one; "
            f"{MEND}"
        )
    outputs = open_outputs(path, mend=MEND)
    missing = [name for name in _FIELDS if name not in outputs.schema.names]
    if missing:
        raise errors.ArtifactError(
            f"{path} holds {', '.join(outputs.schema.names)}; wanted {', '.join(missing)} too, "
            f"which a teacher at sequence level gives; {MEND}"
        )
    found = dict(outputs.parts["data"] or {}).get("split")
    if found != split:
        raise errors.ArtifactError(
            f"{path} is of the split {str(found)[:40]!a}; wanted {split!r}; name the other "
            "directory, or generate it, for validation with --validation"
        )
    return outputs


class _SampleCalls:
    """What a pipeline calls to read samples."""

    def __init__(
        self,
        outputs: TeacherOutputs,
        *,
        numbers: range,
        seed: int,
        is_shuffled: bool,
        is_drawn: bool,
    ) -> None:
        self._outputs, self._numbers, self._seed = outputs, numbers, seed
        self._is_shuffled, self._is_drawn = is_shuffled, is_drawn
        self._passes = itertools.count()

    def _next_pass(self) -> np.ndarray:
        return np.asarray(next(self._passes), dtype=np.int64)

    def _read(self, number_of_pass: np.ndarray, call: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns values and offsets of inputs and targets of some samples."""
        first, key = int(call) * _BATCH_SAMPLES, keys.mix_keys(self._seed, int(number_of_pass))
        places = np.arange(first, min(first + _BATCH_SAMPLES, len(self._numbers)))
        if self._is_shuffled:
            places = permutation.permute(places, size=len(self._numbers), keys=key)
        numbers = places * self._numbers.step + self._numbers.start
        columns = self._outputs.read(numbers, fields=_FIELDS)
        which = np.zeros(len(numbers), dtype=np.int64)
        if self._is_drawn:
            drawn = keys.draw(keys.mix_keys(self._seed, int(number_of_pass), numbers), 1 << 31)
            which = choose_hypotheses(columns[t5_samples.SCORES], chances=drawn / (1 << 31))
        targets = t5_samples.take_hypotheses(columns, which=which)
        inputs = columns[t5_samples.INPUTS]
        found = []
        for rows in (inputs, targets):
            found += [rows.values.astype(np.int32), rows.offsets.astype(np.int64)]
        return tuple(found)

    def dataset(self) -> tf.data.Dataset:
        """Returns the samples, one by one."""
        next_pass, read = pipeline_call(self._next_pass), pipeline_call(self._read)
        num_calls = -(-len(self._numbers) // _BATCH_SAMPLES)
        types = [tf.int32, tf.int64, tf.int32, tf.int64]

        def read_batch(number_of_pass: tf.Tensor, call: tf.Tensor) -> dict[str, Any]:
            parts = tf.numpy_function(read, [number_of_pass, call], types)
            parts = [tf.ensure_shape(part, [None]) for part in parts]
            return {
                name: tf.RaggedTensor.from_row_splits(values, offsets, validate=False)
                for name, values, offsets in (("inputs", *parts[:2]), ("targets", *parts[2:]))
            }

        def one_pass(_: tf.Tensor) -> tf.data.Dataset:
            number = tf.ensure_shape(tf.numpy_function(next_pass, [], tf.int64), [])
            calls = tf.data.Dataset.range(num_calls)
            return calls.map(lambda call: read_batch(number, call), num_parallel_calls=1)

        batches = tf.data.Dataset.from_tensors(0).flat_map(one_pass)
        found = batches.prefetch(_NUM_PREFETCHED).unbatch()
        # seqio wants the shape of each feature to be known.
        found = found.map(
            lambda example: {key: tf.ensure_shape(ids, [None]) for key, ids in example.items()}
        )
        return found.apply(tf.data.experimental.assert_cardinality(len(self._numbers)))
