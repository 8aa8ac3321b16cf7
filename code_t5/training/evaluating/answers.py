"""Has a model answer cursors, and keeps the answers while it goes.

Answers lie in a file of JSON lines, `{"key": ..., "text": ...}` each, under a name that says of
which checkpoint and which settings they are. An evaluation that was interrupted goes on behind the
last whole line.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Callable

from code_t5 import progress
from code_t5.training.evaluating.cursors import Cursor

# Prompts that are handed over at once: enough to be put into batches of like length, few enough to
# lose little.
_PROMPTS_AT_ONCE = 256
Complete = Callable[[Sequence[str]], Sequence[str]]


def read_answers(path: pathlib.Path) -> dict[str, str]:
    """Reads the answers that are there.

    Args:
      path: The file; it may be missing, or end within a line.

    Returns:
      The text for each cursor's key.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        fields = _fields(line)
        if fields is None:
            break
        found[fields["key"]] = fields["text"]
    return found


def _fields(line: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    is_whole = isinstance(fields, dict) and all(
        isinstance(fields.get(name), str) for name in ("key", "text")
    )
    return fields if is_whole else None


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
    """
    found = read_answers(path)
    missing = [cursor for cursor in cursors if cursor.key not in found]
    if missing:
        complete = load_fn()
        with open(path, "wb") as file, _bar(cursors, missing, name) as bar:
            _append(file, found)
            for start in range(0, len(missing), _PROMPTS_AT_ONCE):
                batch = missing[start : start + _PROMPTS_AT_ONCE]
                texts = complete([cursor.prompt for cursor in batch])
                new = {cursor.key: text for cursor, text in zip(batch, texts)}
                _append(file, new)
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


def _append(file: Any, answers: dict[str, str]) -> None:
    lines = (json.dumps({"key": key, "text": text}) for key, text in answers.items())
    file.write("".join(f"{line}\n" for line in lines).encode("ascii"))
    file.flush()
    os.fsync(file.fileno())
