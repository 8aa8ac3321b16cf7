"""Decides which checkpoint a training goes on from, and tidies up after one that was killed.

Words are those of `reading`. *Leftovers* are what a killed saver leaves under temporary names. What
is not whole goes *aside*: its files move into `<model_dir>/damaged/<step>`, where TensorFlow does
not look for checkpoints and from where they can be taken back.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.training.checkpoints import reading

ASIDE = "damaged"
# What TensorFlow 2.12 calls what it has not finished: the folder of a checkpoint's parts, an index
# being written, and files that get their name last.
_LEFTOVER_FOLDER = re.compile(r"model\.ckpt-\d{1,18}_temp")
_LEFTOVER_FILE = re.compile(
    r"model\.ckpt-\d{1,18}\.index\.tempstate\d+"
    r"|(?:checkpoint|graph\.pbtxt|model\.ckpt-\d{1,18}\.meta)\.tmp[0-9a-f]{32}"
)


class Choice(NamedTuple):
    """What a training goes on from.

    Attributes:
      step: That of the checkpoint; None to begin anew.
      changes: What had to be done for it, in words; empty for nothing.
    """

    step: int | None
    changes: str


def choose(model_dir: str | os.PathLike[str]) -> Choice:
    """Has the newest whole checkpoint of a directory be the one to go on from.

    If it is the one that the state file names, only leftovers are removed. Else what is not whole
    goes aside, and the state file names what is left. Only one checkpoint is read if that is whole.

    Args:
      model_dir: The model directory; nobody else may be training there.

    Returns:
      The choice.

    Raises:
      ArtifactError: There are checkpoints, and none is whole, or what is not whole has no place to
        go; nothing was changed.
    """
    folder = pathlib.Path(model_dir)
    files, recorded = reading.files_by_step(folder), reading.recorded_steps(folder)
    broken: dict[int, str] = {}
    chosen = None
    for step in _candidates(files, recorded):
        try:
            reading.check_whole(reading.prefix_of(folder, step))
        except errors.ArtifactError as error:
            broken[step] = str(error)
        else:
            chosen = step
            break
    if chosen is None and (files or recorded):
        raise errors.ArtifactError(_none_whole(folder, recorded, broken))
    for step, names in files.items():
        if chosen is not None and step not in broken and reading.missing_files(step, names):
            broken[step] = "files are missing"
    if broken:
        _check_aside(folder)
    num_removed = remove_leftovers(folder)
    atomic.remove_leftovers(folder / reading.STATE_FILE)
    changes = [f"{num_removed} leftovers of a killed saver were removed"] if num_removed else []
    if chosen is not None:
        changes += _settle(folder, chosen, broken=broken)
    return Choice(chosen, "; ".join(changes))


def _check_aside(folder: pathlib.Path) -> None:
    """Refuses a place for damaged files that is outside of the directory, or no folder.

    Raises:
      ArtifactError: It is a link or a file.
    """
    place = folder / ASIDE
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise errors.ArtifactError(
            f"found a checkpoint that is not whole, and {place} is "
            f"{'a link' if place.is_symlink() else 'a file'}; wanted a folder to move it to; "
            "remove what is there; nothing was changed"
        )


def _candidates(files: dict[int, list[str]], recorded: Sequence[int]) -> list[int]:
    """Returns the steps to try: the recorded one, those before it, those after it."""
    newest = recorded[-1] if recorded else max(files, default=0)
    others = sorted((step for step in files if step != newest), key=lambda s: (s > newest, -s))
    return [newest, *others] if files or recorded else []


def _none_whole(folder: pathlib.Path, recorded: Sequence[int], broken: dict[int, str]) -> str:
    first = next(iter(broken))
    reason = broken[first].partition("; ")[0]
    named = f"; its file {reading.STATE_FILE} names step {recorded[-1]}" if recorded else ""
    return (
        f"found no whole checkpoint among steps {sorted(broken)} of {folder} ({reason}{named}); "
        "wanted one to go on from; bring one back from a copy, or begin anew in another "
        "--model_dir; nothing was changed"
    )


def remove_leftovers(model_dir: str | os.PathLike[str]) -> int:
    """Removes what savers that did not finish left under temporary names.

    Args:
      model_dir: The model directory; nobody may be saving there.

    Returns:
      How many files and folders.
    """
    folder, removed = pathlib.Path(model_dir), 0
    for entry in sorted(os.scandir(folder), key=lambda e: e.name) if folder.is_dir() else []:
        if entry.is_dir(follow_symlinks=False) and _LEFTOVER_FOLDER.fullmatch(entry.name):
            shutil.rmtree(entry.path)
        elif entry.is_file(follow_symlinks=False) and _LEFTOVER_FILE.fullmatch(entry.name):
            os.unlink(entry.path)
        else:
            continue
        removed += 1
    return removed


def _settle(folder: pathlib.Path, chosen: int, *, broken: dict[int, str]) -> list[str]:
    """Moves what is not whole aside and has the state file name the rest; says what it did."""
    recorded = reading.recorded_steps(folder)
    changes = []
    if broken:
        places = [_set_aside(folder, step) for step in sorted(broken)]
        first = next(iter(broken))
        changes.append(
            f"not whole: {', '.join(f'step {step}' for step in sorted(broken))} "
            f"({broken[first].partition('; ')[0]}), now in {', '.join(filter(None, places))}"
        )
    kept = [step for step in recorded or reading.list_steps(folder) if step not in broken]
    kept = [step for step in kept if step != chosen] + [chosen]
    if kept != recorded or not _is_relative(folder):
        write_state(folder, kept)
        changes.append(f"the file {reading.STATE_FILE} now names step {chosen}")
    return changes


def _is_relative(folder: pathlib.Path) -> bool:
    """Returns whether TensorFlow will look for the files beside the state file."""
    state = (folder / reading.STATE_FILE).read_text(encoding="utf-8", errors="replace")
    return re.search(r'path(?:s)?: "[^"]*/', state) is None


def _set_aside(folder: pathlib.Path, step: int) -> str:
    """Moves a checkpoint's files; returns where they are, empty if there are none."""
    names = reading.files_by_step(folder).get(step, [])
    if not names:
        return ""
    number, place = 1, folder / ASIDE / str(step)
    while place.exists():
        number += 1
        place = folder / ASIDE / f"{step}-{number}"
    place.mkdir(parents=True)
    # The index first: without it the rest is no checkpoint to anyone.
    for name in sorted(names, key=lambda name: not name.endswith(".index")):
        os.rename(folder / name, place / name)
    return f"{ASIDE}/{place.name}"


def write_state(model_dir: str | os.PathLike[str], steps: Sequence[int]) -> None:
    """Writes the state file, in one step, as TensorFlow reads it.

    Args:
      model_dir: The model directory.
      steps: Of the checkpoints that are kept, the newest last; one at least.
    """
    lines = [f'model_checkpoint_path: "model.ckpt-{steps[-1]}"']
    lines += [f'all_model_checkpoint_paths: "model.ckpt-{step}"' for step in steps]
    text = "".join(f"{line}\n" for line in lines)
    atomic.write_file(pathlib.Path(model_dir, reading.STATE_FILE), text.encode("ascii"))
