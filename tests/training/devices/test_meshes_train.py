"""Every file of meshes/ trains, with CPUs in the place of GPUs, as one device does."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from training import cached_small

ROOT = pathlib.Path(__file__).resolve().parents[3]
HERE = pathlib.Path(__file__).resolve().parent
MESHES = sorted(path.stem for path in (ROOT / "gin_configs/meshes").glob("*.gin"))
# Heads, d_ff and the vocabulary divide by 8, the batch by 8 replicas.
SMALLEST = (
    *("d_model = 16", "num_layers = 1", "d_ff = 32", "num_heads = 8", "d_kv = 4"),
    "utils.run.sequence_length = {'inputs': 32, 'targets': 32}",
    "utils.run.batch_size = 16",
    "MIXTURE_NAME = 'small_prefix_lm'",
    # Mixed precision rounds to other values when sums are divided otherwise.
    "code_t5.session_config.precision = 'float32'",
    # Adafactor divides each gradient by its size: a greater rate makes much of the tiniest ones.
    "run.learning_rate_schedule = 0.01",
)
FIRST_STEPS, LAST_STEP = 2, 5
# float32, after the sums of a few steps in another order.
RELATIVE = 1e-5

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def trainer_flags(small_data_dir, tmp_path_factory):
    """What all runs are given: the data from caches, so that all read the same rows."""
    cache_dir = tmp_path_factory.mktemp("cache")
    cached_small.write_caches(small_data_dir, cache_dir)
    return [
        *("--module_import=code_t5", f"--t5_tfds_data_dir={small_data_dir}"),
        *("--gin_location_prefix=gin_configs/", f"--additional_task_cache_dirs={cache_dir}"),
        *("--gin_file=runs/dev_prefix_lm.gin", "--gin_file=runs/resumable.gin"),
        *(f"--gin_param={binding}" for binding in SMALLEST),
    ]


def run(command, **environ):
    """Returns what a program wrote to stderr."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    done = subprocess.run(
        [sys.executable, *command],
        **{"cwd": ROOT, "env": environ, "capture_output": True, "text": True, "timeout": 800},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


@pytest.fixture(scope="module")
def base_dir(trainer_flags, tmp_path_factory):
    """A model that one CPU has trained for a few steps, by the unmodified command."""
    folder = tmp_path_factory.mktemp("models") / "base"
    run(
        [
            *("-m", "t5.models.mesh_transformer_main", f"--model_dir={folder}", *trainer_flags),
            *("--gin_file=meshes/cpu_1.gin", f"--gin_param=run.train_steps = {FIRST_STEPS}"),
        ]
    )
    return folder


def losses(log):
    """Returns the losses in a log in the order of the steps, whose printed numbers may be off."""
    return [float(loss) for loss in re.findall(r"step, tf_loss\[([-\d.e+]+)\]", log)]


@pytest.fixture(scope="module")
def all_losses(base_dir, trainer_flags):
    """The losses of the steps after the base's, by mesh."""
    log = run(
        [
            str(HERE / "mesh_losses.py"),
            *(str(base_dir), ",".join([*MESHES, "still"]), *trainer_flags),
            f"--gin_param=run.train_steps = {LAST_STEP}",
        ],
        CODE_T5_CPU_FOR_GPU="1",
    )
    parts = re.split(r"^MESH (\w+)$", log, flags=re.MULTILINE)[1:]
    return {name: losses(part) for name, part in zip(parts[::2], parts[1::2])}


def test_every_mesh_gives_the_losses_of_one_device(all_losses):
    all_losses = dict(all_losses)
    still, wanted = all_losses.pop("still"), all_losses["cpu_1"]
    assert sorted(all_losses) == MESHES
    # Equal losses say that gradients are equal too: what the steps change shows.
    assert len(wanted) == len(still) == LAST_STEP - FIRST_STEPS
    assert still[0] == pytest.approx(wanted[0], rel=RELATIVE)
    assert still[-1] != pytest.approx(wanted[-1], rel=100 * RELATIVE)
    for mesh, found in all_losses.items():
        assert found == pytest.approx(wanted, rel=RELATIVE), mesh


def test_the_unmodified_command_trains_on_four_cpus_in_place_of_gpus(
    base_dir, trainer_flags, all_losses, tmp_path
):
    model_dir = shutil.copytree(base_dir, tmp_path / "model")
    log = run(
        [
            *("-m", "t5.models.mesh_transformer_main", f"--model_dir={model_dir}", *trainer_flags),
            *("--gin_file=meshes/gpu_4_both.gin", f"--gin_param=run.train_steps = {LAST_STEP}"),
            "--gin_param=code_t5.preflight.cpu_for_gpu = True",
        ]
    )
    assert "CPUs stand in for GPUs" in log
    assert losses(log) == pytest.approx(all_losses["cpu_1"], rel=RELATIVE)
    configuration = (model_dir / "operative_config.gin").read_text()
    assert "run.mesh_devices = ['cpu:0', 'cpu:1', 'cpu:2', 'cpu:3']" in configuration
    assert "run.mesh_shape = 'model:2,batch:2'" in configuration
