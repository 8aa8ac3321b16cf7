"""Takes rows from the trainer's own input function, and lengths from the Tasks below it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors, progress
from code_t5.data.preview import (
    input_function,
    packed_rows,
    pieces,
    suggestions,
    task_measures,
    trainer_setup,
)
from code_t5.data.preview.preview_config import PreviewConfig
from code_t5.data.preview.suggestions import Measured, Trial

_LEAST_DOCUMENTS = 20


@dataclasses.dataclass(frozen=True)
class Member:
    """One Task of what is shown.

    Attributes:
      name: Of the Task.
      share: Of the Mixture's examples; 1 for a Task alone.
      num_documents: Records in the split; None where it is not known.
      cache_dir: Where it is cached; None where it is not.
    """

    name: str
    share: float
    num_documents: int | None
    cache_dir: str | None


@dataclasses.dataclass(frozen=True)
class Sample:
    """What was read of a Task or Mixture.

    Attributes:
      name: Of it.
      is_mixture: Which it is.
      split: Of the data.
      members: Its Tasks.
      is_cached: Whether the task cache was read.
      seed: Of shuffling and of the objective.
      vocabulary: What to call its vocabulary.
      readers: By feature.
      rows: As the trainer reads them, at least one.
      measured: Lengths.
      function: Name of the input function.
    """

    name: str
    is_mixture: bool
    split: str
    members: list[Member]
    is_cached: bool
    seed: int | None
    vocabulary: str
    readers: dict[str, pieces.TokenReader]
    rows: list[packed_rows.Row]
    measured: Measured
    function: str = input_function.DEFAULT_NAME


def _join_trials(trials: Iterable[Trial]) -> Trial:
    """Puts the examples of a Mixture's Tasks together."""
    parts = list(trials)
    counts = [part.num_epoch_examples for part in parts]
    known = [count for count in counts if count is not None]
    return Trial(
        sequence_length=parts[0].sequence_length,
        examples=_join([part.examples for part in parts]),
        num_epoch_examples=sum(known) if len(known) == len(counts) else None,
    )


def _join(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _measure(
    members: list[task_measures.TaskDocuments], sequence_length: Mapping[str, int]
) -> Measured:
    """Measures Tasks together: as they are, and with the lengths that their documents ask for."""
    given = _join_trials(member.try_lengths(sequence_length) for member in members)
    naturals = [member.natural_lengths() for member in members]
    known_naturals = [one for one in naturals if one is not None]
    lengths = [member.lengths() for member in members]
    known_lengths = [one for one in lengths if one is not None]
    natural = _join(known_naturals) if len(known_naturals) == len(members) else None
    documents = np.concatenate(known_lengths) if len(known_lengths) == len(members) else None
    window = None
    if natural is None and documents is not None:
        length = suggestions.best_window(documents).length
        room = {name: length for name in sequence_length}
        window = _join_trials(member.try_lengths(room) for member in members)
    return Measured(given=given, documents=documents, natural=natural, window=window)


def _take_rows(dataset: Any, config: PreviewConfig) -> list[packed_rows.Row]:
    """Reads rows of the trainer's input function."""
    with progress.progress_bar(
        dataset.take(config.num_rows).as_numpy_iterator(),
        description="reading rows",
        unit="row",
        total=config.num_rows,
    ) as bar:
        return [packed_rows.read_row(row) for row in bar]


def _checked_tasks(provider: Any, split: str, *, use_cached: bool) -> list[Any]:
    """Returns the Tasks that have the split, if they can be read."""
    import seqio

    every = seqio.get_subtasks(provider)
    tasks = [task for task in every if split in task.splits]
    if not tasks:
        splits = ", ".join(sorted({split for task in every for split in task.splits}))
        raise errors.InputError(
            f"{provider.name} has no split {split!r}; wanted one of {splits}; choose it with "
            "--split"
        )
    # Looking for a cache also checks it, where the Task can.
    uncached = [task.name for task in tasks if use_cached and not task.cache_dir]
    if uncached:
        searched = ", ".join(map(str, seqio.get_global_cache_dirs())) or "no folder"
        raise errors.NotBuiltError(
            f"the Task {uncached[0]} is not cached (searched: {searched}); wanted its cache; name "
            "its folder with --additional_task_cache_dirs, or make one: python "
            f"scripts/cache_tasks.py --tasks {' '.join(uncached)} --output_cache_dir DIR"
        )
    return tasks


def _is_mixture(provider: Any) -> bool:
    import seqio

    return isinstance(provider, seqio.Mixture)


def _members(provider: Any, tasks: list[Any], split: str) -> list[Member]:
    rates = [float(provider.get_rate(task)) if _is_mixture(provider) else 1.0 for task in tasks]
    total = sum(rates) or 1.0
    return [
        Member(task.name, rate / total, task_measures.num_records(task, split), task.cache_dir)
        for task, rate in zip(tasks, rates)
    ]


def _vocabulary_name(vocabulary: Any) -> str:
    places = ("vocabulary_dir", "sentencepiece_model_file")
    where = next(filter(None, (getattr(vocabulary, place, None) for place in places)), "")
    name = f"{type(vocabulary).__name__}, {vocabulary.vocab_size:,} ids"
    return f"{name}, {where}" if where else name


def take_sample(provider: Any, config: PreviewConfig) -> Sample:
    """Reads some of a Task or Mixture.

    Args:
      provider: The `seqio.Task` or `seqio.Mixture`.
      config: What to read of it.

    Returns:
      The sample.

    Raises:
      InputError: It has no such split, or no example in it.
      NotBuiltError: Its data set or its cache is not built.
    """
    function = input_function.find_input_function()
    use_cached = function.reads_cache(config.use_cached)
    tasks = _checked_tasks(provider, config.split, use_cached=use_cached)
    members = _members(provider, tasks, config.split)
    features = {name: feature.vocabulary for name, feature in provider.output_features.items()}
    sequence_length = trainer_setup.sequence_lengths(config, list(features))
    documents = [
        task_measures.read_documents(
            task,
            config=config,
            use_cached=use_cached,
            num_documents=max(round(config.num_documents * member.share), _LEAST_DOCUMENTS),
        )
        for task, member in zip(tasks, members)
    ]
    return Sample(
        name=provider.name,
        is_mixture=_is_mixture(provider),
        split=config.split,
        members=members,
        is_cached=use_cached,
        seed=config.seed,
        vocabulary="; ".join(dict.fromkeys(map(_vocabulary_name, features.values()))),
        readers={name: pieces.TokenReader.of_vocabulary(v) for name, v in features.items()},
        measured=_measure(documents, sequence_length),
        rows=_take_rows(
            function.dataset(provider.name, config=config, sequence_length=sequence_length), config
        ),
        function=function.name,
    )
