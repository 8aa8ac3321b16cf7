"""The real trainer is killed, meets a full disk, or finds another model in its directory."""

from __future__ import annotations

import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import pytest
from training.checkpoints import tiny_checkpoints
from training.conftest import ROOT, SMALLEST

from code_t5.training import launch
from code_t5.training.checkpoints import reading

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def start_trainer(model, *params, steps, modules=("code_t5",), limit=None, **environment):
    """Starts the trainer; its output goes to `model_dir.log`, files may hold `limit` bytes."""
    config = launch.TrainerConfig(
        model_dir=model.model_dir,
        mixture_or_task_name=model.task,
        data_dir=model.data_dir,
        gin_files=("runs/dev_prefix_lm.gin",),
        gin_params=(*SMALLEST, f"run.train_steps = {steps}", *params),
        module_imports=modules,
    )
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with open(log_path(model), "wb") as log:
        return subprocess.Popen(
            launch.trainer_command(config),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": python_path, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=limit and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit,) * 2)),
        )


def log_path(model):
    return pathlib.Path(f"{model.model_dir}.log")


def finish(trainer, model):
    """Waits for the trainer; returns its status and the log's lines."""
    status = trainer.wait(300)
    return status, log_path(model).read_text(errors="replace").splitlines()


def checkpoints(model):
    found = tiny_checkpoints.contents(model.model_dir)
    return {name: sha for name, sha in found.items() if name.startswith(("model.ckpt", "checkp"))}


def check_trained(model, steps):
    assert reading.newest_step(model.model_dir) == steps
    assert reading.read_variables(reading.checkpoint_path(model.model_dir))["global_step"] == steps
    leftovers = [path.name for path in model.model_dir.iterdir() if "_temp" in path.name]
    assert leftovers == []


def test_killed_in_the_middle_of_a_checkpoint_and_of_a_step_it_goes_on(small_model):
    half = small_model.model_dir / "model.ckpt-30_temp"
    trainer = start_trainer(
        *(small_model,),
        steps=40,
        modules=("code_t5", "training.checkpoints.killed_while_saving"),
        KILL_AT=str(half),
    )
    status, lines = finish(trainer, small_model)
    assert status == -signal.SIGKILL, lines[-5:]
    assert half.is_dir() and reading.newest_step(small_model.model_dir) == 20

    trainer = start_trainer(small_model, steps=100_000)
    deadline = time.monotonic() + 200
    while reading.recorded_steps(small_model.model_dir)[-1] < 40 and time.monotonic() < deadline:
        time.sleep(0.02)
    trainer.send_signal(signal.SIGKILL)
    status, lines = finish(trainer, small_model)
    assert status == -signal.SIGKILL
    assert any("1 leftovers of a killed saver were removed" in line for line in lines)
    reached = reading.newest_step(small_model.model_dir)
    assert reached >= 40

    status, lines = finish(start_trainer(small_model, steps=reached + 5), small_model)
    assert status == 0, lines[-5:]
    check_trained(small_model, reached + 5)


def test_damaged_checkpoint_is_passed_over_in_one_warning(small_model):
    path = tiny_checkpoints.data_file(small_model.model_dir, 20)
    tiny_checkpoints.flip_byte(path, path.stat().st_size // 2)
    status, lines = finish(start_trainer(small_model, steps=15), small_model)
    assert status == 0, lines[-5:]
    warned = [line for line in lines if "not whole: step 20" in line]
    assert len(warned) == 1 and "the file checkpoint now names step 10" in warned[0]
    check_trained(small_model, 15)


def test_full_disk_ends_it_in_one_line_and_the_checkpoint_stays(small_model):
    before = checkpoints(small_model)
    # Less than the graph, which is written first, and than the weights.
    trainer = start_trainer(small_model, steps=30, limit=300_000)
    status, lines = finish(trainer, small_model)
    assert status == 1, lines[-5:]
    assert lines[-1].startswith("error: File too large while "), lines[-1]
    assert "the checkpoint of step 20 is kept, and the same command goes on from it" in lines[-1]
    assert not any(line.startswith("Traceback") for line in lines)
    assert checkpoints(small_model) == before
    reading.check_whole(reading.checkpoint_path(small_model.model_dir))


def test_disk_that_is_full_in_the_middle_of_a_checkpoint_ends_it_in_one_line(small_model):
    trainer = start_trainer(
        *(small_model, "utils.run.save_checkpoints_steps = 10"),
        steps=40,
        modules=("code_t5", "training.checkpoints.full_while_saving"),
        FULL_AT="30",
    )
    status, lines = finish(trainer, small_model)
    assert status == 1, lines[-5:]
    said = "error: File too large while saving the checkpoint of step 30 in "
    assert lines[-1].startswith(said), lines[-1]
    assert "the checkpoint of step 20 is kept, and the same command goes on from it" in lines[-1]
    assert not any(line.startswith("Traceback") for line in lines)
    check_trained(small_model, 20)
    status, lines = finish(start_trainer(small_model, steps=25), small_model)
    assert status == 0, lines[-5:]
    check_trained(small_model, 25)


def test_directory_of_another_model_is_refused_in_one_line(small_model):
    before = checkpoints(small_model)
    params = ("num_layers = 3", "d_ff = 128")
    status, lines = finish(start_trainer(small_model, *params, steps=30), small_model)
    assert status == 1
    prefix = small_model.model_dir / "model.ckpt-20"
    assert lines[-1].startswith(f"error: found in {prefix} a model with ")
    found, _, wanted = lines[-1].partition("; wanted ")
    assert "layers 2 (decoder)" in found and "d_ff 64" in found
    assert "layers 3 (decoder)" in wanted and "d_ff 128" in wanted
    assert "name another --model_dir" in wanted and "operative_config.gin" in wanted
    assert not any(line.startswith("Traceback") for line in lines)
    assert checkpoints(small_model) == before


def test_interrupted_train_sh_saves_and_the_same_command_goes_on(small_model):
    command = [
        *("bash", "scripts/train.sh", small_model.task, "dev", "cpu_1"),
        *(f"--data_dir={small_model.data_dir}", f"--model-dir={small_model.model_dir}"),
    ]
    more = ["--", *(f"--gin_param={param}" for param in SMALLEST)]
    more.append("--gin_param=utils.run.save_checkpoints_steps = 100_000")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    options = {"cwd": ROOT, "env": environment, "text": True}
    program = subprocess.Popen(
        [*command, "--train_steps=100000", *more],
        **options,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    log = small_model.model_dir / "logs" / "train-2.log"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and not (log.exists() and b"tf_loss" in log.read_bytes()):
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    printed, said = program.communicate(timeout=200)
    assert program.returncode == 130, said
    assert printed.startswith("python") or printed.startswith(sys.executable)
    reached = reading.newest_step(small_model.model_dir)
    assert 20 < reached < 100_000
    assert f"stopped at step {reached}" in said and str(log) in said
    assert "Traceback" not in said

    done = subprocess.run(
        [*command, f"--train_steps={reached + 3}", *more], **options, capture_output=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"is trained for {reached + 3} steps" in done.stdout.splitlines()[-1]
    check_trained(small_model, reached + 3)
