"""The trainer itself, on a model of almost nothing: trained, resumed, evaluated, completing."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
from training import tiny_task

from code_t5.training import (
    completion,
    evaluation,
    event_files,
    figures,
    launch,
    operative_config,
    unigram,
)

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SMALLEST = (
    "d_model = 16",
    "num_layers = 1",
    "d_ff = 32",
    "num_heads = 2",
    "d_kv = 8",
    "utils.run.sequence_length = {'inputs': 32, 'targets': 32}",
)
MODULES = ("training.tiny_task",)


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    """Runs from the root, with this checkout's modules first for the trainer too."""
    monkeypatch.chdir(ROOT)
    found = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", found)


def train(model_dir, *, steps, gin_files=("runs/dev_prefix_lm.gin",), gin_params=()):
    config = launch.TrainerConfig(
        model_dir=model_dir,
        mixture_or_task_name=tiny_task.NAME,
        gin_files=gin_files,
        gin_params=(*SMALLEST, f"run.train_steps = {steps}", *gin_params),
        module_imports=MODULES,
    )
    return launch.run_trainer(config, name="train", description="training", num_steps=steps)


def weights(model_dir, step):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(model_dir / f"model.ckpt-{step}"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_resumes_evaluates_and_completes(tmp_path):
    train(tmp_path, steps=3)
    assert launch.latest_step(tmp_path) == 3
    log = train(tmp_path, steps=6)
    assert f"Restoring parameters from {tmp_path}/model.ckpt-3" in log.read_text()
    assert launch.latest_step(tmp_path) == 6
    assert figures.read_training(tmp_path).last_step == 6
    saved = weights(tmp_path, 3)
    assert saved["shared/embedding"].dtype == np.float32

    found = evaluation.evaluate(
        tmp_path, name=tiny_task.NAME, num_batches=4, module_imports=MODULES
    )
    assert found.step == 6
    operative_config.parse(tmp_path)
    lengths = operative_config.sequence_length()
    baseline = unigram.unigram_loss(
        tiny_task.NAME, sequence_length=lengths, max_examples=found.max_examples
    )
    # The very same tokens; how good either model is says nothing here.
    assert found.num_tokens == baseline.num_tokens > 0
    assert found.nats_per_token == pytest.approx(logged_loss(tmp_path, lengths), rel=1e-5)

    texts = completion.complete(
        ["def g(", "\n\t"],
        model_dir=tmp_path,
        mixture_or_task_name=tiny_task.NAME,
        max_tokens=8,
        module_imports=MODULES,
    )
    assert len(texts) == 2
    assert all(isinstance(text, str) for text in texts)


def logged_loss(model_dir, lengths):
    """Works the loss per token out of the evaluation's other figure, which counts padding."""
    (folder,) = model_dir.glob("eval_*")
    (path,) = folder.glob("events.*")
    scalars = event_files.read_scalars(path)
    num_examples = int(folder.name.rpartition("_")[2])
    positions = num_examples * lengths["targets"]
    return scalars["loss"][-1].value * positions / scalars["num_eval_tokens"][-1].value


@pytest.mark.slow
def test_main_model_file_trains_with_the_command_of_the_readme(tmp_path):
    train(
        tmp_path,
        steps=2,
        gin_files=("models/shared-prefix_lm.gin",),
        gin_params=(
            "utils.run.mesh_shape = 'model:1,batch:1'",
            "utils.run.mesh_devices = ['cpu:0']",
            "run.keep_checkpoint_max = 8",
        ),
    )
    assert launch.latest_step(tmp_path) == 2


@pytest.mark.slow
def test_span_corruption_trains(tmp_path):
    train(
        tmp_path,
        steps=2,
        gin_files=("runs/dev_span_corruption.gin",),
        gin_params=("utils.run.sequence_length = {'inputs': 128, 'targets': 30}",),
    )
    assert launch.latest_step(tmp_path) == 2
