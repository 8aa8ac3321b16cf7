"""What `scripts/doctor.py` finds and prints, and the program itself."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
from training.devices import stand_in_cuda

from code_t5.training.devices import (
    cuda_libraries,
    cuda_loading,
    examination,
    gpus,
    tensorflow_view,
)
from code_t5.training.devices.findings import NOTE, OK, PROBLEM, Finding
from code_t5.training.devices.gpus import Driver, Gpu

ROOT = pathlib.Path(__file__).resolve().parents[3]
TWO = Driver("nvml", "535.1", (12, 2), (Gpu(0, "A", "u", 2**31, 2**30, (8, 0)), Gpu(1, "B")))


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in (gpus.VISIBLE_VARIABLE, cuda_libraries.DIR_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_gpus_are_listed_with_what_is_taken_and_hidden(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    driver, first, second = examination.examine_gpus(TWO)
    assert driver.state == NOTE
    assert driver.found.startswith("CUDA_VISIBLE_DEVICES='0' shows 1 of this machine's 2 GPUs")
    assert first.found == "A, 1.0 GiB of 2.0 GiB taken, compute capability 8.0"
    assert (second.state, second.found) == (NOTE, "B, hidden by CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert examination.examine_gpus(TWO)[0].state == PROBLEM


def test_machine_without_a_gpu_is_no_problem():
    (finding,) = examination.examine_gpus(Driver())
    assert finding.state == NOTE
    assert "training runs on the CPU" in finding.found


def test_libraries_are_needed_only_beside_a_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(cuda_loading, "loadable_by_name", lambda names: [])
    monkeypatch.setattr(cuda_libraries, "search_folders", lambda: [tmp_path])
    monkeypatch.setattr(cuda_loading, "whats_missing", lambda: ["a is missing; run: pip b"])
    (finding,) = examination.examine_libraries(has_gpu=False)
    assert finding.state == NOTE
    assert finding.found == "not installed, and not needed without a GPU"
    (finding,) = examination.examine_libraries(has_gpu=True)
    assert (finding.state, finding.found, finding.mend) == (PROBLEM, "a is missing", "pip b")


def test_wrong_libraries_are_said_with_the_command(monkeypatch, tmp_path):
    stand_in_cuda.install(tmp_path, versions={"nvidia-cublas-cu11": "12.1.3.1"})
    monkeypatch.setenv("CODE_T5_CUDA_DIR", str(tmp_path))
    (finding,) = examination.examine_libraries(has_gpu=True)
    assert finding.found.startswith("nvidia-cublas-cu11 is 12.1.3.1; wanted 11.11.3.6")
    assert finding.mend.startswith("pip install --upgrade --no-deps --target")
    monkeypatch.setenv("CODE_T5_CUDA_DIR", "/none/at/all")
    (finding,) = examination.examine_libraries(has_gpu=False)
    assert finding.state == PROBLEM


def ask(code):
    return examination.ask_tensorflow(TWO, command=[sys.executable, "-c", code])


def test_tensorflow_that_sees_fewer_gpus_than_there_are_is_a_problem():
    said = {"version": "2.12.1", "cuda": "11.8", "cudnn": "8", "failed": {}}
    said["devices"] = ["/physical_device:CPU:0", "/physical_device:GPU:0"]
    (finding,) = ask(f"print('noise'); print('''{json.dumps(said)}''')")
    assert (finding.state, finding.found) == (PROBLEM, "TensorFlow sees 1 of 2 GPUs")
    said["devices"].append("/physical_device:GPU:1")
    (finding,) = ask(f"print('''{json.dumps(said)}''')")
    assert finding.state == OK


def test_import_that_fails_is_named():
    said = {"version": None, "cuda": None, "devices": [], "failed": {"t5": "no pkg_resources"}}
    (finding,) = ask(f"print('''{json.dumps(said)}''')")
    assert (finding.name, finding.found) == ("import t5", "failed: no pkg_resources")
    assert finding.state == PROBLEM


@pytest.mark.parametrize(
    "code, said",
    [
        ("import sys; sys.exit('Illegal instruction')", "did not answer: Illegal instruction"),
        ("import os; os._exit(4)", "did not answer: exit status 4"),
        ("print('no JSON')", "did not answer: exit status 0"),
        ("print('[1]')", "did not answer: exit status 0"),
    ],
)
def test_process_that_does_not_answer_is_a_problem(code, said):
    (finding,) = ask(code)
    assert (finding.state, finding.found) == (PROBLEM, said)


def test_view_of_tensorflow_is_that_of_this_machine():
    said = tensorflow_view.look()
    assert said["version"] == "2.12.1"
    assert said["cuda"] == "11.8"
    assert any("CPU:0" in device for device in said["devices"])
    assert said["failed"] == {}


def test_text_shows_what_mends_below_and_counts_the_problems():
    findings = [Finding("a", "fine"), Finding("bc", "bad\x1b[31m", PROBLEM, "pip install it")]
    assert examination.as_text(findings).splitlines() == [
        "ok       a   fine",
        "PROBLEM  bc  bad\u241b[31m",
        "             -> pip install it",
        "1 problem",
    ]
    assert not examination.is_well(findings)
    assert examination.as_text(findings[:1]).splitlines()[-1] == "all is well"


def run(*arguments, **environ):
    return subprocess.run(
        [sys.executable, "scripts/doctor.py", *arguments],
        **{"cwd": ROOT, "capture_output": True, "text": True},
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
    )


def test_program_prints_json_and_its_status_says_whether_there_is_a_problem(tmp_path):
    done = run("--json", "--model-dir", str(tmp_path))
    said = json.loads(done.stdout)
    assert said["format"] == 1
    assert done.returncode == (0 if said["ok"] else 1)
    names = {one["name"] for one in said["findings"]}
    assert {"Python", "CPU", "memory", "disk", "tensorflow", "CUDA libraries"} <= names
    assert set(said["findings"][0]) == {"name", "found", "state", "mend"}
    done = run(CODE_T5_CUDA_DIR="/none/at/all")
    assert done.returncode == 1
    assert "PROBLEM  CUDA libraries" in done.stdout


@pytest.mark.parametrize("arguments", [["now"], ["--model_dir=/none/at/all"]])
def test_program_refuses_what_it_does_not_understand(arguments):
    done = run(*arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_program_loads_nothing_heavy():
    code = (
        "import sys; from code_t5.training.devices import examination as e\n"
        "e.as_text(e.examine())\n"
        "print(*{'tensorflow', 'torch', 'numpy', 'gin', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
