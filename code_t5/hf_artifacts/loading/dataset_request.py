"""What a program asks of `load_dataset`, in one form.

A *split expression* is what `datasets` takes as `split`: `train`, `train[:10%]+test`, a
`ReadInstruction`, or lists and mappings of these.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts import requests

_SPLIT = re.compile(r"\w+(?:\.\w+)*")
_HUB = re.compile(r"hf://datasets/([^/@]+(?:/[^/@]+)?)(?:@([^/]+))?/")


@dataclasses.dataclass(frozen=True)
class DatasetRequest:
    """One call of `load_dataset`.

    Attributes:
      path: A repository, as `wikiann` or `org/name`.
      config: Name of the configuration; None for the one that is meant.
      data_dir: A folder of the repository.
      data_files: Patterns of its files, by split.
      split: A split expression; None for all splits.
      revision: Branch, tag, `refs/...` or commit; None for the main branch.
      features: The `datasets.Features` wanted; None for the data's own.
      options: What else the reader of the format takes (`sep`, `columns`).
      is_streaming: Whether streams are wanted.
      keep_in_memory: As `datasets` takes it.
      num_proc: Processes that prepare.
      verification_mode: As `datasets` takes it.
      uses_prepared: Whether Arrow files that were prepared before will do.
    """

    path: str
    config: str | None = None
    data_dir: str | None = None
    data_files: Mapping[str, tuple[str, ...]] | None = None
    split: Any = None
    revision: str | None = None
    features: Any = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    is_streaming: bool = False
    keep_in_memory: bool | None = None
    num_proc: int | None = None
    verification_mode: Any = None
    uses_prepared: bool = True

    @property
    def where(self) -> str:
        """The request, for messages."""
        parts = [f"the data set {self.path}"]
        parts += [f"configuration {self.config}"] if self.config else []
        parts += [f"split {self.split}"] if self.split is not None else []
        parts += [f"data_dir {self.data_dir}"] if self.data_dir else []
        if self.data_files:
            files = [pattern for patterns in self.data_files.values() for pattern in patterns]
            parts.append(f"data_files {', '.join(files)}")
        parts += [f"revision {self.revision}"] if self.revision else []
        return ", ".join(parts)

    @property
    def is_plain(self) -> bool:
        """Whether nothing but a configuration is chosen."""
        return not self.options and not self.chooses_files and self.features is None

    @property
    def chooses_files(self) -> bool:
        """Whether files are named beside what the repository says of itself."""
        return self.data_files is not None or self.data_dir is not None

    @property
    def verification(self) -> str:
        """The verification mode as text; empty for what `datasets` does by itself."""
        return str(getattr(self.verification_mode, "value", self.verification_mode) or "")

    @property
    def split_names(self) -> tuple[str, ...] | None:
        """The splits that are named; None if all are wanted."""
        if self.split is None:
            return None
        names = [name for leaf in leaves(self.split) for name in _names(leaf)]
        return None if "all" in names else tuple(dict.fromkeys(names))

    def check(self) -> None:
        """Refuses what cannot name a repository or a part of one.

        Raises:
          InputError: A name, a revision or a path leads elsewhere.
        """
        named = requests.ArtefactRequest(
            kind="dataset",
            name=self.path,
            revision=self.revision,
            configs=(self.config,) if self.config else (),
            data_dir=self.data_dir,
            data_files=self.data_files,
        )
        fault = requests.find_fault(named)
        for pattern in [p for patterns in (self.data_files or {}).values() for p in patterns]:
            if "://" in pattern:
                fault = f"it names the address {pattern!a}; wanted a path in the repository"
        if fault:
            raise errors.InputError(f"the data set {self.path!a} cannot be looked up: {fault}")


def patterns_by_split(data_files: Any, *, path: str) -> dict[str, tuple[str, ...]] | None:
    """Returns `data_files` as patterns by split.

    Args:
      data_files: As `datasets` takes them: one, several, by split, or mappings with `split` and
        `path`.
      path: The repository: of its own files' `hf://` addresses the path in it is left.

    Raises:
      InputError: They are of another form, or empty.
    """
    if data_files is None:
        return None
    found = _by_split(data_files)
    if not found or not all(found.values()):
        raise errors.InputError(
            f"data_files are {data_files!a}; wanted a pattern, several, or these by split; name "
            "at least one, or leave data_files out"
        )
    for patterns in found.values():
        for pattern in patterns:
            if not isinstance(pattern, (str, os.PathLike)) or not os.fspath(pattern):
                raise errors.InputError(
                    f"data_files hold {pattern!a}; wanted paths or patterns; correct them"
                )
    return {
        str(split): tuple(_without_address(os.fspath(pattern), path) for pattern in patterns)
        for split, patterns in found.items()
    }


def leaves(split: Any) -> Iterator[Any]:
    """Yields the single expressions of a split expression."""
    if isinstance(split, Mapping):
        split = list(split.values())
    if isinstance(split, (list, tuple)):
        for part in split:
            yield from leaves(part)
    else:
        yield split


def as_text(leaf: Any) -> str:
    """Returns a single split expression as text.

    Args:
      leaf: A text, a `datasets.Split` or a `datasets.ReadInstruction`.
    """
    return str(leaf.to_spec() if hasattr(leaf, "to_spec") else leaf)


def _names(leaf: Any) -> list[str]:
    found = [_SPLIT.match(part.strip()) for part in as_text(leaf).split("+")]
    return [match.group() for match in found if match]


def _by_split(data_files: Any) -> dict[Any, list[Any]]:
    if isinstance(data_files, Mapping):
        return {split: _as_list(patterns) for split, patterns in data_files.items()}
    given = _as_list(data_files)
    if any(isinstance(item, Mapping) for item in given):
        pairs = [item for item in given if isinstance(item, Mapping)]
        return {item.get("split"): _as_list(item.get("path")) for item in pairs}
    return {"train": given} if given else {}


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, (str, os.PathLike, Mapping)) else list(value)


def _without_address(pattern: str, path: str) -> str:
    match = _HUB.match(pattern)
    return pattern[match.end() :] if match and match.group(1) == path else pattern
