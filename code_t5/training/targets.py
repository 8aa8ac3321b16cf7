"""Counts the target tokens that a Task gives the trainer, exactly as the trainer reads them.

*Target positions* are all places of the targets in a batch; those without a token are padding.
A Task that leaves its objective to gin needs a gin configuration first (`operative_config.parse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5 import errors, progress

_BATCH_SIZE = 256


def _task(name: str) -> Any:
    import seqio  # imports TensorFlow

    if name not in seqio.TaskRegistry.names():
        raise errors.NotBuiltError(
            f"found no Task {name} registered; wanted one of a data set built under the data "
            "directory; build it, or name one that is built"
        )
    return seqio.TaskRegistry.get(name)


def target_counts(
    name: str,
    *,
    split: str,
    sequence_length: Mapping[str, int],
    seed: int = 0,
    max_examples: int | None = None,
) -> np.ndarray:
    """Counts the pieces of a Task's targets as the trainer's perplexity evaluation reads them.

    Args:
      name: The Task's name.
      split: The split.
      sequence_length: Tokens of each feature.
      seed: Of the objective; the evaluation's is `mesh_eval_dataset_fn.seed`.
      max_examples: Count only so many examples; None for all.

    Returns:
      int64 [vocabulary size, sentinels included].

    Raises:
      NotBuiltError: There is no such Task.
    """
    vocabulary_size = _task(name).output_features["targets"].vocabulary.vocab_size
    from t5.models import mesh_transformer  # imports TensorFlow

    datasets = mesh_transformer.mesh_eval_dataset_fn(
        mixture_or_task_name=name,
        sequence_length=dict(sequence_length),
        dataset_split=split,
        num_eval_examples=-1 if max_examples is None else max_examples,
        seed=seed,
    )
    counts = np.zeros(vocabulary_size, np.int64)
    if not datasets:
        return counts
    batches = datasets[0].dataset_fn().batch(_BATCH_SIZE).as_numpy_iterator()
    with progress.progress_bar(
        description=f"counting {split} tokens", unit="token", unit_scale=True
    ) as bar:
        for batch in batches:
            tokens = batch["targets"][batch["targets"] > 0]
            counts += np.bincount(tokens, minlength=vocabulary_size)
            bar.update(len(tokens))
    return counts


def target_fill(
    name: str, *, sequence_length: Mapping[str, int], num_rows: int = 2048, seed: int = 0
) -> float:
    """Returns the share of target positions of the trainer's packed batches that hold a token.

    Args:
      name: The Task's name.
      sequence_length: Tokens of each feature.
      num_rows: How many packed rows to look at.
      seed: Of shuffling and objective.

    Returns:
      Between 0 and 1.

    Raises:
      NotBuiltError: There is no such Task.
      InputError: Its training split holds nothing.
    """
    _task(name)
    from t5.models import mesh_transformer  # imports TensorFlow

    dataset = mesh_transformer.mesh_train_dataset_fn(
        mixture_or_task_name=name, sequence_length=dict(sequence_length), seed=seed
    )
    num_tokens = num_positions = 0
    rows = dataset.take(num_rows).batch(_BATCH_SIZE).as_numpy_iterator()
    with progress.progress_bar(description="measuring fill", unit="row", total=num_rows) as bar:
        for batch in rows:
            num_tokens += int((batch["targets"] > 0).sum())
            num_positions += batch["targets"].size
            bar.update(len(batch["targets"]))
    if not num_tokens:
        raise errors.InputError(
            f"found no target tokens in the train split of {name}; wanted at least one window of "
            "code; build the data set with more files"
        )
    return num_tokens / num_positions
