"""Trains the dev model for a quarter of an hour and measures how well it completes lines.

The data set is Python's own standard library, the files those of held-out repositories; beside the
model stand an n-gram model and the most frequent next line, counted on the same training split.
Ends with exit status 1 if the model does not write more lines exactly than the n-gram model.

Run from the repository's root: `python -m benchmarks.dev_model --work_dir=dev_model`. Run again, it
measures what it trained before.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from absl import flags

from code_t5 import command_line, errors
from code_t5.data.objectives import LineCompletion
from code_t5.storage import atomic, prepared
from code_t5.training import figures, launch
from code_t5.training.evaluating import measuring, results

_WORK_DIR = flags.DEFINE_string("work_dir", "dev_model", "Gets the data set and the model.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where the data set is; by default WORK_DIR/data."
)
_NAME = flags.DEFINE_string("name", "dev_python", "The data set; built where it is missing.")
_MINUTES = flags.DEFINE_float("minutes", 15.0, "Of training, start-up included.", lower_bound=1)
_GIN_PARAMS = flags.DEFINE_multi_string("gin_param", [], "More bindings for the training.")

# Steps by which the speed is measured.
_FIRST_STEPS = 100
# Of the time that is left, to be used.
_USED = 0.96


def _build(data_dir: pathlib.Path, name: str) -> None:
    """Builds the data set as `make demo` does, unless it is there."""
    if prepared.PreparedDataset(name, str(data_dir)).is_built:
        return
    command = ["scripts/build_dev_dataset.sh", "--from_python", "--data_dir", str(data_dir)]
    flags_of_build = ("--vocab_size=4000", "--validation_fraction=0.05", "--test_fraction=0.05")
    subprocess.run([*command, "--name", name, "--", *flags_of_build], check=True)


def _task() -> str:
    return prepared.task_name(_NAME.value, LineCompletion.name)


def _training(
    model_dir: pathlib.Path, *, data_dir: pathlib.Path, num_steps: int
) -> launch.TrainerConfig:
    return launch.TrainerConfig(
        model_dir=model_dir,
        mixture_or_task_name=_task(),
        data_dir=data_dir,
        gin_files=("runs/dev_lines.gin",),
        gin_params=(
            f"run.train_steps = {num_steps}",
            *_GIN_PARAMS.value,
        ),
    )


def train(model_dir: pathlib.Path, *, data_dir: pathlib.Path, seconds: float) -> dict[str, Any]:
    """Trains for a given time: some steps to learn the speed, then as many as there is time for.

    Args:
      model_dir: The model directory.
      data_dir: Where the data set is.
      seconds: Of wall time, both start-ups of the trainer included.

    Returns:
      `num_steps`, `steps_per_second` and `minutes`, as they turned out.
    """
    start = time.monotonic()
    constant = "learning_rate_schedules.learning_rate_schedule_noam.linear_decay_fraction = 0.0"
    first = _training(model_dir, data_dir=data_dir, num_steps=_FIRST_STEPS)
    first = dataclasses.replace(first, gin_params=(*first.gin_params, constant))
    launch.run_trainer(first, name="train", description="first steps", num_steps=_FIRST_STEPS)
    speed = figures.read_training(model_dir).steps_per_second
    used = time.monotonic() - start
    start_up = max(0.0, used - _FIRST_STEPS / speed)
    num_steps = _FIRST_STEPS + max(1, int((seconds - used - start_up) * _USED * speed))
    launch.run_trainer(
        _training(model_dir, data_dir=data_dir, num_steps=num_steps),
        name="train",
        description="training",
        num_steps=num_steps,
        initial_step=_FIRST_STEPS,
    )
    return {
        "num_steps": num_steps,
        "steps_per_second": figures.read_training(model_dir).steps_per_second,
        "minutes": (time.monotonic() - start) / 60,
    }


def _trained(model_dir: pathlib.Path, data_dir: pathlib.Path) -> dict[str, Any]:
    """Trains unless it is done.

    Raises:
      InputError: A training was interrupted.
    """
    path = model_dir / "dev_model.json"
    if path.is_file():
        return dict(json.loads(path.read_bytes()))
    if launch.latest_step(model_dir):
        raise errors.InputError(
            f"found a model in {model_dir} that was not trained to its end; wanted a new one, as "
            "its time is measured; remove it, or name another --work_dir"
        )
    found = train(model_dir, data_dir=data_dir, seconds=_MINUTES.value * 60)
    atomic.write_file(path, json.dumps(found).encode("ascii"))
    return found


def _mean(entry: dict[str, Any]) -> float:
    return float(entry["lines"]["all"]["micro"]["exact_match"]["mean"])


def main(argv: Sequence[str]) -> int:
    """Builds, trains, measures and prints."""
    del argv
    work_dir = pathlib.Path(os.path.abspath(_WORK_DIR.value))
    data_dir = pathlib.Path(os.path.abspath(_DATA_DIR.value or work_dir / "data"))
    model_dir = work_dir / "model"
    _build(data_dir, _NAME.value)
    trained = _trained(model_dir, data_dir)
    print(
        f"trained {trained['num_steps']} steps in {trained['minutes']:.1f} minutes, "
        f"{trained['steps_per_second']:.2f} steps/s\n",
        flush=True,
    )
    found = measuring.evaluate(
        measuring.EvaluationConfig(
            model_dir=model_dir,
            data_dir=data_dir,
            task=_task(),
            split="held_out",
            num_cursors=0,
        )
    )
    print("\n".join(results.table(found)))
    model, ngram = _mean(found["checkpoints"][-1]), _mean(found["baselines"]["ngram"])
    verdict = "above" if model > ngram else "NOT above"
    print(f"\nfull lines written exactly: {model:.1%}, {verdict} the n-gram model's {ngram:.1%}")
    return int(model <= ngram)


if __name__ == "__main__":
    command_line.run(main)
