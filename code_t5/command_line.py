"""How every program of the project starts and ends.

A program defines absl flags and a `main(argv)`; `run(main)` turns the errors that a user can mend
into one line on stderr instead of a traceback.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from typing import Callable, NoReturn

from absl import app

from code_t5 import errors, visible_text

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def _one_line(error: BaseException) -> str | None:
    """Returns what to tell the user; None for a defect, which deserves its traceback."""
    if isinstance(error, errors.CodeT5Error):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        # Of a copy, the second is what was written.
        path = error.filename2 or error.filename
        where = f" while writing {path}" if path else ""
        return (
            f"no space left on the device{where}; wanted room for the output; free some or "
            "choose another directory, then run the same command again: it goes on"
        )
    if isinstance(error, PermissionError):
        return (
            f"no permission for {error.filename}; wanted to read or write it; change its "
            "permissions or choose another path"
        )
    return None


def guard(function: Callable[[], object]) -> int:
    """Runs `function` and turns the errors that a user can mend into one line on stderr.

    Args:
      function: What to run; an integer that it returns is the exit status.

    Returns:
      The exit status: 0, 1 after a clear error, 130 after an interrupt.
    """
    try:
        status = function()
        return status if isinstance(status, int) else 0
    except KeyboardInterrupt:
        print("interrupted: run the same command again and it goes on", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - sorted into clear errors and defects below
        line = _one_line(error)
        if line is None:
            raise
        # Found values and names come from outside: nothing that a terminal would obey.
        print("error: " + visible_text.one_line(line.replace("\n", " ")), file=sys.stderr)
        return EXIT_FAILED


def run(main: Callable[[Sequence[str]], object]) -> NoReturn:
    """Parses the flags, runs `main` with the rest of the command line and exits.

    Args:
      main: Takes what is left of `sys.argv` after the flags, the program's name first.

    Raises:
      SystemExit: Always, with the exit status that `guard` gives.
    """
    app.run(lambda argv: sys.exit(guard(lambda: main(argv))))
    raise SystemExit(0)
