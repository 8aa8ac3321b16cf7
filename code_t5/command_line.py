"""How every program of the project starts and ends.

A program defines absl flags and a `main(argv)`; `run(main)` turns the errors that a user can mend
into one line on stderr instead of a traceback. Flags may be written with hyphens too.
"""

from __future__ import annotations

import collections
import errno
import sys
from collections.abc import Collection, Sequence
from typing import Callable, NoReturn

from absl import app, flags

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


def join_arguments(
    argv: Sequence[str],
    *,
    list_flags: Collection[str] = (),
    values: flags.FlagValues = flags.FLAGS,
) -> list[str]:
    """Rewrites a command line as absl reads it.

    Args:
      argv: The program's name, then its arguments.
      list_flags: Names of flags that take several words, up to the next flag; where such a flag is
        given again, its words are added.
      values: The flags that are defined.

    Returns:
      The same with `--cache-dir` as `--cache_dir`, and `--splits train test` as
      `--splits=train,test`.

    Raises:
      InputError: A flag of several words has none.
    """
    joined, words = list(argv[:1]), dict[str, list[str]]()
    rest = collections.deque(argv[1:])
    while rest:
        argument = rest.popleft()
        if argument == "--":
            rest.appendleft(argument)
            break
        name, equals, value = argument.partition("=")
        dashes, bare = name[: len(name) - len(name.lstrip("-"))], name.lstrip("-")
        if dashes and bare not in values and bare.replace("-", "_") in values:
            bare = bare.replace("-", "_")
        if not dashes or bare not in list_flags:
            joined.append(f"{dashes}{bare}{equals}{value}" if dashes else argument)
            continue
        found = words.setdefault(bare, [])
        found += [value] if equals else []
        while not equals and rest and not rest[0].startswith("-"):
            found.append(rest.popleft())
        if not found:
            raise errors.InputError(f"--{bare} was given alone; wanted one or more words; add them")
    return [
        *joined,
        *(f"--{name}={','.join(found)}" for name, found in words.items() if found),
        *rest,
    ]


def run(main: Callable[[Sequence[str]], object], *, list_flags: Collection[str] = ()) -> NoReturn:
    """Parses the flags, runs `main` with the rest of the command line and exits.

    Args:
      main: Takes what is left of `sys.argv` after the flags, the program's name first.
      list_flags: Names of `DEFINE_list` flags that may be followed by several words.

    Raises:
      SystemExit: Always, with the exit status that `guard` gives.
    """

    def parse(argv: Sequence[str]) -> list[str]:
        try:
            joined = join_arguments(argv, list_flags=list_flags)
        except errors.InputError as error:
            sys.exit(f"error: {visible_text.one_line(str(error))}")
        return app.parse_flags_with_usage(joined)

    app.run(lambda argv: sys.exit(guard(lambda: main(argv))), flags_parser=parse)
    raise SystemExit(0)
