"""Finds the T5 that a teacher is: a checkpoint of the trainer, or a directory of Hugging Face.

A checkpoint is asked through its export (`code_t5.training.hugging_face`), which is made where
there is none yet. A *size* is a name for a width and a number of blocks, as in the trainer's
configurations. A *foreign* directory is one that code_t5 has not written: what it was trained on
is not known, and its vocabulary is compared by its tokenizer.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding import token_model
from code_t5.storage import fingerprints, prepared
from code_t5.training.checkpoints import reading
from code_t5.training.completing import loading
from code_t5.training.hugging_face import fitting_vocabulary, opening, source_model
from code_t5.training.hugging_face.architecture import Architecture
from code_t5.training.hugging_face.opening import HuggingFaceExport
from code_t5.training.teachers import t5_inputs
from code_t5.training.teachers.t5_inputs import TaskInputs

DEFAULT_TASK = "dev_python_prefix_lm"
# Width and blocks of the encoder, and of the decoder: models/shared_<size>.gin.
SIZES = {"dev": (128, 2), "small": (512, 6)}
# Of a foreign directory.
_DEFAULT_LENGTH = 512
_MAX_LENGTH = 1 << 15


@dataclasses.dataclass(frozen=True)
class T5Source:
    """A T5 and the Task that it is asked about.

    Attributes:
      directory: Of the weights.
      step: Training steps of its checkpoint; None if that is not known.
      architecture: Its sizes.
      num_embeddings: Rows of its embeddings.
      lengths: Most tokens of `inputs` and `targets`.
      inputs: The Task's examples.
      vocabulary_dir: The Task's vocabulary.
    """

    directory: pathlib.Path
    step: int | None
    architecture: Architecture
    num_embeddings: int
    lengths: Mapping[str, int]
    inputs: TaskInputs
    vocabulary_dir: pathlib.Path

    def describe(self) -> dict[str, Any]:
        """Returns sizes and a hash of the weights, as JSON values; reads the weights.

        Raises:
          InputError: Weights are missing, damaged or of other shapes.
        """
        one = self.architecture
        arrays = source_model.read_weights(
            self.directory, architecture=one, num_embeddings=self.num_embeddings
        )
        names = ("d_model", "d_kv", "d_ff", "num_heads", "num_buckets", "feed_forward", "is_tied")
        return {
            "weights_sha256": hash_weights(arrays),
            "architecture": {
                **{name: getattr(one, name) for name in (*names, "norm_epsilon")},
                "num_encoder_blocks": one.encoder.num_blocks,
                "num_decoder_blocks": one.decoder.num_blocks,
                "num_embeddings": self.num_embeddings,
            },
            "step": self.step,
        }

    def load(self) -> Any:
        """Returns the `transformers.T5ForConditionalGeneration`, in float32.

        Raises:
          ArtifactError: Settings, weights and vocabulary do not fit each other, or are damaged.
        """
        export = _as_export(self.directory, lengths=self.lengths, vocabulary=self.vocabulary_dir)
        vocabulary = token_model.load_token_model(self.vocabulary_dir)
        return loading.load_model(export, vocabulary=vocabulary)


def hash_weights(arrays: Mapping[str, np.ndarray]) -> str:
    """Returns a hash of names, shapes and values, whatever files they come from.

    Args:
      arrays: float32, by name.
    """
    return fingerprints.hash_json(
        {
            name: [list(array.shape), fingerprints.hash_bytes(array.astype("<f4").tobytes())]
            for name, array in sorted(arrays.items())
        }
    )


def open_source(name: str, *, settings: Mapping[str, Any]) -> T5Source:
    """Finds the T5 of a teacher and the Task that it is asked about.

    Args:
      name: Of the teacher: `t5_<size>_<kind>`.
      settings: `model_dir` or `hf_dir`, `step`, `data_dir`, `task_cache_dir`, `task`,
        `inputs_length`, `targets_length`; None for a default.

    Returns:
      What was found; the weights are not read yet.

    Raises:
      InputError: Settings do not fit together, or the model is of another size.
      NotBuiltError: There is no model, or the Task's data set is not built.
      VocabularyMismatchError: The Task's vocabulary is not the model's.
      ArtifactError: Something of it is damaged.
    """
    size = name.split("_")[1]
    data_dir = _data_dir(settings)
    found = _open_model(size, settings=settings)
    architecture, num_embeddings = source_model.read_config(found.directory)
    _check_size(name, size=size, directory=found.directory, architecture=architecture)
    task = settings["task"] or found.task or DEFAULT_TASK
    fitting_vocabulary.check_vocabulary(
        found.directory,
        task=task,
        num_embeddings=num_embeddings,
        data_dir=data_dir,
        mend="give the --task and --data_dir that the model was trained with",
    )
    lengths = {
        feature: _length(settings, f"{feature}_length", default=default)
        for feature, default in found.sequence_length.items()
    }
    inputs = t5_inputs.open_task(
        task,
        data_dir=data_dir,
        lengths=lengths,
        objective=found.objective if task == found.task else None,
        task_cache_dir=_expanded(settings["task_cache_dir"]),
    )
    return T5Source(
        directory=found.directory,
        step=None if found.step < 0 else found.step,
        architecture=architecture,
        num_embeddings=num_embeddings,
        lengths=lengths,
        inputs=inputs,
        vocabulary_dir=inputs.vocabulary_dir,
    )


def _expanded(path: str | None) -> str | None:
    return None if path is None else os.path.expanduser(path)


def _length(settings: Mapping[str, Any], name: str, *, default: int) -> int:
    """Returns a length.

    Raises:
      InputError: It does not do.
    """
    value: int = default if settings[name] is None else settings[name]
    if not 1 <= value <= _MAX_LENGTH:
        raise errors.InputError(
            f"--{name} is {value}; wanted 1 to {_MAX_LENGTH} tokens; give such a number"
        )
    return value


def _data_dir(settings: Mapping[str, Any]) -> str:
    return os.path.expanduser(settings["data_dir"] or prepared.find_data_dir())


def settle_model(size: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that say which model is meant, the newest checkpoint by its step.

    Args:
      size: By which a model directory is named.
      settings: As of `open_source`.

    Returns:
      `model_dir`, `hf_dir` and `step`.

    Raises:
      InputError: Settings do not fit together, or there is no checkpoint.
      NotBuiltError: There is no model.
      ArtifactError: The checkpoints' list is damaged.
    """
    hf_dir, model_dir = _expanded(settings["hf_dir"]), _expanded(settings["model_dir"])
    if hf_dir is not None:
        for name in ("model_dir", "step"):
            if settings[name] is not None:
                raise errors.InputError(
                    f"--{name} was given with --hf_dir, which is one model; wanted either --hf_dir "
                    f"or --model_dir; leave --{name} out"
                )
        if not os.path.isdir(hf_dir):
            raise errors.NotBuiltError(
                f"there is no directory {hf_dir}; wanted a T5 that save_pretrained or "
                "scripts/export.py wrote; give its directory as --hf_dir"
            )
        return {"hf_dir": os.path.abspath(hf_dir), "model_dir": None, "step": None}
    task, data_dir = settings["task"] or DEFAULT_TASK, _data_dir(settings)
    if model_dir is None:
        model_dir = os.path.join(data_dir, "models", f"{task.replace('/', '_')}-{size}")
    if not os.path.isdir(model_dir):
        raise errors.NotBuiltError(
            f"there is no model directory {model_dir}; wanted one that the trainer has trained "
            f"in; run: scripts/train.sh {task} {size} cpu_1 --data_dir {data_dir}, or give "
            "--model_dir or --hf_dir"
        )
    step = reading.newest_step(model_dir) if settings["step"] is None else settings["step"]
    return {"hf_dir": None, "model_dir": os.path.abspath(model_dir), "step": step}


