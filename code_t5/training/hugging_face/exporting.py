"""From a checkpoint of the trainer to a directory that `transformers` loads.

What an export is, `opening` says; what variable becomes what weight, `weights`. The numbers are
float32, whatever the checkpoint holds. Shared layers are written once for the encoder and once for
the decoder, as Hugging Face's T5 has no shared ones. The embeddings keep the rows that pad the
vocabulary to a multiple of 128 (`vocab_size` in `config.json` counts them), so that logits are
those of the trainer; no text becomes one of these ids.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding.piece_model import EOS_ID, PAD_ID
from code_t5.storage import atomic, manifest
from code_t5.training import listed_files
from code_t5.training.checkpoints import reading
from code_t5.training.hugging_face import architecture as architectures
from code_t5.training.hugging_face import (
    opening,
    reading_settings,
    tokenizer_files,
    trained_task,
    weights,
)
from code_t5.training.hugging_face.architecture import Architecture
from code_t5.training.hugging_face.trained_task import TrainedTask

CONFIG_NAME = "config.json"
GENERATION_NAME = "generation_config.json"
# T5's, and not a parameter in mesh-tensorflow.
MAX_DISTANCE = 128


def export_hugging_face(
    model_dir: str | os.PathLike[str],
    *,
    output_dir: str | os.PathLike[str] | None = None,
    step: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> pathlib.Path:
    """Writes a checkpoint as a directory that `transformers` loads; loads TensorFlow.

    If the export is there already, and current, nothing is written.

    Args:
      model_dir: Where the trainer has trained.
      output_dir: Gets the export; None for `<model_dir>/hugging_face/step_<N>`.
      step: Of the checkpoint; None for the newest.
      data_dir: Where the model's data set was built; None for the environment's default.

    Returns:
      The export's directory.

    Raises:
      InputError: There is no such checkpoint; Hugging Face's T5 cannot express the model; or
        something else is at `output_dir`.
      NotBuiltError: The model's vocabulary is not found.
      ArtifactError: Checkpoint, configuration or vocabulary are damaged.
      BusyError: Another process is writing the same export.
    """
    wanted = reading.newest_step(model_dir) if step is None else step
    identity = opening.source_identity(model_dir, wanted)
    target = pathlib.Path(output_dir or opening.default_dir(model_dir, wanted))
    # An absolute path: its parent and its name are what they are.
    target = pathlib.Path(os.path.abspath(target))
    opening.check_replaceable(target)
    with atomic.lock(opening.lock_path(target), purpose="writes the export there"):
        atomic.remove_leftovers(target)
        if opening.is_current(target, identity):
            return target
        settings = architectures.find_settings(model_dir)
        task = trained_task.read_task(settings)
        vocabulary_dir = trained_task.find_vocabulary(
            task.name, settings=settings, data_dir=data_dir
        )
        model = reading_settings.read_architecture(settings)
        prefix = reading.checkpoint_path(model_dir, wanted)
        arrays = _read_weights(prefix, architecture=model)
        with atomic.directory(target) as folder:
            write_export(
                folder,
                arrays=arrays,
                model=model,
                task=task,
                vocabulary_dir=vocabulary_dir,
                fields={"step": wanted, **identity},
            )
    return target


def _read_weights(prefix: pathlib.Path, *, architecture: Architecture) -> dict[str, np.ndarray]:
    """Reads the weights of a checkpoint.

    Raises:
      InputError: It does not hold what its configuration says.
      ArtifactError: It is damaged.
    """
    shapes = reading.variable_shapes(prefix)
    links = weights.check_variables(shapes, architecture=architecture, place=str(prefix))
    variables = reading.read_variables(prefix)
    arrays = weights.to_weights(variables, links=links)
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise errors.InputError(
            f"{prefix} holds numbers that are none (NaN or infinite) in {', '.join(broken[:3])}; "
            "wanted a model whose training did not fail; export an earlier step"
        )
    return arrays


def write_export(
    folder: pathlib.Path,
    *,
    arrays: dict[str, np.ndarray],
    model: Architecture,
    task: TrainedTask,
    vocabulary_dir: pathlib.Path,
    fields: Mapping[str, Any],
) -> None:
    """Writes an export, its manifest last.

    Args:
      folder: An empty directory.
      arrays: The weights, float32 by Hugging Face's names.
      model: The architecture.
      task: What the model was trained on.
      vocabulary_dir: The vocabulary.
      fields: Of the manifest: `step`, `checkpoint_sha256` and `configuration_sha256`.

    Raises:
      NotBuiltError: There is no vocabulary.
      ArtifactError: The vocabulary is damaged.
      VocabularyMismatchError: It has more ids than the model.
    """
    import safetensors.numpy

    vocabulary = tokenizer_files.copy_vocabulary(vocabulary_dir, folder)
    num_embeddings = len(arrays[weights.EMBEDDING_WEIGHT])
    if vocabulary["vocab_size"] > num_embeddings:
        raise errors.VocabularyMismatchError(
            f"the vocabulary {vocabulary_dir} has {vocabulary['vocab_size']} ids and the model "
            f"{num_embeddings} embeddings; wanted the vocabulary that the model was trained with; "
            "name the --data_dir of its training"
        )
    tokenizer_files.write_tokenizer(
        folder,
        kind=vocabulary["kind"],
        add_eos=task.add_eos,
        max_tokens=task.sequence_length["inputs"],
    )
    config = model_config(model, num_embeddings=num_embeddings, num_inputs=task.sequence_length)
    tokenizer_files.write_json(folder / CONFIG_NAME, config)
    tokenizer_files.write_json(folder / GENERATION_NAME, _generation_config(task))
    safetensors.numpy.save_file(arrays, folder / opening.WEIGHTS_NAME, metadata={"format": "pt"})
    # It would be its owner's alone.
    os.chmod(folder / opening.WEIGHTS_NAME, (folder / CONFIG_NAME).stat().st_mode)
    said = {"task": task.name, "objective": task.objective, **fields}
    said.update(sequence_length=task.sequence_length, add_eos=task.add_eos)
    _write_manifest(folder, said)


def model_config(
    model: Architecture, *, num_embeddings: int, num_inputs: dict[str, int]
) -> dict[str, Any]:
    """Returns `config.json` of a model.

    Args:
      model: Its architecture.
      num_embeddings: Rows of the embeddings.
      num_inputs: Tokens of inputs and targets in training.
    """
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "vocab_size": num_embeddings,
        "d_model": model.d_model,
        "d_kv": model.d_kv,
        "d_ff": model.d_ff,
        "num_layers": model.encoder.num_blocks,
        "num_decoder_layers": model.decoder.num_blocks,
        "num_heads": model.num_heads,
        "relative_attention_num_buckets": model.num_buckets,
        "relative_attention_max_distance": MAX_DISTANCE,
        "dropout_rate": model.dropout_rate,
        "layer_norm_epsilon": model.norm_epsilon,
        "initializer_factor": 1.0,
        "feed_forward_proj": model.feed_forward,
        "is_encoder_decoder": True,
        "use_cache": True,
        "tie_word_embeddings": model.is_tied,
        "pad_token_id": PAD_ID,
        "eos_token_id": EOS_ID,
        "decoder_start_token_id": PAD_ID,
        "n_positions": num_inputs["inputs"],
        "torch_dtype": "float32",
    }


def _generation_config(task: TrainedTask) -> dict[str, Any]:
    return {
        "pad_token_id": PAD_ID,
        "eos_token_id": EOS_ID,
        "decoder_start_token_id": PAD_ID,
        "max_new_tokens": task.sequence_length["targets"],
    }


def _write_manifest(folder: pathlib.Path, fields: dict[str, Any]) -> None:
    manifest.write_manifest(
        folder,
        {
            "format_name": opening.FORMAT_NAME,
            "format_version": opening.FORMAT_VERSION,
            "files": listed_files.list_files(folder),
            **fields,
        },
    )
