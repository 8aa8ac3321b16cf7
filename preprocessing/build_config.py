"""What to build and how: the options of a build, and where things lie in the data directory."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

from code_t5 import errors
from code_t5.data import prepared
from preprocessing import filters, splits

# Names of TFDS configs and seqio Tasks.
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,127}")


@dataclasses.dataclass(frozen=True)
class VocabularyConfig:
    """Which vocabulary a data set uses.

    Attributes:
      name: Folder under `DATA_DIR/vocabularies`; shared by every data set that names it.
      vocab_size: Pieces, sentinels excluded; 0 takes an existing vocabulary as it is, and trains
        32,000 pieces where there is none.
      max_sample_bytes: Most bytes of training text to train on.
    """

    name: str = "default"
    vocab_size: int = 0
    max_sample_bytes: int = 50_000_000


@dataclasses.dataclass(frozen=True)
class BuildConfig:
    """What to build and how.

    Attributes:
      input_dir: Folder in FLCC layout.
      data_dir: Where TFDS data sets lie.
      name: Of the data set.
      languages: Language folders, or `("all",)`.
      num_workers: Processes; 0 for one per processor. Never changes what is built.
      overwrite: Whether to replace a finished data set of this name.
      filters: Limits of the filters.
      splits: Sizes of the splits.
      vocabulary: Which vocabulary to use.
    """

    input_dir: str
    data_dir: str
    name: str
    languages: tuple[str, ...] = ("Python",)
    num_workers: int = 0
    overwrite: bool = False
    filters: filters.FilterConfig = filters.FilterConfig()
    splits: splits.SplitConfig = splits.SplitConfig()
    vocabulary: VocabularyConfig = VocabularyConfig()

    def options(self) -> dict[str, Any]:
        """Returns what decides on the data set's content, for its manifest."""
        return {
            "languages": list(self.languages),
            "filters": dataclasses.asdict(self.filters),
            "splits": dataclasses.asdict(self.splits),
            "vocabulary": self.vocabulary.name,
        }


def dataset_dir(data_dir: str, name: str) -> pathlib.Path:
    """Returns the folder of a data set's only version."""
    return pathlib.Path(data_dir, prepared.DATASET_NAME, name, prepared.VERSION)


def vocabulary_dir(data_dir: str, name: str) -> pathlib.Path:
    """Returns the folder of a vocabulary."""
    return pathlib.Path(data_dir, "vocabularies", name)


def check_config(config: BuildConfig) -> None:
    """Checks what can be checked before anything is read.

    Args:
      config: What the user asked for.

    Raises:
      InputError: A name cannot be a Task's name, or the fractions of the splits do not fit.
    """
    splits.check_config(config.splits)
    for flag, name in (("--name", config.name), ("--vocabulary", config.vocabulary.name)):
        if not _NAME.fullmatch(name):
            raise errors.InputError(
                f"{flag} is {name!r}; wanted a letter followed by letters, digits and underscores"
            )
