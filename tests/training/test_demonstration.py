"""The demo's last act, with a stand-in for the trainer and for what it leaves behind."""

from __future__ import annotations

import pathlib

import pytest
from training import tiny_task

from code_t5.training import completion, demonstration, figures, launch, report, unigram


@pytest.fixture
def trained(monkeypatch):
    """Replaces every step by its result; returns the names of the steps as they are done."""
    done = []

    def stand_in(module, name, result):
        def call(*arguments, **options):
            done.append(name)
            return result(*arguments, **options) if callable(result) else result

        monkeypatch.setattr(module, name, call)

    evaluated = figures.EvaluationFigures(300, 5.0, 0.25, 1000, 1600)
    stand_in(demonstration.launch, "run_trainer", pathlib.Path("log"))
    stand_in(demonstration.evaluation, "evaluate", evaluated)
    stand_in(demonstration.operative_config, "parse", None)
    stand_in(demonstration.operative_config, "sequence_length", {"inputs": 8, "targets": 8})
    stand_in(demonstration.targets, "target_fill", 0.5)
    training = figures.TrainingFigures(300, 4.0, 4.5, 2.5, 300)
    stand_in(demonstration.figures, "read_training", training)
    stand_in(demonstration.unigram, "unigram_loss", unigram.UnigramFigures(6.5, 1000, 90_000))
    examples = [completion.PromptExample("def f(", "x):")]
    stand_in(demonstration.completion, "prompt_examples", examples)
    stand_in(demonstration.completion, "complete", lambda prompts, **_: ["y):"] * len(prompts))
    return done


def run(tmp_path):
    (tmp_path / "operative_config.gin").touch()
    return launch.TrainerConfig(
        model_dir=tmp_path,
        mixture_or_task_name=tiny_task.NAME,
        gin_files=("runs/dev_prefix_lm.gin",),
        gin_params=("run.train_steps = 300",),
        module_imports=("training.tiny_task",),
    )


def test_command_is_printed_before_anything_runs(tmp_path, trained):
    lines = demonstration.demonstrate(run(tmp_path), num_steps=300)
    assert "t5.models.mesh_transformer_main" in next(lines)
    assert trained == []


def test_every_figure_is_printed_in_order(tmp_path, trained):
    text = "\n".join(demonstration.demonstrate(run(tmp_path), num_steps=300))
    found = [text.index(word) for word in ("4.00 steps/s", "9.00 -> 5.00", "5.000", "6.500", "y):")]
    assert found == sorted(found)
    assert trained[:2] == ["run_trainer", "evaluate"]
    assert "runs/evaluate.gin" in text


def test_model_that_learned_nothing_fails_after_its_figures(tmp_path, trained, monkeypatch):
    baseline = unigram.UnigramFigures(5.1, 1000, 90_000)
    monkeypatch.setattr(demonstration.unigram, "unigram_loss", lambda *_, **__: baseline)
    lines = demonstration.demonstrate(run(tmp_path), num_steps=300)
    seen = []
    with pytest.raises(report.NotLearnedError):
        for line in lines:
            seen.append(line)
    assert seen[-1].endswith("x):")
