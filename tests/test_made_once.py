from __future__ import annotations

import pathlib
import subprocess
import sys

import made_once
import pytest

TESTS = pathlib.Path(__file__).resolve().parent
# Adds a line per making, and takes long enough for another process to come in between.
MAKER = """
import pathlib, sys, time
sys.path.insert(0, sys.argv[1])
import made_once
shared = pathlib.Path(sys.argv[2])
def make(folder):
    with open(shared / "makings", "a") as log:
        log.write("made\\n")
    time.sleep(0.3)
    (folder / "whole").touch()
assert (made_once.made_once(shared, "model", make) / "whole").exists()
"""


def test_processes_that_ask_at_once_share_one_making(tmp_path):
    command = [sys.executable, "-c", MAKER, str(TESTS), str(tmp_path)]
    children = [subprocess.Popen(command) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert (tmp_path / "makings").read_text() == "made\n"


def test_folder_whose_making_failed_is_made_anew(tmp_path):
    def fail(folder):
        (folder / "half").touch()
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        made_once.made_once(tmp_path, "model", fail)
    folder = made_once.made_once(tmp_path, "model", lambda folder: (folder / "whole").touch())
    assert sorted(path.name for path in folder.iterdir()) == [".made", "whole"]


@pytest.mark.parametrize("own, shared", [("run/popen-gw0", "run"), ("pytest-7", "pytest-7")])
def test_workers_share_what_is_above_them_and_a_lone_process_does_not(tmp_path, own, shared):
    class Factory:
        def getbasetemp(self):
            return tmp_path / own

    (tmp_path / own).mkdir(parents=True)
    assert made_once.session_folder(Factory()) == tmp_path / shared / "made_once"
