"""Registers the Mixtures that gin files define, when the trainer asks for the vocabulary.

That is right after gin is parsed and before anything looks a name up: `mixtures/lookup.gin` binds
the vocabulary's name to `@mixture_name()`. `mixture_definitions` says what gin binds and what the
words mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Union

import gin
import seqio
from absl import logging

from code_t5 import errors
from code_t5.data import (
    mixture_definitions,
    nbest_tasks,
    requested,
    sources,
    token_cache_source,
    token_cache_tasks,
    trainer_errors,
)

_SPLIT = "train"
TaskOrMixture = Union[seqio.Task, seqio.Mixture]


class GinMixture(seqio.Mixture):
    """A Mixture that gin defines; it is registered anew whenever it is asked for."""


def _known_names() -> list[str]:
    """Names of Tasks, and of Mixtures that gin did not define."""
    mixtures = seqio.MixtureRegistry.names()
    others = [
        name for name in mixtures if not isinstance(seqio.MixtureRegistry.get(name), GinMixture)
    ]
    return [*seqio.TaskRegistry.names(), *others]


def _find_member(name: str, definition: mixture_definitions.MixtureDefinition) -> TaskOrMixture:
    return requested.find(
        name,
        asked=f"the mixture {definition.name} has the member {name}",
        wanted="Wanted Tasks, or mixtures that gin defines too; build the data set, or mend the "
        "name",
    )


def _cached_stats(task: seqio.Task) -> dict[str, Any] | None:
    """The numbers that a finished cache of a Task holds of its training split."""
    if task.cache_dir is None:
        return None
    try:
        return dict(task.get_cached_stats(_SPLIT))
    except (ValueError, OSError) as error:
        raise errors.ArtifactError(
            f"the cache of {task.name} in {task.cache_dir} has no numbers of its split {_SPLIT} "
            f"({error}); wanted stats.{_SPLIT}.json; write it anew with scripts/cache_tasks.py "
            "--overwrite"
        ) from error


def num_examples(task: seqio.Task) -> int | None:
    """Returns the number of a Task's training examples before its objective.

    Args:
      task: The Task.

    Returns:
      From its cache, else from its source; None if that does not know.

    Raises:
      NotBuiltError: Its data set is not built.
      ArtifactError: Its data set or its cache is damaged.
    """
    stats = _cached_stats(task)
    if stats is not None:
        return int(stats["examples"])
    return task.num_input_examples(_SPLIT) if _SPLIT in task.splits else 0


def num_tokens(task: seqio.Task) -> int:
    """Returns the number of tokens of a Task's training examples before its objective.

    Args:
      task: The Task.

    Returns:
      From its cache, or the token cache that it reads; else, of a prepared data set, about as many
      as its report gives: those of all splits by the training split's share of the bytes.

    Raises:
      InputError: The Task is neither cached nor over a prepared data set or a token cache.
      NotBuiltError: Its data set is not built.
      ArtifactError: Its data set or its cache is damaged.
    """
    stats = _cached_stats(task)
    if stats is not None:
        return sum(int(stats.get(f"{feature}_tokens", 0)) for feature in task.output_features)
    if isinstance(task.source, token_cache_source.TokenCacheDataSource):
        return task.source.num_tokens(_SPLIT)
    if not isinstance(task.source, sources.FlccDataSource):
        raise errors.InputError(
            f"the Task {task.name} is not cached, so nobody knows how many tokens it has; wanted "
            "a cached Task for the rate 'tokens'; cache it, or let rates follow 'examples'"
        )
    path = task.source.dataset.dataset_dir / "report.json"
    try:
        report = json.loads(path.read_bytes())
        size_bytes = {name: split["num_bytes"] for name, split in report["splits"].items()}
        share = size_bytes[_SPLIT] / max(1, sum(size_bytes.values()))
        found = round(report["vocabulary"]["num_tokens"] * share)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.ArtifactError(
            f"{path} does not say how many tokens the data set has ({type(error).__name__}); "
            "wanted the report of a finished build; cache the Task with scripts/cache_tasks.py, "
            "which counts them, or build the data set again"
        ) from error
    logging.info("%s is not cached: its report has about %d tokens", task.name, found)
    return found


def _size(member: TaskOrMixture, definition: mixture_definitions.MixtureDefinition) -> float:
    """The size of a member in the unit of the definition's rate; also checks that it has data."""
    total = 0
    for task in seqio.get_subtasks(member):
        size = num_examples(task)
        if size == 0:
            raise errors.InputError(
                f"the mixture {definition.name} has the member {member.name}, but {task.name} has "
                "no training examples; wanted at least one; leave the member out, or build its "
                "data set from more"
            )
        if definition.fixed_rates is None and definition.rate == "tokens":
            size = num_tokens(task)
        if size is None and definition.fixed_rates is None and definition.rate == "examples":
            raise errors.InputError(
                f"the mixture {definition.name} lets rates follow 'examples', but nobody knows how "
                f"many {task.name} has; wanted a cached Task or fixed rates; cache it, or give "
                "rates in mixture.members"
            )
        total += size or 0
    return float(total)


