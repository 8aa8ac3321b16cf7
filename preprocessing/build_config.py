"""What to build and how: the options of a build, and where things lie in the data directory."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

from code_t5 import errors
from code_t5.storage import prepared
from preprocessing import decontamination, filters, licenses, scan, splits
from preprocessing.dedup import minhash, near

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
      kind: One of `token_model.KINDS`; None takes an existing vocabulary as it is, and trains
        SentencePiece where there is none.
    """

    name: str = "default"
    vocab_size: int = 0
    max_sample_bytes: int = 50_000_000
    kind: str | None = None


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
      dry_run: Whether to decide everything and write nothing but ledger and reports.
      filters: Limits of the filters.
      license_policy: One of `licenses.POLICIES`.
      redact: One of `scan.REDACT_MODES`.
      decontamination: Which benchmarks must not be in the data, and what to do about it.
      near_duplicates: Whether near-duplicates are removed, and which files are.
      max_linked_fraction: Share of all files that repositories linked by single shared files may
        hold together before such links are cut.
      splits: Sizes of the splits.
      vocabulary: Which vocabulary to use.
    """

    input_dir: str
    data_dir: str
    name: str
    languages: tuple[str, ...] = ("Python",)
    num_workers: int = 0
    overwrite: bool = False
    dry_run: bool = False
    filters: filters.FilterConfig = filters.FilterConfig()
    license_policy: str = licenses.ANY
    redact: str = scan.REDACT_REPLACE
    decontamination: decontamination.DecontaminationConfig = decontamination.DecontaminationConfig()
    near_duplicates: near.NearDupConfig = near.NearDupConfig()
    max_linked_fraction: float = 0.1
    splits: splits.SplitConfig = splits.SplitConfig()
    vocabulary: VocabularyConfig = VocabularyConfig()

    def options(self) -> dict[str, Any]:
        """Returns what decides on the data set's content, for its manifest."""
        return {
            "languages": list(self.languages),
            "filters": dataclasses.asdict(self.filters),
            "license_policy": self.license_policy,
            "redact": self.redact,
            "decontamination": decontamination.describe_config(self.decontamination),
            "near_duplicates": dataclasses.asdict(self.near_duplicates),
            "max_linked_fraction": self.max_linked_fraction,
            "splits": dataclasses.asdict(self.splits),
            "vocabulary": self.vocabulary.name,
        }

    def scan_config(self) -> scan.ScanConfig:
        """Returns what the scan needs to know."""
        return scan.ScanConfig(
            filters=self.filters,
            license_policy=self.license_policy,
            redact=self.redact,
            decontamination=self.decontamination,
            near_duplicates=self.near_duplicates,
        )


def dataset_dir(data_dir: str, name: str) -> pathlib.Path:
    """Returns the folder of a data set's only version."""
    return pathlib.Path(data_dir, prepared.DATASET_NAME, name, prepared.VERSION)


def dry_run_dir(data_dir: str, name: str) -> pathlib.Path:
    """Returns the folder of what a dry run found out."""
    return pathlib.Path(data_dir, "dry_runs", name)


def vocabulary_dir(data_dir: str, name: str) -> pathlib.Path:
    """Returns the folder of a vocabulary."""
    return pathlib.Path(data_dir, "vocabularies", name)


def check_config(config: BuildConfig) -> None:
    """Checks what can be checked before anything is read.

    Args:
      config: What the user asked for.

    Raises:
      InputError: A name cannot be a Task's name, an option is out of its range, or a benchmark
        cannot be read.
    """
    splits.check_config(config.splits)
    minhash.choose_bands(config.near_duplicates.threshold)
    if not 0 < config.max_linked_fraction <= 1:
        raise errors.InputError(
            f"--max_linked_fraction is {config.max_linked_fraction}; wanted a share above 0 and "
            "at most 1; change it"
        )
    decontamination.load_benchmarks(config.decontamination)
    for flag, name in (("--name", config.name), ("--vocabulary", config.vocabulary.name)):
        if not _NAME.fullmatch(name):
            raise errors.InputError(
                f"{flag} is {name!r}; wanted a letter followed by letters, digits and underscores"
            )
