"""The benchmark's own arithmetic; a fake trainer stands in for the real one."""

from __future__ import annotations

import types

import pytest

from code_t5 import command_line


@pytest.fixture
def dev_model(import_program):
    return import_program("benchmarks.dev_model")


@pytest.fixture
def fake_trainer(dev_model, monkeypatch):
    """A trainer of 4 steps a second that takes 20 seconds to start; its clock is its own."""
    clock, runs = [0.0], []

    def run_trainer(config, *, num_steps, initial_step=0, **_):
        clock[0] += 20 + (num_steps - initial_step) / 4
        runs.append((num_steps, config))

    figures = types.SimpleNamespace(steps_per_second=4.0)
    monkeypatch.setattr(dev_model.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(dev_model.launch, "run_trainer", run_trainer)
    monkeypatch.setattr(dev_model.figures, "read_training", lambda _: figures)
    monkeypatch.setattr("sys.argv", ["dev_model"])
    dev_model.flags.FLAGS(["dev_model"])
    return runs


def test_the_training_ends_within_its_time_and_uses_most_of_it(dev_model, fake_trainer, tmp_path):
    found = dev_model.train(tmp_path, data_dir=tmp_path, seconds=900)
    assert 0.95 * 15 < found["minutes"] <= 15
    (first, first_config), (last, config) = fake_trainer
    assert first < last == found["num_steps"]
    # While the speed is measured the learning rate does not fall; then it falls to the end.
    assert any("linear_decay_fraction = 0.0" in param for param in first_config.gin_params)
    assert not any("linear_decay_fraction" in param for param in config.gin_params)
    assert f"run.train_steps = {last}" in config.gin_params


def test_a_model_is_trained_once_and_judged_by_the_ngram_model(
    dev_model, fake_trainer, tmp_path, monkeypatch, capsys
):
    def lines(share):
        measured = {"mean": share, "interval": [share, share]}
        average = dict.fromkeys(("exact_match", "edit_similarity", "characters_saved"), measured)
        kind = {"num_lines": 100, "num_repositories": 3, "micro": average, "macro": average}
        return {"lines": {name: kind for name in ("all", "line_start", "mid_line")}}

    shares = {"model": 0.12}

    def evaluate(config):
        assert (config.task, config.split) == ("dev_python_line_completion", "held_out")
        return {
            **{"task": config.task, "split": config.split, "dataset": {"name": "dev_python"}},
            "baselines": {"ngram": lines(0.08), "next_line": lines(0.1)},
            "checkpoints": [{"step": 9, "loss": None, **lines(shares["model"])}],
        }

    monkeypatch.setattr(dev_model, "_build", lambda *_: None)
    monkeypatch.setattr(dev_model.measuring, "evaluate", evaluate)
    monkeypatch.setattr("sys.argv", ["dev_model", f"--work_dir={tmp_path}"])
    (tmp_path / "model").mkdir()
    for model, status, words in ((0.12, 0, "12.0%, above"), (0.05, 1, "5.0%, NOT above")):
        shares["model"] = model
        with pytest.raises(SystemExit) as ended:
            command_line.run(dev_model.main)
        assert ended.value.code == status
        assert words in capsys.readouterr().out
    assert len(fake_trainer) == 2
