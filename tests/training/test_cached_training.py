"""t5's trainer over cached Tasks, by its own command."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from training import cached_small

from code_t5.data import row_memo
from code_t5.training import launch

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIXTURE = """
MIXTURE_NAME = 'my_mix'
my_mix/mixture.members = {'small_prefix_lm': 1.0, 'inner': 3.0}
inner/mixture.members = ['small_span_corruption']
inner/mixture.rate = 'equal'
"""
SMALLEST = (
    *("d_model = 16", "num_layers = 1", "d_ff = 32", "num_heads = 2", "d_kv = 8"),
    "utils.run.sequence_length = {'inputs': 32, 'targets': 32}",
    "utils.run.batch_size = 4",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def cache_dir(small_data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    cached_small.write_caches(small_data_dir, folder)
    return folder


def run_trainer(model_dir, *, data_dir, cache_dir, gin_files, params=()):
    """Runs the trainer; returns its log."""
    command = [
        *(sys.executable, "-m", "t5.models.mesh_transformer_main", "--module_import=code_t5"),
        *(f"--model_dir={model_dir}", f"--t5_tfds_data_dir={data_dir}"),
        *("--gin_location_prefix=gin_configs/", f"--additional_task_cache_dirs={cache_dir}"),
        *(f"--gin_file={name}" for name in gin_files),
        *(f"--gin_param={binding}" for binding in params),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


@pytest.fixture
def data_dir_without_files(small_data_dir, tmp_path):
    """What is known of the data set `small`, but none of its files."""
    folder = pathlib.Path(shutil.copytree(small_data_dir, tmp_path / "data"))
    records = list(folder.rglob("*.tfrecord*"))
    assert records
    for path in records:
        path.unlink()
    return folder


def test_a_mixture_that_a_gin_file_defines_is_trained_gone_on_with_and_evaluated(
    data_dir_without_files, cache_dir, tmp_path
):
    path = tmp_path / "mine.gin"
    path.write_text(MIXTURE)
    places = {"data_dir": data_dir_without_files, "cache_dir": cache_dir}
    model_dir = tmp_path / "model"
    for num_steps, words in (
        (3, "The data goes on at row 0"),
        (5, "The data goes on at row 12"),
    ):
        log = run_trainer(
            model_dir,
            gin_files=("runs/dev_prefix_lm.gin", path, "runs/resumable.gin"),
            params=(*SMALLEST, f"run.train_steps = {num_steps}"),
            **places,
        )
        assert words in log
        assert launch.latest_step(model_dir) == num_steps
    header = json.loads((model_dir / row_memo.FILE_NAME).read_text().splitlines()[0])
    assert header["parts"]["rates"] == {"small_prefix_lm": 0.25, "small_span_corruption": 0.75}
    # What the run was started with is enough, without the file.
    path.unlink()
    run_trainer(
        model_dir,
        gin_files=(
            *(model_dir / "operative_config.gin", "runs/evaluate.gin", "runs/resumable.gin"),
        ),
        params=("utils.run.perplexity_eval_steps = 1",),
        **places,
    )
    found = {path.name for path in model_dir.glob("eval_*")}
    for name in cached_small.TASKS:
        assert any(folder.startswith(f"eval_{name}_validation") for folder in found), found


def test_t5s_own_function_trains_from_the_caches(data_dir_without_files, cache_dir, tmp_path):
    run_trainer(
        tmp_path / "model",
        data_dir=data_dir_without_files,
        cache_dir=cache_dir,
        gin_files=("runs/dev_prefix_lm.gin",),
        params=(
            *SMALLEST,
            "MIXTURE_NAME = 'small_prefix_lm'",
            "run.train_steps = 2",
            "mesh_train_dataset_fn.use_cached = True",
        ),
    )
    assert launch.latest_step(tmp_path / "model") == 2
