"""What is evaluated: checkpoints of a model, and the Task and data set they are measured on.

Nothing here needs TensorFlow. A model may be measured on another data set than it was trained on,
if that is encoded with the model's vocabulary; baselines are counted on the training split of the
model's own data set then, as they may know no more than the model.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, NamedTuple

from code_t5 import errors
from code_t5.data import objectives
from code_t5.encoding import piece_model
from code_t5.storage import fingerprints, prepared
from code_t5.training.checkpoints import reading, vocabulary_record
from code_t5.training.hugging_face import architecture, trained_task
from code_t5.training.hugging_face.gin_settings import GinSettings

NEWEST, ALL = "newest", "all"
# What says how large a model is, as gin_configs/models has it.
_SIZES = ("d_model", "d_ff", "d_kv", "num_heads", "num_layers")


class Subject(NamedTuple):
    """What is evaluated.

    Attributes:
      task: Name of the Task.
      dataset: That it reads, built.
      trained_on: Name of the Task or Mixture of the training; None if nothing says so.
      counted: The data set whose training split baselines count: the model's own, or `dataset`
        where that is none, or several.
      model: For the results: `trained_on`, `sequence_length` and the sizes, as far as is known.
    """

    task: str
    dataset: prepared.PreparedDataset
    trained_on: str | None
    counted: prepared.PreparedDataset
    model: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class _Vocabulary:
    fingerprint: str


def find_subject(
    model_dir: pathlib.Path, *, data_dir: pathlib.Path | None = None, task: str | None = None
) -> Subject:
    """Returns what is evaluated.

    Args:
      model_dir: The model directory.
      data_dir: Where the data set was built; None for the environment's default.
      task: Name of the Task; None for the model's own.

    Returns:
      Model, Task and data sets, which belong together.

    Raises:
      InputError: It is not a Task of a prepared data set, or the model directory holds no model.
      NotBuiltError: A data set is not built.
      ArtifactError: A data set, or the model's configuration, is damaged.
      VocabularyMismatchError: The data set has another vocabulary than the model.
    """
    settings = architecture.find_settings(model_dir)
    trained_on = settings.macro("MIXTURE_NAME")
    trained_on = trained_on if isinstance(trained_on, str) else None
    name = task or trained_task.read_task(settings).name
    folder = str(data_dir) if data_dir else prepared.find_data_dir()
    table = prepared.task_table(prepared.known_datasets(folder), objectives.OBJECTIVES)
    if name not in table:
        built = [dataset.name for dataset in prepared.list_datasets(folder)]
        raise errors.InputError(
            f"{name} is no Task of a data set under {folder}, which holds "
            f"{', '.join(built) or 'none'}; wanted one to evaluate on; give --task, for example "
            f"--task={(built or ['NAME'])[0]}_{objectives.LineCompletion.name}, and --data_dir"
        )
    dataset = table[name][0]
    _check_vocabulary(model_dir, dataset, settings=settings, trained_on=trained_on)
    own = table[trained_on][0] if trained_on in table else dataset
    counted = own if own.is_built else dataset
    return Subject(name, dataset, trained_on, counted, _facts(settings, trained_on))


def _facts(settings: GinSettings, trained_on: str | None) -> dict[str, Any]:
    """Returns what results say of the model; null for what the configuration does not say."""
    lengths = settings.get("run.sequence_length")
    given = lengths if isinstance(lengths, dict) else {}
    sizes = {size: _number(settings.macro(size)) for size in _SIZES}
    by_feature = {name: _number(given.get(name)) for name in trained_task.FEATURES}
    return {"trained_on": trained_on, "sequence_length": by_feature, **sizes}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _check_vocabulary(
    model_dir: pathlib.Path,
    dataset: prepared.PreparedDataset,
    *,
    settings: GinSettings,
    trained_on: str | None,
) -> None:
    """Refuses a data set whose ids mean other pieces than the model was trained with.

    Raises:
      NotBuiltError: One of the data sets is not built.
      ArtifactError: It is damaged.
      InputError: The model's vocabulary is none of code_t5.
      VocabularyMismatchError: The data set has another vocabulary.
    """
    found = dataset.read_manifest()["vocabulary_fingerprint"]
    if (model_dir / vocabulary_record.FILE_NAME).is_file():
        vocabulary_record.check(model_dir, vocabulary=_Vocabulary(found), has_checkpoint=True)
    elif trained_on is not None:
        place = trained_task.find_vocabulary(
            trained_on, settings=settings, data_dir=dataset.data_dir
        )
        wanted = piece_model.read_vocabulary_manifest(place)["fingerprint"]
        if wanted != found:
            raise errors.VocabularyMismatchError(
                f"{dataset.name} has the vocabulary {found[:16]}; wanted {wanted[:16]}, which the "
                f"model in {model_dir} was trained with ({trained_on}); name a --task of a data "
                "set that was built with that vocabulary"
            )


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


def checkpoint_fingerprint(model_dir: pathlib.Path, step: int) -> str:
    """Returns the hash of a checkpoint: of its index, which holds checksums of all its numbers."""
    prefix = reading.checkpoint_path(model_dir, step)
    return fingerprints.hash_file(f"{prefix}.index")
