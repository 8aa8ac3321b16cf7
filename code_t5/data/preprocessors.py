"""Preprocessors of the Tasks: the objectives of `code_t5.data.objectives` as seqio wants them.

Before the cache an example is one source file: its tokens as `targets`, its `repository` and
`path`. Behind it an objective makes the trainer's examples of it, some files at a time. gin knows
the preprocessors as `code_t5.preprocessors.prefix_lm` and so on, so that they can be bound to
`preprocessors.unsupervised.preprocessors`, and what an objective can be told as
`code_t5.objectives.PrefixLm.with_path` and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gin
import numpy as np
import seqio
import tensorflow as tf

from code_t5 import errors
from code_t5.data import objectives, trainer_errors
from code_t5.data.objectives import Documents, Objective, Requests, mix_keys
from code_t5.encoding import ragged
from code_t5.pipeline_calls import pipeline_call

Preprocessor = Callable[..., tf.data.Dataset]

_OBJECTIVE_PARAMETER = "t5.data.preprocessors.unsupervised.preprocessors"
_GIN_MODULE = "code_t5.preprocessors"
_NAMES = ("repository", "path")
# Files that an objective sees at once.
_BATCH_DOCUMENTS = 64


def text_to_targets(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Keeps the text of each example as `targets`, and where it comes from.

    Args:
      dataset: Examples with a string scalar `text`.

    Returns:
      Examples with the string scalars `targets`, `repository` and `path`, the last two empty where
      the source does not say.
    """

    def rename(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"targets": example["text"], **{name: example.get(name, "") for name in _NAMES}}

    return dataset.map(rename, num_parallel_calls=2)


