"""Finds the data sets that are prepared under the data directory.

A data set is *prepared* when `DATA_DIR/flcc/<name>/<version>` holds a manifest and its completion
marker; `python -m preprocessing.build` makes it. Of several versions the newest is read. Nothing
here needs TensorFlow or seqio.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any

from code_t5 import errors
from code_t5.storage import manifest

DATASET_NAME = "flcc"
VERSION = "2.0.0"
FORMAT_NAME = "code_t5_dataset"
FORMAT_VERSION = 2
# Format of each version that can still be read, newest first.
READABLE_VERSIONS = {VERSION: FORMAT_VERSION, "1.0.0": 1}
DEFAULT_VOCABULARY = "default"

DATA_DIR_VARIABLE = "CODE_T5_DATA_DIR"
_TFDS_DEFAULT = "~/tensorflow_datasets"
_TASK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,127}")

# Data sets that the field has published results on, with what their archives hold.
PUBLISHED = {
    "fl_py_50stars_top5k_2019": "the 5,000 most starred Python repositories",
    "fl_py_50stars_2019": "all Python repositories with over 50 stars",
    "fl_py_10stars_2019": "all Python repositories with 10 to 50 stars",
}


@dataclasses.dataclass(frozen=True)
class PreparedDataset:
    """Where a data set lies and which vocabulary it was checked with.

    Attributes:
      name: Of the data set, and of its Task.
      data_dir: The data directory.
      vocabulary: Name of the vocabulary.
    """

    name: str
    data_dir: str
    vocabulary: str = DEFAULT_VOCABULARY

    @property
    def version(self) -> str:
        """The newest version that is finished; where there is none, the one that would be built."""
        folder = pathlib.Path(self.data_dir, DATASET_NAME, self.name)
        for version in READABLE_VERSIONS:
            if manifest.is_complete(folder / version):
                return version
        return VERSION

    @property
    def dataset_dir(self) -> pathlib.Path:
        """Folder with the shards."""
        return pathlib.Path(self.data_dir, DATASET_NAME, self.name, self.version)

    @property
    def vocabulary_dir(self) -> pathlib.Path:
        """Folder with the vocabulary."""
        return pathlib.Path(self.data_dir, "vocabularies", self.vocabulary)

    @property
    def is_built(self) -> bool:
        """Whether it is finished."""
        return manifest.is_complete(self.dataset_dir)

    @property
    def build_command(self) -> str:
        """What to type to prepare it."""
        return (
            f"python -m preprocessing.build --input_dir=FLCC_DIR --data_dir={self.data_dir} "
            f"--name={self.name}"
        )

    def read_manifest(self) -> dict[str, Any]:
        """Reads the data set's manifest.

        Returns:
          Its fields.

        Raises:
          NotBuiltError: There is no finished data set.
          ArtifactError: What is there is damaged or of another format.
        """
        if not self.is_built:
            about = f" ({PUBLISHED[self.name]})" if self.name in PUBLISHED else ""
            raise errors.NotBuiltError(
                f"the data set {self.name}{about} is not built: there is no finished "
                f"{self.dataset_dir}; build it with: {self.build_command}"
            )
        return manifest.read_manifest(
            self.dataset_dir,
            format_name=FORMAT_NAME,
            format_version=READABLE_VERSIONS[self.version],
        )


def trainer_data_dir() -> str | None:
    """Returns the trainer's `--t5_tfds_data_dir`, or None where there is no such flag or value."""
    from absl import flags

    if not flags.FLAGS.is_parsed() or "t5_tfds_data_dir" not in flags.FLAGS:
        return None
    return flags.FLAGS["t5_tfds_data_dir"].value or None


def find_data_dir() -> str:
    """Returns the data directory.

    Returns:
      `--t5_tfds_data_dir` of the trainer, else `$CODE_T5_DATA_DIR`, else `$TFDS_DATA_DIR`, else the
      default of TFDS.
    """
    found = (
        trainer_data_dir()
        or os.environ.get(DATA_DIR_VARIABLE)
        or os.environ.get("TFDS_DATA_DIR")
        or _TFDS_DEFAULT
    )
    return os.path.expanduser(found)


def _vocabulary_name(candidate: PreparedDataset) -> str:
    """Name of the vocabulary that the manifest gives; damage is reported when the data is read."""
    try:
        name = candidate.read_manifest().get("vocabulary")
    except errors.CodeT5Error:
        return DEFAULT_VOCABULARY
    return name if isinstance(name, str) and _TASK_NAME.fullmatch(name) else DEFAULT_VOCABULARY


def list_datasets(data_dir: str) -> list[PreparedDataset]:
    """Lists what is prepared under a data directory.

    Args:
      data_dir: The data directory; it may be missing.

    Returns:
      The data sets, by name.
    """
    try:
        names = sorted(os.listdir(os.path.join(data_dir, DATASET_NAME)))
    except OSError:
        return []
    found = []
    for name in names:
        candidate = PreparedDataset(name, data_dir)
        if _TASK_NAME.fullmatch(name) and candidate.is_built:
            found.append(dataclasses.replace(candidate, vocabulary=_vocabulary_name(candidate)))
    return found


def known_datasets(data_dir: str) -> list[PreparedDataset]:
    """Lists what is prepared under a data directory, then the published data sets that are not.

    Args:
      data_dir: The data directory; it may be missing.

    Returns:
      The data sets.
    """
    found = {dataset.name: dataset for dataset in list_datasets(data_dir)}
    for name in PUBLISHED:
        found.setdefault(name, PreparedDataset(name, data_dir))
    return list(found.values())


def task_name(dataset_name: str, objective: str | None) -> str:
    """Returns the name of a data set's Task.

    Args:
      dataset_name: Of the data set.
      objective: The one that the Task fixes; None if it leaves that to gin.

    >>> task_name("dev", None), task_name("dev", "prefix_lm")
    ('dev', 'dev_prefix_lm')
    """
    return f"{dataset_name}_{objective}" if objective else dataset_name


def task_table(
    datasets: Iterable[PreparedDataset], objectives: Iterable[str]
) -> dict[str, tuple[PreparedDataset, str | None]]:
    """Says which Task names there are, and what each stands for.

    Args:
      datasets: The data sets.
      objectives: Names of those that a Task may fix.

    Returns:
      By name, the data set and the objective, None where gin chooses. Where a data set is called as
      another one's Task with an objective, the name is its own.
    """
    every, fixed = list(datasets), list(objectives)
    found: dict[str, tuple[PreparedDataset, str | None]] = {
        task_name(dataset.name, objective): (dataset, objective)
        for dataset in every
        for objective in fixed
    }
    return {**found, **{dataset.name: (dataset, None) for dataset in every}}
