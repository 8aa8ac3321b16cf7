"""Opens the examples of a Task or Mixture as a stream over its token caches.

What `scripts/cache_tasks.py` writes for a Task holds, beside the shards that seqio reads, the same
tokens as arrays (`code_t5.token_cache`). Here they are opened; nothing is read before an example is
asked for.
"""

from __future__ import annotations

import dataclasses
import os
import zlib
from collections.abc import Mapping
from typing import Any

import seqio

from code_t5 import errors
from code_t5.data import preprocessors, requested
from code_t5.data.example_stream import ExampleStream, MixedStream, TaskStream
from code_t5.data.objectives import OBJECTIVES, Documents, Objective, mix_keys
from code_t5.data.task_cache import layout
from code_t5.encoding import token_model
from code_t5.token_cache.reader import TokenCacheReader


@dataclasses.dataclass(frozen=True)
class TaskExamples:
    """The examples of one Task.

    Attributes:
      task: The Task.
      stream: Its examples.
      parts: All that they follow from but the seed, JSON values by name.
    """

    task: seqio.Task
    stream: TaskStream
    parts: dict[str, Any]


def open_tokens(task: seqio.Task) -> TokenCacheReader:
    """Opens the token cache of a Task.

    Args:
      task: Of a prepared data set.

    Returns:
      The reader.

    Raises:
      InputError: The Task is not of a prepared data set.
      NotBuiltError: It is not cached, or by seqio's own script, which writes no token cache.
      ArtifactError: The cache is damaged, or stale.
    """
    dataset = getattr(task, "dataset", None)
    if dataset is None:
        raise errors.InputError(
            f"the Task {task.name} is not one of a prepared data set; wanted one, as only those "
            "have a task cache; read it with mesh_train_dataset_fn and mesh_eval_dataset_fn"
        )
    cache_dir = task.cache_dir
    if cache_dir is None or not os.path.isdir(os.path.join(cache_dir, layout.TOKENS_NAME)):
        raise _no_tokens(task)
    reader = TokenCacheReader(os.path.join(cache_dir, layout.TOKENS_NAME))
    differing = layout.differing_parts(
        reader.fingerprint_parts, wanted=layout.fingerprint_parts(dataset)
    )
    if differing:
        raise errors.ArtifactError(
            f"{reader.cache_dir} is stale: {'; '.join(differing)}; write it again: "
            f"{layout.cache_command(cache_dir, data_dir=dataset.data_dir)}"
        )
    return reader


def _no_tokens(task: seqio.Task) -> errors.NotBuiltError:
    data_dir, cache_dir = task.dataset.data_dir, task.cache_dir
    if cache_dir:
        return errors.NotBuiltError(
            f"{cache_dir} holds no {layout.TOKENS_NAME}, as if seqio's script had written it; "
            "wanted what scripts/cache_tasks.py writes; run: "
            f"{layout.cache_command(cache_dir, data_dir=data_dir)}"
        )
    searched = ", ".join(map(str, seqio.get_global_cache_dirs())) or "none"
    return errors.NotBuiltError(
        f"the Task {task.name} is in none of the cache directories ({searched}); wanted what "
        f"scripts/cache_tasks.py writes; run: python scripts/cache_tasks.py --tasks {task.name} "
        f"--data_dir={data_dir} --output_cache_dir=DIR, and start the trainer with "
        "--additional_task_cache_dirs=DIR"
    )


def make_objective(task: seqio.Task, sequence_length: Mapping[str, int]) -> Objective:
    """Returns the objective of a Task, set up as gin says.

    Args:
      task: Of a prepared data set.
      sequence_length: Of inputs and targets.

    Returns:
      The objective.

    Raises:
      InputError: gin chooses none for a Task that leaves it to gin, or a length is too short.
    """
    name = task.objective or preprocessors.chosen_objective()
    model = token_model.load_token_model(task.dataset.vocabulary_dir)
    return OBJECTIVES[name](sequence_length, model=model)


