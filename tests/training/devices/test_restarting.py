from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from training.devices import stand_in_cuda

from code_t5.training.devices import cuda_libraries, gpus, restarting

ROOT = pathlib.Path(__file__).resolve().parents[3]
ONE_GPU = gpus.Driver("nvml", "535.1", (12, 2), (gpus.Gpu(0, "A"),))
# Stands in for t5's program: imports code_t5 as that does, and says how it was started.
STAND_IN_TRAINER = """
import os, sys, types
print("started", os.getpid(), sys.argv[1:], flush=True)
from absl import flags
for name in ("module_import", "t5_tfds_data_dir"):
    flags.DEFINE_string(name, None, "")
flags.FLAGS(sys.argv)
from code_t5.training.devices import cuda_libraries, cuda_loading, gpus, restarting
gpus.read_driver = lambda: gpus.Driver("nvml", gpus=(gpus.Gpu(0, "A"),))
restarting.restart_if_needed()
print("runs", os.getpid(), cuda_loading.is_mapped(cuda_libraries.RUNTIME), sys.flags.optimize)
"""


@pytest.fixture
def installed(tmp_path):
    return cuda_libraries.find_installed([stand_in_cuda.install(tmp_path)])


def is_needed(installed, *, driver=ONE_GPU, mapped=(), environ=None):
    return restarting.is_needed(
        driver=driver, installed=installed, mapped=set(mapped), environ=environ or {}
    )


def test_start_is_repeated_only_where_it_lets_a_gpu_be_used(installed, tmp_path):
    assert is_needed(installed)
    assert not is_needed(installed, driver=gpus.Driver())
    assert not is_needed(installed, environ={"CUDA_VISIBLE_DEVICES": ""})
    assert not is_needed(installed, mapped=["libcudart.so.11.0"])
    assert not is_needed(cuda_libraries.find_installed([tmp_path / "none"]))


def test_start_is_repeated_once_by_a_process_and_not_by_those_that_it_starts(installed):
    own = {restarting.DONE_VARIABLE: str(os.getpid())}
    assert not is_needed(installed, environ=own)
    assert is_needed(installed, environ={restarting.DONE_VARIABLE: "1"})


def test_other_programs_are_not_started_anew():
    assert restarting.command(["pytest", "--a"]) is None


def test_console_script_of_t5_is_the_trainer_too(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    words = restarting.command(["/bin/t5_mesh_transformer", "--a=1", "two words"])
    assert words[0] == sys.executable
    assert words[-5:] == [
        *("-m", "code_t5.training.devices.run_with_cuda", "t5.models.mesh_transformer_main"),
        *("--a=1", "two words"),
    ]


def test_program_replaces_itself_and_runs_with_the_libraries_loaded(tmp_path):
    package = tmp_path / "programs/t5/models"
    package.mkdir(parents=True)
    (tmp_path / "programs/t5/__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "mesh_transformer_main.py").write_text(STAND_IN_TRAINER)
    cuda = stand_in_cuda.install(tmp_path / "cuda")
    environ = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-O", "-m", "t5.models.mesh_transformer_main", "--module_import=a b"],
        cwd=tmp_path,
        env={
            **environ,
            "PYTHONPATH": f"{tmp_path / 'programs'}:{ROOT}",
            "CODE_T5_CUDA_DIR": str(cuda),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    first, second, last = (line.split(maxsplit=2) for line in done.stdout.splitlines())
    # The same process, with the same flags, and Python's own.
    assert first == second == ["started", first[1], "['--module_import=a b']"]
    assert last == ["runs", first[1], "True 1"]


def test_runner_says_in_one_line_what_does_not_do(tmp_path):
    module = [sys.executable, "-m", "code_t5.training.devices.run_with_cuda"]
    environ = {"PYTHONPATH": f"{ROOT}:{':'.join(sys.path)}", "CODE_T5_CUDA_DIR": "/none/at/all"}
    done = subprocess.run([*module, "this"], env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: CODE_T5_CUDA_DIR is /none/at/all, and no folder is there")
    assert len(done.stderr.splitlines()) == 1
    done = subprocess.run(module, env=environ, capture_output=True, text=True)
    assert done.stderr.startswith("error: no module was named")
