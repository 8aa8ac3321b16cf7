"""How t5's trainer ends where our functions refuse."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import gin
import numpy as np
import pytest
import seqio
from absl import flags
from training import cached_small

from code_t5 import errors
from code_t5.data import trainer_errors
from code_t5.data.row_memo import FILE_NAME, RowMemo

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESUMABLE = ("--gin_file=runs/resumable.gin",)
LENGTHS_OF_ONE = "--gin_param=utils.run.sequence_length = {'inputs': 1, 'targets': 1}"


@pytest.fixture(scope="module")
def cache_dir(small_data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    cached_small.write_caches(small_data_dir, folder)
    return folder


def run_trainer(model_dir, data_dir, *trainer_flags):
    command = [
        *(sys.executable, "-m", "t5.models.mesh_transformer_main", "--module_import=code_t5"),
        *(f"--model_dir={model_dir}", f"--t5_tfds_data_dir={data_dir}"),
        *("--gin_location_prefix=gin_configs/", "--gin_file=runs/dev_prefix_lm.gin"),
        *("--gin_param=MIXTURE_NAME = 'small_prefix_lm'", "--gin_param=utils.run.batch_size = 2"),
        *trainer_flags,
    ]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=280
    )


def check_refusal(done, *, wanted):
    assert done.returncode == 1, done.stderr[-2000:]
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    assert "In call to configurable" not in done.stderr
    assert wanted in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_going_on_with_other_data(small_data_dir, cache_dir, tmp_path):
    RowMemo(tmp_path / FILE_NAME, parts={"seed": 3})
    done = run_trainer(
        tmp_path, small_data_dir, *RESUMABLE, f"--additional_task_cache_dirs={cache_dir}"
    )
    check_refusal(done, wanted="has read other data than it would now")


@pytest.mark.slow
def test_a_task_that_is_not_cached(small_data_dir, tmp_path):
    done = run_trainer(tmp_path, small_data_dir, *RESUMABLE)
    check_refusal(done, wanted="small_prefix_lm is in none of the cache directories")


@pytest.mark.slow
def test_lengths_that_are_too_short_for_rows_of_token_caches(small_data_dir, cache_dir, tmp_path):
    caches = f"--additional_task_cache_dirs={cache_dir}"
    done = run_trainer(tmp_path, small_data_dir, *RESUMABLE, caches, LENGTHS_OF_ONE)
    check_refusal(done, wanted="wanted at least")


@pytest.mark.slow
def test_lengths_that_are_too_short_for_a_preprocessor(small_data_dir, tmp_path):
    done = run_trainer(tmp_path, small_data_dir, LENGTHS_OF_ONE)
    check_refusal(done, wanted="wanted at least")


@pytest.mark.slow
def test_a_damaged_cache_that_is_found_while_the_model_trains(small_data_dir, cache_dir, tmp_path):
    folder = shutil.copytree(cache_dir, tmp_path / "cache")
    tokens = np.load(folder / "small_prefix_lm/tokens/train.npy", mmap_mode="r+")
    tokens[:] = 60_000
    tokens.flush()
    done = run_trainer(
        tmp_path / "model", small_data_dir, *RESUMABLE, f"--additional_task_cache_dirs={folder}"
    )
    check_refusal(done, wanted="wanted ids below 500")


@pytest.fixture
def as_trainer(monkeypatch):
    values = flags.FlagValues()
    for name in ("module_import", "t5_tfds_data_dir"):
        flags.DEFINE_string(name, None, "As the trainer has it.", flag_values=values)
    values.mark_as_parsed()
    monkeypatch.setattr(flags, "FLAGS", values)


def refuse():
    raise errors.InputError("found \x1b[2J; wanted words")


def test_what_ends_the_trainer_is_one_line_without_what_gin_adds(as_trainer):
    with pytest.raises(SystemExit) as caught, trainer_errors.one_line_errors():
        gin.external_configurable(refuse, name="refuse_for_a_test")()
    assert str(caught.value) == "error: found \u241b[2J; wanted words"


def test_a_task_whose_data_cannot_be_read_ends_the_trainer(as_trainer, small_data_dir, monkeypatch):
    cached_small.register(small_data_dir, monkeypatch)
    task = seqio.TaskRegistry.get("fl_py_50stars_2019_prefix_lm")
    with pytest.raises(SystemExit, match="^error: .*fl_py_50stars_2019 .* is not built"):
        task.get_dataset({"inputs": 32, "targets": 32}, split="train")


def test_outside_of_the_trainer_the_error_is_there_to_catch():
    with pytest.raises(errors.InputError, match="wanted words"), trainer_errors.one_line_errors():
        refuse()


def test_a_defect_keeps_its_traceback(as_trainer):
    with pytest.raises(ZeroDivisionError), trainer_errors.one_line_errors():
        1 / 0  # noqa: B018 - a defect
