"""What precache.py says: of each artefact whether it is there, or what would be fetched.

An *outcome* is what became of one request.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
import shutil
from collections.abc import Iterable, Sequence

from code_t5 import errors, visible_text
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.requests import ArtefactRequest

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_COMMIT_LENGTH = 12
_WANTED = ("kind", "name", "revision", "commit", "files", "size", "here")
_DONE = ("kind", "name", "commit", "size", "ready", "reason")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one request.

    Attributes:
      request: What was asked for.
      is_good: Whether it is there, or in a dry run whether it can be fetched.
      reason: What was done, or why it is not there.
      commit: 40 hexadecimal digits, or nothing where the Hub did not say.
      num_files: Files wanted.
      size_bytes: Of these.
      present_bytes: Of these, what was here before.
      may_go_on: Of one that failed: whether it may do better the next time.
    """

    request: ArtefactRequest
    is_good: bool
    reason: str
    commit: str = ""
    num_files: int = 0
    size_bytes: int = 0
    present_bytes: int = 0
    may_go_on: bool = False


def size_text(size_bytes: int) -> str:
    """Returns a size as a person reads it.

    Args:
      size_bytes: From 0.

    >>> size_text(999), size_text(1_234_567)
    ('999 bytes', '1.2 MB')
    """
    size, unit = float(size_bytes), 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size_bytes} bytes"


def free_bytes(root: CacheRoot) -> int:
    """Returns how much may be written where a root is, or will be.

    Args:
      root: It need not be there.
    """
    return shutil.disk_usage(_existing(root.path)).free


def check_room(root: CacheRoot, outcomes: Iterable[Outcome]) -> None:
    """Refuses to begin what cannot end well.

    Args:
      root: To be filled.
      outcomes: What is wanted.

    Raises:
      InputError: There is less space than what is missing.
    """
    missing, free = _missing_bytes(outcomes), free_bytes(root)
    if missing > free:
        raise errors.InputError(
            f"{root.path} has {size_text(free)} free; wanted {size_text(missing)} for the files "
            "that are not here yet; free some, ask for less (--dry_run lists what), or choose "
            "another --cache_dir"
        )


def describe_wanted(outcomes: Sequence[Outcome], *, root: CacheRoot) -> list[str]:
    """Returns the table of a dry run.

    Args:
      outcomes: What would be fetched.
      root: Where.
    """
    rows = [
        (
            outcome.request.kind,
            outcome.request.title,
            outcome.request.revision or "main",
            outcome.commit[:_COMMIT_LENGTH] or "-",
            f"{outcome.num_files}",
            size_text(outcome.size_bytes),
            size_text(outcome.present_bytes) if outcome.is_good else f"no: {outcome.reason}",
        )
        for outcome in outcomes
    ]
    total = sum(outcome.size_bytes for outcome in outcomes)
    data_sets = [one.request.prepare for one in outcomes if one.request.kind == "dataset"]
    prepared = "; data sets are prepared as well, which takes about as much again"
    prepared = prepared if any(data_sets) else ""
    prepared += " (but not those with prepare: false)" if len(set(data_sets)) == 2 else ""
    return [
        *table(_WANTED, rows),
        f"{size_text(total)} in all, {size_text(_missing_bytes(outcomes))} of it to fetch; "
        f"{size_text(free_bytes(root))} free at {root.path}{prepared}",
    ]


def describe_done(outcomes: Sequence[Outcome], *, root: CacheRoot) -> list[str]:
    """Returns the table that ends a run.

    Args:
      outcomes: What became of each request.
      root: Where.
    """
    rows = [
        (
            outcome.request.kind,
            outcome.request.title,
            outcome.commit[:_COMMIT_LENGTH] or "-",
            size_text(outcome.size_bytes),
            "yes" if outcome.is_good else "no",
            outcome.reason,
        )
        for outcome in outcomes
    ]
    failed = [outcome for outcome in outcomes if not outcome.is_good]
    if failed:
        kept = "; the others are there" if len(failed) < len(outcomes) else ""
        last = f"{len(failed)} of {len(outcomes)} are not ready; {_todo(failed)}{kept}"
    else:
        path = shlex.quote(str(root.env_path))
        last = f"all {len(outcomes)} are there; for a job: source {path}"
    return [*table(_DONE, rows), last]


def _todo(failed: Sequence[Outcome]) -> str:
    num_passing = sum(outcome.may_go_on for outcome in failed)
    if num_passing == len(failed):
        return "run the same command again: it goes on"
    mend = "do what their reasons say"
    if num_passing:
        mend += f" ({num_passing} may be ready if the same command is run again)"
    return mend


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns lines with columns below each other, and nothing that a terminal would obey.

    Args:
      titles: Of the columns.
      rows: Their cells.

    >>> table(["kind", "name"], [["model", "a"], ["dataset", "b"]])
    ['kind     name', 'model    a', 'dataset  b']
    """
    cells = [[visible_text.one_line(cell) for cell in row] for row in [titles, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]


def _missing_bytes(outcomes: Iterable[Outcome]) -> int:
    return sum(outcome.size_bytes - outcome.present_bytes for outcome in outcomes)


def _existing(path: pathlib.Path) -> pathlib.Path:
    return next(folder for folder in [path, *path.parents] if folder.is_dir())
