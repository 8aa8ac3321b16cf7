"""Trains the dev model for a quarter of an hour and measures how well it completes lines.

The data set is Python's own standard library, the files those of held-out repositories; beside the
model stand an n-gram model and the most frequent next line, counted on the same training split.
The time counts from the trainer's start to its end. What comes before does not: the data set, its
token cache, and a short *trial* that is thrown away, by which is known how many steps there is time
for. Ends with exit status 1 if the model does not write more lines exactly than the n-gram model.

Run from the repository's root: `python -m benchmarks.dev_model --work_dir=dev_model`. Run again, it
measures what it trained before.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from code_t5 import command_line, errors
from code_t5.data.objectives import LineCompletion
from code_t5.storage import atomic, prepared
from code_t5.training import figures, launch
from code_t5.training.evaluating import measuring, results

# Steps of the trial.
_TRIAL_STEPS = 300
# Of the time that is left behind the start-up, to be used.
_USED = 0.96


@dataclasses.dataclass(frozen=True)
class Run:
    """What is trained, and where.

    Attributes:
      work_dir: Gets the model, the token cache and, by default, the data set.
      data_dir: Where the data set is.
      name: Of the data set.
      minutes: Of training, start-up included.
      gin_params: More bindings for the training.
    """

    work_dir: pathlib.Path
    data_dir: pathlib.Path
    name: str = "dev_python"
    minutes: float = 15.0
    gin_params: tuple[str, ...] = ()

    @property
    def model_dir(self) -> pathlib.Path:
        """Where the model is trained."""
        return self.work_dir / "model"

    @property
    def cache_dir(self) -> pathlib.Path:
        """Where the Task's token cache is."""
        return self.work_dir / "cache"

    @property
    def task(self) -> str:
        """Name of the Task."""
        return prepared.task_name(self.name, LineCompletion.name)


def build(run: Run) -> None:
    """Builds the data set as `make demo` does, and its token cache, unless they are there.

    Args:
      run: What is trained.
    """
    if not prepared.PreparedDataset(run.name, str(run.data_dir)).is_built:
        command = ["scripts/build_dev_dataset.sh", "--from_python", f"--data_dir={run.data_dir}"]
        options = ("--vocab_size=4000", "--validation_fraction=0.05", "--test_fraction=0.05")
        subprocess.run([*command, "--name", run.name, "--", *options], check=True)
    command = [sys.executable, "-m", "scripts.cache_tasks", "--tasks", run.task]
    places = (f"--output_cache_dir={run.cache_dir}", f"--data_dir={run.data_dir}")
    subprocess.run([*command, *places], check=True)


def training_config(run: Run, *, model_dir: pathlib.Path, num_steps: int) -> launch.TrainerConfig:
    """Returns one run of the trainer.

    Args:
      run: What is trained.
      model_dir: Where to.
      num_steps: At its end.
    """
    return launch.TrainerConfig(
        model_dir=model_dir,
        mixture_or_task_name=run.task,
        data_dir=run.data_dir,
        gin_files=("runs/dev_lines.gin", "runs/resumable.gin"),
        gin_params=(f"run.train_steps = {num_steps}", *run.gin_params),
        more_flags=(f"--additional_task_cache_dirs={run.cache_dir}",),
    )


def _trial(run: Run) -> tuple[float, float]:
    """Returns steps per second, and the seconds that are spent beside steps."""
    folder = run.work_dir / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    config = training_config(run, model_dir=folder, num_steps=_TRIAL_STEPS)
    start = time.monotonic()
    launch.run_trainer(config, name="train", description="trial", num_steps=_TRIAL_STEPS)
    seconds = time.monotonic() - start
    speed = figures.read_training(folder).steps_per_second
    shutil.rmtree(folder)
    return speed, max(0.0, seconds - _TRIAL_STEPS / speed)


def train(run: Run) -> dict[str, Any]:
    """Trains for a given time, after a trial that is not counted.

    Args:
      run: What is trained.

    Returns:
      `num_steps`, `steps_per_second` and `minutes`, as they turned out.
    """
    speed, start_up = _trial(run)
    num_steps = max(1, int((run.minutes * 60 - start_up) * _USED * speed))
    config = training_config(run, model_dir=run.model_dir, num_steps=num_steps)
    start = time.monotonic()
    launch.run_trainer(config, name="train", description="training", num_steps=num_steps)
    return {
        "num_steps": num_steps,
        "steps_per_second": figures.read_training(run.model_dir).steps_per_second,
        "minutes": (time.monotonic() - start) / 60,
    }


def trained(run: Run) -> dict[str, Any]:
    """Trains unless it is done.

    Args:
      run: What is trained.

    Returns:
      As `train` has it.

    Raises:
      InputError: A training was interrupted.
    """
    path = run.model_dir / "dev_model.json"
    if path.is_file():
        return dict(json.loads(path.read_bytes()))
    if launch.latest_step(run.model_dir):
        raise errors.InputError(
            f"found a model in {run.model_dir} that was not trained to its end; wanted a new one, "
            "as its time is measured; remove it, or name another --work_dir"
        )
    found = train(run)
    atomic.write_file(path, json.dumps(found).encode("ascii"))
    return found


def verdict(found: Mapping[str, Any]) -> tuple[str, bool]:
    """Returns how the newest checkpoint stands beside each baseline.

    Args:
      found: Results of an evaluation.

    Returns:
      One line, and whether the model writes more lines exactly than the n-gram model.
    """

    def mean(entry: Mapping[str, Any]) -> float:
        return float(entry["lines"]["all"]["micro"]["exact_match"]["mean"])

    model = mean(found["checkpoints"][-1])
    words = []
    for name, title in (("ngram", "the n-gram model's"), ("next_line", "the next line's")):
        given = mean(found["baselines"][name])
        words.append(f"{'above' if model > given else 'NOT above'} {title} {given:.1%}")
    line = f"full lines written exactly: {model:.1%}, {words[0]}, {words[1]}"
    return line, model > mean(found["baselines"]["ngram"])


def measure(run: Run) -> int:
    """Builds, trains, measures and prints.

    Args:
      run: What is trained.

    Returns:
      The exit status: 0 if the model is above the n-gram model.
    """
    build(run)
    training = trained(run)
    print(
        f"trained {training['num_steps']} steps in {training['minutes']:.1f} minutes, "
        f"{training['steps_per_second']:.2f} steps/s\n",
        flush=True,
    )
    config = measuring.EvaluationConfig(
        model_dir=run.model_dir,
        data_dir=run.data_dir,
        task=run.task,
        split="held_out",
        num_cursors=0,
    )
    found = measuring.evaluate(config)
    line, is_above = verdict(found)
    print("\n".join([*results.table(found), "", line]))
    return int(not is_above)


def _define_flags() -> None:
    flags.DEFINE_string("work_dir", "dev_model", "Gets the data set and the model.")
    flags.DEFINE_string("data_dir", None, "Where the data set is; by default WORK_DIR/data.")
    flags.DEFINE_string("name", "dev_python", "The data set; built where it is missing.")
    flags.DEFINE_float("minutes", 15.0, "Of training, start-up included.", lower_bound=1)
    flags.DEFINE_multi_string("gin_param", [], "More bindings for the training.")


def main(argv: Sequence[str]) -> int:
    """Does what the flags ask for."""
    del argv
    given = flags.FLAGS
    work_dir = pathlib.Path(os.path.abspath(given.work_dir))
    data_dir = pathlib.Path(os.path.abspath(given.data_dir or work_dir / "data"))
    return measure(Run(work_dir, data_dir, given.name, given.minutes, tuple(given.gin_param)))


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
