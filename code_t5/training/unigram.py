"""The unigram baseline: the loss of a model that knows how frequent each piece is and nothing else.

It is estimated on the target tokens of the training split and measured on those of the split that
the trained model is evaluated on, cut by the same objective at the same places, so both losses are
means over the very same tokens. A model that has learned anything about code is below it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from code_t5 import errors
from code_t5.training import targets


@dataclasses.dataclass(frozen=True)
class UnigramFigures:
    """The baseline's loss.

    Attributes:
      nats_per_token: Mean loss over the evaluated target tokens.
      num_tokens: How many were evaluated.
      num_train_tokens: How many the frequencies were counted on.
    """

    nats_per_token: float
    num_tokens: int
    num_train_tokens: int


def unigram_loss_from_counts(train_counts: np.ndarray, eval_counts: np.ndarray) -> float:
    """Returns the mean loss in nats of the unigram model of `train_counts` on `eval_counts`.

    Every piece's count is raised by one, so that a piece never seen in training costs something
    finite (add-one smoothing).

    Args:
      train_counts: int64 [vocabulary size], how often each piece occurs in training.
      eval_counts: int64 [vocabulary size], the same in what is evaluated.

    Returns:
      Nats per token.

    Raises:
      ValueError: The shapes differ, or nothing is to be evaluated.

    >>> round(unigram_loss_from_counts(np.array([3, 1]), np.array([1, 1])), 4)
    0.752
    """
    if train_counts.shape != eval_counts.shape or not eval_counts.sum():
        raise ValueError(
            f"found counts of shapes {train_counts.shape} and {eval_counts.shape}, "
            f"{eval_counts.sum()} tokens to evaluate; wanted one shape and at least one token"
        )
    probabilities = (train_counts + 1) / (train_counts + 1).sum()
    return float(-(eval_counts * np.log(probabilities)).sum() / eval_counts.sum())


def unigram_loss(
    name: str,
    *,
    sequence_length: Mapping[str, int],
    split: str = "validation",
    train_split: str = "train",
    max_examples: int | None = None,
    seed: int = 0,
) -> UnigramFigures:
    """Returns the unigram baseline of a Task's targets.

    The examples are those that the trainer's perplexity evaluation reads. A Task that leaves its
    objective to gin needs its gin files parsed first (`operative_config.parse`).

    Args:
      name: The Task's name.
      sequence_length: Tokens of each feature, as the model was trained with.
      split: The split evaluated.
      train_split: The split that frequencies are counted on.
      max_examples: Evaluate only so many examples, as the trainer did; None for all.
      seed: Of the objective, as the trainer's evaluation (`mesh_eval_dataset_fn.seed`).

    Returns:
      The baseline.

    Raises:
      NotBuiltError: There is no such Task.
      InputError: The split has no target tokens.
    """
    train_counts = targets.target_counts(
        name, split=train_split, sequence_length=sequence_length, seed=seed
    )
    eval_counts = targets.target_counts(
        name, split=split, sequence_length=sequence_length, seed=seed, max_examples=max_examples
    )
    if not eval_counts.sum():
        raise errors.InputError(
            f"found no target tokens in the {split} split of {name}; wanted at least one window of "
            "code; build the data set with more files"
        )
    return UnigramFigures(
        nats_per_token=unigram_loss_from_counts(train_counts, eval_counts),
        num_tokens=int(eval_counts.sum()),
        num_train_tokens=int(train_counts.sum()),
    )