def _open_model(size: str, *, settings: Mapping[str, Any]) -> HuggingFaceExport:
    """Opens the model; a foreign one has the step -1 and no Task.

    Raises:
      InputError: Settings do not fit together, or there is no such checkpoint.
      NotBuiltError: There is no model.
      ArtifactError: It is damaged.
    """
    chosen = settle_model(size, settings)
    if chosen["hf_dir"] is None:
        return opening.latest_export(
            chosen["model_dir"], data_dir=_data_dir(settings), step=chosen["step"]
        )
    folder = pathlib.Path(chosen["hf_dir"])
    if fitting_vocabulary.trained_on(folder) is not None:
        return opening.open_export(folder)
    lengths = dict.fromkeys(("inputs", "targets"), _DEFAULT_LENGTH)
    return _as_export(folder, lengths=lengths, vocabulary=folder)


def _as_export(
    folder: pathlib.Path, *, lengths: Mapping[str, int], vocabulary: pathlib.Path
) -> HuggingFaceExport:
    """Returns a directory of Hugging Face as if it were an export."""
    return HuggingFaceExport(
        directory=folder,
        step=-1,
        task="",
        objective=None,
        sequence_length=dict(lengths),
        add_eos=True,
        vocabulary_dir=vocabulary,
        checkpoint_sha256="",
        fingerprint="",
    )


def _check_size(
    name: str, *, size: str, directory: pathlib.Path, architecture: Architecture
) -> None:
    """Compares the model with what a teacher's name says.

    Raises:
      InputError: It is of another size.
    """
    found = (
        architecture.d_model,
        architecture.encoder.num_blocks,
        architecture.decoder.num_blocks,
    )
    width, num_blocks = SIZES[size]
    if found != (width, num_blocks, num_blocks):
        raise errors.InputError(
            f"the model {directory} has d_model {found[0]} and {found[1]} + {found[2]} layers; "
            f"{name} wanted d_model {width} and {num_blocks} + {num_blocks}, the size {size}; give "
            "another model, or the teacher of its size"
        )
