"""pass@k of a model, or of a file of samples, over a file of problems.

The output directory gets

    run.json        what is measured: hashes of problems and samples, options, limits
    samples.jsonl   what the model wrote: task_id, number, completion (cut), and its score
    verdicts.jsonl  what came of each program
    results.json    pass@k, outcomes, counts of each problem
    table.txt       the same for a person

and a run that was interrupted goes on from what is there.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import __version__, errors, parallel, progress
from code_t5.storage import atomic, fingerprints
from code_t5.training.completing import completer as completing
from code_t5.training.completing import records
from code_t5.training.problems import estimator, judging, problem_files, programs
from code_t5.training.problems.fence import FenceLimits
from code_t5.training.problems.problem_files import Problem

RUN_NAME, SAMPLES_NAME, VERDICTS_NAME = "run.json", "samples.jsonl", "verdicts.jsonl"
RESULTS_NAME, TABLE_NAME = "results.json", "table.txt"
_FORMAT_NAME, _FORMAT_VERSION = "code_t5_pass_at_k", 2
_LOCK_NAME = ".pass_at_k.lock"
# Samples that are drawn together.
_MAX_DRAWN = 16


@dataclasses.dataclass(frozen=True)
class PassConfig:
    """What to measure.

    Attributes:
      problems_path: The file of problems.
      output_dir: Gets everything.
      ks: Programs drawn for each problem.
      samples_path: A file of samples; None to draw them from `model_dir`.
      model_dir: The model directory; None with `samples_path`.
      data_dir: Where the model's data set was built; None for the environment's default.
      step: The checkpoint's; None for the newest.
      num_samples: How many are drawn for each problem.
      options: How they are drawn.
      limits: What each process of a program may take.
      with_challenges: Whether MBPP's challenge tests must hold too.
      num_workers: Programs that run at a time.
    """

    problems_path: pathlib.Path
    output_dir: pathlib.Path
    ks: tuple[int, ...] = (1,)
    samples_path: pathlib.Path | None = None
    model_dir: pathlib.Path | None = None
    data_dir: pathlib.Path | None = None
    step: int | None = None
    num_samples: int = 10
    options: completing.DecodingOptions = completing.DecodingOptions(256, temperature=0.8)
    limits: FenceLimits = FenceLimits()
    with_challenges: bool = False
    num_workers: int = dataclasses.field(default_factory=parallel.default_num_workers)


def measure(config: PassConfig) -> list[str]:
    """Draws samples where none are given, runs all programs and writes the results.

    Args:
      config: What to measure.

    Returns:
      The table's lines.

    Raises:
      InputError: A file is not what it should be, or the directory holds another run.
      FenceError: The fence does not stand here.
      BusyError: Another process works in the directory.
    """
    _check(config)
    problems = problem_files.read_problems(
        config.problems_path, with_challenges=config.with_challenges
    )
    config.output_dir.mkdir(parents=True, exist_ok=True)
    with atomic.lock(config.output_dir / _LOCK_NAME, purpose="measures pass@k there"):
        model, samples = None, dict[str, list[str]]()
        if config.samples_path is not None:
            samples = programs.read_samples(config.samples_path, problems)
        elif config.model_dir is not None:
            model = completing.Completer.from_model_dir(
                config.model_dir, data_dir=config.data_dir, step=config.step
            )
        described = _describe(config, problems, model)
        _take_up(config.output_dir, described)
        if config.samples_path is None:
            samples = _draw(config, problems, model)
        counts = [len(samples[name]) for name in problems]
        # Said now and not after an hour.
        estimator.pass_rates([(count, 0) for count in counts], ks=config.ks)
        verdicts = _judge_all(config, problems, samples)
        results = _results(config, described, problems=problems, verdicts=verdicts)
        lines = table_lines(results)
        text = json.dumps(results, indent=2, sort_keys=True) + "\n"
        atomic.write_file(config.output_dir / RESULTS_NAME, text.encode("ascii"))
        atomic.write_file(config.output_dir / TABLE_NAME, "\n".join([*lines, ""]).encode("utf-8"))
    return lines


def _check(config: PassConfig) -> None:
    """Checks what can be checked before anything is loaded.

    Raises:
      InputError: Something does not fit.
    """
    if (config.samples_path is None) == (config.model_dir is None):
        raise errors.InputError(
            "found both or neither of --model_dir and --samples; wanted a model that writes "
            "samples, or a file of them; give one of the two"
        )
    if not config.ks or min(config.ks) < 1:
        raise errors.InputError(
            f"pass@k was asked for k = {list(config.ks)}; wanted numbers from 1 on; give -k 1,10"
        )
    if config.samples_path is None and config.num_samples < max(config.ks):
        raise errors.InputError(
            f"--num_samples is {config.num_samples} and the largest k {max(config.ks)}; wanted as "
            "many samples as the largest k; give a larger --num_samples or a smaller -k"
        )


def _describe(
    config: PassConfig, problems: Mapping[str, Problem], model: completing.Completer | None
) -> dict[str, Any]:
    """Returns what decides on the results, but for the k."""
    limits = dataclasses.asdict(config.limits)
    source: dict[str, Any]
    if model is None:
        source = {"samples_sha256": fingerprints.hash_file(str(config.samples_path))}
    else:
        source = {
            "step": model.export.step,
            "task": model.export.task,
            "model": model.export.fingerprint,
            "num_samples": config.num_samples,
            "options": dataclasses.asdict(config.options),
        }
    return {
        "format_name": _FORMAT_NAME,
        "format_version": _FORMAT_VERSION,
        "problems": fingerprints.hash_json([one.fingerprint for one in problems.values()]),
        "num_problems": len(problems),
        "source": source,
        "limits": limits,
        "python": platform.python_version(),
    }


def _take_up(folder: pathlib.Path, described: Mapping[str, Any]) -> None:
    """Writes down what is measured, or compares it with what an earlier run wrote.

    Raises:
      InputError: The directory holds another run.
    """
    path = folder / RUN_NAME
    content = (json.dumps(described, indent=2, sort_keys=True) + "\n").encode("ascii")
    if not path.exists():
        atomic.write_file(path, content)
        return
    if path.read_bytes() != content:
        try:
            before = json.loads(path.read_bytes())
        except ValueError:
            before = {}
        names = [name for name in described if before.get(name) != described[name]]
        raise errors.InputError(
            f"{folder} holds a run with other {', '.join(names)}; wanted an empty directory or the "
            "same run; give another --output_dir, or remove this one"
        )


def _draw(
    config: PassConfig, problems: Mapping[str, Problem], model: completing.Completer | None
) -> dict[str, list[str]]:
    """Returns the programs that the model writes for each problem; goes on from what is there."""
    kept = records.RecordFile(config.output_dir / SAMPLES_NAME)
    drawn: dict[str, list[str]] = {name: [] for name in problems}
    for record in kept.records:
        drawn[record["task_id"]].append(record["completion"])
    bar = progress.progress_bar(
        description="writing programs",
        unit="program",
        total=config.num_samples * len(problems),
        initial=len(kept.records),
    )
    with bar:
        for number, (name, problem) in enumerate(problems.items()):
            while model is not None and len(drawn[name]) < config.num_samples:
                count = min(_MAX_DRAWN, config.num_samples - len(drawn[name]))
                options = dataclasses.replace(
                    config.options,
                    num_candidates=count,
                    # Its own for each problem and each batch, whatever an earlier run did.
                    seed=config.options.seed + number * 1_000_003 + len(drawn[name]),
                )
                for candidate in model.complete([problem.prompt], options=options)[0]:
                    text = programs.cut_completion(problem, candidate.text)
                    kept.append({"task_id": name, "completion": text, "score": candidate.score})
                    drawn[name].append(text)
                bar.update(count)
    return {
        name: [programs.whole_program(problems[name], text) for text in texts]
        for name, texts in drawn.items()
    }


def _judge_all(
    config: PassConfig, problems: Mapping[str, Problem], samples: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Runs every program that has no verdict yet, and returns all verdicts in order."""
    kept = records.RecordFile(config.output_dir / VERDICTS_NAME)
    found = {(record["task_id"], record["number"]): record for record in kept.records}
    wanted = [(name, number) for name in problems for number in range(len(samples[name]))]
    missing = [key for key in wanted if key not in found]

    def judge(key: tuple[str, int]) -> dict[str, Any]:
        name, number = key
        verdict = judging.judge_program(
            problems[name], program=samples[name][number], limits=config.limits
        )
        return {"task_id": name, "number": number, **dataclasses.asdict(verdict)}

    bar = progress.progress_bar(
        description="running programs", unit="program", total=len(wanted), initial=len(found)
    )
    executor = concurrent.futures.ThreadPoolExecutor(max(1, config.num_workers))
    try:
        with bar:
            for future in concurrent.futures.as_completed(
                [executor.submit(judge, k) for k in missing]
            ):
                record = future.result()
                kept.append(record)
                found[record["task_id"], record["number"]] = record
                bar.update(1)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    return [found[key] for key in wanted]


