"""Registers a Task for every data set and objective.

For each prepared data set `<name>` and for each published one: `<name>`, whose objective gin
chooses, and `<name>_<objective>` with the objective fixed. Registering reads a directory listing
and small manifests, nothing else. Mixtures are gin's: see `code_t5.data.gin_mixtures`.
"""

from __future__ import annotations

import functools

import seqio

from code_t5.data import preprocessors, sources, vocabularies
from code_t5.data.objective_task import ObjectiveTask, take_over
from code_t5.data.task_cache import check
from code_t5.storage import prepared


class CodeTask(ObjectiveTask):
    """A Task over a prepared data set: its cache is checked before it is read.

    Attributes:
      dataset: What it reads.
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
            vocabulary=vocabulary,
            objective=objective,
            before=[
                preprocessors.text_to_targets,
                # The text itself is not kept: the ids say it all.
                functools.partial(seqio.preprocessors.tokenize, copy_pretokenized=False),
                seqio.CacheDatasetPlaceholder(),
            ],
        )
        self.dataset = dataset
        self._checked_cache_dir: str | None = None

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


def _register(name: str, *, dataset: prepared.PreparedDataset, objective: str | None) -> None:
    def is_of_another_directory(task: seqio.Task) -> bool:
        return isinstance(task, CodeTask) and task.dataset != dataset

    if take_over(name, is_stale=is_of_another_directory):
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
