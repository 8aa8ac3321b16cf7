"""How every program of the project starts and ends.

A program defines absl flags and a `main(argv)`; `run(main)` turns the errors that a user can mend
into one line on stderr instead of a traceback. Flags may be written with hyphens too. Whoever stops
reading what a program prints (`| head -1`) ends it quietly.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import select
import sys
from collections.abc import Collection, Sequence
from typing import Callable, NoReturn

from absl import app, flags

from code_t5 import errors, visible_text

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
# What a shell says of a program that wrote to a closed pipe and died of it.
EXIT_NO_READER = 141


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
      The exit status: 0, 1 after a clear error, 130 after an interrupt, 141 where nobody reads what
      is printed.
    """
    try:
        return _run(function)
    except BrokenPipeError:
        if not _drop_unread():
            raise
        return EXIT_NO_READER


def _run(function: Callable[[], object]) -> int:
    try:
        status = function()
        _flush_stdout()
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


def _flush_stdout() -> None:
    """Writes what was printed now: at the interpreter's end there is nobody to tell of an error.

    Raises:
      OSError: It cannot be written.
    """
    # None where it was closed from the start.
    if not sys.stdout:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        # What is left is not written at the end either.
        _send_nowhere(sys.stdout.fileno())
        raise


def _send_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _drop_unread() -> bool:
    """Lets what nobody reads go nowhere, so that the interpreter's end says nothing of it either.

    Returns:
      Whether there is such a stream.
    """
    found = False
    for stream in (sys.stdout, sys.stderr):
        # None where it was closed from the start; a test's has no descriptor.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            descriptor = stream.fileno()
            poll = select.poll()
            poll.register(descriptor, 0)
            if any(event & select.POLLERR for _, event in poll.poll(0)):
                _send_nowhere(descriptor)
                found = True
    return found


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

    try:
        app.run(lambda argv: sys.exit(guard(lambda: main(argv))), flags_parser=parse)
    except BrokenPipeError:
        # `--help` is printed outside of the guard.
        if not _drop_unread():
            raise
        sys.exit(EXIT_NO_READER)
    finally:
        _drop_unread()
    raise SystemExit(0)
