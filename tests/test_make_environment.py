"""How the environment is made, with an interpreter and a pip that only take notes."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

import house_rules

# An interpreter that makes environments of copies of itself and notes what pip is asked for.
_FAKE_PYTHON = """#!/bin/bash
case "$1 $2" in
  "-c import sys"*) echo "{version}" ;;
  "-c import ensurepip"*) exit {ensurepip_status} ;;
  "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; touch "$3/pyvenv.cfg" ;;
  "-m pip") echo "$*" >>"{log}"; exit $(cat "{log}.status" 2>/dev/null || echo 0) ;;
  *) exit 3 ;;
esac
"""


class _Checkout:
    """A checkout in which `scripts/make_environment.sh` runs with a fake interpreter."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.log = folder / "pip.log"
        (folder / "scripts").mkdir()
        for name in ("scripts/make_environment.sh", "setup.py"):
            shutil.copy(house_rules.ROOT / name, folder / name)
        (folder / "requirements.lock").write_text(
            "setuptools==80.10.2\nwheel==0.48.0\nsix==1.17.0\n"
        )
        self.venv = folder / ".venv"

    def write_python(self, version="3.10.4", *, ensurepip_status=0):
        python = self.folder / f"python-{version}"
        values = {"version": version, "ensurepip_status": ensurepip_status, "log": self.log}
        python.write_text(_FAKE_PYTHON.format(**values))
        python.chmod(0o755)
        return str(python)

    def make(self, python, *arguments):
        """Returns the exit status, the output and the number of calls of pip."""
        self.log.unlink(missing_ok=True)
        result = subprocess.run(
            [str(self.folder / "scripts/make_environment.sh"), *arguments],
            env={"PATH": "/usr/bin:/bin", **({"PYTHON": python} if python else {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        calls = self.log.read_text().splitlines() if self.log.exists() else []
        return result.returncode, result.stdout, calls


@pytest.fixture
def checkout(tmp_path):
    return _Checkout(tmp_path)


def test_environment_is_made_once(checkout):
    python = checkout.write_python()
    status, output, calls = checkout.make(python)
    assert (status, len(calls)) == (0, 3), output
    assert "setuptools==80.10.2 wheel==0.48.0" in calls[0]
    assert "--no-deps" in calls[1] and "requirements.lock" in calls[1]
    assert "--editable ." in calls[2]
    assert checkout.make(python) == (0, "", [])
    assert checkout.make(None) == (0, "", [])


def test_changed_lock_makes_the_environment_again(checkout):
    python = checkout.write_python()
    checkout.make(python)
    (checkout.venv / "left_over").touch()
    with (checkout.folder / "requirements.lock").open("a") as lock:
        lock.write("toml==0.10.2\n")
    status, _, calls = checkout.make(python)
    assert (status, len(calls)) == (0, 3)
    assert not (checkout.venv / "left_over").exists()


def test_changed_setup_installs_the_package_alone_again(checkout):
    python = checkout.write_python()
    checkout.make(python)
    (checkout.folder / "setup.py").write_text("changed")
    status, _, calls = checkout.make(python)
    assert (status, len(calls)) == (0, 1)
    assert "--editable ." in calls[0]


def test_another_interpreter_makes_the_environment_again(checkout):
    checkout.make(checkout.write_python("3.10.4"))
    status, output, calls = checkout.make(checkout.write_python("3.9.2"))
    assert (status, len(calls)) == (0, 3)
    assert "(Python 3.9.2)" in output


def test_half_made_environment_is_made_again(checkout):
    python = checkout.write_python()
    (checkout.folder / "pip.log.status").write_text("1")
    assert checkout.make(python)[0] == 1
    assert checkout.venv.exists()
    (checkout.folder / "pip.log.status").unlink()
    assert checkout.make(python)[0] == 0
    (checkout.venv / "bin/python").unlink()
    status, _, calls = checkout.make(python)
    assert (status, len(calls)) == (0, 3)


def test_folder_that_is_no_environment_is_left_alone(checkout):
    checkout.venv.mkdir()
    (checkout.venv / "thesis.txt").write_text("mine")
    status, output, calls = checkout.make(checkout.write_python())
    assert (status, calls) == (1, [])
    assert output.startswith(".venv holds something that is not a virtual environment")
    assert (checkout.venv / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("version", ["3.8.18", "3.12.1", "3.13.0", "2.7.18"])
def test_first_line_on_an_unsupported_python_says_what_to_install(checkout, version):
    status, output, calls = checkout.make(checkout.write_python(version))
    first = output.splitlines()[0]
    assert (status, calls) == (1, [])
    assert first.startswith("code_t5 needs Python 3.9, 3.10 or 3.11")
    assert f"which is Python {version}" in first
    assert "install python3.11" in first
    assert not checkout.venv.exists()


def test_missing_interpreter_is_named(checkout):
    status, output, _ = checkout.make("/nowhere/python3.11")
    assert status == 1
    assert "found /nowhere/python3.11, which does not run" in output.splitlines()[0]


def test_python_without_ensurepip_names_the_package_to_install(checkout):
    status, output, _ = checkout.make(checkout.write_python(ensurepip_status=1))
    assert status == 1
    assert "apt-get install python3.10-venv" in output.splitlines()[0]
