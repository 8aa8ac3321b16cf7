from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess

import loopback_slurm
import pytest
import stand_in_slurm

from code_t5.hf_artifacts import env_file
from code_t5.hf_artifacts.cache_root import OFFLINE_FLAGS, CacheRoot

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SCRIPT = _ROOT / "scripts" / "precache_and_rerun.sbatch"
# Each program of the stand-in checkout writes down how it was called.
_RECORDER = """import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:],
                           os.environ.get("HF_HUB_OFFLINE"), os.environ.get("HF_HOME"),
                           os.environ.get("SLURM_MEM_PER_NODE"), os.getcwd()]) + "\\n")
sys.exit(int(os.environ.get("EXIT_" + os.path.basename(sys.argv[0])[:-3].upper(), "0")))
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a blank in its path, whose programs only write down how they were called."""
    folder = tmp_path / "my checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("precache", "check_hf_cache", "build_dataset", "train"):
        (folder / "scripts" / f"{name}.py").write_text(_RECORDER)
    shutil.copy(_SCRIPT, folder / "scripts" / _SCRIPT.name)
    root = CacheRoot(tmp_path / "my cache")
    root.hub_dir.mkdir(parents=True)
    env_file.write_env_file(root)
    return folder


@pytest.fixture
def variables(tmp_path):
    return {"CACHE_DIR": str(tmp_path / "my cache"), "CALLS": str(tmp_path / "calls")}


def _calls(variables) -> list[list[object]]:
    path = pathlib.Path(variables["CALLS"])
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _programs(variables) -> list[object]:
    return [call[0] for call in _calls(variables)]


def _submit(checkout, environment, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["sbatch", f"scripts/{_SCRIPT.name}", *words]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)


def test_the_script_is_good_bash():
    assert subprocess.run(["bash", "-n", str(_SCRIPT)]).returncode == 0
    checked = subprocess.run(["shellcheck", "-s", "bash", str(_SCRIPT)], capture_output=True)
    assert checked.returncode == 0, checked.stdout.decode()


def test_its_directives_come_before_its_first_command():
    lines = _SCRIPT.read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if line and not line.startswith("#"))
    assert lines[first].startswith("CHECKOUT=")
    names = [line.split("--")[1].split("=")[0] for line in lines[:first] if "SBATCH --" in line]
    assert {"job-name", "output", "time", "mem", "cpus-per-task", "partition"} <= set(names)
    assert not [line for line in lines[first:] if line.startswith("#SBATCH")]


def test_a_job_without_a_network_follows_the_one_that_fetches(checkout, variables, tmp_path):
    environment = {**stand_in_slurm.install(tmp_path / "slurm"), **variables}
    environment.update(dict.fromkeys(OFFLINE_FLAGS, "1"))
    ran = _submit(checkout, environment, "python", "scripts/train.py", "two words", "--x=1")
    assert ran.returncode == 0, ran.stderr
    first, second = stand_in_slurm.list_jobs(tmp_path / "slurm")
    assert (first["status"], second["status"]) == (0, 0), first["log"] + second["log"]
    assert "submitted the job without a network: 2" in first["log"]
    assert second["options"] == [
        "--parsable", "--kill-on-invalid-dep=yes", "--dependency=afterok:1", "--export=ALL",
        f"--chdir={checkout}", "--job-name=offline", "--time=24:00:00",
    ]  # fmt: skip
    assert second["arguments"] == ["python", "scripts/train.py", "two words", "--x=1"]
    cache, folder = variables["CACHE_DIR"], str(checkout)
    flags = ["--wikiann_langs", "en", "--models", "sentence-transformers/all-MiniLM-L6-v2"]
    assert _calls(variables) == [
        ["precache.py", ["--cache_dir", cache, *flags], "0", os.environ["HF_HOME"], "1", folder],
        ["check_hf_cache.py", ["--cache_dir", cache], "1", cache, "1", folder],
        ["train.py", ["two words", "--x=1"], "1", cache, "1", folder],
    ]
    # What the first job was given is not asked for again.
    assert "SLURM_MEM_PER_NODE" not in second["environment"]


def test_the_command_of_its_head_runs_where_none_is_given(checkout, variables, tmp_path):
    environment = {**stand_in_slurm.install(tmp_path / "slurm"), **variables, "SPEC": "a b.yaml"}
    assert _submit(checkout, environment).returncode == 0
    first, _, third = _calls(variables)
    assert first[1] == ["--cache_dir", variables["CACHE_DIR"], "--spec", "a b.yaml"]
    assert third[:2] == [
        "build_dataset.py", ["--dataset", "wikiann", "--splits", "train", "validation"]
    ]  # fmt: skip


def test_nothing_follows_where_fetching_failed(checkout, variables, tmp_path):
    environment = {**stand_in_slurm.install(tmp_path / "slurm"), **variables, "EXIT_PRECACHE": "1"}
    assert _submit(checkout, environment).returncode == 0
    (only,) = stand_in_slurm.list_jobs(tmp_path / "slurm")
    assert only["status"] == 1
    assert _programs(variables) == ["precache.py"]


def test_the_command_does_not_run_where_something_does_not_load(checkout, variables, tmp_path):
    environment = {**stand_in_slurm.install(tmp_path / "slurm"), **variables}
    environment["EXIT_CHECK_HF_CACHE"] = "1"
    _submit(checkout, environment)
    assert [job["status"] for job in stand_in_slurm.list_jobs(tmp_path / "slurm")] == [0, 1]
    assert _programs(variables) == ["precache.py", "check_hf_cache.py"]


