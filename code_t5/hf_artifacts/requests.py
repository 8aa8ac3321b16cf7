"""What is wanted of the Hub: one request for each artefact, as the flags or the YAML file say it.

A *metric* is a repository of the Hub's spaces with a script that `evaluate` runs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Union

from code_t5.storage import fingerprints

KINDS = ("model", "dataset", "metric")
REPOSITORY_TYPES = {"model": "model", "dataset": "dataset", "metric": "space"}
_HASH_LENGTH = 12
_METRICS = "evaluate-metric"
# As the Hub has them; two dashes or points in a row would make two repositories one folder.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+=#/-]*")
_MAX_NAME_LENGTH = 96
_MAX_REVISION_LENGTH = 200
_MAX_SHOWN = 120
# What a title says beside the name and the configurations.
_CHOSEN = ("data_dir", "data_files", "patterns", "ignore_patterns")

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
      prepare: Of a data set: whether Arrow files are made of it, beside the files themselves.
    """

    kind: str
    name: str
    revision: str | None = None
    patterns: tuple[str, ...] = ()
    ignore_patterns: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    data_dir: str | None = None
    data_files: DataFiles = None
    prepare: bool = True

    @property
    def repository_type(self) -> str:
        """What huggingface_hub calls `repo_type`."""
        return REPOSITORY_TYPES[self.kind]

    @property
    def where(self) -> str:
        """The request, for messages."""
        revision = f" at {self.revision}" if self.revision else ""
        return f"the {self.kind} {self._name_and_configs}{revision}"

    @property
    def title(self) -> str:
        """The request in a table: `wikiann (en)`, `acme/reviews [data_dir en]`.

        Requests of one revision with the same title want the same.
        """
        named = {name: getattr(self, name) for name in _CHOSEN}
        chosen = [f"{name} {_listed(value)}" for name, value in named.items() if value]
        chosen += [] if self.prepare else ["not prepared"]
        return self._name_and_configs + (f" [{'; '.join(chosen)}]" if chosen else "")

    @property
    def full_title(self) -> str:
        """The title, with the revision where one was asked for."""
        return f"{self.title} at {self.revision}" if self.revision else self.title

    @property
    def _name_and_configs(self) -> str:
        return self.name + (f" ({', '.join(self.configs)})" if self.configs else "")

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
        if self.prepare:
            # Requests of before there was a choice keep their slugs.
            del fields["prepare"]
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

    Raises:
      TypeError: They are not a request's.
      ValueError: It names what no repository can be called.
    """
    given = dict(fields)
    for name in ("patterns", "ignore_patterns", "configs"):
        given[name] = tuple(given.get(name) or ())
    files = given.get("data_files")
    if isinstance(files, Mapping):
        given["data_files"] = {k: v if isinstance(v, str) else tuple(v) for k, v in files.items()}
    elif isinstance(files, list):
        given["data_files"] = tuple(files)
    request = ArtefactRequest(**given)
    fault = find_fault(request)
    if fault:
        raise ValueError(fault)
    return request


def read_data_files(entries: Sequence[str] | None) -> DataFiles:
    """Returns files as a command line lists them.

    Args:
      entries: Files, or `SPLIT=FILE` each; None or none for no choice of files.

    >>> read_data_files(["train=a.jsonl", "test=b.jsonl", "train=c.jsonl"])
    {'train': ('a.jsonl', 'c.jsonl'), 'test': ('b.jsonl',)}
    >>> read_data_files(["=a.jsonl"])
    ('=a.jsonl',)
    """
    if not entries:
        return None
    named = [entry.partition("=") for entry in entries]
    if not all(split and equals for split, equals, _ in named):
        return tuple(entries)
    return {
        split: tuple(file for name, _, file in named if name == split)
        for split in dict.fromkeys(name for name, _, _ in named)
    }


def metric_repository(name: str) -> str:
    """Returns where a metric lies that `evaluate` knows by a short name.

    Args:
      name: As `evaluate.load` takes it.

    >>> metric_repository("accuracy")
    'evaluate-metric/accuracy'
    """
    return name if "/" in name else f"{_METRICS}/{name}"


def find_fault(request: ArtefactRequest) -> str:
    """Returns what is wrong with a request: found, wanted, what to do; empty if it may be asked.

    Names become folders and revisions files: none may lead out of the cache.

    Args:
      request: From a file or a command line.

    >>> find_fault(ArtefactRequest("model", "../../etc"))
    "its name is '../../etc'; wanted NAME or ORG/NAME as the Hub has them; correct it"
    """
    if request.kind not in KINDS:
        return f"its kind is {_shown(request.kind)}; wanted {', '.join(KINDS)}; choose one"
    name, revision = request.name, request.revision
    if not isinstance(request.prepare, bool) or not (request.prepare or request.kind == "dataset"):
        shown = _shown(request.prepare)
        return f"its prepare is {shown}; wanted true, or false for a data set; remove it"
    fits = isinstance(name, str) and len(name) <= _MAX_NAME_LENGTH and _NAME.fullmatch(name)
    if not fits or ".." in name or "--" in name:
        shown = _shown(name)
        return f"its name is {shown}; wanted NAME or ORG/NAME as the Hub has them; correct it"
    if revision is not None:
        fits = isinstance(revision, str) and _REVISION.fullmatch(revision)
        if not fits or ".." in revision or len(revision) > _MAX_REVISION_LENGTH:
            return (
                f"its revision is {_shown(revision)}; wanted a branch, a tag, refs/... or a "
                "commit; correct it"
            )
    for path in _paths(request):
        if not isinstance(path, str) or "\0" in path or path.startswith(("/", "~")):
            return f"it names the path {_shown(path)}; wanted one in the repository; correct it"
        if ".." in path.split("/"):
            return f"it names the path {_shown(path)}; wanted one in the repository; correct it"
    return ""


def _listed(value: Any) -> str:
    """Returns data files, or other texts, as they are written in a table."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_listed(paths)}" for name, paths in value.items())
    return value if isinstance(value, str) else ", ".join(value)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def _paths(request: ArtefactRequest) -> Iterator[str]:
    """Yields what a request names in a repository: patterns, folders, files, configurations."""
    yield from (*request.patterns, *request.ignore_patterns, *request.configs)
    files = request.data_files
    yield from [] if request.data_dir is None else [request.data_dir]
    for given in files.values() if isinstance(files, Mapping) else [files]:
        yield from [given] if isinstance(given, str) else given or ()
