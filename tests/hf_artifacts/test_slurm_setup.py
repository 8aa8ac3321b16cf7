from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys

import pytest

from code_t5 import errors
from code_t5.hf_artifacts import slurm_setup
from code_t5.hf_artifacts.cache_root import CacheRoot

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_ODD = '/my cache/it\'s $HOME `x` "q" ; #é'


def _ran(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/slurm_env.py", *flags]
    environment = {**os.environ, "PYTHONPATH": ".", **variables}
    return subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True)


def _after(lines: str, *, names: list[str]) -> list[str]:
    """Returns what bash has in some variables after it has read lines."""
    shown = "".join(f'; printf "%s\\0" "${name}"' for name in names)
    script = f'module() {{ echo "module $*" >&2; }}\n{lines}\n:{shown}'
    ran = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, check=True)
    return ran.stdout.decode().split("\0")[:-1]


def _expected(root: str, *, switch: str) -> dict[str, str]:
    flags = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_EVALUATE_OFFLINE")
    return {
        "HF_HOME": root,
        "HF_HUB_CACHE": f"{root}/hub",
        "HF_DATASETS_CACHE": f"{root}/datasets",
        "TRANSFORMERS_CACHE": f"{root}/transformers",
        "HF_MODULES_CACHE": f"{root}/modules",
        **dict.fromkeys(flags, switch),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


@pytest.mark.parametrize("root", ["/scratch/hf-cache", "/my cache", _ODD])
def test_bash_reads_back_what_the_sbatch_lines_say(root):
    text = slurm_setup.setup_text(
        slurm_setup.SlurmSetup(CacheRoot(root), variables={"MORE": "a'b\nc"}), format_name="sbatch"
    )
    wanted = {**_expected(root, switch="1"), "MORE": "a'b\nc"}
    assert _after(text, names=list(wanted)) == list(wanted.values())


def test_modules_and_the_environment_come_before_the_variables(tmp_path):
    venv = tmp_path / "my venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "activate").write_text("echo activated >&2\n")
    setup = slurm_setup.SlurmSetup(CacheRoot("/c"), modules=("cuda/12.1", "gcc 12"), venv=venv)
    lines = slurm_setup.setup_text(setup, format_name="sbatch").splitlines()
    assert lines[:4] == [
        "module load cuda/12.1",
        "module load 'gcc 12'",
        f"source '{venv}/bin/activate'",
        "export HF_HOME=/c",
    ]


def test_yaml_holds_the_same_lines_and_variables(tmp_path):
    import yaml

    setup = slurm_setup.SlurmSetup(CacheRoot(_ODD), modules=("a", "1.10"), variables={"N": "no"})
    read = yaml.safe_load(slurm_setup.setup_text(setup, format_name="yaml"))
    assert read == {
        "setup": ["module load a", "module load 1.10"],
        "env": {**_expected(_ODD, switch="1"), "N": "no"},
    }


@pytest.mark.parametrize("root", ["/scratch/hf-cache", "/my cache", "/it's mine", "/50% #1 $x"])
def test_a_dotenv_file_is_read_alike_by_bash_and_by_the_rules_of_dotenv(root):
    setup = slurm_setup.SlurmSetup(CacheRoot(root), is_online=True)
    text = slurm_setup.setup_text(setup, format_name="dotenv")
    wanted = _expected(root, switch="0")
    assert _after(f"set -a\n{text}", names=list(wanted)) == list(wanted.values())
    read = dict(line.split("=", 1) for line in text.splitlines())
    # Between quotes python-dotenv changes backslashes and ${...} alone, and neither is there.
    assert {name: value.strip("'\"") for name, value in read.items()} == wanted
    assert "\\" not in text and "${" not in text


@pytest.mark.parametrize("value", ["/a\nb", "/a\\b", "/${HOME}", "/it's $x", '/it\'s "x"'])
def test_what_dotenv_files_cannot_say_is_refused(value):
    with pytest.raises(errors.InputError, match="HF_HOME is .*; wanted a path without"):
        slurm_setup.quote_dotenv(value, name="HF_HOME")


def test_a_dotenv_file_holds_no_commands():
    setup = slurm_setup.SlurmSetup(CacheRoot("/c"), modules=("a",))
    with pytest.raises(errors.InputError, match="--modules was given with --format=dotenv"):
        slurm_setup.setup_text(setup, format_name="dotenv")


def test_a_job_that_may_ask_the_hub_finds_the_token_where_it_was(tmp_path):
    (tmp_path / "token").write_text("hf_secret")
    found = slurm_setup.find_token({"HF_HOME": str(tmp_path)})
    setup = slurm_setup.SlurmSetup(CacheRoot("/c"), is_online=True, token_path=found)
    text = slurm_setup.setup_text(setup, format_name="sbatch")
    assert f"export HF_TOKEN_PATH={shlex.quote(str(tmp_path / 'token'))}\n" in text
    assert "hf_secret" not in text
    offline = slurm_setup.SlurmSetup(CacheRoot("/c"), token_path=found)
    assert "TOKEN" not in slurm_setup.setup_text(offline, format_name="sbatch")


@pytest.mark.parametrize("entry", ["A", "=b", "1A=b", "A B=c", "A\n=c", "é=1"])
def test_a_variable_without_a_name_is_refused(entry):
    with pytest.raises(errors.InputError, match="is no variable; wanted NAME=VALUE"):
        slurm_setup.read_variables([entry])


@pytest.mark.parametrize("module", ["", "-x", "a\nrm"])
def test_a_module_that_is_none_is_refused(module):
    with pytest.raises(errors.InputError, match="is no name of a module"):
        slurm_setup.SlurmSetup(CacheRoot("/c"), modules=(module,)).commands()


def test_a_virtual_environment_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="bin/activate; wanted a virtual environment"):
        slurm_setup.SlurmSetup(CacheRoot("/c"), venv=tmp_path).commands()


def test_the_program_takes_hyphens_and_several_words():
    ran = _ran("--cache-dir", "/my cache", "--modules", "a", "b/1", "--export", "X=1, 2")
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[:3] == ["module load a", "module load b/1", "export HF_HOME='/my cache'"]
    assert lines[-1] == "export X='1, 2'"


def test_the_program_takes_an_existing_home(tmp_path):
    ran = _ran("--format", "dotenv", HF_HOME=str(tmp_path))
    assert ran.stdout.splitlines()[0] == f"HF_HOME={tmp_path}"


@pytest.mark.parametrize("flags", [["more"], ["--format", "toml"], ["--venv", "/nowhere"]])
def test_the_program_refuses_what_it_does_not_know_in_one_line(flags):
    ran = _ran(*flags)
    assert ran.returncode == 1
    assert "export" not in ran.stdout
    assert "Traceback" not in ran.stderr and ran.stderr
