"""The evaluation as a whole; the real trainer and model in the slow tests alone."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import types

import pytest

from code_t5 import command_line, errors
from code_t5.data import line_metrics
from code_t5.storage import manifest
from code_t5.training import event_files, launch
from code_t5.training.checkpoints import reading
from code_t5.training.completing import completer
from code_t5.training.evaluating import losses, measuring, results

_ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def model(trained_small, tmp_path):
    """A model directory and a data directory of one's own."""
    model_dir, data_dir = tmp_path / "model", tmp_path / "data"
    shutil.copytree(trained_small.model_dir, model_dir)
    shutil.copytree(trained_small.data_dir, data_dir)
    return trained_small._replace(model_dir=model_dir, data_dir=data_dir)


def _config(model, **settings):
    return measuring.EvaluationConfig(model.model_dir, model.data_dir, **settings)


class _FakeCompleter:
    """Writes the same at every cursor; in place of torch and an export."""

    loaded: list[int]

    def __init__(self, step):
        self._step = step

    @classmethod
    def from_model_dir(cls, model_dir, *, data_dir, step):
        cls.loaded.append(step)
        return cls(step)

    def complete(self, prompts, *, options):
        assert options.stop_at_newline and options.num_candidates == 1
        texts = ["return x" if prompt.endswith("    ") else "" for prompt in prompts]
        return [[completer.Candidate(text, -1.0, 3, True)] for text in texts]


@pytest.fixture
def fakes(monkeypatch):
    """No trainer and no torch; says which steps were asked for."""
    measured = []
    _FakeCompleter.loaded = []

    def measure(model_dir, *, steps, **_):
        measured.append(list(steps))
        return {step: losses.Loss(1.0 + step, 3.0, 0.5, 100, 250, 8) for step in steps}

    monkeypatch.setattr(measuring.losses, "measure_losses", measure)
    monkeypatch.setattr(completer, "Completer", _FakeCompleter)
    return types.SimpleNamespace(measured=measured, loaded=_FakeCompleter.loaded)


def test_results_hold_losses_lines_and_baselines_of_every_checkpoint(model, fakes):
    found = measuring.evaluate(_config(model, checkpoints="all"))
    steps = [entry["step"] for entry in found["checkpoints"]]
    assert steps == reading.list_steps(model.model_dir)
    assert {10, 20} <= set(steps)
    assert [e["loss"]["nats_per_token"] for e in found["checkpoints"]] == [1 + s for s in steps]
    assert len({entry["fingerprint"] for entry in found["checkpoints"]}) == len(steps)
    lines = found["checkpoints"][0]["lines"]
    assert lines["all"]["num_lines"] == found["cursors"]["number"] >= 5
    assert (
        lines["line_start"]["num_lines"] + lines["mid_line"]["num_lines"]
        == lines["all"]["num_lines"]
    )
    assert set(found["baselines"]) == {"ngram", "next_line"}
    assert found["baselines"]["ngram"]["lines"]["all"]["micro"]["edit_similarity"]["mean"] > 0.1
    assert found["dataset"]["name"] == "small"
    folder = model.model_dir / "evaluation" / "small_prefix_lm-validation"
    assert json.loads((folder / "results.json").read_bytes()) == found
    table = (folder / "table.txt").read_text()
    assert "step 20" in table and "n-gram" in table and "next line" in table
    assert (folder / "plot.svg").read_bytes().startswith(b"<?xml")


def test_only_what_is_missing_is_measured(model, fakes):
    first = measuring.evaluate(_config(model, checkpoints="10"))
    second = measuring.evaluate(_config(model, checkpoints="20,10"))
    assert measuring.evaluate(_config(model, checkpoints="10,20")) == second
    assert fakes.measured == [[10], [20]] and fakes.loaded == [10, 20]
    assert second["checkpoints"][0] == first["checkpoints"][0]
    # Another checkpoint under the same number is another one.
    for path in model.model_dir.glob("model.ckpt-20.*"):
        shutil.copy(path.with_name(path.name.replace("-20.", "-10.")), path)
    measuring.evaluate(_config(model))
    assert fakes.measured == [[10], [20], [20]] and fakes.loaded == [10, 20, 20]


