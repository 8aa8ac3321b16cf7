"""The benchmark's own arithmetic; a fake trainer stands in for the real one."""

from __future__ import annotations

import types

import pytest

from benchmarks import dev_model


@pytest.fixture
def run(tmp_path):
    return dev_model.Run(tmp_path, tmp_path / "data")


@pytest.fixture
def fake_trainer(monkeypatch):
    """A trainer of 4 steps a second that takes 20 seconds to start; its clock is its own."""
    clock, runs = [0.0], []

    def run_trainer(config, *, num_steps, **_):
        clock[0] += 20 + num_steps / 4
        config.model_dir.mkdir(parents=True)
        runs.append((num_steps, config))

    figures = types.SimpleNamespace(steps_per_second=4.0)
    # The modules' own names are replaced, not what other tests of this process use.
    monkeypatch.setattr(dev_model, "time", types.SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(dev_model.launch, "run_trainer", run_trainer)
    monkeypatch.setattr(dev_model.figures, "read_training", lambda _: figures)
    return runs


def test_the_training_ends_within_its_time_and_uses_most_of_it(fake_trainer, run):
    found = dev_model.train(run)
    assert 0.95 * 15 < found["minutes"] <= 15
    (_, trial), (num_steps, config) = fake_trainer
    assert num_steps == found["num_steps"] and f"run.train_steps = {num_steps}" in config.gin_params
    # The trial is thrown away, and its time is not counted: one start of the trainer is.
    assert trial.model_dir != config.model_dir == run.model_dir
    assert not trial.model_dir.exists()
    assert found["minutes"] * 60 == 20 + num_steps / 4


def test_both_trainings_read_the_token_cache_that_is_made_before(fake_trainer, run, monkeypatch):
    commands = []
    monkeypatch.setattr(
        dev_model.subprocess, "run", lambda command, **_: commands.append(" ".join(command))
    )
    dev_model.build(run)
    dev_model.train(run)
    data_set, cache = commands
    assert data_set.startswith(
        f"scripts/build_dev_dataset.sh --from_python --data_dir={run.data_dir}"
    )
    assert f"--tasks dev_python_line_completion --output_cache_dir={run.cache_dir} " in cache
    for _, config in fake_trainer:
        assert config.gin_files == ("runs/dev_lines.gin", "runs/resumable.gin")
        assert config.more_flags == (f"--additional_task_cache_dirs={run.cache_dir}",)


def _lines(share):
    measured = {"mean": share, "interval": [share, share]}
    average = dict.fromkeys(("exact_match", "edit_similarity", "characters_saved"), measured)
    kind = {"num_lines": 100, "num_repositories": 3, "micro": average, "macro": average}
    return {"lines": {name: kind for name in ("all", "line_start", "mid_line")}}


def test_a_model_is_trained_once_and_judged_by_the_ngram_model(
    fake_trainer, run, monkeypatch, capsys
):
    shares = {"model": 0.12}

    def evaluate(config):
        assert (config.task, config.split) == ("dev_python_line_completion", "held_out")
        return {
            **{"task": config.task, "split": config.split, "dataset": {"name": "dev_python"}},
            "baselines": {"ngram": _lines(0.08), "next_line": _lines(0.1)},
            "checkpoints": [{"step": 9, "loss": None, **_lines(shares["model"])}],
        }

    monkeypatch.setattr(dev_model, "build", lambda _: None)
    monkeypatch.setattr(dev_model.measuring, "evaluate", evaluate)
    for model, status, words in (
        (0.12, 0, "12.0%, above the n-gram model's 8.0%, above the next line's 10.0%"),
        (0.09, 0, "9.0%, above the n-gram model's 8.0%, NOT above the next line's 10.0%"),
        (0.05, 1, "5.0%, NOT above the n-gram model's 8.0%, NOT above the next line's 10.0%"),
    ):
        shares["model"] = model
        assert dev_model.measure(run) == status
        assert capsys.readouterr().out.endswith(f"full lines written exactly: {words}\n")
    assert len(fake_trainer) == 2
