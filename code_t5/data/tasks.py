"""Registers a Task for every data set and objective.

For each prepared data set `<name>` and for each published one: `<name>`, whose objective gin
chooses, and `<name>_<objective>` with the objective fixed. Registering reads a directory listing
and small manifests, nothing else. Mixtures are gin's: see `code_t5.data.gin_mixtures`.
"""

from __future__ import annotations

import functools
from typing import Any

import seqio
import tensorflow as tf

from code_t5.data import preprocessors, sources, trainer_errors, vocabularies
from code_t5.data.task_cache import check
from code_t5.storage import prepared


class CodeTask(seqio.Task):
    """A Task over a prepared data set: its cache is checked before it is read.

    Attributes:
      dataset: What it reads.
      objective: Name of its objective; None if gin chooses.
    """

    def __init__(
        self, name: str, *, dataset: prepared.PreparedDataset, objective: str | None
    ) -> None:
        """Puts the parts of a Task together.

        Args:
          name: Of the Task.
          dataset: What it reads.
          objective: One of `preprocessors.PREPROCESSORS`; None to let gin choose.
        """
        vocabulary = vocabularies.open_vocabulary(str(dataset.vocabulary_dir))
        super().__init__(
            name,
            source=sources.FlccDataSource(dataset, vocabulary),
            preprocessors=[
                preprocessors.text_to_targets,
                # The text itself is not kept: the ids say it all.
                functools.partial(seqio.preprocessors.tokenize, copy_pretokenized=False),
                seqio.CacheDatasetPlaceholder(),
                preprocessors.PREPROCESSORS[objective] if objective else preprocessors.unsupervised,
                seqio.preprocessors.append_eos_after_trim,
            ],
            output_features={
                # Not required: before the objective runs there are only targets.
                "inputs": seqio.Feature(vocabulary, add_eos=True, required=False),
                "targets": seqio.Feature(vocabulary, add_eos=True),
            },
            metric_fns=[],
        )
        self.dataset = dataset
        self.objective = objective
        self._checked_cache_dir: str | None = None

    def get_dataset(self, *args: Any, **kwargs: Any) -> tf.data.Dataset:
        """Returns a split's examples; see `seqio.Task`."""
        with trainer_errors.one_line_errors():
            return super().get_dataset(*args, **kwargs)

    @property
    def cache_dir(self) -> str | None:
        """The first cache directory of this Task that is finished, checked once; None without.

        Raises:
          ArtifactError: The cache was made from something else than what is read now.
        """
        found = super().cache_dir
        if found is not None and found != self._checked_cache_dir:
            check.check_task_cache(found, dataset=self.dataset)
            self._checked_cache_dir = found
        return found


def _is_free(name: str, dataset: prepared.PreparedDataset) -> bool:
    """Says whether to register a name, and drops what was registered for another data directory."""
    if name not in seqio.TaskRegistry.names():
        return True
    task = seqio.TaskRegistry.get(name)
    if not isinstance(task, CodeTask) or task.dataset == dataset:
        return False
    seqio.TaskRegistry.remove(name)
    return True


def _register(name: str, *, dataset: prepared.PreparedDataset, objective: str | None) -> None:
    if _is_free(name, dataset):
        seqio.TaskRegistry.add_provider(name, CodeTask(name, dataset=dataset, objective=objective))


def register_tasks(data_dir: str | None = None) -> list[str]:
    """Registers the Tasks of a data directory.

    Args:
      data_dir: The data directory; by default the one that `prepared.find_data_dir` finds.

    Returns:
      Names of the data sets that are prepared.
    """
    data_dir = data_dir or prepared.find_data_dir()
    datasets = prepared.known_datasets(data_dir)
    table = prepared.task_table(datasets, preprocessors.PREPROCESSORS)
    for name, (dataset, objective) in table.items():
        _register(name, dataset=dataset, objective=objective)
    return [dataset.name for dataset in datasets if dataset.is_built]
