"""Writes a trained model as a SavedModel, through the trainer.

The trainer runs as a child process with `runs/export.gin`, so it takes its start-up time and leaves
this process as it was. `code_t5.training.saved_model.exported` says what an export is.
"""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib

from code_t5 import errors
from code_t5.training import gin_statements, launch
from code_t5.training.checkpoints import reading
from code_t5.training.hugging_face import architecture, trained_task
from code_t5.training.saved_model import exported

FOLDER = "saved_model"


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """What an export is to do; its graph can do nothing else.

    Attributes:
      name: The model's, under which a server serves it.
      max_prompt_tokens: Most tokens of a prompt; None for as many as the model was trained on.
      max_new_tokens: Most tokens of a candidate.
      num_candidates: Per prompt: of a beam search as wide, or drawn.
      batch_size: Most prompts at once; fewer will do.
      temperature: 0 for a beam search (with one candidate: the likeliest token every time); 1 draws
        as the model predicts.
      top_k: Draw among so many of the likeliest tokens; 0 for all.
      stop_at_newline: Whether a token that holds a line feed ends a candidate.
    """

    name: str = "code_t5"
    max_prompt_tokens: int | None = None
    max_new_tokens: int = 64
    num_candidates: int = 1
    batch_size: int = 4
    temperature: float = 0.0
    top_k: int = 0
    stop_at_newline: bool = False

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          InputError: One does not do.
        """
        exported.check_name(self.name)
        lengths = (self.max_prompt_tokens or 1, self.max_new_tokens)
        counts = (*lengths, self.num_candidates, self.batch_size)
        if not all(1 <= count <= exported.MAX_COUNT for count in counts):
            raise errors.InputError(
                f"found max_prompt_tokens {lengths[0]}, max_new_tokens {lengths[1]}, "
                f"num_candidates {self.num_candidates} and batch_size {self.batch_size}; wanted "
                f"numbers from 1 to {exported.MAX_COUNT}; give others"
            )
        num_ids = self.batch_size * self.num_candidates * self.max_new_tokens
        num_read = self.batch_size * lengths[0]
        if max(num_ids, num_read) > exported.MAX_IDS:
            raise errors.InputError(
                f"found batch_size {self.batch_size}, num_candidates {self.num_candidates}, "
                f"max_new_tokens {self.max_new_tokens} and max_prompt_tokens {lengths[0]}, which "
                f"are {max(num_ids, num_read)} ids at once; wanted at most {exported.MAX_IDS}; "
                "give smaller numbers"
            )
        is_drawn = math.isfinite(self.temperature) and self.temperature > 0
        if not (is_drawn and self.top_k >= 0) and (self.temperature != 0 or self.top_k != 0):
            raise errors.InputError(
                f"found temperature {self.temperature} and top_k {self.top_k}; wanted both 0 to "
                "search, or a temperature above 0 to draw; give others"
            )


def trainer_config(
    model_dir: pathlib.Path,
    *,
    config: ExportConfig,
    output_dir: pathlib.Path,
    step: int,
    data_dir: pathlib.Path | None = None,
    module_imports: tuple[str, ...] = ("code_t5",),
) -> launch.TrainerConfig:
    """Returns the run of the trainer that writes an export.

    Args:
      model_dir: The model directory.
      config: What the export is to do.
      output_dir: The folder of the model's versions.
      step: Of the checkpoint.
      data_dir: Where the data set was built; None for the environment's default.
      module_imports: Modules that register the Task.

    Returns:
      What to give to `launch.run_trainer`.

    Raises:
      InputError: The directory holds no trained model, or its configuration imports what nobody
        has asked for.
      ArtifactError: Its configuration is damaged.
    """
    settings = architecture.find_settings(model_dir)
    config_path = gin_statements.check_imports(settings.path, module_imports=module_imports)
    task = trained_task.read_task(settings)
    bindings = {
        "EXPORT_DIR": str(output_dir),
        "MAX_PROMPT_TOKENS": config.max_prompt_tokens or task.sequence_length["inputs"],
        "MAX_NEW_TOKENS": config.max_new_tokens,
        "NUM_CANDIDATES": config.num_candidates,
        "EXPORT_BATCH_SIZE": config.batch_size,
        "STOP_AT_NEWLINE": config.stop_at_newline,
        "predict_candidates.temperature": config.temperature,
        "predict_candidates.top_k": config.top_k,
        "infer_checkpoint_step": step,
    }
    return launch.TrainerConfig(
        model_dir=model_dir,
        mixture_or_task_name=task.name,
        data_dir=data_dir,
        gin_files=(str(config_path), "runs/export.gin"),
        gin_params=tuple(f"{name} = {value!r}" for name, value in bindings.items()),
        module_imports=module_imports,
    )


def export_saved_model(
    model_dir: str | os.PathLike[str],
    *,
    config: ExportConfig | None = None,
    output_dir: str | os.PathLike[str] | None = None,
    step: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    module_imports: tuple[str, ...] = ("code_t5",),
) -> pathlib.Path:
    """Writes a checkpoint as `<output_dir>/<name>/<step>`, by the trainer in a child process.

    An export of the same name and step is replaced, at once and by a whole one.

    Args:
      model_dir: The model directory.
      config: What the export is to do; None for the defaults.
      output_dir: Gets the folder `<name>`; None for `saved_model` in the model directory.
      step: Of the checkpoint; None for the newest.
      data_dir: Where the data set was built; None for the environment's default.
      module_imports: Modules that register the Task.

    Returns:
      The export, `<output_dir>/<name>/<step>`.

    Raises:
      InputError: There is no such checkpoint, or something else is at the export's place.
      ArtifactError: The checkpoint or the configuration is damaged.
      NotBuiltError: The data set that the model was trained on, or its vocabulary, is not there.
      BusyError: Another run works in the model directory.
      TrainerError: The trainer failed.
    """
    config = config or ExportConfig()
    folder = pathlib.Path(os.path.abspath(model_dir))
    step = reading.newest_step(folder) if step is None else step
    reading.checkpoint_path(folder, step)
    parent = folder / FOLDER if output_dir is None else pathlib.Path(os.path.abspath(output_dir))
    version_dir = parent / config.name / str(step)
    exported.check_replaceable(version_dir)
    _check_data(folder, data_dir=data_dir, module_imports=module_imports)
    run = trainer_config(
        folder,
        config=config,
        output_dir=version_dir.parent,
        step=step,
        data_dir=None if data_dir is None else pathlib.Path(data_dir),
        module_imports=module_imports,
    )
    launch.run_trainer(run, name="export", description="exporting")
    exported.read_info(version_dir)
    return version_dir


def _check_data(
    model_dir: pathlib.Path,
    *,
    data_dir: str | os.PathLike[str] | None,
    module_imports: tuple[str, ...],
) -> None:
    """Looks for the Task's vocabulary before the trainer is started, which takes its time.

    Raises:
      InputError: The directory holds no trained model.
      NotBuiltError: The data set or its vocabulary is not there.
      ArtifactError: The configuration is damaged.
    """
    if module_imports != ("code_t5",):
        # Somebody else's modules may register a Task that is not found among built data sets.
        return
    settings = architecture.find_settings(model_dir)
    name = trained_task.read_task(settings).name
    trained_task.find_vocabulary(name, settings=settings, data_dir=data_dir)
