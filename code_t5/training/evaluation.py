"""Evaluates a trained model on held-out code, through the trainer's own perplexity evaluation."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from code_t5.training import figures, launch, operative_config


def evaluation_config(
    model_dir: pathlib.Path,
    *,
    name: str,
    data_dir: pathlib.Path | None = None,
    split: str = "validation",
    num_batches: int = 100,
    batch_size: int | None = None,
    steps: Sequence[int] = (),
    gin_params: Sequence[str] = (),
    module_imports: tuple[str, ...] = ("code_t5",),
) -> launch.TrainerConfig:
    """Returns the run that evaluates checkpoints of a model directory.

    Args:
      model_dir: The model directory.
      name: The Task's name.
      data_dir: Where its data set was built; None for the environment's default.
      split: The split to evaluate.
      num_batches: How many batches of it; where it has fewer, the rest is empty.
      batch_size: Examples in a batch; None for as many as the model was trained with.
      steps: Of the checkpoints; empty for the newest alone.
      gin_params: More bindings.
      module_imports: Modules that register the Task.

    Returns:
      What to give to `launch.run_trainer`.

    Raises:
      InputError: The directory holds no trained model, or its configuration imports what nobody
        has asked for.
      ArtifactError: Its configuration is damaged.
    """
    config_path = operative_config.find(model_dir, module_imports=module_imports)
    params = [
        f"utils.run.dataset_split = {split!r}",
        f"utils.run.perplexity_eval_steps = {num_batches}",
    ]
    params += [f"utils.run.batch_size = {batch_size}"] if batch_size else []
    params += [f"eval_checkpoint_step = {list(steps)}"] if steps else []
    return launch.TrainerConfig(
        model_dir=model_dir,
        mixture_or_task_name=name,
        data_dir=data_dir,
        gin_files=(str(config_path), "runs/evaluate.gin"),
        gin_params=(*params, *gin_params),
        module_imports=module_imports,
    )


def evaluate(
    model_dir: pathlib.Path,
    *,
    name: str,
    data_dir: pathlib.Path | None = None,
    split: str = "validation",
    num_batches: int = 100,
    module_imports: tuple[str, ...] = ("code_t5",),
) -> figures.EvaluationFigures:
    """Evaluates the newest checkpoint of a model directory in a child process.

    Args:
      model_dir: The model directory.
      name: The Task's name.
      data_dir: Where its data set was built; None for the environment's default.
      split: The split to evaluate.
      num_batches: How many batches of it; where it has fewer, the rest is empty.
      module_imports: Modules that register the Task.

    Returns:
      The figures.

    Raises:
      InputError: The directory holds no trained model, or its configuration imports what nobody
        has asked for.
      ArtifactError: Its configuration is damaged.
      TrainerError: The trainer failed.
    """
    config = evaluation_config(
        model_dir,
        name=name,
        data_dir=data_dir,
        split=split,
        num_batches=num_batches,
        module_imports=module_imports,
    )
    launch.run_trainer(config, name="evaluate", description="evaluating", num_steps=num_batches)
    return figures.read_evaluation(model_dir, name=name, split=split)