def _open_task(
    task: seqio.Task,
    *,
    reader: TokenCacheReader,
    split: str,
    sequence_length: Mapping[str, int],
    seed: int,
    shuffle: bool,
) -> TaskExamples:
    """Returns the examples of one Task whose token cache is open."""
    tokens = reader.split(split)
    tokens.check_offsets()
    documents = Documents(tokens.tokens, tokens.offsets, tokens.sizes, tokens.names)
    objective = make_objective(task, sequence_length)
    # Two Tasks of a mixture may read the same documents: each in an order of its own.
    own_seed = int(mix_keys(seed, zlib.crc32(task.name.encode()))[0])
    return TaskExamples(
        task,
        TaskStream(
            documents,
            objective=objective,
            seed=own_seed,
            shuffle=shuffle,
            vocab_size=objective.model.vocab_size,
        ),
        {"tokens": reader.fingerprint, "objective": objective.settings},
    )


def open_tasks(
    mixture_or_task_name: str,
    *,
    split: str,
    sequence_length: Mapping[str, int],
    seed: int = 0,
    shuffle: bool = True,
) -> list[TaskExamples]:
    """Opens the examples of a Task, or of each Task of a Mixture, as far as they have a split.

    Args:
      mixture_or_task_name: Name of the Task or Mixture.
      split: Of their data sets.
      sequence_length: Of inputs and targets.
      seed: Another one gives another order and other random numbers.
      shuffle: Whether to draw an order for each epoch.

    Returns:
      The examples, by name of the Task.

    Raises:
      InputError: A name, length or objective does not do, or no Task has the split.
      NotBuiltError: A Task is not cached.
      ArtifactError: A cache is damaged, or stale.
    """
    tasks = seqio.get_subtasks(requested.find(mixture_or_task_name))
    readers = {task.name: open_tokens(task) for task in tasks}
    splits = {name for reader in readers.values() for name in reader.splits}
    if split not in splits:
        raise errors.InputError(
            f"{mixture_or_task_name} has no split {split!r}; wanted one of "
            f"{', '.join(sorted(splits))}; set utils.run.dataset_split"
        )
    options: dict[str, Any] = {
        "sequence_length": sequence_length,
        "seed": seed,
        "shuffle": shuffle,
    }
    return [
        _open_task(task, reader=readers[task.name], split=split, **options)
        for task in tasks
        if split in readers[task.name].splits
    ]


def open_training(
    mixture_or_task_name: str,
    *,
    split: str,
    sequence_length: Mapping[str, int],
    seed: int = 0,
    shuffle: bool = True,
) -> tuple[ExampleStream, dict[str, Any]]:
    """Opens the endless examples of a Task or Mixture, at the Mixture's rates.

    Args:
      mixture_or_task_name: Name of the Task or Mixture.
      split: Of the data sets.
      sequence_length: Of inputs and targets.
      seed: Another one gives another order and other random numbers.
      shuffle: Whether to draw an order for each epoch.

    Returns:
      The examples, and all that they follow from, JSON values by name.

    Raises:
      InputError: A name, split, length, rate or objective does not do.
      NotBuiltError: A Task is not cached.
      ArtifactError: A cache is damaged, or stale.
    """
    provider = requested.find(mixture_or_task_name)
    opened = open_tasks(
        mixture_or_task_name,
        split=split,
        sequence_length=sequence_length,
        seed=seed,
        shuffle=shuffle,
    )
    parts: dict[str, Any] = {"split": split, "seed": seed, "shuffle": shuffle}
    parts["tasks"] = {member.task.name: member.parts for member in opened}
    if isinstance(provider, seqio.Task):
        return opened[0].stream, parts
    rates = {member.task.name: provider.get_rate(member.task) for member in opened}
    parts["rates"] = {name: rate / sum(rates.values()) for name, rate in rates.items()}
    streams = [member.stream for member in opened]
    return MixedStream(streams, rates=list(rates.values()), seed=seed), parts
