"""pass@k of files of samples and of a stand-in for a model, resumed and refused."""

from __future__ import annotations

import dataclasses
import json
import os
import types

import pytest
from training.problems import small_problems as small

from code_t5 import errors
from code_t5.training import decoding_options
from code_t5.training.problems import fence, passing

_LIMITS = fence.FenceLimits(wall_seconds=2)


@pytest.fixture
def config(tmp_path):
    problems = small.write_rows(tmp_path / "problems.jsonl", small.DOUBLE, small.FIRST)
    samples = small.write_rows(
        tmp_path / "samples.jsonl",
        *small.samples_of("Small/0", "    return 2 * x\n", "    return 4\n"),
        *small.samples_of("Small/1", "    return items[0]\n", "    return items.pop(0)\n"),
    )
    return passing.PassConfig(
        problems_path=problems,
        output_dir=tmp_path / "out",
        ks=(1, 2),
        samples_path=samples,
        limits=_LIMITS,
        num_workers=2,
    )


def _results(config):
    return json.loads((config.output_dir / passing.RESULTS_NAME).read_bytes())


def test_file_of_samples_is_measured(config):
    lines = passing.measure(config)
    results = _results(config)
    assert results["counts"] == {"Small/0": [2, 1], "Small/1": [2, 2]}
    assert [rate["estimate"] for rate in results["pass_at_k"]] == [0.75, 1.0]
    assert results["outcomes"] == {"failed": 1, "passed": 3}
    assert lines[:2] == [
        "2 problems, 4 programs",
        "pass@1     75.00 %  (standard error over problems 25.00)",
    ]
    assert (config.output_dir / passing.TABLE_NAME).read_text().splitlines() == lines
    assert results["fences"][0]["files"].startswith("Landlock")


def test_interrupted_run_goes_on(config, monkeypatch):
    judge, judged = passing.judging.judge_program, []

    def interrupted(problem, **arguments):
        if len(judged) == 2:
            raise KeyboardInterrupt
        judged.append(problem.task_id)
        return judge(problem, **arguments)

    monkeypatch.setattr(passing.judging, "judge_program", interrupted)
    one = dataclasses.replace(config, num_workers=1)
    with pytest.raises(KeyboardInterrupt):
        passing.measure(one)
    path = config.output_dir / passing.VERDICTS_NAME
    # As a writer that is killed leaves it.
    kept = path.read_bytes()
    path.write_bytes(kept + b'{"task_id": "Sma')
    num_kept = len(kept.splitlines())
    assert 1 <= num_kept <= 2

    def counted(problem, **arguments):
        judged.append(problem.task_id)
        return judge(problem, **arguments)

    monkeypatch.setattr(passing.judging, "judge_program", counted)
    del judged[:]
    passing.measure(one)
    assert len(judged) == 4 - num_kept
    assert _results(config)["counts"] == {"Small/0": [2, 1], "Small/1": [2, 2]}
    # Other k need no program to run again.
    passing.measure(dataclasses.replace(one, ks=(2,)))
    assert len(judged) == 4 - num_kept


def test_directory_of_another_run_is_refused(config):
    passing.measure(config)
    before = (config.output_dir / passing.RESULTS_NAME).read_bytes()
    other = dataclasses.replace(config, limits=fence.FenceLimits(wall_seconds=3))
    with pytest.raises(errors.InputError, match="holds a run with other limits"):
        passing.measure(other)
    assert (config.output_dir / passing.RESULTS_NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ks": (3,)}, "a problem has 2 samples"),
        ({"ks": (0,)}, "numbers from 1 on"),
        ({"samples_path": None}, "both or neither"),
        ({"samples_path": None, "model_dir": "m", "ks": (11,)}, "--num_samples is 10"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_runs(config, change, message, monkeypatch):
    monkeypatch.setattr(passing.judging, "judge_program", None)
    with pytest.raises(errors.InputError, match=message):
        passing.measure(dataclasses.replace(config, **change))


def test_what_is_not_judged_bounds_the_rate(config):
    small.write_rows(
        config.samples_path,
        *small.samples_of("Small/0", "    return object()\n", "    return 4\n"),
        *small.samples_of("Small/1", "    return items[0]\n", "    return 0\n"),
    )
    lines = passing.measure(dataclasses.replace(config, ks=(1,)))
    results = _results(config)
    assert results["outcomes"] == {"failed": 2, "passed": 1, "unjudged": 1}
    assert [(one["estimate"], one["at_most"]) for one in results["pass_at_k"]] == [(0.25, 0.5)]
    assert lines[2] == "  at most    50.00 %  if all unjudged were right"


def test_pipe_in_place_of_a_file_is_refused(config, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("samples_path", "problems_path"):
        with pytest.raises(errors.InputError, match="cannot read .*pipe"):
            passing.measure(dataclasses.replace(config, **{name: tmp_path / "pipe"}))


class _StandInCompleter:
    """In place of `Completer`: every second candidate is right."""

    export = types.SimpleNamespace(step=5, task="small_prefix_lm", fingerprint="f")
    seeds: list[int] = []

    @classmethod
    def from_model_dir(cls, *_, **__):
        return cls()

    def complete(self, prompts, *, options):
        self.seeds.append(options.seed)
        found = []
        for number in range(options.num_candidates):
            body = "    return 2 * x\n" if number % 2 else "    return None\n"
            found.append(decoding_options.Candidate(body + "x = 1\n", -1.0, 3, True))
        return [found for _ in prompts]


def test_model_writes_the_samples_once(config, monkeypatch, tmp_path):
    problems = small.write_rows(tmp_path / "one.jsonl", small.DOUBLE)
    monkeypatch.setattr(passing.completing, "Completer", _StandInCompleter)
    drawing = dataclasses.replace(
        config,
        problems_path=problems,
        samples_path=None,
        model_dir=tmp_path,
        num_samples=4,
        ks=(1, 4),
    )
    passing.measure(drawing)
    rows = [
        json.loads(line)
        for line in (config.output_dir / passing.SAMPLES_NAME).read_text().splitlines()
    ]
    # Cut where the function ends.
    assert [row["completion"] for row in rows] == ["    return None\n", "    return 2 * x\n"] * 2
    results = _results(drawing)
    assert [rate["estimate"] for rate in results["pass_at_k"]] == [0.5, 1.0]
    assert results["source"]["step"] == 5
    num_calls = len(_StandInCompleter.seeds)
    passing.measure(drawing)
    assert len(_StandInCompleter.seeds) == num_calls
