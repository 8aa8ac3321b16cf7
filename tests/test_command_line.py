from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from absl import flags

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


def _flags() -> flags.FlagValues:
    values = flags.FlagValues()
    flags.DEFINE_string("cache_dir", None, "", flag_values=values)
    flags.DEFINE_list("splits", None, "", flag_values=values)
    flags.DEFINE_boolean("no_verify", False, "", flag_values=values)
    return values


def _joined(*arguments: str) -> list[str]:
    argv = ["program", *arguments]
    return command_line.join_arguments(argv, list_flags=["splits"], values=_flags())[1:]


def test_flags_may_be_written_with_hyphens():
    assert _joined("--cache-dir", "a-b", "--no-verify") == ["--cache_dir", "a-b", "--no_verify"]
    assert _joined("--cache-dir=a-b=c") == ["--cache_dir=a-b=c"]
    # What no flag is called goes to absl, which refuses it by its own name.
    assert _joined("--cash-dir=a") == ["--cash-dir=a"]


def test_flag_of_several_words_takes_them_up_to_the_next_flag():
    found = _joined("--splits", "train", "test", "--cache_dir", "a")
    assert found == ["--cache_dir", "a", "--splits=train,test"]
    values = _flags()
    values(["program", *found])
    assert values.splits == ["train", "test"]


def test_flag_of_several_words_that_is_given_again_adds():
    assert _joined("--splits", "train", "--splits=test,validation", "x") == [
        "x", "--splits=train,test,validation",
    ]  # fmt: skip


def test_flag_of_several_words_without_any_is_refused():
    with pytest.raises(errors.InputError, match="--splits was given alone; wanted one or more"):
        _joined("--splits", "--no_verify")


def test_words_behind_two_dashes_stay_as_they_are():
    assert _joined("--", "--cache-dir", "--splits", "a") == ["--", "--cache-dir", "--splits", "a"]


_BUFFERED = {**os.environ, "PYTHONUNBUFFERED": ""}
_PROGRAM = """
import sys
from code_t5 import command_line
def main(argv):
    for _ in range(int(argv[1])):
        print(80 * "x")
    print("told", file=sys.stderr)
command_line.run(main)
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        # In the middle, at the end, and before there is a program.
        (["99999"], ""),
        (["1"], "told\n"),
        (["--help"], ""),
    ],
)
def test_a_program_whose_output_nobody_reads_ends_quietly(arguments, told):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *arguments],
            stdout=nobody, stderr=subprocess.PIPE, text=True, check=False, env=_BUFFERED,
        )  # fmt: skip
    assert done.stderr == told
    # absl's own for `--help`.
    assert done.returncode in ([1] if "--help" in arguments else [command_line.EXIT_NO_READER])


def test_another_broken_pipe_is_a_defect():
    with pytest.raises(BrokenPipeError):
        command_line.guard(_raise(BrokenPipeError()))


def test_output_for_which_there_is_no_room_is_an_error():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, "1"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=_BUFFERED,
        )  # fmt: skip
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert (told[0], len(told)) == ("told", 2)
    assert told[1].startswith("error: no space left on the device; wanted room for the output")
