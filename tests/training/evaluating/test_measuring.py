"""The evaluation as a whole; the real trainer and model in the slow tests alone."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import types

import pytest
from absl import flags

from code_t5 import command_line, errors
from code_t5.data import line_metrics
from code_t5.storage import manifest
from code_t5.training import event_files, launch
from code_t5.training.checkpoints import reading
from code_t5.training.completing import completer
from code_t5.training.evaluating import evaluate_flags, losses, measuring, results

_ROOT = pathlib.Path(__file__).resolve().parents[3]


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


def test_checkpoints_of_earlier_runs_stay_among_the_results(model, fakes):
    both = measuring.evaluate(_config(model, checkpoints="10,20", with_baselines=False))
    again = measuring.evaluate(_config(model, checkpoints="20", with_baselines=False))
    assert [entry["step"] for entry in again["checkpoints"]] == [10, 20]
    assert again == both
    # Other settings have other results, and a folder of their own.
    few = measuring.evaluate(_config(model, num_cursors=5, with_baselines=False))
    assert [entry["step"] for entry in few["checkpoints"]] == [20]
    folder = model.model_dir / "evaluation" / "small_prefix_lm-validation-baselines_0"
    assert results.read_results(folder) == both
    assert (folder.with_name("small_prefix_lm-validation-cursors_5-baselines_0")).is_dir()


def test_earlier_results_of_other_data_are_left_behind(model, fakes):
    found = measuring.evaluate(_config(model, checkpoints="10", with_baselines=False))
    folder = measuring.results_folder(_config(model, with_baselines=False), "small_prefix_lm")
    other = {**found, "dataset": {**found["dataset"], "fingerprint": "of another"}}
    assert results.with_earlier(other, folder) == other
    (folder / results.FILE_NAME).write_text("{")
    assert results.with_earlier(found, folder) == found


def test_results_say_what_model_was_measured_and_with_what(model, fakes):
    found = measuring.evaluate(_config(model, max_new_tokens=5, num_cursors=20))
    assert found["model"]["trained_on"] == "small_prefix_lm"
    assert found["model"]["sequence_length"] == {"inputs": 64, "targets": 32}
    assert (found["model"]["d_model"], found["model"]["num_layers"]) == (32, 2)
    assert {"code_t5", "editdistance", "torch"} <= set(found["libraries"])
    assert (found["cursors"]["most"], found["cursors"]["max_new_tokens"]) == (20, 5)
    assert found["max_examples"] == 2048
    about = {name: entry["about"] for name, entry in found["baselines"].items()}
    assert "Kneser-Ney" in about["ngram"]["method"] and about["ngram"]["max_order"] == 6
    assert not {"max_order", "decoding", "smoothing"} & set(about["next_line"])
    assert about["ngram"]["dataset"] == about["next_line"]["dataset"] == "small"


def test_baselines_write_no_more_tokens_than_the_model(model, fakes, monkeypatch):
    asked = []
    opened = measuring.baselines.open_baselines
    monkeypatch.setattr(
        measuring.baselines,
        "open_baselines",
        lambda *words, **settings: asked.append(settings) or opened(*words, **settings),
    )
    short = measuring.evaluate(_config(model, max_new_tokens=1))
    long = measuring.evaluate(_config(model))
    assert [settings["max_new_tokens"] for settings in asked] == [1, 64]
    for name in ("ngram", "next_line"):
        first, second = (found["baselines"][name]["lines"]["all"] for found in (short, long))
        shares = [part["micro"]["edit_similarity"]["mean"] for part in (first, second)]
        assert shares[0] < shares[1], name


def test_flags_say_what_is_measured(tmp_path):
    values = flags.FlagValues()
    evaluate_flags.define(values)
    words = ["evaluate.py", f"--model-dir={tmp_path}", "--split=test", "--nobaselines"]
    more = ["--num-cursors=7", "--num_examples=9", "--ngram_order=3", "--max_tokens=5"]
    values(command_line.join_arguments([*words, *more], values=values))
    found = evaluate_flags.read(values)
    assert found == measuring.EvaluationConfig(
        tmp_path,
        split="test",
        num_cursors=7,
        max_examples=9,
        with_baselines=False,
        counted=measuring.baselines.BaselineConfig(max_order=3),
        max_new_tokens=5,
    )


def test_the_program_lists_its_flags_and_takes_no_other_words(tmp_path):
    program = [sys.executable, str(_ROOT / "scripts" / "evaluate.py")]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}

    def run(*words):
        return subprocess.run(
            [*program, *words], env=environment, capture_output=True, text=True, check=False
        )

    assert "--num_cursors: " in run("--help").stdout
    found = run(f"--model_dir={tmp_path}", "here")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("error: found 'here' after the flags; wanted flags alone")


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
