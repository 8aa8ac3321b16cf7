"""The loss of checkpoints on held-out code, per token and per byte.

It is that of the trainer's own perplexity evaluation: nats per target token of a Task, padding left
out. Tokens of another vocabulary are other tokens, so beside it stand *bits per byte*: the same
loss, in bits, by the UTF-8 bytes of the text that these very targets stand for. Ends of text and
sentinels cost loss and stand for no bytes.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from code_t5 import errors, parallel, progress
from code_t5.encoding import token_model
from code_t5.encoding.piece_model import EOS_ID
from code_t5.storage import atomic, fingerprints, prepared
from code_t5.training import evaluation, figures, launch, operative_config
from code_t5.training.evaluating import cursors

# Examples that the trainer evaluates together: divides by every number of replicas up to 16.
_BATCH_SIZE = 16
_FORMAT_VERSION = 1
# A training may draw other cursors in every epoch; everybody's loss is over the same.
_GIN_PARAMS = (
    f"LineCompletion.bytes_per_cursor = {cursors.BYTES_PER_CURSOR}",
    f"LineCompletion.line_start_share = {cursors.LINE_START_SHARE}",
    "LineCompletion.redraw = False",
)


@dataclasses.dataclass(frozen=True)
class Loss:
    """The loss of one checkpoint.

    Attributes:
      nats_per_token: Mean over the target tokens.
      bits_per_byte: The same in bits over their bytes.
      token_accuracy: Share of the tokens that the model ranks first.
      num_tokens: How many.
      num_bytes: Of the text that they stand for.
      num_examples: In which they stand.
    """

    nats_per_token: float
    bits_per_byte: float
    token_accuracy: float
    num_tokens: int
    num_bytes: int
    num_examples: int


def join(losses: Sequence[Loss]) -> Loss:
    """Returns the loss over all tokens of several splits.

    Args:
      losses: Of each split, one at least.
    """
    num_tokens = sum(loss.num_tokens for loss in losses)
    num_bytes = sum(loss.num_bytes for loss in losses)
    nats = sum(loss.nats_per_token * loss.num_tokens for loss in losses) / num_tokens
    return Loss(
        nats_per_token=nats,
        bits_per_byte=bits_per_byte(nats, num_tokens=num_tokens, num_bytes=num_bytes),
        token_accuracy=sum(loss.token_accuracy * loss.num_tokens for loss in losses) / num_tokens,
        num_tokens=num_tokens,
        num_bytes=num_bytes,
        num_examples=sum(loss.num_examples for loss in losses),
    )


@dataclasses.dataclass(frozen=True)
class Targets:
    """What a perplexity evaluation is a mean over.

    Attributes:
      num_tokens: Target tokens.
      num_bytes: Of the text that they stand for.
      num_examples: In which they stand.
    """

    num_tokens: int
    num_bytes: int
    num_examples: int


def bits_per_byte(nats_per_token: float, *, num_tokens: int, num_bytes: int) -> float:
    """Returns a loss in bits per byte.

    Args:
      nats_per_token: Mean loss.
      num_tokens: Over how many tokens.
      num_bytes: That they stand for.

    >>> round(bits_per_byte(2.0, num_tokens=100, num_bytes=300), 4)
    0.9618
    """
    return nats_per_token * num_tokens / math.log(2) / max(1, num_bytes)


def _count(*, model_dir: str, data_dir: str, task: str, split: str, max_examples: int) -> list[int]:
    """Counts the target tokens of each id; loads TensorFlow and takes up the model's gin."""
    import gin

    from code_t5.data import tasks
    from code_t5.training import targets

    tasks.register_tasks(data_dir)
    operative_config.parse(pathlib.Path(model_dir))
    with gin.unlock_config():
        gin.parse_config(_GIN_PARAMS)
    counts = targets.target_counts(
        task,
        split=split,
        sequence_length=operative_config.sequence_length(),
        max_examples=max_examples,
    )
    return [int(count) for count in counts]


