"""What a model directory says of the Task that its model was trained on, without TensorFlow.

A Task or Mixture is looked up where the trainer would find it: among the prepared data sets of the
data directory, and among what the configuration binds in its name (mixtures, token caches, and
what a teacher wrote about another Task).
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

from code_t5 import errors
from code_t5.data import objectives
from code_t5.storage import prepared
from code_t5.token_cache import layout
from code_t5.token_cache.reader import TokenCacheReader
from code_t5.token_cache.tokenizing import tokenizer_files
from code_t5.training.hugging_face.gin_settings import GinSettings, Reference

FEATURES = ("inputs", "targets")
_MAX_DEPTH = 8


@dataclasses.dataclass(frozen=True)
class TrainedTask:
    """What a model was trained on.

    Attributes:
      name: Of the Task or Mixture.
      objective: Name of its objective; None if it is one of t5's own, or several.
      sequence_length: Tokens of `inputs` and `targets`.
      add_eos: Whether inputs end with the end of text.
    """

    name: str
    objective: str | None
    sequence_length: dict[str, int]
    add_eos: bool = True


def read_task(settings: GinSettings) -> TrainedTask:
    """Returns what a configuration says of the Task.

    Args:
      settings: Of a model directory.

    Returns:
      The Task's facts; all Tasks of code_t5 end inputs with the end of text.

    Raises:
      InputError: It names no Task, or no lengths.
    """
    name = settings.macro("MIXTURE_NAME")
    lengths = settings.get("run.sequence_length")
    is_usable = isinstance(lengths, dict) and all(
        isinstance(lengths.get(key), int) and 0 < lengths[key] < 1 << 24 for key in FEATURES
    )
    if not isinstance(name, str) or not name or not is_usable:
        raise errors.InputError(
            f"{settings.path} says MIXTURE_NAME = {name!r} and run.sequence_length = {lengths!r}; "
            "wanted a Task's name and the lengths of inputs and targets; take the file that the "
            "trainer wrote"
        )
    return TrainedTask(
        name, _objective(name, settings), {key: int(lengths[key]) for key in FEATURES}
    )


def _asked_task(name: str, settings: GinSettings) -> str | None:
    """Returns the Task that a teacher was asked about whose outputs a Task reads; None for others.

    `code_t5.data.nbest_tasks` binds it.
    """
    found = settings.get("teacher_outputs.task", scope=name)
    return found if isinstance(found, str) else None


def _objective(name: str, settings: GinSettings) -> str | None:
    name = _asked_task(name, settings) or name
    # Longest first: no objective's name ends with another's today, and none may mislead tomorrow.
    for objective in sorted(objectives.OBJECTIVES, key=len, reverse=True):
        if name.endswith(f"_{objective}"):
            return objective
    bound = settings.get("unsupervised.preprocessors", default=[])
    listed = bound if isinstance(bound, (list, tuple)) else []
    names = [part.name for part in listed if isinstance(part, Reference)]
    return names[0] if len(names) == 1 and names[0] in objectives.OBJECTIVES else None


def find_vocabulary(
    name: str, *, settings: GinSettings, data_dir: str | os.PathLike[str] | None = None
) -> pathlib.Path:
    """Returns the directory of a Task's vocabulary.

    Args:
      name: Of the Task or Mixture.
      settings: Of a model directory, which may define it.
      data_dir: Where data sets were built; None for the environment's default.

    Returns:
      The directory; that it is whole is not checked.

    Raises:
      NotBuiltError: Nothing of that name is known.
      InputError: The Task's vocabulary is not one of code_t5.
      ArtifactError: Its token cache is damaged.
    """
    folder = os.fspath(data_dir) if data_dir is not None else prepared.find_data_dir()
    table = prepared.task_table(prepared.known_datasets(folder), objectives.OBJECTIVES)
    found = _find(name, settings=settings, table=table, depth=0)
    if found is None:
        raise errors.NotBuiltError(
            f"found no data set under {folder} that has the Task {name}, which the model was "
            "trained on; wanted it for the model's vocabulary; name the --data_dir of its training"
        )
    return found


def _find(
    name: str, *, settings: GinSettings, table: dict[str, Any], depth: int
) -> pathlib.Path | None:
    if name in table:
        dataset = table[name][0]
        return pathlib.Path(dataset.vocabulary_dir) if dataset.is_built else None
    asked = _asked_task(name, settings)
    if asked is not None and depth <= _MAX_DEPTH:
        return _find(asked, settings=settings, table=table, depth=depth + 1)
    for objective in (None, *objectives.OBJECTIVES):
        suffix = prepared.task_name("", objective)
        if not name.endswith(suffix) or depth > _MAX_DEPTH:
            continue
        base = name[: len(name) - len(suffix)]
        cache_dir = settings.get("token_cache.cache_dir", scope=base)
        if isinstance(cache_dir, str):
            return _cached_vocabulary(cache_dir)
        members = settings.get("mixture.members", scope=base)
        # seqio mixes only what has one vocabulary.
        for member in members if isinstance(members, (list, tuple, dict)) else []:
            place = _find(f"{member}{suffix}", settings=settings, table=table, depth=depth + 1)
            if place is not None:
                return place
    return None


def _cached_vocabulary(cache_dir: str) -> pathlib.Path:
    """Returns the vocabulary in a token cache.

    Raises:
      InputError: The cache was encoded with a tokenizer of Hugging Face.
      ArtifactError: It is damaged.
    """
    cache = TokenCacheReader(os.path.abspath(os.path.expanduser(cache_dir)))
    folder = cache.cache_dir / layout.TOKENIZER_NAME
    kind = None
    if cache.tokenizer is not None:
        kind = tokenizer_files.open_stored(folder, cache.tokenizer).kind
    if kind != tokenizer_files.CODE_T5:
        raise errors.InputError(
            f"the token cache {cache_dir} was encoded with a tokenizer of the kind {kind!r}, whose "
            "ids are shifted for T5; wanted a vocabulary of code_t5, which an export can take "
            "along; train on data that is encoded with one"
        )
    return pathlib.Path(folder)
