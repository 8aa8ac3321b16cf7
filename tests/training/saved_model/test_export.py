"""Asking the trainer for an export, and what comes of it."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest

from code_t5 import errors
from code_t5.training import completion, launch
from code_t5.training.saved_model import export, exported
from code_t5.training.saved_model.export import ExportConfig
from code_t5.training.saved_model.text_runner import TextRunner

PROMPTS = ["def read(path):\n    ", "import os\r\n\té", "class A", "x = [1, 2"]


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 0},
        {"num_candidates": -1},
        {"max_new_tokens": 1 << 30},
        {"max_prompt_tokens": -5},
        {"max_new_tokens": 100_000, "batch_size": 100_000},
        {"max_prompt_tokens": 100_000, "batch_size": 100_000},
        {"num_candidates": 100_000, "max_new_tokens": 1_000},
        {"temperature": -0.5},
        {"temperature": float("nan")},
        {"top_k": 5},
        {"temperature": 1.0, "top_k": -1},
        {"name": "a/b"},
    ],
)
def test_setting_that_does_not_do_is_refused(settings):
    with pytest.raises(errors.InputError, match="wanted"):
        ExportConfig(**settings)


def test_run_binds_every_setting(small_model):
    run = export.trainer_config(
        small_model.model_dir,
        config=ExportConfig(num_candidates=3, temperature=0.5, top_k=7, stop_at_newline=True),
        output_dir=pathlib.Path("/out/it's"),
        step=10,
    )
    assert run.gin_files == (
        str(small_model.model_dir / "operative_config.gin"),
        "runs/export.gin",
    )
    assert run.mixture_or_task_name == "small_prefix_lm"
    assert run.gin_params == (
        'EXPORT_DIR = "/out/it\'s"',
        "MAX_PROMPT_TOKENS = 64",
        "MAX_NEW_TOKENS = 64",
        "NUM_CANDIDATES = 3",
        "EXPORT_BATCH_SIZE = 4",
        "STOP_AT_NEWLINE = True",
        "predict_candidates.temperature = 0.5",
        "predict_candidates.top_k = 7",
        "infer_checkpoint_step = 10",
    )


def test_untrained_directory_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="checkpoint"):
        export.export_saved_model(tmp_path)


def test_step_without_a_checkpoint_is_refused(small_model):
    with pytest.raises(errors.InputError, match="step 15"):
        export.export_saved_model(small_model.model_dir, step=15)


def test_data_set_is_looked_for_before_the_trainer_is_started(small_model, tmp_path, monkeypatch):
    monkeypatch.setattr(export.launch, "run_trainer", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(errors.NotBuiltError, match="small_prefix_lm.*--data_dir"):
        export.export_saved_model(small_model.model_dir, data_dir=tmp_path / "gone")


def test_what_is_no_export_is_not_replaced(small_model, monkeypatch):
    monkeypatch.setattr(export.launch, "run_trainer", lambda *_, **__: pytest.fail("it ran"))
    place = small_model.model_dir / "saved_model" / "code_t5" / "20"
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("years")
    with pytest.raises(errors.InputError, match="no export of ours"):
        export.export_saved_model(small_model.model_dir)
    assert (place / "thesis.txt").read_text() == "years"


def test_export_lies_where_a_server_looks_for_it(small_export):
    assert small_export.parts[-2:] == ("small", "20")
    files = {path.relative_to(small_export).as_posix() for path in small_export.rglob("*.*")}
    assert {"saved_model.pb", "variables/variables.index", "assets.extra"} <= files
    assert exported.list_versions(small_export.parent) == [20]
    # No leftovers of the trainer's beside it.
    assert [path.name for path in small_export.parent.iterdir() if path.name[0] != "."] == ["20"]


def run_config(model, **settings):
    return launch.TrainerConfig(
        model_dir=model.model_dir,
        mixture_or_task_name=model.task,
        data_dir=model.data_dir,
        **settings,
    )


@pytest.fixture
def two_device_model(trained_small, trainer_at_root, tmp_path):
    """The small model, trained on for 5 steps in two parts on two devices."""
    folder = tmp_path / "model"
    shutil.copytree(trained_small.model_dir, folder)
    model = trained_small._replace(model_dir=folder)
    files = (str(folder / "operative_config.gin"), "meshes/cpu_2_model.gin")
    run = run_config(model, gin_files=files, gin_params=("run.train_steps = 25",))
    launch.run_trainer(run, name="train", description="training")
    return model


@pytest.mark.slow
def test_greedy_export_is_what_the_trainer_decodes(
    small_export, trained_small, trainer_at_root, tmp_path
):
    model_dir = pathlib.Path(shutil.copytree(trained_small.model_dir, tmp_path / "model"))
    decoded = completion.complete(
        PROMPTS,
        model_dir=model_dir,
        mixture_or_task_name=trained_small.task,
        data_dir=trained_small.data_dir,
        max_tokens=12,
    )
    found = TextRunner(small_export).complete(PROMPTS)
    assert [candidate.text for (candidate,) in found] == decoded


@pytest.mark.slow
def test_model_of_two_devices_is_exported_with_a_beam(two_device_model, tmp_path):
    """Candidates and scores, beside those of Hugging Face's beam search on the same weights."""
    import torch
    import transformers

    from code_t5.training.hugging_face import opening

    version_dir = export.export_saved_model(
        two_device_model.model_dir,
        config=ExportConfig(num_candidates=4, max_new_tokens=8),
        output_dir=tmp_path / "exports",
        data_dir=two_device_model.data_dir,
    )
    assert version_dir == tmp_path / "exports" / "code_t5" / "25"
    peer_dir = opening.export_in_child(
        two_device_model.model_dir, data_dir=two_device_model.data_dir
    )
    peer = transformers.T5ForConditionalGeneration.from_pretrained(peer_dir).eval()
    texts = TextRunner(version_dir)
    for prompt in PROMPTS:
        ids = texts.encode(prompt)
        found = texts.runner.predict(np.array([ids]))
        peers = peer.generate(
            input_ids=torch.tensor([ids]),
            num_beams=4,
            num_return_sequences=4,
            max_new_tokens=8,
            length_penalty=0.0,
            output_scores=True,
            return_dict_in_generate=True,
        )
        np.testing.assert_allclose(found.scores[0], peers.sequences_scores, rtol=1e-4)
        assert (np.diff(found.scores[0]) <= 0).all()


@pytest.mark.slow
def test_unmodified_command_exports_lines_that_are_drawn(trained_small, trainer_at_root, tmp_path):
    model_dir = pathlib.Path(shutil.copytree(trained_small.model_dir, tmp_path / "model"))
    run = run_config(
        trained_small._replace(model_dir=model_dir),
        gin_files=(str(model_dir / "operative_config.gin"), "runs/export.gin"),
        gin_params=(
            f"EXPORT_DIR = {str(tmp_path / 'lines')!r}",
            "NUM_CANDIDATES = 5",
            "STOP_AT_NEWLINE = True",
            "predict_candidates.temperature = 1.0",
            "infer_checkpoint_step = 10",
        ),
    )
    launch.run_trainer(run, name="export", description="exporting")
    texts = TextRunner(tmp_path / "lines" / "10")
    first, again = (texts.complete(["x = "])[0] for _ in range(2))
    assert len(first) == 5
    assert [one.text for one in first] != [one.text for one in again]
    assert [one.score for one in first] == sorted((one.score for one in first), reverse=True)
    assert all("\n" not in one.text for one in first + again)
    assert any(one.is_finished for one in first + again)
