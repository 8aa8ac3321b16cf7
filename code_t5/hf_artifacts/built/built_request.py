"""What is to be built, and the name of the folder that it gets: the rule that readers go by too.

    data/<repository, / as -->--<configuration>[--options-<hash>]

`wikiann--en`, `unimelb-nlp--wikiann--en`, `wikiann--en--options-0f3a9c2b71de`. The hash is of every
option that is not at its default: a part of the rows, a revision, files, how text is made ids. A
name that this would not tell from another's (a local folder, a configuration with `--` or with
characters that are not for file names) gets a hash as well.
"""

from __future__ import annotations

import dataclasses
import fractions
import numbers
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts.requests import DataFiles
from code_t5.storage import fingerprints

DEFAULT_SEED = 42
PADDINGS = ("none", "max_length")
_HASH_LENGTH = 12
_MAX_READABLE = 80
_REPOSITORY = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)?[A-Za-z0-9_][\w.-]*", re.ASCII)
_CONFIG = re.compile(r"[A-Za-z0-9_][\w.+=-]*", re.ASCII)
_UNSAFE = re.compile(r"[^\w.+=-]+", re.ASCII)
_OPTIONS = "options-"


@dataclasses.dataclass(frozen=True)
class TokenizingOptions:
    """How text becomes ids.

    Attributes:
      tokenizer_name: On the Hub, or a folder.
      text_columns: One column of text or of lists of words, or two of text that are a pair; empty
        for the only one there is.
      label_column: Of the labels; None for no labels. Lists of labels belong to words.
      max_length: Most ids of a row; None to cut nothing.
      padding: One of `PADDINGS`.
      add_special_tokens: Whether the tokenizer puts its own tokens around a row.
    """

    tokenizer_name: str
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    max_length: int | None = None
    padding: str = "none"
    add_special_tokens: bool = True

    def check(self) -> None:
        """Refuses what does not fit together.

        Raises:
          InputError: Filling up without a length, no such padding, or too many columns.
        """
        if self.padding not in PADDINGS:
            raise errors.InputError(
                f"padding is {self.padding!r}; wanted one of {', '.join(PADDINGS)}; give one"
            )
        if self.padding == "max_length" and self.max_length is None:
            raise errors.InputError(
                "padding is max_length and no max_length is given; wanted the length to fill rows "
                "up to; add --max_length=128, or leave --padding out"
            )
        if self.max_length is not None and self.max_length < 1:
            raise errors.InputError(
                f"max_length is {self.max_length}; wanted 1 or more; leave it out to cut nothing"
            )
        if len(self.text_columns) > 2:
            raise errors.InputError(
                f"text_columns are {', '.join(self.text_columns)}; wanted one, or two that are a "
                "pair; name these"
            )


@dataclasses.dataclass(frozen=True)
class BuiltRequest:
    """One data set that is built; its splits are not part of it, for they may be added later.

    Attributes:
      dataset: Repository on the Hub, or a folder, as the user's programs name it.
      config: Its configuration; None until it is known which.
      revision: Of the repository; None for the newest, or the one that is cached.
      data_dir: A folder in it.
      data_files: Files in it.
      subset: Share of the rows, above 0 and below 1; 0 for all.
      seed: Chooses them.
      tokenizing: How text becomes ids; None to leave the rows as they are.
    """

    dataset: str
    config: str | None = None
    revision: str | None = None
    data_dir: str | None = None
    data_files: DataFiles = None
    subset: float = 0.0
    seed: int = DEFAULT_SEED
    tokenizing: TokenizingOptions | None = None

    def check(self) -> None:
        """Refuses what cannot be built.

        Raises:
          InputError: No name, or a share or a seed that is none.
        """
        if not self.dataset or "\0" in self.dataset:
            raise errors.InputError(
                f"the data set's name is {self.dataset!r}; wanted a repository or a folder; name it"
            )
        is_number = isinstance(self.subset, numbers.Real)
        if not is_number or not 0.0 <= self.subset <= 1.0:
            raise errors.InputError(
                f"subset is {self.subset!r}; wanted a share of the rows, a number from 0 to 1, "
                "where 0 is all; give --subset=0.1 for a tenth"
            )
        if not isinstance(self.seed, int):
            raise errors.InputError(
                f"the seed is {self.seed!r}; wanted a whole number; give one, or leave it out"
            )
        if self.tokenizing is not None:
            self.tokenizing.check()

    @property
    def takes_all_rows(self) -> bool:
        """Whether no row is left out."""
        return self.subset in (0.0, 1.0)

    @property
    def is_plain(self) -> bool:
        """Whether the rows are those of the source, all and unchanged."""
        return self.takes_all_rows and self.tokenizing is None

    @property
    def files(self) -> dict[str, list[str]] | None:
        """`data_files` in the one form that `datasets` makes of all: lists by split."""
        given = self.data_files
        if not given:
            return None
        by_split = given if isinstance(given, Mapping) else {"train": given}
        return {
            str(split): [files] if isinstance(files, str) else list(files)
            for split, files in by_split.items()
        }

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the data set and its configuration that is not at its default."""
        found: dict[str, Any] = {}
        if self.revision is not None:
            found["revision"] = self.revision
        if self.data_dir:
            found["data_dir"] = os.path.normpath(self.data_dir)
        if self.files:
            found["data_files"] = self.files
        if not self.takes_all_rows:
            found["subset"] = str(fractions.Fraction(str(self.subset)))
            found["seed"] = self.seed
        if self.tokenizing is not None:
            found["tokenizing"] = _plain(dataclasses.asdict(self.tokenizing))
        return found

    def as_json(self) -> dict[str, Any]:
        """Returns the request as JSON values."""
        return {"dataset": self.dataset, "config": self.config, **self.options}

    @property
    def folder_name(self) -> str:
        """The name of its folder.

        Raises:
          InputError: It is not known yet which configuration is meant.
        """
        if self.config is None:
            raise errors.InputError(
                f"no configuration of {self.dataset} is named; wanted one; add --config=NAME"
            )
        is_repository = bool(_REPOSITORY.fullmatch(self.dataset)) and "--" not in self.dataset
        is_plain_config = (
            bool(_CONFIG.fullmatch(self.config))
            and "--" not in self.config
            and not self.config.startswith(_OPTIONS)
        )
        dataset = self.dataset if is_repository else pathlib.PurePath(self.dataset).name
        readable = "--".join(map(_readable, (dataset, self.config)))
        if is_repository and is_plain_config and not self.options and len(readable) < _MAX_READABLE:
            return readable
        digest = fingerprints.hash_json(self.as_json())[:_HASH_LENGTH]
        return f"{readable[:_MAX_READABLE]}--{_OPTIONS}{digest}"


def _readable(name: str) -> str:
    return _UNSAFE.sub("-", name.replace("/", "--")).lstrip(".-") or "data"


def _plain(value: Any) -> Any:
    """Returns a value as JSON reads it back: tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
