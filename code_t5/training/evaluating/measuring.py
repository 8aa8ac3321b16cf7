"""Measures the checkpoints of a model on held-out code, beside the baselines.

What one run found is kept under `model_dir/evaluation/<task>-<split>`: answers as they come, each
checkpoint's loss, and at the end the results. An evaluation that is run again does only what is
missing; whatever changes the figures (data, vocabulary, checkpoint, settings) is in the names of
what is kept.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import errors
from code_t5.data import line_metrics, objectives
from code_t5.encoding import token_model
from code_t5.storage import atomic, fingerprints, prepared
from code_t5.training.checkpoints import reading
from code_t5.training.evaluating import answers, baselines, cursors, losses, results, scores
from code_t5.training.evaluating.cursors import Cursor

FOLDER = "evaluation"
NEWEST, ALL = "newest", "all"
SPLITS = {"validation": ("validation",), "test": ("test",), "held_out": ("validation", "test")}
# Raised whenever the same settings come to give other figures.
_VERSION = 1
_LIBRARIES = ("tensorflow", "mesh-tensorflow", "t5", "seqio", "torch", "transformers", "numpy")


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
    checkpoints: str = NEWEST
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
      TrainerError: The trainer failed.
      CodeT5Error: A child process died.
    """
    steps = choose_steps(config.model_dir, config.checkpoints)
    task, dataset = find_task(config)
    folder = config.model_dir / FOLDER / f"{task}-{config.split}"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.lock(folder / ".lock", purpose="evaluates a model there"):
        asked = _draw(config, dataset)
        found_losses = _losses(config, task=task, dataset=dataset, steps=steps, folder=folder)
        entries = []
        for step in steps:
            lines = _measure_lines(config, step=step, asked=asked, folder=folder)
            fingerprint = checkpoint_fingerprint(config.model_dir, step)
            loss = found_losses.get(step)
            entries.append({"step": step, "fingerprint": fingerprint, "loss": loss, "lines": lines})
        found = {
            **_about(config, task=task, dataset=dataset, num_cursors=len(asked)),
            "baselines": _baselines(config, dataset, asked) if config.with_baselines else {},
            "checkpoints": entries,
        }
        results.write_results(folder, found)
        return results.read_results(folder)


def choose_steps(model_dir: pathlib.Path, checkpoints: str) -> list[int]:
    """Returns the steps that are asked for, smallest first.

    Args:
      model_dir: The model directory.
      checkpoints: `newest`, `all`, or steps with commas between them.

    Returns:
      Steps, each once.

    Raises:
      InputError: There is no such checkpoint.
      ArtifactError: One lacks files.
    """
    if checkpoints == NEWEST:
        steps = [reading.newest_step(model_dir)]
    elif checkpoints == ALL:
        steps = reading.list_steps(model_dir) or [reading.newest_step(model_dir)]
    else:
        words = [word.strip() for word in checkpoints.split(",")]
        if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
            raise errors.InputError(
                f"--checkpoints is {checkpoints!r}; wanted newest, all, or steps as in 100,200; "
                f"there are {reading.list_steps(model_dir)}"
            )
        steps = sorted({int(word) for word in words})
    for step in steps:
        reading.checkpoint_path(model_dir, step)
    return steps


def find_task(config: EvaluationConfig) -> tuple[str, prepared.PreparedDataset]:
    """Returns the Task that is evaluated, and its data set.

    Args:
      config: What is measured.

    Returns:
      Its name, and the data set, which is built.

    Raises:
      InputError: It is not a Task of a prepared data set.
      NotBuiltError: The data set is not built.
      ArtifactError: The data set is damaged.
    """
    from code_t5.training.hugging_face import architecture, trained_task

    data_dir = str(config.data_dir) if config.data_dir else prepared.find_data_dir()
    name = config.task
    if name is None:
        name = trained_task.read_task(architecture.find_settings(config.model_dir)).name
    table = prepared.task_table(prepared.known_datasets(data_dir), objectives.OBJECTIVES)
    if name not in table:
        built = [dataset.name for dataset in prepared.list_datasets(data_dir)]
        raise errors.InputError(
            f"{name} is no Task of a data set under {data_dir}, which holds "
            f"{', '.join(built) or 'none'}; wanted one to evaluate on; give --task, for example "
            f"--task={(built or ['NAME'])[0]}_{objectives.LineCompletion.name}, and --data_dir"
        )
    dataset = table[name][0]
    dataset.read_manifest()
    return name, dataset


def checkpoint_fingerprint(model_dir: pathlib.Path, step: int) -> str:
    """Returns the hash of a checkpoint: of its index, which holds checksums of all its numbers."""
    prefix = reading.checkpoint_path(model_dir, step)
    return fingerprints.hash_file(f"{prefix}.index")


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
    config: EvaluationConfig, *, task: str, dataset: prepared.PreparedDataset, num_cursors: int
) -> dict[str, Any]:
    """Returns what was measured with."""
    fields = dataset.read_manifest()
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "task": task,
        "split": config.split,
        "libraries": versions,
        "dataset": {
            "name": dataset.name,
            "version": dataset.version,
            "fingerprint": fields["fingerprint"],
            "vocabulary_fingerprint": fields["vocabulary_fingerprint"],
        },
        "cursors": {
            "number": num_cursors,
            "bytes_per_cursor": cursors.BYTES_PER_CURSOR,
            "line_start_share": cursors.LINE_START_SHARE,
            "max_new_tokens": config.max_new_tokens,
        },
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
            "checkpoint": checkpoint_fingerprint(config.model_dir, step),
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
        "checkpoint": checkpoint_fingerprint(config.model_dir, step),
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
    config: EvaluationConfig, dataset: prepared.PreparedDataset, asked: Sequence[Cursor]
) -> dict[str, Any]:
    counted = baselines.open_baselines(dataset, config.counted)
    found = {}
    for name in (baselines.NGRAM, baselines.NEXT_LINE):
        texts = [counted.complete(name, cursor.prompt) for cursor in asked]
        found[name] = {"about": counted.about, "lines": _scored(asked, texts)}
    return found


def _scored(asked: Sequence[Cursor], texts: Sequence[str]) -> dict[str, Any]:
    return scores.summarize_cursors(
        [line_metrics.score_line(text, cursor.answer) for text, cursor in zip(texts, asked)],
        repositories=[cursor.repository for cursor in asked],
        is_line_start=[cursor.is_line_start for cursor in asked],
    )
