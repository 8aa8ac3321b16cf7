"""Tests of scripts/build_dev_dataset.sh, run whole; only the build itself is a stand-in.

The stand-in is an interpreter (`PYTHON`) that writes down what it is asked to build.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import fake_archives as archives
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts/build_dev_dataset.sh"


@pytest.fixture
def python(tmp_path):
    """An interpreter whose `-m preprocessing.build` only writes its arguments to a file."""
    path = tmp_path / "bin/python"
    path.parent.mkdir()
    path.write_text(
        "#!/bin/bash\n"
        'if [ "$2" = preprocessing.build ]; then\n'
        f'  printf "%s\\n" "$@" > {tmp_path}/build_arguments; exit "${{BUILD_STATUS:-0}}"\n'
        "fi\n"
        f'exec {sys.executable} "$@"\n'
    )
    path.chmod(0o755)
    return path


def _run(python, *arguments, cwd, **environment):
    return subprocess.run(
        [SCRIPT, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHON": str(python), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def _build_arguments(tmp_path):
    return (tmp_path / "build_arguments").read_text().splitlines()


def _checkouts(folder):
    (folder / "code/app").mkdir(parents=True)
    (folder / "code/app/main.py").write_text("x = 1\n")


def _manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_default_is_the_interpreters_library_in_data_here(python, tmp_path):
    result = _run(python, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    tree = tmp_path / "data/sources/dev_python"
    assert _manifest(tree)["identity"]["source"] == "python"
    assert (tree / "COMPLETED").exists()
    assert _build_arguments(tmp_path) == [
        *["-m", "preprocessing.build", "--input_dir", str(tree)],
        *["--data_dir", str(tmp_path / "data"), "--name", "dev_python"],
    ]
    assert "repositories" in result.stdout and "MB" in result.stdout


def test_commands_are_shown_so_that_they_work_as_they_stand(python, tmp_path):
    _checkouts(tmp_path / "my folder")
    result = _run(
        python, "--checkouts", "my folder/code", "--data_dir=my data", "--name", "mine",
        "--", "--language", "all", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    first, second = (line[2:] for line in result.stderr.splitlines() if line.startswith("+ "))
    assert "--name mine --language all" in second
    assert _build_arguments(tmp_path)[-2:] == ["--language", "all"]
    again = subprocess.run(first, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0
    assert f"{tmp_path}/my data/sources/mine is there already" in again.stdout


def test_relative_archive_and_selection_work_from_any_folder(python, tmp_path):
    files = {"Alpha/app/main/a_0.py": b"a = 0\n", "beta/tool/main/c_0.py": b"c = 0\n"}
    (tmp_path / "set.tar.gz").write_bytes(archives.tar_bytes(archives.flcc_members(files)))
    (tmp_path / "elsewhere").mkdir()
    result = _run(
        python, "--archive", "../set.tar.gz", "--select", "A*", "--data_dir", "../d",
        cwd=tmp_path / "elsewhere",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert _manifest(tmp_path / "d/sources/dev")["counts"]["num_files"] == 1


def test_data_directory_may_come_from_the_environment(python, tmp_path):
    _checkouts(tmp_path)
    result = _run(
        python, "--checkouts", "code", cwd=tmp_path, CODE_T5_DATA_DIR=str(tmp_path / "chosen")
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "chosen/sources/dev_checkouts/COMPLETED").exists()


def test_overwrite_reaches_both_commands(python, tmp_path):
    _checkouts(tmp_path)
    assert _run(python, "--checkouts", "code", cwd=tmp_path).returncode == 0
    (tmp_path / "code/app/more.py").write_text("y = 2\n")
    result = _run(python, "--checkouts", "code", "--overwrite", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert _manifest(tmp_path / "data/sources/dev_checkouts")["counts"]["num_files"] == 2
    assert _build_arguments(tmp_path)[-1] == "--overwrite"


def test_archive_behind_an_address_keeps_its_secrets(python, tmp_path):
    files = {"Alpha/app/main/a_0.py": b"a = 0\n"}
    with archives.serve(archives.tar_bytes(archives.flcc_members(files))) as served:
        address = served.address.replace("http://", "http://me:pw@") + "?token=s3cret"
        result = _run(python, "--archive", address, cwd=tmp_path)
        again = _run(python, f"--archive={address}", cwd=tmp_path)
        assert len(served.requests) == 1
    assert result.returncode == again.returncode == 0, result.stderr + again.stderr
    assert len(list((tmp_path / "data/downloads").glob("*/set.tar.gz"))) == 1
    for text in (result.stdout, result.stderr, again.stdout, again.stderr):
        assert "pw" not in text and "s3cret" not in text


def test_failure_of_the_first_command_stops_the_second(python, tmp_path):
    result = _run(python, "--checkouts", "none", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: cannot read")
    assert not (tmp_path / "build_arguments").exists()


def test_failure_of_the_build_is_the_scripts_own(python, tmp_path):
    _checkouts(tmp_path)
    assert _run(python, "--checkouts", "code", cwd=tmp_path, BUILD_STATUS="7").returncode == 7


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--bundled", "--from_python"], "two sources, bundled and python; wanted one"),
        (["--select", "A*"], "--select goes with --archive only"),
        (["--name", "my-set"], "'my-set' cannot name a data set"),
        (["--name", "../up"], "cannot name a data set"),
        (["--name"], "--name needs a value"),
        (["--archive", ""], "--archive needs a value"),
        (["--frobnicate"], "unknown argument '--frobnicate'"),
        (["stray"], "unknown argument 'stray'"),
    ],
)
def test_wrong_arguments_end_in_one_line(python, tmp_path, arguments, says):
    result = _run(python, *arguments, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and says in line
    assert not (tmp_path / "data").exists()


def test_missing_interpreter_is_named(tmp_path):
    result = _run("/nowhere/python", cwd=tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "there is no interpreter /nowhere/python" in result.stderr


def test_interpreter_without_the_libraries_is_told_apart(tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/bash\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    result = _run(bare, cwd=tmp_path)
    assert result.returncode == 1
    assert "lacks what code_t5 needs" in result.stderr


def test_help_names_every_argument(python, tmp_path):
    result = _run(python, "--help", cwd=tmp_path)
    assert result.returncode == 0
    for word in ("--from_python", "--bundled", "--archive", "--select", "--checkouts",
                 "--data_dir", "--name", "--overwrite", "PYTHON"):  # fmt: skip
        assert word in result.stdout