def test_submitting_it_again_does_the_same_again(checkout, variables, tmp_path):
    environment = {**stand_in_slurm.install(tmp_path / "slurm"), **variables}
    for _ in range(2):
        assert _submit(checkout, environment).returncode == 0
    jobs = stand_in_slurm.list_jobs(tmp_path / "slurm")
    assert [job["status"] for job in jobs] == [0, 0, 0, 0]
    calls = _calls(variables)
    assert len(calls) == 6
    assert calls[:3] == calls[3:]


def test_a_login_node_fetches_itself_and_submits_the_other(checkout, variables, tmp_path):
    environment = {**stand_in_slurm.install(tmp_path / "slurm"), **variables}
    command = ["bash", f"scripts/{_SCRIPT.name}"]
    ran = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    (only,) = stand_in_slurm.list_jobs(tmp_path / "slurm")
    assert not [option for option in only["options"] if option.startswith("--dependency")]
    assert _programs(variables) == ["precache.py", "check_hf_cache.py", "build_dataset.py"]


def test_modules_and_the_environment_are_loaded_in_both_jobs(checkout, variables, tmp_path):
    environment = {**stand_in_slurm.install(tmp_path / "slurm"), **variables}
    script = checkout / "scripts" / _SCRIPT.name
    script.write_text(script.read_text().replace("MODULES=()", "MODULES=('cuda/12.1' 'a b')"))
    venv = tmp_path / "my venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "activate").write_text("echo activated\n")
    environment["VENV"] = str(venv.parent)
    environment["BASH_FUNC_module%%"] = '() { echo "module $1 <$2>"; }'
    assert _submit(checkout, environment).returncode == 0
    for job in stand_in_slurm.list_jobs(tmp_path / "slurm"):
        start = "module load <cuda/12.1>\nmodule load <a b>\nactivated\n"
        assert job["log"].startswith(start), job["log"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"CHECKOUT": "/nowhere"}, "'/nowhere' has no scripts/precache.py; wanted the checkout"),
        ({"CODE_T5_STEP": "offline", "CACHE_DIR": "/nowhere"}, "'/nowhere' has no env.sh; wanted"),
        ({"CODE_T5_STEP": "x"}, "CODE_T5_STEP is 'x'; wanted online or offline"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(checkout, variables, tmp_path, changes, told):
    environment = {**stand_in_slurm.install(tmp_path / "slurm"), **variables, **changes}
    _submit(checkout, environment)
    (only,) = stand_in_slurm.list_jobs(tmp_path / "slurm")
    assert only["status"] == 1
    assert only["log"].startswith(f"error: {told}") and only["log"].count("\n") == 1


@pytest.mark.slow
def test_real_slurm_runs_both_jobs_one_after_the_other(checkout, variables, tmp_path_factory):
    with loopback_slurm.serve(tmp_path_factory.mktemp("slurm")) as asked:
        environment = {
            **asked,
            **variables,
            "PATH": os.environ["PATH"] + os.pathsep + asked["PATH"],
        }
        ran = _submit(checkout, environment, "python", "scripts/train.py", "two words")
        assert ran.returncode == 0, ran.stderr
        first = int(re.findall(r"\d+", ran.stdout)[-1])
        states = [
            loopback_slurm.wait_for_job(number, environment=asked) for number in (first, first + 1)
        ]
        logs = "".join(path.read_text() for path in sorted(checkout.glob("*.log")))
        assert states == ["COMPLETED", "COMPLETED"], logs
        assert _programs(variables) == ["precache.py", "check_hf_cache.py", "train.py"]
        assert _calls(variables)[2][:4] == ["train.py", ["two words"], "1", variables["CACHE_DIR"]]
        names = sorted(path.name for path in checkout.glob("*.log"))
        assert names == [f"offline-{first + 1}.log", f"precache-{first}.log"]


@pytest.mark.slow
def test_real_slurm_submits_nothing_where_fetching_failed(checkout, variables, tmp_path_factory):
    with loopback_slurm.serve(tmp_path_factory.mktemp("slurm")) as asked:
        environment = {**asked, **variables, "EXIT_PRECACHE": "1"}
        first = int(re.findall(r"\d+", _submit(checkout, environment).stdout)[-1])
        assert loopback_slurm.wait_for_job(first, environment=asked) == "FAILED"
        queue = subprocess.run(["squeue", "--noheader"], env=asked, capture_output=True, text=True)
        assert queue.stdout == ""
        assert _programs(variables) == ["precache.py"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_real_slurm_builds_offline_what_it_fetched_from_a_hub(hub, tmp_path, tmp_path_factory):
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    for name in ("scripts", "code_t5"):
        (checkout / name).symlink_to(_ROOT / name)
    with loopback_slurm.serve(tmp_path_factory.mktemp("slurm")) as asked:
        environment = {
            **asked,
            **{k: v for k, v in hub.environment(tmp_path / "home").items() if k not in asked},
            "HF_HOME": str(tmp_path / "home"),
            "CACHE_DIR": str(tmp_path / "my cache"),
            "PATH": os.environ["PATH"] + os.pathsep + asked["PATH"],
        }
        ran = _submit(checkout, environment)
        assert ran.returncode == 0, ran.stderr
        first = int(re.findall(r"\d+", ran.stdout)[-1])
        states = [
            loopback_slurm.wait_for_job(number, environment=asked) for number in (first, first + 1)
        ]
    logs = "".join(path.read_text() for path in sorted(checkout.glob("*.log")))
    assert states == ["COMPLETED", "COMPLETED"], logs[-6000:]
    assert "data/wikiann--en: wikiann, en, commit " in logs
    fields = json.loads((checkout / "data/wikiann--en/manifest.json").read_text())
    assert [split["name"] for split in fields["splits"]] == ["train", "validation"]
