from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

from code_t5.hf_artifacts import env_file
from code_t5.hf_artifacts.cache_root import CacheRoot

_SHOW = 'env | LC_ALL=C sort | grep -E "^(HF_|TRANSFORMERS_|_code_t5)"'
# The shell that is no bash on Debian.
_DASH = ("dash", "-c")


def _root(folder: pathlib.Path) -> CacheRoot:
    root = CacheRoot(folder)
    root.hub_dir.mkdir(parents=True)
    env_file.write_env_file(root)
    return root


def _run(script: str, *, shell: tuple[str, ...] = ("bash", "-euc"), **variables: str):
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [*shell, script], capture_output=True, text=True, check=False, env=environment
    )


def _variables(ran) -> dict[str, str]:
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return dict(line.split("=", 1) for line in ran.stdout.splitlines())


def _wanted(path: pathlib.Path, *, offline: str = "1") -> dict[str, str]:
    return {
        "HF_DATASETS_CACHE": f"{path}/datasets",
        "HF_DATASETS_OFFLINE": offline,
        "HF_EVALUATE_OFFLINE": offline,
        "HF_HOME": f"{path}",
        "HF_HUB_CACHE": f"{path}/hub",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": offline,
        "HF_MODULES_CACHE": f"{path}/modules",
        "TRANSFORMERS_CACHE": f"{path}/transformers",
        "TRANSFORMERS_OFFLINE": offline,
    }


@pytest.mark.parametrize("name", ["plain", "with space", "odd \"quote' $HOME `x`", "-dash"])
def test_bash_gets_the_variables_of_the_place_where_the_file_lies(tmp_path, name):
    root = _root(tmp_path / name)
    found = _variables(_run(f'source "$FILE"; {_SHOW}', FILE=str(root.env_path)))
    assert found == _wanted(root.path)


def test_sourcing_it_twice_and_online_is_harmless(tmp_path):
    root = _root(tmp_path / "root")
    script = f'source "$FILE"; source "$FILE" online; source "$FILE" online; {_SHOW}'
    assert _variables(_run(script, FILE=str(root.env_path))) == _wanted(root.path, offline="0")


def test_it_finds_itself_from_where_it_is_named_by_a_relative_path(tmp_path):
    root = _root(tmp_path / "with space")
    script = f"cd {tmp_path}; CDPATH=/:/tmp; source 'with space/env.sh'; {_SHOW}"
    assert _variables(_run(script)) == _wanted(root.path)
    script = f"cd '{root.path}'; source env.sh; {_SHOW}"
    assert _variables(_run(script)) == _wanted(root.path)


def test_a_copied_root_is_the_one_that_is_used(tmp_path):
    root = _root(tmp_path / "first")
    shutil.copytree(root.path, tmp_path / "second")
    shutil.rmtree(root.path)
    found = _variables(_run(f"source {tmp_path}/second/env.sh; {_SHOW}"))
    assert found == _wanted(tmp_path / "second")


def test_other_arguments_of_the_script_that_sources_it_change_nothing(tmp_path):
    root = _root(tmp_path / "root")
    script = tmp_path / "job.sh"
    script.write_text(f"set -euo pipefail\nsource '{root.env_path}'\n{_SHOW}\n")
    ran = _run(str(script), shell=("bash", str(script), "train.py"))
    assert _variables(ran) == _wanted(root.path)


def test_whoever_is_logged_in_stays_so(tmp_path):
    root = _root(tmp_path / "root")
    home = tmp_path / "user"
    token = home / ".cache/huggingface/token"
    token.parent.mkdir(parents=True)
    token.write_text("hf_secret_of_a_test")
    script = f'source "{root.env_path}"; source "{root.env_path}"; {_SHOW}'
    wanted = {**_wanted(root.path), "HF_TOKEN_PATH": str(token)}
    assert _variables(_run(script, HOME=str(home))) == wanted
    # A token that is given in another way is left as it is.
    found = _variables(_run(script, HOME=str(home), HF_TOKEN_PATH="/else"))
    assert found["HF_TOKEN_PATH"] == "/else"
    assert "HF_TOKEN_PATH" not in _variables(_run(script, HOME=str(home), HF_TOKEN="hf_x"))
    # A former home that is named.
    (tmp_path / "home").mkdir()
    (tmp_path / "home/token").write_text("hf_secret_of_a_test")
    found = _variables(_run(script, HOME=str(home), HF_HOME=str(tmp_path / "home")))
    assert found["HF_TOKEN_PATH"] == str(tmp_path / "home/token")


def test_a_plain_sh_and_running_it_are_told_what_to_do(tmp_path):
    root = _root(tmp_path / "root")
    ran = _run(f'. "{root.env_path}" || echo "goes on with ${{HF_HOME:-nothing}}"', shell=_DASH)
    assert ran.stdout == "goes on with nothing\n"
    assert ran.stderr.count("\n") == 1
    assert "neither bash nor zsh" in ran.stderr
    ran = _run("", shell=("bash", str(root.env_path)))
    assert ran.returncode == 1
    assert f"type: source '{root.env_path}'" in ran.stderr


def test_a_copy_outside_of_its_cache_says_so(tmp_path):
    root = _root(tmp_path / "root")
    shutil.copy(root.env_path, tmp_path)
    ran = _run(f'source {tmp_path}/env.sh || echo "goes on with ${{HF_HOME:-nothing}}"')
    assert ran.stdout == "goes on with nothing\n"
    assert f"no hub/ beside itself in '{tmp_path}'" in ran.stderr


def test_it_holds_no_path_and_is_written_once(tmp_path):
    root = _root(tmp_path / "root")
    assert str(tmp_path) not in root.env_path.read_text()
    first = root.env_path.stat().st_ino
    env_file.write_env_file(root)
    assert root.env_path.stat().st_ino == first
    root.env_path.write_text("something else")
    env_file.write_env_file(root)
    assert root.env_path.read_text() == env_file.env_text()


def test_shellcheck_finds_nothing_in_it(tmp_path):
    root = _root(tmp_path / "root")
    ran = subprocess.run(
        ["shellcheck", str(root.env_path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
