"""Registers a Task for every data set and objective.

For each prepared data set `<name>` and for each published one: `<name>`, whose objective gin
chooses, and `<name>_<objective>` with the objective fixed. The published mixture is registered
with them. Registering reads a directory listing and small manifests, nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import seqio
import tensorflow as tf

from code_t5.data import prepared, preprocessors, requested, sources
from code_t5.data.vocabularies import CodeVocabulary

# Mixtures that the field uses, by the data sets that are their members.
PUBLISHED_MIXTURES = {"fl_py_2019_mix": ("fl_py_50stars_2019", "fl_py_10stars_2019")}

Preprocessor = Callable[..., tf.data.Dataset]


def _output_features(vocabulary: CodeVocabulary) -> dict[str, seqio.Feature]:
    return {
        # Not required: before the objective runs there are only targets.
        "inputs": seqio.Feature(vocabulary, add_eos=True, required=False),
        "targets": seqio.Feature(vocabulary, add_eos=True),
    }


def _is_free(name: str, dataset: prepared.PreparedDataset) -> bool:
    """Says whether to register a name, and drops what was registered for another data directory."""
    if name not in seqio.TaskRegistry.names():
        return True
    source = seqio.TaskRegistry.get(name).source
    if not isinstance(source, sources.FlccDataSource) or source.dataset == dataset:
        return False
    seqio.TaskRegistry.remove(name)
    return True


def _register(name: str, *, dataset: prepared.PreparedDataset, objective: Preprocessor) -> None:
    if not _is_free(name, dataset):
        return
    vocabulary = CodeVocabulary(str(dataset.vocabulary_dir))
    seqio.TaskRegistry.add(
        name,
        source=sources.FlccDataSource(dataset, vocabulary),
        preprocessors=[
            preprocessors.text_to_targets,
            seqio.preprocessors.tokenize,
            seqio.CacheDatasetPlaceholder(),
            objective,
            seqio.preprocessors.append_eos_after_trim,
        ],
        output_features=_output_features(vocabulary),
        metric_fns=[],
    )


def _register_mixture(name: str, members: Sequence[str]) -> None:
    # A Mixture holds its Tasks, which may have been registered anew.
    if name in seqio.MixtureRegistry.names():
        seqio.MixtureRegistry.remove(name)
    seqio.MixtureRegistry.add(
        name, list(members), default_rate=functools.partial(seqio.mixing_rate_num_examples)
    )


def register_tasks(data_dir: str | None = None) -> list[str]:
    """Registers the Tasks and Mixtures of a data directory.

    Args:
      data_dir: The data directory; by default the one that `prepared.find_data_dir` finds.

    Returns:
      Names of the data sets that are prepared.
    """
    data_dir = data_dir or prepared.find_data_dir()
    datasets = {dataset.name: dataset for dataset in prepared.list_datasets(data_dir)}
    built = list(datasets)
    for name in prepared.PUBLISHED:
        datasets.setdefault(name, prepared.PreparedDataset(name, data_dir))
    for name, dataset in datasets.items():
        _register(name, dataset=dataset, objective=preprocessors.unsupervised)
        for suffix, objective in preprocessors.OBJECTIVES.items():
            _register(f"{name}_{suffix}", dataset=dataset, objective=objective)
    for name, members in PUBLISHED_MIXTURES.items():
        _register_mixture(name, members)
        for suffix in preprocessors.OBJECTIVES:
            _register_mixture(f"{name}_{suffix}", [f"{member}_{suffix}" for member in members])
    return built


def register_for_trainer() -> None:
    """Registers everything, and ends the trainer early if it was asked for what cannot be read."""
    built = register_tasks()
    requested.check_requested(built)