def _key_documents(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Gives each document a seed of its own, which follows from the seed that seqio was given."""

    @seqio.map_over_dataset(num_seeds=1)
    def add_seed(example: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "tokens": tf.ensure_shape(tf.cast(example["targets"], tf.int32), [None]),
            "seed": tf.ensure_shape(seed, [2]),
            **{name: example.get(name, tf.constant("")) for name in _NAMES},
        }

    return add_seed(dataset)


def _make_rows(
    objective: Objective,
    lengths: np.ndarray,
    *,
    tokens: np.ndarray,
    offsets: np.ndarray,
    seeds: np.ndarray,
    names: list[tuple[bytes, bytes]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Makes all examples of some documents.

    Args:
      objective: Makes them.
      lengths: int64 `[vocab_size]`: how many bytes each id stands for; `[0]` if no one asks.
      tokens: int32 `[total]`.
      offsets: int64 `[num_documents + 1]`.
      seeds: int32 `[num_documents, 2]`.
      names: Repository and path of each document.

    Returns:
      Values and offsets of the inputs, then of the targets.
    """
    sizes = np.zeros(len(names), dtype=np.int64)
    if len(lengths):
        sizes = np.diff(ragged.offsets_of(lengths[tokens])[offsets])
    documents = Documents(
        tokens, offsets, sizes, lambda index: (names[index][0].decode(), names[index][1].decode())
    )
    counts = objective.num_examples(documents)
    numbers = ragged.positions_in_ranges(np.zeros(len(counts), dtype=np.int64), counts)
    document_keys = mix_keys(seeds[:, 0], seeds[:, 1])
    requests = Requests(
        np.repeat(np.arange(len(counts)), counts),
        numbers,
        mix_keys(np.repeat(document_keys, counts), numbers),
    )
    examples = objective.make_examples(documents, requests)
    return (
        *(examples.inputs.values, examples.inputs.offsets),
        *(examples.targets.values, examples.targets.offsets),
    )


def _apply(objective: Objective, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Makes the examples of an objective of documents."""
    lengths = objective.model.token_bytes.lengths if objective.needs_sizes else np.zeros(0)

    @pipeline_call
    def make(
        tokens: np.ndarray,
        offsets: np.ndarray,
        seeds: np.ndarray,
        repositories: np.ndarray,
        paths: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        names = list(zip(repositories.tolist(), paths.tolist()))
        return _make_rows(
            objective, lengths, tokens=tokens, offsets=offsets, seeds=seeds, names=names
        )

    def make_batch(batch: dict[str, Any]) -> dict[str, tf.RaggedTensor]:
        tokens = batch["tokens"]
        parts = [tokens.values, tokens.row_splits, batch["seed"], *(batch[n] for n in _NAMES)]
        found = tf.numpy_function(make, parts, [tf.int32, tf.int64] * 2)
        values, offsets = found[::2], [tf.ensure_shape(part, [None]) for part in found[1::2]]
        rows = [
            tf.RaggedTensor.from_row_splits(tf.ensure_shape(part, [None]), splits, validate=False)
            for part, splits in zip(values, offsets)
        ]
        return dict(zip(("inputs", "targets"), rows))

    batches = _key_documents(dataset).ragged_batch(_BATCH_DOCUMENTS)
    return batches.map(make_batch, num_parallel_calls=1).prefetch(2).unbatch()


def _preprocessor(objective_class: type[Objective]) -> Preprocessor:
    """Returns the preprocessor of an objective, under the name by which gin knows it."""

    def preprocess(
        dataset: tf.data.Dataset,
        *,
        sequence_length: Mapping[str, int],
        output_features: Mapping[str, Any],
    ) -> tf.data.Dataset:
        vocabulary = output_features["targets"].vocabulary
        with trainer_errors.one_line_errors():
            objective = objective_class(
                sequence_length, model=getattr(vocabulary, "token_model", vocabulary)
            )
        return _apply(objective, dataset)

    preprocess.__name__ = preprocess.__qualname__ = objective_class.name
    preprocess.__doc__ = f"""Makes the examples of `{objective_class.name}`.

    Args:
      dataset: Documents: int32 `targets` `[num_tokens]`, and string scalars `repository` and
        `path`, which may be missing.
      sequence_length: Most tokens by feature, end of text included.
      output_features: Of the Task.

    Returns:
      Examples with int32 `inputs` and `targets`, without an end of text.

    Raises:
      InputError: The lengths are too short for the objective.
      SystemExit: In the trainer, the same; the message is one line.
    """
    return gin.configurable(objective_class.name, module=_GIN_MODULE)(preprocess)


# The suffix of a Task's name to the preprocessor of the objective that it fixes.
PREPROCESSORS: dict[str, Preprocessor] = {
    name: _preprocessor(objective_class) for name, objective_class in objectives.OBJECTIVES.items()
}


def _bound_preprocessors() -> list[str]:
    """Returns the full names of what gin binds as objective; none where it binds nothing."""
    try:
        bound = gin.query_parameter(_OBJECTIVE_PARAMETER)
    except ValueError:
        return []
    if not isinstance(bound, (list, tuple)):
        return [str(bound)] if bound else []
    return [getattr(reference, "config_key", ("", str(reference)))[1] for reference in bound]


def _no_objective() -> errors.InputError:
    return errors.InputError(
        "gin chooses no objective for this Task; wanted one of gin_configs/objectives; add "
        "--gin_file=objectives/code_prefix_lm.gin, or use the Task's name followed by _prefix_lm"
    )


def chosen_objective() -> str:
    """Returns the name of the objective that gin chooses for Tasks that leave it to gin.

    Returns:
      One of `PREPROCESSORS`.

    Raises:
      InputError: gin chooses none, or preprocessors of others.
    """
    bound = _bound_preprocessors()
    if not bound:
        raise _no_objective()
    module, _, name = bound[0].rpartition(".")
    if len(bound) > 1 or module != _GIN_MODULE or name not in PREPROCESSORS:
        raise errors.InputError(
            f"gin chooses the preprocessors {', '.join(bound)}; wanted one of "
            f"{', '.join(f'{_GIN_MODULE}.{known}' for known in PREPROCESSORS)}; add "
            "--gin_file=objectives/code_prefix_lm.gin, or use the Task's name followed by "
            "_prefix_lm"
        )
    return name


def unsupervised(
    dataset: tf.data.Dataset,
    *,
    sequence_length: Mapping[str, int],
    output_features: Mapping[str, Any],
) -> tf.data.Dataset:
    """Runs the objective that gin binds to `t5.data.preprocessors.unsupervised`.

    Args:
      dataset: Documents: int32 `targets` `[num_tokens]`, `repository` and `path`. Preprocessors of
        others see the targets alone.
      sequence_length: Most tokens by feature.
      output_features: Of the Task.

    Returns:
      Examples with int32 `inputs` and `targets`, as the objective makes them.

    Raises:
      InputError: gin binds no objective, or the lengths are too short for it.
      SystemExit: In the trainer, the same; the message is one line.
    """
    from t5.data import preprocessors  # takes a second, and registers names with gin

    bound = _bound_preprocessors()
    if not bound:
        with trainer_errors.one_line_errors():
            raise _no_objective()
    if not bound[0].startswith(f"{_GIN_MODULE}."):
        dataset = dataset.map(lambda example: {"targets": example["targets"]})
    return preprocessors.unsupervised(
        dataset, sequence_length=sequence_length, output_features=output_features
    )
