from __future__ import annotations

import errno

import pytest

from code_t5 import command_line, errors


def _raise(error: BaseException):
    def function():
        raise error

    return function


def test_clear_errors_are_one_line_and_exit_status_1(capsys):
    assert command_line.guard(_raise(errors.InputError("found a;\nwanted b"))) == 1
    assert capsys.readouterr().err == "error: found a; wanted b\n"


def test_no_control_character_of_an_error_reaches_the_terminal(capsys):
    error = errors.ArtifactError("m.json has format '\x1b]0;evil\x07\x9b31m\u202e'\r;\nwanted b")
    assert command_line.guard(_raise(error)) == 1
    shown = capsys.readouterr().err
    assert shown == (
        "error: m.json has format '\u241b]0;evil\u2407\u27e8U+009B\u27e931m\u27e8U+202E\u27e9'"
        "\u240d; wanted b\n"
    )
    full = OSError(errno.ENOSPC, "No space left on device", "out/\x1b[2Jfile")
    assert command_line.guard(_raise(full)) == 1
    assert capsys.readouterr().err[:-1].isprintable()


def test_full_disk_is_one_line_that_says_what_to_do(capsys):
    error = OSError(errno.ENOSPC, "No space left on device", "out/file")
    assert command_line.guard(_raise(error)) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: no space left on the device while writing out/file; wanted")
    assert shown.count("\n") == 1


def test_interrupt_says_that_the_command_goes_on(capsys):
    assert command_line.guard(_raise(KeyboardInterrupt())) == 130
    assert "run the same command again and it goes on" in capsys.readouterr().err


def test_defects_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        command_line.guard(_raise(ZeroDivisionError()))


def test_status_is_passed_on():
    assert command_line.guard(lambda: 3) == 3
    assert command_line.guard(lambda: None) == 0
