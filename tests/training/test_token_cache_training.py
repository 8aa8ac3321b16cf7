"""t5's trainer over a token cache, by its own command."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import pytest
import small_tokenizer

from code_t5.token_cache.provider import FastHfDatasetProvider
from code_t5.training import launch

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = [f"def f{number}(x):\n    return x + {number}\n" * 3 for number in range(60)]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cache"
    FastHfDatasetProvider.from_documents(
        {"train": TEXTS, "validation": TEXTS[:5]},
        tokenizer=small_tokenizer.hugging_face_tokenizer(),
        cache_dir=folder,
        num_workers=1,
    )
    return folder


def run_trainer(model_dir, *, gin_files, params=()):
    """Runs the trainer where there is no data set; returns how it ended."""
    command = [
        *(sys.executable, "-m", "t5.models.mesh_transformer_main", "--module_import=code_t5"),
        *(f"--model_dir={model_dir}", f"--t5_tfds_data_dir={model_dir.parent / 'no_data'}"),
        "--gin_location_prefix=gin_configs/",
        *(f"--gin_file={name}" for name in gin_files),
        *(f"--gin_param={binding}" for binding in params),
    ]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )


@pytest.mark.parametrize("name", ["sst2", "sst2_span_corruption"])
def test_the_dev_model_is_trained_and_evaluated_on_a_token_cache(cache_dir, tmp_path, name):
    model_dir = tmp_path / "model"
    params = (
        f"sst2/token_cache.cache_dir = {str(cache_dir)!r}",
        f"MIXTURE_NAME = {name!r}",
        "utils.run.sequence_length = {'inputs': 64, 'targets': 64}",
        "utils.run.batch_size = 8",
        "run.train_steps = 30",
        "utils.run.iterations_per_loop = 10",
    )
    done = run_trainer(model_dir, gin_files=["runs/dev_prefix_lm.gin"], params=params)
    assert done.returncode == 0, done.stderr[-3000:]
    assert launch.latest_step(model_dir) == 30
    # What the run was started with is enough.
    done = run_trainer(
        model_dir,
        gin_files=[model_dir / "operative_config.gin", "runs/evaluate.gin"],
        params=["utils.run.perplexity_eval_steps = 2"],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [path.name for path in model_dir.glob(f"eval_{name}_validation*")]
    found = re.findall(r"neg_log_perplexity = (-?[\d.]+)", done.stderr)
    # Of 260 bytes and names, drawn evenly, it would be -5.9.
    assert float(found[-1]) > -5


def test_a_cache_that_is_not_there_ends_the_trainer_in_one_line(tmp_path):
    params = ("sst2/token_cache.cache_dir = '/none/at/all'", "MIXTURE_NAME = 'sst2'")
    done = run_trainer(tmp_path / "model", gin_files=["runs/dev_prefix_lm.gin"], params=params)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: there is no token cache /none/at/all; wanted a finished one")
    assert json.dumps(last).count("\\n") == 0