def _results(
    config: PassConfig,
    described: Mapping[str, Any],
    *,
    problems: Mapping[str, Problem],
    verdicts: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Returns the results as JSON values."""
    totals = Counter(record["task_id"] for record in verdicts)
    right = Counter(record["task_id"] for record in verdicts if record["outcome"] == judging.PASSED)
    unjudged = Counter(
        record["task_id"] for record in verdicts if record["outcome"] == judging.UNJUDGED
    )
    rates = estimator.pass_rates([(totals[name], right[name]) for name in problems], ks=config.ks)
    most = estimator.pass_rates(
        [(totals[name], right[name] + unjudged[name]) for name in problems], ks=config.ks
    )
    outcomes = Counter(record["outcome"] for record in verdicts)
    return {
        **described,
        "code_t5": __version__,
        "problems_file": os.path.basename(config.problems_path),
        # What was not judged counts as wrong, and as right in `at_most`.
        "pass_at_k": [
            {**rate._asdict(), "at_most": bound.estimate} for rate, bound in zip(rates, most)
        ],
        "num_programs": len(verdicts),
        "outcomes": dict(sorted(outcomes.items())),
        "fences": [
            json.loads(text)
            for text in sorted({json.dumps(one["holds"], sort_keys=True) for one in verdicts})
        ],
        "counts": {name: [totals[name], right[name]] for name in problems},
    }


def table_lines(results: Mapping[str, Any]) -> list[str]:
    """Returns results for a person.

    Args:
      results: What `results.json` holds.
    """
    lines = [f"{results['num_problems']} problems, {results['num_programs']} programs"]
    for rate in results["pass_at_k"]:
        lines.append(
            f"pass@{rate['k']:<4} {100 * rate['estimate']:6.2f} %  "
            f"(standard error over problems {100 * rate['standard_error']:.2f})"
        )
        if rate["at_most"] > rate["estimate"]:
            lines.append(f"  at most   {100 * rate['at_most']:6.2f} %  if all unjudged were right")
    for outcome, count in results["outcomes"].items():
        lines.append(f"{outcome:<14} {count:6d}  {100 * count / results['num_programs']:6.2f} %")
    return lines
