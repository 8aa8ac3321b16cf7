"""The run that evaluates a model."""

from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.training import evaluation, figures


def test_evaluation_runs_with_what_the_model_was_trained_with(tmp_path):
    (tmp_path / "operative_config.gin").write_text("")
    run = evaluation.evaluation_config(tmp_path, name="dev", split="test", num_batches=7)
    assert run.gin_files == (str(tmp_path / "operative_config.gin"), "runs/evaluate.gin")
    assert run.gin_params == (
        "utils.run.dataset_split = 'test'",
        "utils.run.perplexity_eval_steps = 7",
    )
    assert run.mixture_or_task_name == "dev"


def test_untrained_directory_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="train first"):
        evaluation.evaluation_config(tmp_path, name="dev")


def test_figures_are_read_once_the_trainer_has_ended(tmp_path, monkeypatch):
    (tmp_path / "operative_config.gin").write_text("")
    done = []
    monkeypatch.setattr(evaluation.launch, "run_trainer", lambda *_, **__: done.append("run"))

    def read(model_dir, *, name, split):
        done.append((model_dir, name, split))
        return figures.EvaluationFigures(300, 4.5, 0.25, 1000, 1600)

    monkeypatch.setattr(evaluation.figures, "read_evaluation", read)
    assert evaluation.evaluate(tmp_path, name="dev").nats_per_token == 4.5
    assert done == ["run", (tmp_path, "dev", "validation")]
