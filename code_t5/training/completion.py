"""Completes code with a trained model, through the trainer's own inference.

*Prompt* is the beginning of a piece of code, *completion* what the model writes next.
"""

from __future__ import annotations

import json
import pathlib
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from code_t5 import errors
from code_t5.training import launch, operative_config


class PromptExample(NamedTuple):
    """A prompt cut from a file, with what the file goes on with.

    Attributes:
      prompt: The file's beginning.
      continuation: What follows in the file.
    """

    prompt: str
    continuation: str


def complete(
    prompts: Sequence[str],
    *,
    model_dir: pathlib.Path,
    mixture_or_task_name: str,
    data_dir: pathlib.Path | None = None,
    temperature: float = 0.0,
    max_tokens: int = 64,
    module_imports: tuple[str, ...] = ("code_t5",),
) -> list[str]:
    """Returns what the newest checkpoint writes after each prompt.

    The trainer runs as a child process, so it takes its start-up time and leaves this process as it
    was.

    Args:
      prompts: Beginnings of code; may hold any characters, newlines too.
      model_dir: The model directory.
      mixture_or_task_name: The Task or Mixture that the model was trained on.
      data_dir: Where its data set was built; None for the environment's default.
      temperature: 0 takes the likeliest token every time, 1 draws as the model predicts.
      max_tokens: Most tokens that a completion gets.
      module_imports: Modules that register the Task.

    Returns:
      One text per prompt.

    Raises:
      InputError: There are no prompts, the model directory holds no trained model, or its
        configuration imports what nobody has asked for.
      ArtifactError: Its configuration is damaged.
      TrainerError: The trainer failed.
    """
    if not prompts:
        raise errors.InputError(
            "found 0 prompts; wanted at least one beginning of code; give one, such as 'def f('"
        )
    config_path = operative_config.find(model_dir, module_imports=module_imports)
    with tempfile.TemporaryDirectory() as folder:
        prompts_path = pathlib.Path(folder, "prompts.json")
        output_path = pathlib.Path(folder, "completions.json")
        prompts_path.write_text(json.dumps(list(prompts)), encoding="ascii")
        config = launch.TrainerConfig(
            model_dir=model_dir,
            mixture_or_task_name=mixture_or_task_name,
            data_dir=data_dir,
            gin_files=(str(config_path), "runs/complete.gin"),
            gin_params=(
                f"decode_prompts.prompts_path = {str(prompts_path)!r}",
                f"decode_prompts.output_path = {str(output_path)!r}",
                f"Bitransformer.decode.temperature = {temperature}",
                f"Bitransformer.decode.max_decode_length = {max_tokens}",
            ),
            module_imports=module_imports,
        )
        launch.run_trainer(config, name="complete", description="completing")
        return list(json.loads(output_path.read_bytes()))


def prompt_examples(
    name: str, *, num_examples: int = 3, prompt_tokens: int = 48, continuation_tokens: int = 48
) -> list[PromptExample]:
    """Cuts prompts from the beginnings of validation files, of different repositories if it can.

    Args:
      name: The Task's name.
      num_examples: How many.
      prompt_tokens: Tokens of a prompt.
      continuation_tokens: Tokens of the file that follow.

    Returns:
      At most `num_examples`; files shorter than prompt and continuation are left out.
    """
    # Imports TensorFlow.
    import seqio

    task = seqio.get_mixture_or_task(name)
    vocabulary = task.output_features["targets"].vocabulary
    wanted = prompt_tokens + continuation_tokens
    first_files: list[list[int]] = []
    other_files: list[list[int]] = []
    repositories = set()
    for record in task.source.get_dataset("validation", shuffle=False).as_numpy_iterator():
        ids = vocabulary.encode(record["text"].decode("utf-8"))
        if len(ids) < wanted:
            continue
        repository = record.get("repository")
        (other_files if repository in repositories else first_files).append(ids[:wanted])
        repositories.add(repository)
    return [
        PromptExample(
            prompt=vocabulary.decode(ids[:prompt_tokens]),
            continuation=vocabulary.decode(ids[prompt_tokens:]),
        )
        for ids in (first_files + other_files)[:num_examples]
    ]
