"""Measures the checkpoints of a model on held-out code, beside the baselines.

What one run found is kept under `model_dir/evaluation/<task>-<split>`: answers as they come, and
each checkpoint's loss. An evaluation that is run again does only what is missing; whatever changes
the figures (data, vocabulary, checkpoint, settings) is in the names of what is kept.

Results lie there too, those of other settings than the usual in a folder beside it that is named by
them. Evaluated with the same settings again, the checkpoints of earlier runs stay among them.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import errors
from code_t5.data import line_metrics
from code_t5.encoding import token_model
from code_t5.storage import atomic, fingerprints, prepared
from code_t5.training.evaluating import (
    answers,
    baselines,
    cursors,
    losses,
    results,
    scores,
    subject,
    versions,
)
from code_t5.training.evaluating.cursors import Cursor

FOLDER = "evaluation"
SPLITS = {"validation": ("validation",), "test": ("test",), "held_out": ("validation", "test")}
# Raised whenever the same settings come to give other figures.
_VERSION = 2


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What is measured.

    Attributes:
      model_dir: The model directory.
      data_dir: Where the data set was built; None for the environment's default.
      task: The Task whose loss is measured, and whose data set gives the cursors; None for the one
        that the model was trained on.
      split: `validation`, `test`, or `held_out` for both.
      checkpoints: `newest`, `all`, or steps with commas between them.
      num_cursors: Most cursors; 0 for all.
      max_examples: Most examples of a split whose loss is measured; 0 measures none.
      with_baselines: Whether the baselines are measured too.
      counted: What they count.
      max_new_tokens: Most tokens that a line's rest gets.
    """

    model_dir: pathlib.Path
    data_dir: pathlib.Path | None = None
    task: str | None = None
    split: str = "validation"
    checkpoints: str = subject.NEWEST
    num_cursors: int = 2000
    max_examples: int = 2048
    with_baselines: bool = True
    counted: baselines.BaselineConfig = dataclasses.field(default_factory=baselines.BaselineConfig)
    max_new_tokens: int = 64


def evaluate(config: EvaluationConfig) -> dict[str, Any]:
    """Measures, and writes the results.

    Args:
      config: What is measured.

    Returns:
      The results, as `results` describes them.

    Raises:
      InputError: The model directory, the Task, the split or the checkpoints do not do.
      NotBuiltError: The data set is not built.
      ArtifactError: Something that is read is damaged.
      BusyError: Another evaluation writes there.
      VocabularyMismatchError: The data set has another vocabulary than the model.
      TrainerError: The trainer failed.
      CodeT5Error: A child process died.
    """
    steps = subject.choose_steps(config.model_dir, config.checkpoints)
    chosen = subject.find_subject(config.model_dir, data_dir=config.data_dir, task=config.task)
    folder = config.model_dir / FOLDER / f"{chosen.task}-{config.split}"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.lock(folder / ".lock", purpose="evaluates a model there"):
        asked = _draw(config, chosen.dataset)
        found_losses = _losses(
            config, task=chosen.task, dataset=chosen.dataset, steps=steps, folder=folder
        )
        entries = []
        for step in steps:
            lines = _measure_lines(config, step=step, asked=asked, folder=folder)
            fingerprint = subject.checkpoint_fingerprint(config.model_dir, step)
            loss = found_losses.get(step)
            entries.append({"step": step, "fingerprint": fingerprint, "loss": loss, "lines": lines})
        found = {
            **_about(config, chosen, num_cursors=len(asked)),
            "baselines": _baselines(config, chosen, asked) if config.with_baselines else {},
            "checkpoints": entries,
        }
        written = results_folder(config, chosen.task)
        written.mkdir(exist_ok=True)
        results.write_results(written, results.with_earlier(found, written))
        return results.read_results(written)


def results_folder(config: EvaluationConfig, task: str) -> pathlib.Path:
    """Returns where results are written: one folder for each choice of settings.

    Args:
      config: What is measured.
      task: Name of the Task.
    """
    usual = EvaluationConfig(config.model_dir)
    settings = (
        ("cursors", config.num_cursors, usual.num_cursors),
        ("examples", config.max_examples, usual.max_examples),
        ("tokens", config.max_new_tokens, usual.max_new_tokens),
        ("baselines", int(config.with_baselines), 1),
        ("order", config.counted.max_order, usual.counted.max_order),
        ("bytes", config.counted.max_bytes, usual.counted.max_bytes),
    )
    words = [f"{name}_{value}" for name, value, default in settings if value != default]
    return config.model_dir / FOLDER / "-".join([task, config.split, *words])


