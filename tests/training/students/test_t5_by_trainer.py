"""t5's trainer, by its own command, over what a teacher wrote; and the model that it leaves."""

from __future__ import annotations

import subprocess
import sys

import pytest
import small_t5_outputs

from code_t5.encoding import piece_model
from code_t5.training import event_files, launch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("trainer_at_root"),
]


@pytest.fixture
def outputs(small_data_dir, tmp_path):
    fields = piece_model.read_vocabulary_manifest(small_data_dir / "vocabularies" / "default")
    vocabulary = {name: fields[name] for name in ("fingerprint", "vocab_size")}
    return small_t5_outputs.write_nbest(tmp_path / "nbest", vocabulary=vocabulary, num_samples=40)


def _train(model_dir, *, data_dir, params):
    command = [
        *(sys.executable, "-m", "t5.models.mesh_transformer_main", "--module_import=code_t5"),
        *(f"--model_dir={model_dir}", f"--t5_tfds_data_dir={data_dir}"),
        "--gin_location_prefix=gin_configs/",
        "--gin_file=runs/dev_prefix_lm.gin",
        *(f"--gin_param={binding}" for binding in params),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)


def test_the_dev_model_is_trained_on_hypotheses_and_completes(outputs, small_data_dir, tmp_path):
    model_dir = tmp_path / "model"
    params = (
        f"taught/teacher_outputs.path = {str(outputs.path)!r}",
        "taught/teacher_outputs.hypothesis = 'drawn'",
        "MIXTURE_NAME = 'taught'",
        "utils.run.sequence_length = {'inputs': 32, 'targets': 32}",
        "utils.run.batch_size = 8",
        "run.train_steps = 60",
        "utils.run.iterations_per_loop = 10",
    )
    done = _train(model_dir, data_dir=small_data_dir, params=params)
    assert done.returncode == 0, done.stderr[-3000:]
    assert launch.latest_step(model_dir) == 60
    events = [event_files.read_scalars(path) for path in event_files.list_files(model_dir)]
    losses = [scalar[2] for found in events for scalar in found.get("loss", [])]
    # Drawn evenly from 500 ids and some it would be 6.2; of a sample only its first token is new.
    assert losses[-1] < 5
    program = [sys.executable, "scripts/complete.py", f"--model_dir={model_dir}"]
    completed = subprocess.run(
        [*program, f"--data_dir={small_data_dir}", "--max_tokens=4"],
        input="def f(x):\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert completed.returncode == 0, completed.stderr[-3000:]
    assert completed.stdout.strip()


def test_outputs_that_are_not_there_end_the_trainer_in_one_line(small_data_dir, tmp_path):
    params = ("taught/teacher_outputs.path = '/none/at/all'", "MIXTURE_NAME = 'taught'")
    done = _train(tmp_path / "model", data_dir=small_data_dir, params=params)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "error: there are no teacher outputs at /none/at/all; wanted a directory"
    )
