"""Has a model answer cursors, and keeps the answers while it goes.

Answers lie in a file of records, `{"answers": {key: text, ...}}` each, under a name that says of
which checkpoint and which settings they are. Records are only ever added, so an evaluation that was
interrupted, however often, goes on behind the last whole one.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any, Callable

from code_t5 import errors, progress
from code_t5.training.completing import records as record_file
from code_t5.training.evaluating.cursors import Cursor

# Prompts that are handed over at once: enough to be put into batches of like length, few enough to
# lose little.
_PROMPTS_AT_ONCE = 256
Complete = Callable[[Sequence[str]], Sequence[str]]


def read_answers(path: pathlib.Path) -> tuple[record_file.RecordFile, dict[str, str]]:
    """Reads the answers that are there.

    Args:
      path: The file; it may be missing, or end within a line.

    Returns:
      The file, to go on with, and the text for each cursor's key.

    Raises:
      ArtifactError: It holds something else.
    """
    file = record_file.RecordFile(path)
    found: dict[str, str] = {}
    for number, record in enumerate(file.records, start=1):
        answers = record.get("answers")
        if not isinstance(answers, dict) or not all(map(_is_text, answers.values())):
            raise errors.ArtifactError(
                f"{path}, line {number} holds no answers; wanted what an earlier evaluation wrote; "
                "remove the file and evaluate again"
            )
        found.update(answers)
    return file, found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def answer_cursors(
    cursors: Sequence[Cursor], *, load_fn: Callable[[], Complete], path: pathlib.Path, name: str
) -> list[str]:
    """Returns a text for each cursor; those that are in the file already are not asked for again.

    Args:
      cursors: The questions.
      load_fn: Loads what completes prompts; called only where answers are missing.
      path: Where answers are kept.
      name: Of the model, for the progress bar.

    Returns:
      What was written at each cursor.

    Raises:
      ArtifactError: The file holds something else.
    """
    file, found = read_answers(path)
    missing = [cursor for cursor in cursors if cursor.key not in found]
    if missing:
        complete = load_fn()
        with _bar(cursors, missing, name) as bar:
            for start in range(0, len(missing), _PROMPTS_AT_ONCE):
                batch = missing[start : start + _PROMPTS_AT_ONCE]
                texts = complete([cursor.prompt for cursor in batch])
                new = {cursor.key: text for cursor, text in zip(batch, texts)}
                file.append({"answers": new})
                found.update(new)
                bar.update(len(batch))
    return [found[cursor.key] for cursor in cursors]


def _bar(cursors: Sequence[Cursor], missing: Sequence[Cursor], name: str) -> Any:
    return progress.progress_bar(
        description=f"completing lines, {name}",
        unit="line",
        total=len(cursors),
        initial=len(cursors) - len(missing),
    )
