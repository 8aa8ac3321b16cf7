"""The demo's last act: train, evaluate, compare with the unigram baseline, complete some code."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from code_t5.training import (
    completion,
    evaluation,
    figures,
    launch,
    operative_config,
    report,
    targets,
    unigram,
)

# The likeliest token every time makes a model this young repeat itself.
_TEMPERATURE = 0.7


def demonstrate(run: launch.TrainerConfig, *, num_steps: int) -> Iterator[str]:
    """Trains as `run` says, then yields what came of it.

    Args:
      run: The training.
      num_steps: At which it ends; `run` binds the same.

    Yields:
      Lines to print, as soon as they are known.

    Raises:
      TrainerError: The trainer failed.
      NotLearnedError: The model is not clearly below the unigram baseline; after the last line.
    """
    yield launch.format_command(launch.trainer_command(run))
    launch.run_trainer(
        run,
        name="train",
        description="training",
        num_steps=num_steps,
        initial_step=launch.latest_step(run.model_dir),
    )
    name, data_dir = run.mixture_or_task_name, run.data_dir
    config = evaluation.evaluation_config(
        run.model_dir, name=name, data_dir=data_dir, module_imports=run.module_imports
    )
    yield launch.format_command(launch.trainer_command(config))
    found = evaluation.evaluate(
        run.model_dir, name=name, data_dir=data_dir, module_imports=run.module_imports
    )
    register(run)
    operative_config.parse(run.model_dir)
    lengths = operative_config.sequence_length()
    fill = targets.target_fill(name, sequence_length=lengths)
    yield from report.training_lines(figures.read_training(run.model_dir), fill=fill)
    baseline = unigram.unigram_loss(name, sequence_length=lengths, max_examples=found.max_examples)
    yield from report.evaluation_lines(found, baseline)
    examples = completion.prompt_examples(name)
    texts = completion.complete(
        [example.prompt for example in examples],
        model_dir=run.model_dir,
        mixture_or_task_name=name,
        data_dir=data_dir,
        temperature=_TEMPERATURE,
        module_imports=run.module_imports,
    )
    yield f"completions of validation code, drawn at temperature {_TEMPERATURE}:"
    yield from report.completion_lines(examples, texts)
    report.check_learned(found, baseline)


def register(run: launch.TrainerConfig) -> None:
    """Registers in this process the Tasks that the trainer registers in its own.

    Args:
      run: Which modules and which data directory.
    """
    for module in run.module_imports:
        if module != "code_t5":
            importlib.import_module(module)
            continue
        from code_t5.data import tasks  # imports TensorFlow

        tasks.register_tasks(str(run.data_dir) if run.data_dir else None)