def _draw(config: EvaluationConfig, dataset: prepared.PreparedDataset) -> list[Cursor]:
    """Returns the questions.

    Raises:
      InputError: There are none.
    """
    files = [file for part in SPLITS[config.split] for file in cursors.read_files(dataset, part)]
    model = token_model.load_token_model(dataset.vocabulary_dir)
    asked = cursors.draw_cursors(files, model=model, num_cursors=config.num_cursors or None)
    if not asked:
        raise errors.InputError(
            f"found no line to complete in {config.split} of {dataset.name}; wanted files that are "
            "not blank; build the data set with more files, or give another --split"
        )
    return asked


def _about(
    config: EvaluationConfig, chosen: subject.Subject, *, num_cursors: int
) -> dict[str, Any]:
    """Returns what was measured, and with what."""
    fields = chosen.dataset.read_manifest()
    return {
        "task": chosen.task,
        "split": config.split,
        "libraries": versions.installed(),
        "model": chosen.model,
        "dataset": {
            "name": chosen.dataset.name,
            "version": chosen.dataset.version,
            "fingerprint": fields["fingerprint"],
            "vocabulary_fingerprint": fields["vocabulary_fingerprint"],
        },
        "cursors": {
            "number": num_cursors,
            "most": config.num_cursors,
            "bytes_per_cursor": cursors.BYTES_PER_CURSOR,
            "line_start_share": cursors.LINE_START_SHARE,
            "max_new_tokens": config.max_new_tokens,
        },
        "max_examples": config.max_examples,
    }


def _losses(
    config: EvaluationConfig,
    *,
    task: str,
    dataset: prepared.PreparedDataset,
    steps: Sequence[int],
    folder: pathlib.Path,
) -> Mapping[int, dict[str, Any]]:
    """Returns the loss of each step; what was measured before is read."""
    if not config.max_examples:
        return {}
    paths = {}
    for step in steps:
        key = {
            "version": _VERSION,
            "checkpoint": subject.checkpoint_fingerprint(config.model_dir, step),
            "dataset": dataset.read_manifest()["fingerprint"],
            "max_examples": config.max_examples,
        }
        paths[step] = folder / f"loss-{step}-{fingerprints.hash_json(key)[:16]}.json"
    missing = [step for step in steps if not paths[step].is_file()]
    if missing:
        measured = [
            losses.measure_losses(
                config.model_dir,
                dataset=dataset,
                task=task,
                split=part,
                steps=missing,
                max_examples=config.max_examples,
                cache_dir=folder,
            )
            for part in SPLITS[config.split]
        ]
        for step in missing:
            loss = losses.join([part[step] for part in measured])
            content = json.dumps(dataclasses.asdict(loss)).encode("ascii")
            atomic.write_file(paths[step], content)
    return {step: json.loads(paths[step].read_bytes()) for step in steps}


def _measure_lines(
    config: EvaluationConfig, *, step: int, asked: Sequence[Cursor], folder: pathlib.Path
) -> dict[str, Any]:
    """Has a checkpoint complete the lines, and scores it."""
    key = {
        "version": _VERSION,
        "checkpoint": subject.checkpoint_fingerprint(config.model_dir, step),
        "max_new_tokens": config.max_new_tokens,
    }

    def load() -> answers.Complete:
        from code_t5.training.completing import completer

        model = completer.Completer.from_model_dir(
            config.model_dir, data_dir=config.data_dir, step=step
        )
        options = completer.DecodingOptions(
            max_new_tokens=config.max_new_tokens, stop_at_newline=True
        )
        return lambda prompts: [found[0].text for found in model.complete(prompts, options=options)]

    texts = answers.answer_cursors(
        asked,
        load_fn=load,
        path=folder / f"answers-{step}-{fingerprints.hash_json(key)[:16]}.jsonl",
        name=f"step {step}",
    )
    return _scored(asked, texts)


def _baselines(
    config: EvaluationConfig, chosen: subject.Subject, asked: Sequence[Cursor]
) -> dict[str, Any]:
    counted = baselines.open_baselines(
        chosen.counted, config=config.counted, max_new_tokens=config.max_new_tokens
    )
    found = {}
    for name, about in counted.about.items():
        texts = [counted.complete(name, cursor.prompt) for cursor in asked]
        found[name] = {"about": about, "lines": _scored(asked, texts)}
    return found


def _scored(asked: Sequence[Cursor], texts: Sequence[str]) -> dict[str, Any]:
    return scores.summarize_cursors(
        [line_metrics.score_line(text, cursor.answer) for text, cursor in zip(texts, asked)],
        repositories=[cursor.repository for cursor in asked],
        is_line_start=[cursor.is_line_start for cursor in asked],
    )