def test_without_loss_and_baselines_only_lines_are_measured(model, fakes):
    config = _config(model, split="held_out", max_examples=0, with_baselines=False, num_cursors=9)
    found = measuring.evaluate(config)
    assert fakes.measured == [] and found["baselines"] == {}
    assert found["checkpoints"][0]["loss"] is None
    assert found["cursors"]["number"] == 9
    assert not (model.data_dir / "baselines").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"checkpoints": "30"}, "no checkpoint of step 30"),
        ({"checkpoints": "10,x"}, "wanted newest, all, or steps"),
        ({"task": "nothing"}, "--task=small_line_completion"),
    ],
)
def test_what_is_not_there_is_one_line(model, settings, words):
    with pytest.raises(errors.InputError, match=words) as found:
        measuring.evaluate(_config(model, **settings))
    assert "\n" not in str(found.value)


def test_damaged_results_are_refused(tmp_path):
    with pytest.raises(errors.InputError, match="run scripts/evaluate.py"):
        results.read_results(tmp_path)
    for content, words in (("{", "is not JSON"), ("[]", "of the format None")):
        (tmp_path / results.FILE_NAME).write_text(content)
        with pytest.raises(errors.ArtifactError, match=words):
            results.read_results(tmp_path)


def test_the_program_prints_the_table(model, fakes, import_program, monkeypatch, capsys):
    program = import_program("scripts.evaluate")
    words = ["evaluate.py", f"--model-dir={model.model_dir}", f"--data_dir={model.data_dir}"]
    monkeypatch.setattr("sys.argv", [*words, "--num_cursors=20", "--checkpoints=10,20"])
    with pytest.raises(SystemExit) as ended:
        command_line.run(program.main)
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert printed.startswith(
        "small_prefix_lm on validation of small\nloss at step 10: 11.000 nats"
    )


@pytest.mark.slow
def test_the_trainers_own_evaluation_of_lines_gives_the_same_figures(model, monkeypatch):
    monkeypatch.chdir(_ROOT)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
    )
    name = "small_line_completion"
    configuration = str(model.model_dir / "operative_config.gin")
    common = {"model_dir": model.model_dir, "mixture_or_task_name": name}
    # As young as the fixture's model is, it writes nothing.
    training = launch.TrainerConfig(
        **common,
        data_dir=model.data_dir,
        gin_files=(configuration,),
        gin_params=("run.train_steps = 400", "run.save_checkpoints_steps = 400"),
    )
    launch.run_trainer(training, name="train", description="training", num_steps=400)
    evaluation = launch.TrainerConfig(
        **common,
        data_dir=model.data_dir,
        gin_files=(configuration, "runs/evaluate_lines.gin"),
        gin_params=("Bitransformer.decode.max_decode_length = 32",),
    )
    launch.run_trainer(evaluation, name="eval", description="evaluating")
    (path,) = event_files.list_files(model.model_dir / "validation_eval")
    theirs = event_files.read_scalars(path)
    found = measuring.evaluate(_config(model, task=name, max_new_tokens=31, with_baselines=False))
    (entry,) = found["checkpoints"]
    for prefix, kind in (("", "all"), ("line_start_", "line_start"), ("mid_line_", "mid_line")):
        for measure in line_metrics.MEASURES:
            (scalar,) = theirs[f"eval/{name}/{prefix}{measure}"]
            ours = entry["lines"][kind]["micro"][measure]["mean"]
            assert scalar.value == pytest.approx(ours, abs=2e-3), (kind, measure)
    assert entry["lines"]["all"]["micro"]["edit_similarity"]["mean"] > 0.05
    assert 0 < entry["loss"]["nats_per_token"] < 10
    assert entry["loss"]["num_bytes"] > entry["loss"]["num_examples"] == 5
    assert manifest.is_complete(model.model_dir / "hugging_face" / "step_400")