def count_targets(
    model_dir: pathlib.Path,
    *,
    dataset: prepared.PreparedDataset,
    task: str,
    split: str,
    max_examples: int,
    cache_dir: pathlib.Path,
) -> Targets:
    """Counts what the trainer's evaluation is a mean over, in a child process, once.

    Args:
      model_dir: The model directory, for the objective's settings and lengths.
      dataset: That the Task reads.
      task: Name of the Task.
      split: The split.
      max_examples: Most examples that are evaluated.
      cache_dir: Where the counts are kept.

    Returns:
      The numbers.

    Raises:
      InputError: The split has no target tokens.
      CodeT5Error: The child process died.
    """
    key = {
        "version": _FORMAT_VERSION,
        "dataset": dataset.read_manifest()["fingerprint"],
        "vocabulary": dataset.read_manifest()["vocabulary_fingerprint"],
        "gin_params": list(_GIN_PARAMS),
        "configuration": fingerprints.hash_file(model_dir / operative_config.FILE_NAME),
        **{"task": task, "split": split, "max_examples": max_examples},
    }
    path = cache_dir / f"targets-{fingerprints.hash_json(key)[:16]}.json"
    fields, names = _read_json(path), [field.name for field in dataclasses.fields(Targets)]
    if fields.get("key") != key or not all(type(fields.get(name)) is int for name in names):
        work = functools.partial(
            _count,
            model_dir=str(model_dir),
            data_dir=dataset.data_dir,
            task=task,
            split=split,
            max_examples=max_examples,
        )
        with progress.progress_bar(description="counting targets", unit="s") as bar:
            counts = np.array(parallel.run_in_child(work, tick_fn=bar.update))
        if not counts.sum():
            raise errors.InputError(
                f"found no target tokens in the {split} split of {task}; wanted at least one "
                "example; build the data set with more files, or name another --split"
            )
        fields = {"key": key, **_totals(counts, dataset)}
        atomic.write_file(path, json.dumps(fields).encode("ascii"))
    return Targets(**{name: fields[name] for name in names})


def _totals(counts: np.ndarray, dataset: prepared.PreparedDataset) -> dict[str, int]:
    """Returns the fields of `Targets` for how often each id stands in the targets."""
    model = token_model.load_token_model(dataset.vocabulary_dir)
    # Sentinels stand for no text.
    lengths = model.token_bytes.lengths[: model.num_pieces]
    return {
        "num_tokens": int(counts.sum()),
        "num_bytes": int((counts[: model.num_pieces] * lengths).sum()),
        # Each example's targets end with one.
        "num_examples": int(counts[EOS_ID]),
    }


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_loss(path: pathlib.Path, loss: Loss) -> None:
    """Keeps a loss.

    Args:
      path: The file.
      loss: The loss.
    """
    atomic.write_file(path, json.dumps(dataclasses.asdict(loss)).encode("ascii"))


def read_loss(path: pathlib.Path) -> Loss | None:
    """Reads a loss that was kept.

    Args:
      path: The file.

    Returns:
      The loss; None where the file is not there, or damaged.
    """
    fields = _read_json(path)
    values: list[Any] = [fields.get(field.name) for field in dataclasses.fields(Loss)]
    are_numbers = all(type(value) in (int, float) and abs(value) < math.inf for value in values)
    return Loss(*values) if are_numbers else None


def measure_losses(
    model_dir: pathlib.Path,
    *,
    dataset: prepared.PreparedDataset,
    task: str,
    split: str,
    steps: Sequence[int],
    max_examples: int,
    cache_dir: pathlib.Path,
) -> dict[int, Loss]:
    """Measures the loss of checkpoints in one run of the trainer.

    Args:
      model_dir: The model directory.
      dataset: That the Task reads.
      task: Name of the Task.
      split: The split.
      steps: Of the checkpoints.
      max_examples: Most examples of the split; rounded up to whole batches.
      cache_dir: Where counts are kept.

    Returns:
      The loss of each step.

    Raises:
      InputError: The split has no target tokens, or the directory no trained model.
      TrainerError: The trainer failed.
      ArtifactError: The trainer evaluated other tokens than were counted.
      CodeT5Error: A child process died.
    """
    max_batches = max(1, -(-max_examples // _BATCH_SIZE))
    found = count_targets(
        model_dir,
        dataset=dataset,
        task=task,
        split=split,
        max_examples=max_batches * _BATCH_SIZE,
        cache_dir=cache_dir,
    )
    num_batches = -(-found.num_examples // _BATCH_SIZE)
    config = evaluation.evaluation_config(
        model_dir,
        name=task,
        data_dir=pathlib.Path(dataset.data_dir),
        split=split,
        num_batches=num_batches,
        batch_size=_BATCH_SIZE,
        steps=steps,
        gin_params=_GIN_PARAMS,
    )
    launch.run_trainer(config, name="evaluate", description="loss", num_steps=num_batches)
    return {step: _loss(model_dir, task=task, split=split, step=step, of=found) for step in steps}


def _loss(model_dir: pathlib.Path, *, task: str, split: str, step: int, of: Targets) -> Loss:
    measured = figures.read_evaluation(model_dir, name=task, split=split, step=step)
    if measured.num_tokens != of.num_tokens:
        raise errors.ArtifactError(
            f"the trainer evaluated {measured.num_tokens} tokens of {task}, and {of.num_tokens} "
            "were counted; wanted the same; remove the folder evaluation/ of the model directory "
            "and evaluate again"
        )
    return Loss(
        nats_per_token=measured.nats_per_token,
        bits_per_byte=bits_per_byte(
            measured.nats_per_token, num_tokens=of.num_tokens, num_bytes=of.num_bytes
        ),
        token_accuracy=measured.token_accuracy,
        **dataclasses.asdict(of),
    )
