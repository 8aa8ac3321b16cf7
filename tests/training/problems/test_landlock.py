"""Landlock, where the kernel has it, in a child process of its own."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

from code_t5.training.problems import landlock

ROOT = pathlib.Path(__file__).resolve().parents[3]
_PROGRAM = """
import json, os, sys
from code_t5.training.problems import landlock
readable, writable, other = sys.argv[1:]
version = landlock.restrict(
    readable=[readable, other + "/missing"], writable=[writable], devices=["/dev/null"]
)
def tries(function, *arguments):
    try:
        function(*arguments)
        return True
    except OSError:
        return False
print(json.dumps([
    version,
    tries(open, readable + "/file"),
    tries(open, readable + "/file", "a"),
    tries(open, writable + "/file", "w"),
    tries(os.mkdir, writable + "/folder"),
    tries(os.mkfifo, writable + "/pipe"),
    tries(open, "/dev/null", "w"),
    tries(open, other + "/file"),
    tries(os.listdir, other),
    tries(os.rename, other + "/file", writable + "/moved"),
]))
"""


def test_only_what_was_granted_is_reached(tmp_path):
    folders = [tmp_path / name for name in ("readable", "writable", "other")]
    for folder in folders:
        folder.mkdir()
        (folder / "file").write_text("x")
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, folders)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert json.loads(found.stdout) == [
        landlock.version(),
        *(True, False, True, True, True, True),
        *(False, False, False),
    ]


def test_without_it_nothing_is_restricted(monkeypatch, tmp_path):
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert landlock.restrict(readable=[], writable=[]) == 0
    (tmp_path / "file").write_text("x")


def test_older_versions_are_asked_for_what_they_know():
    first, size = landlock._ruleset(1)
    assert (first.handled_files, size) == ((1 << 13) - 1, 8)
    third, _ = landlock._ruleset(3)
    assert third.handled_files == (1 << 15) - 1
    newest, size = landlock._ruleset(7)
    assert (newest.handled_files, newest.handled_network, newest.scoped) == ((1 << 16) - 1, 3, 3)
    assert size == 24
