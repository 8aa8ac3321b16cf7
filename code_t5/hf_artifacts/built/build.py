"""Builds a data set below `./data`: reads its splits, chooses rows, makes ids, publishes.

Splits are written one after the other into a folder beside the target (`.NAME.building`), which a
second run of the same request goes on with. What stands at the target is replaced when all splits
are there, and stays as it was until then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib.metadata
import json
import logging
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Union

from code_t5 import errors
from code_t5.hf_artifacts import cache_root
from code_t5.hf_artifacts.built import (
    built_record,
    find,
    source_rows,
    split_writer,
    staging,
    tokenize_rows,
)
from code_t5.hf_artifacts.built.built_record import BuiltDataset, BuiltSplit
from code_t5.hf_artifacts.built.built_request import BuiltRequest
from code_t5.hf_artifacts.built.source_rows import Source
from code_t5.hf_artifacts.built.tokenize_rows import RowTokenizer
from code_t5.hf_artifacts.fetching import job_locks
from code_t5.hf_artifacts.loading.tried import NotCachedError
from code_t5.storage import atomic, manifest

PathLike = Union[str, "os.PathLike[str]"]


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """How it is built; nothing of it decides on the rows.

    Attributes:
      output_dir: Where data sets are built.
      rebuild: Whether one that is of something else, or damaged, is replaced.
      num_workers: Processes that make ids.
      batch_size: Rows that are made ids at a time.
      wait_minutes: How long to wait for another process that builds the same.
    """

    output_dir: PathLike = "data"
    rebuild: bool = False
    num_workers: int = 1
    batch_size: int = 1000
    wait_minutes: float = 60.0


class Outcome(NamedTuple):
    """What a build came to.

    Attributes:
      built: The data set.
      num_new: How many of its splits were written.
      note: What the user should know; empty if nothing.
    """

    built: BuiltDataset
    num_new: int
    note: str = ""


def build_dataset(
    request: BuiltRequest, *, splits: Sequence[str] = (), options: BuildOptions | None = None
) -> Outcome:
    """Builds what is asked for, or finds it there.

    Args:
      request: What.
      splits: Which splits; empty for all. Those that are there already stay.
      options: How.

    Returns:
      The data set with all its splits, and how many are new.

    Raises:
      InputError: There is no such data set, or it cannot be made ids so.
      ArtifactError: What stands there is damaged or of something else.
      BusyError: Another process builds the same for too long.
    """
    how = options or BuildOptions()
    request.check()
    cache_root.check_place(how.output_dir, flag="output_dir")
    try:
        source = source_rows.open_source(request, splits=splits)
        tokenizer = _open_tokenizer(request, source)
    except (NotCachedError, tokenize_rows.NoTokenizerError):
        # A job that has what is built alone: there is nothing to compare it with.
        looked = find.find_request(request, splits=splits, output_dir=how.output_dir)
        if looked.found is None or how.rebuild or not cache_root.is_offline():
            raise
        looked.found.check_content()
        return Outcome(looked.found, 0, "what it was made of is not cached: taken as it is")
    parts = fingerprint_parts(source, tokenizer)
    target = pathlib.Path(how.output_dir) / source.request.folder_name
    there = None if how.rebuild else _find_whole(target, source, parts=parts)
    if there is not None:
        return Outcome(there, 0)
    _check_writable(target.parent)
    lock_path = target.with_name(f".{target.name}.lock")
    with job_locks.job_lock(
        lock_path, purpose=f"builds {target}", wait_seconds=60 * how.wait_minutes, say=_say
    ) as lock:
        atomic.remove_leftovers(target)
        there = None if how.rebuild else _read_there(target, parts=parts)
        wanted = _wanted_splits(target, source, how)
        missing = [split for split in wanted if there is None or split not in there.splits]
        if there is not None and not missing:
            there.check_content()
            return Outcome(there, 0)
        _check_replaceable(target)
        if set(missing) - set(source.splits):
            source = source_rows.open_source(source.request, splits=wanted)
            parts = fingerprint_parts(source, tokenizer)
        job = _Job(target, source, tokenizer, parts, how, lock)
        return Outcome(job.run(missing, there=there), len(missing))


def _find_whole(
    target: pathlib.Path, source: Source, *, parts: Mapping[str, Any]
) -> BuiltDataset | None:
    """Returns what stands at the target if nothing is missing; no lock is needed to read it."""
    # What is wrong is said when it is looked at again, with the lock.
    with contextlib.suppress(errors.ArtifactError):
        there = _read_there(target, parts=parts)
        if there is not None and not set(source.splits) - set(there.splits):
            there.check_content()
            return there
    return None


def _check_writable(folder: pathlib.Path) -> None:
    """Makes a folder, unless it is there.

    Raises:
      InputError: Nothing may be written there.
    """
    found = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        found = f"it cannot be made: {error.strerror}"
    if not found and not os.access(folder, os.W_OK | os.X_OK):
        found = "it is read-only for this user"
    if found:
        raise errors.InputError(
            f"nothing can be written in {folder} ({found}); wanted a folder to build in; change "
            "its permissions, or give another --output_dir"
        )


def _open_tokenizer(request: BuiltRequest, source: Source) -> RowTokenizer | None:
    if request.tokenizing is None:
        return None
    features = next(iter(source.splits.values())).features
    return RowTokenizer(request.tokenizing, features=features)


class _Job(NamedTuple):
    """One build, while its lock is held."""

    target: pathlib.Path
    source: Source
    tokenizer: RowTokenizer | None
    parts: Mapping[str, Any]
    how: BuildOptions
    lock: job_locks.JobLock

    def run(self, missing: Sequence[str], *, there: BuiltDataset | None) -> BuiltDataset:
        """Writes the splits that are missing and publishes them with those that are there.

        Raises:
          BusyError: Another process has taken over.
        """
        waiting = staging.Staging(self.target, parts={**self.parts, "rows": {}})
        written = dict[str, BuiltSplit]() if there is None else dict(there.splits)
        for split in missing:
            written[split] = self._write(split, waiting)
        if self.lock.is_lost:
            raise errors.BusyError(
                f"another process has begun to build {self.target}, since this one stood still for "
                "too long; wanted to be the only one; run the same command again"
            )
        old_rows = {} if there is None else dict(there.parts["rows"])
        built = BuiltDataset(
            directory=self.target,
            parts={**self.parts, "rows": {**old_rows, **self.parts["rows"]}},
            splits=written,
            repository=self.source.repository,
            label_names=() if self.tokenizer is None else self.tokenizer.label_names,
            versions={name: _version(name) for name in ("datasets", "pyarrow")},
        )
        waiting.publish(built, there=there)
        return built

    def _write(self, split: str, waiting: staging.Staging) -> BuiltSplit:
        rows = self.source.splits[split]
        kept = waiting.find(split, rows=str(rows._fingerprint))
        if kept is None:
            writer = split_writer.SplitWriter(
                self.source.request, self.tokenizer, self.how.num_workers, self.how.batch_size
            )
            kept = writer.write(rows, waiting.rows_dir / split)
            waiting.keep(split, split=kept, rows=str(rows._fingerprint))
        return kept


def _say(text: str) -> None:
    logging.getLogger(__name__).warning("%s", text)


def fingerprint_parts(source: Source, tokenizer: RowTokenizer | None) -> dict[str, Any]:
    """Returns everything that decides on the rows, as JSON.

    Args:
      source: Where they come from.
      tokenizer: What makes them ids; None for nothing.
    """
    libraries = {"datasets": _version("datasets").partition(".")[0]}
    if tokenizer is not None:
        libraries.update({name: _version(name) for name in ("tokenizers", "transformers")})
    return {
        "request": source.request.as_json(),
        "commit": source.commit,
        "rows": source.identity,
        "config": source.request.config,
        "tokenizer": None if tokenizer is None else tokenizer.identity,
        "columns": None if tokenizer is None else list(tokenizer.columns),
        "libraries": libraries,
    }


def _version(name: str) -> str:
    return importlib.metadata.version(name)


def _read_there(target: pathlib.Path, *, parts: Mapping[str, Any]) -> BuiltDataset | None:
    """Returns what stands at the target if it is of the same; None if nothing stands there.

    Raises:
      ArtifactError: It is damaged, of something else, or no built data set.
    """
    if not os.path.lexists(target):
        return None
    _check_replaceable(target)
    there = built_record.read_record(target)
    differing = _differences(there.parts, parts)
    if differing:
        raise errors.ArtifactError(
            f"{target} was built of something else ({'; '.join(differing)}); wanted to know "
            "whether it may go; run the same command with --rebuild to build it anew, or with "
            "another --output_dir"
        )
    there.check_sizes()
    return there


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    differing = []
    for name in sorted({*found, *wanted}):
        one, other = found.get(name), wanted.get(name)
        if name == "rows" and isinstance(one, Mapping) and isinstance(other, Mapping):
            # Splits that only one of both has are added, or stay.
            shared = set(one) & set(other)
            one, other = ({key: rows[key] for key in sorted(shared)} for rows in (one, other))
        if one != other:
            differing.append(f"{name} {_short(one)} there, {_short(other)} now")
    return differing


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _wanted_splits(target: pathlib.Path, source: Source, how: BuildOptions) -> list[str]:
    wanted = list(source.splits)
    if how.rebuild and manifest.is_complete(target):
        with contextlib.suppress(errors.ArtifactError):
            there = built_record.read_record(target)
            wanted += [split for split in there.splits if split not in wanted]
    return wanted


def _check_replaceable(target: pathlib.Path) -> None:
    """Refuses to touch what no build has written.

    Raises:
      ArtifactError: There is something else.
    """
    if not os.path.lexists(target):
        return
    names = (manifest.MANIFEST_NAME, manifest.COMPLETED_NAME, built_record.DICT_NAME)
    is_ours = target.is_dir() and any((target / name).is_file() for name in names)
    is_empty = target.is_dir() and not any(target.iterdir())
    if not is_ours and not is_empty:
        raise errors.ArtifactError(
            f"{target} is there and no data set that was built; wanted the name to be free; move "
            "it away, or give another --output_dir"
        )
