"""What is wanted of the Hub: one request for each artefact, as the flags or the YAML file say it.

A *metric* is a repository of the Hub's spaces with a script that `evaluate` runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Union

from code_t5.storage import fingerprints

KINDS = ("model", "dataset", "metric")
REPOSITORY_TYPES = {"model": "model", "dataset": "dataset", "metric": "space"}
_HASH_LENGTH = 12

DataFiles = Union[str, tuple[str, ...], Mapping[str, Union[str, tuple[str, ...]]], None]


@dataclasses.dataclass(frozen=True)
class ArtefactRequest:
    """One model, data set or metric.

    Attributes:
      kind: One of `KINDS`.
      name: As the user's programs will ask for it (`wikiann`, `org/name`); of a metric its
        repository's name (`evaluate-metric/accuracy`).
      revision: Branch, tag, `refs/...` or commit; None for the newest of the main branch.
      patterns: Shell patterns of the files wanted; empty for what loading it takes.
      ignore_patterns: Shell patterns of files that are not wanted.
      configs: Of a data set: its configurations that are prepared; empty for the only one, or all.
      data_dir: Of a data set: a folder in it.
      data_files: Of a data set: files in it, by split or not.
    """

    kind: str
    name: str
    revision: str | None = None
    patterns: tuple[str, ...] = ()
    ignore_patterns: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    data_dir: str | None = None
    data_files: DataFiles = None

    @property
    def repository_type(self) -> str:
        """What huggingface_hub calls `repo_type`."""
        return REPOSITORY_TYPES[self.kind]

    @property
    def where(self) -> str:
        """The request, for messages."""
        revision = f" at {self.revision}" if self.revision else ""
        return f"the {self.kind} {self.name}{revision}"

    def as_json(self) -> dict[str, Any]:
        """Returns the request as JSON values."""
        fields = dataclasses.asdict(self)
        for name in ("patterns", "ignore_patterns", "configs"):
            fields[name] = list(fields[name])
        if isinstance(self.data_files, Mapping):
            files = {k: v if isinstance(v, str) else list(v) for k, v in self.data_files.items()}
            fields["data_files"] = files
        elif isinstance(self.data_files, tuple):
            fields["data_files"] = list(self.data_files)
        return fields

    @property
    def slug(self) -> str:
        """A name for a folder: the repository's, and a hash of the whole request."""
        readable = self.name.replace("/", "--")
        digest = fingerprints.hash_json(self.as_json())[:_HASH_LENGTH]
        return f"{self.repository_type}s--{readable}--{digest}"


def request_from_json(fields: Mapping[str, Any]) -> ArtefactRequest:
    """Returns the request that `as_json` gave.

    Args:
      fields: JSON values.
    """
    given = dict(fields)
    for name in ("patterns", "ignore_patterns", "configs"):
        given[name] = tuple(given.get(name) or ())
    files = given.get("data_files")
    if isinstance(files, Mapping):
        given["data_files"] = {k: v if isinstance(v, str) else tuple(v) for k, v in files.items()}
    elif isinstance(files, list):
        given["data_files"] = tuple(files)
    return ArtefactRequest(**given)