def _describe(vocabulary: Any) -> str:
    fingerprint = getattr(vocabulary, "fingerprint", None)
    place = getattr(vocabulary, "vocabulary_dir", None)
    return f"{place} ({fingerprint})" if fingerprint and place else repr(vocabulary)


def _check_features(name: str, tasks: list[seqio.Task]) -> None:
    """Checks that all Tasks of a mixture give the trainer the same kind of tokens."""
    first = tasks[0]
    for task in tasks[1:]:
        if set(task.output_features) != set(first.output_features):
            raise errors.InputError(
                f"the mixture {name} mixes {first.name} with the features "
                f"{', '.join(first.output_features)} and {task.name} with "
                f"{', '.join(task.output_features)}; wanted the same; mix other Tasks"
            )
        for key, feature in first.output_features.items():
            mine, other = feature.vocabulary, task.output_features[key].vocabulary
            if mine != other:
                raise errors.VocabularyMismatchError(
                    f"the mixture {name} mixes unlike vocabularies: {first.name} has "
                    f"{_describe(mine)}, {task.name} has {_describe(other)}; wanted one; build "
                    "both data sets with the same vocabulary"
                )


def _register(definition: mixture_definitions.MixtureDefinition) -> None:
    members = {name: _find_member(name, definition) for name in definition.members}
    tasks = [task for member in members.values() for task in seqio.get_subtasks(member)]
    for task in tasks:
        requested.check_source(task)
    _check_features(definition.name, tasks)
    sizes = {name: _size(member, definition) for name, member in members.items()}
    rates = definition.rates(sizes)
    seqio.MixtureRegistry.remove(definition.name)
    seqio.MixtureRegistry.add(definition.name, list(rates.items()), mixture_cls=GinMixture)
    logging.info("mixture %s: %s", definition.name, rates)


def register_gin_mixtures(names: Iterable[str] | None = None) -> list[str]:
    """Registers Mixtures that gin defines, and those that they are made of.

    Call it after gin is parsed and the Tasks are registered. What is registered already from gin is
    registered anew. The Tasks that gin defines over token caches and teacher outputs are registered
    first, all of them.

    Args:
      names: Which Mixtures; names that gin does not define are passed over. None for all that gin
        defines.

    Returns:
      Names of what was registered.

    Raises:
      InputError: A definition is not what it should be: see docs/mixtures.md.
      NotBuiltError: A member's data set is not built.
      ArtifactError: A member's data set or cache is damaged, or the vocabularies differ.
    """
    token_cache_tasks.register_token_cache_tasks()
    nbest_tasks.register_nbest_tasks()
    registered: dict[str, None] = {}
    for name in mixture_definitions.bound_names() if names is None else names:
        for definition in mixture_definitions.find_definitions(name, known=_known_names()):
            if definition.name not in registered:
                _register(definition)
                registered[definition.name] = None
    return list(registered)


@gin.configurable(module="code_t5")
def mixture_name(name: Any = gin.REQUIRED) -> str:
    """Returns a Task's or Mixture's name after making sure that it can be read.

    `mixtures/lookup.gin` puts this where the trainer asks for the vocabulary. A Mixture that gin
    defines is registered.

    Args:
      name: Of the Task or Mixture.

    Returns:
      The same.

    Raises:
      SystemExit: In the trainer, the name cannot be read; the message is one line.
      CodeT5Error: The same elsewhere.
    """
    with trainer_errors.one_line_errors():
        values = trainer_errors.trainer_flags()
        if values is not None and "additional_task_cache_dirs" in values:
            # The trainer adds them later; rates by tokens want the numbers in them now.
            seqio.add_global_cache_dirs(values["additional_task_cache_dirs"].value or [])
        if isinstance(name, str):
            register_gin_mixtures([name])
        requested.check_name(name)
    return str(name)
