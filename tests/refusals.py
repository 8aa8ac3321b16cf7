"""What tests of bad input check: one clear line, and nothing changed on the disk."""

from __future__ import annotations

import pathlib
import re
from typing import Any, Callable

import pytest

from code_t5 import errors


def content(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns every file below a folder and what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_refused(
    function: Callable[[], Any], *, match: str, unchanged: pathlib.Path | None = None
) -> None:
    """Calls what must raise one line that says what was found, wanted and can be done.

    Args:
      function: To call.
      match: Regular expression that is in the line.
      unchanged: A folder in which no file may appear, change or go.
    """
    before = content(unchanged) if unchanged else {}
    with pytest.raises(errors.CodeT5Error) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    assert re.search(match, message), message
    assert message.isprintable(), message
    # What to do stands last.
    assert "; " in message, message
    assert len(message) < 1000
    assert not unchanged or content(unchanged) == before
