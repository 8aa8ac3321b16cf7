"""Measures lengths on some documents of a Task: theirs, and those of the examples made of them.

Running the objective over some documents exactly once says how many examples a document gives, so
the examples of an epoch are reckoned without reading one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.data.preview.preview_config import PreviewConfig
from code_t5.data.preview.suggestions import Trial


@dataclasses.dataclass(frozen=True)
class TaskDocuments:
    """Some documents of a Task, in memory.

    Attributes:
      task: The `seqio.Task`.
      dataset: Examples as they are cached, or would be: before the objective.
      num_read: How many there are.
      num_in_split: How many the split has; None where it is not known.
      seed: Of the objective.
    """

    task: Any
    dataset: Any
    num_read: int
    num_in_split: int | None
    seed: int | None

    def lengths(self) -> np.ndarray | None:
        """Returns their tokens, int64 `[num_read]`; None where they are more than plain ids."""
        if not self.task.supports_caching:
            return None
        return _lengths(self.dataset, ["inputs", "targets"], only="targets")

    def natural_lengths(self) -> dict[str, np.ndarray] | None:
        """Returns the lengths of examples that are given no limit; None if they need one."""
        features = list(self.task.output_features)
        try:
            dataset = self.task.preprocess_postcache(
                self.dataset, sequence_length=None, seed=self.seed
            )
            return _all_lengths(dataset, features) or None
        except Exception:  # noqa: BLE001 - whatever an objective does without its lengths
            return None

    def try_lengths(self, sequence_length: Mapping[str, int]) -> Trial:
        """Makes all examples of the documents.

        Args:
          sequence_length: Most tokens by feature.

        Returns:
          Their lengths.

        Raises:
          InputError: There is no example.
        """
        dataset = self.task.preprocess_postcache(
            self.dataset, sequence_length=dict(sequence_length), seed=self.seed
        )
        found = {
            name: np.minimum(values, sequence_length[name])
            for name, values in _all_lengths(dataset, list(sequence_length)).items()
        }
        num_examples = max(map(len, found.values()), default=0)
        if not num_examples:
            raise errors.InputError(
                f"{self.num_read:,} documents of {self.task.name} give no example of lengths "
                f"{dict(sequence_length)}; wanted at least one; choose another split or other "
                "lengths, or build the data set with more files"
            )
        num_in_split = self.num_in_split
        return Trial(
            sequence_length=dict(sequence_length),
            examples=found,
            num_epoch_examples=None
            if num_in_split is None
            else round(num_examples * num_in_split / self.num_read),
        )


def _all_lengths(dataset: Any, features: list[str]) -> dict[str, np.ndarray]:
    """Returns the lengths of those features of a dataset that are lines of numbers."""
    import tensorflow as tf

    spec = dataset.element_spec
    names = [
        name
        for name in features
        if name in spec and spec[name].shape.rank == 1 and spec[name].dtype.is_integer
    ]
    if not names:
        return {}
    sizes = dataset.map(lambda example: tf.stack([tf.size(example[name]) for name in names]))
    rows = np.array(list(sizes.as_numpy_iterator()), np.int64).reshape(-1, len(names))
    return {name: rows[:, place] for place, name in enumerate(names)}


def _lengths(dataset: Any, features: list[str], *, only: str) -> np.ndarray | None:
    """Returns the lengths of one feature, if it alone of some features is there."""
    found = _all_lengths(dataset, features)
    return found[only] if list(found) == [only] else None


def num_records(task: Any, split: str) -> int | None:
    """Returns how many records a split of a Task's source has; None where it is not known.

    Args:
      task: The `seqio.Task`.
      split: One of its splits.
    """
    try:
        return task.num_input_examples(split)
    except (KeyError, ValueError):
        return None


def read_documents(
    task: Any, *, config: PreviewConfig, use_cached: bool, num_documents: int
) -> TaskDocuments:
    """Reads some documents of a Task into memory.

    Args:
      task: The `seqio.Task`.
      config: Its split and seed.
      use_cached: Whether to read the task cache.
      num_documents: How many.

    Returns:
      The documents.

    Raises:
      InputError: The split is empty.
    """
    import seqio

    order: dict[str, Any] = {"shuffle": config.split == "train", "seed": config.seed}
    if use_cached and task.supports_caching:
        # A Task of the same name finds the same cache.
        before = seqio.Task(
            task.name,
            source=task.source,
            preprocessors=[seqio.CacheDatasetPlaceholder()],
            output_features={},
        )
        dataset = before.get_dataset(
            split=config.split, use_cached=True, try_in_mem_cache=False, **order
        )
    else:
        dataset = task.source.get_dataset(split=config.split, **order)
        dataset = task.preprocess_precache(dataset, seed=config.seed)
    dataset = dataset.take(num_documents).cache()
    num_read = sum(1 for _ in dataset)
    if not num_read:
        raise errors.InputError(
            f"the split {config.split} of {task.name} is empty; wanted at least one file; choose "
            "another with --split, or build the data set with more files"
        )
    return TaskDocuments(task, dataset, num_read, num_records(task, config.split), seed=config.seed)
