"""From a T5 of Hugging Face to a model directory that the trainer continues from.

The directory gets `model.ckpt-0`, the file `checkpoint` that names it, and `hugging_face.gin`, the
model's architecture as gin says it:

    python -m t5.models.mesh_transformer_main --model_dir=MODEL_DIR ...
      --gin_file="models/shared-prefix_lm.gin" --gin_file="MODEL_DIR/hugging_face.gin" ...

A training restores everything that its checkpoint should hold, the optimizer's variables too. So
the checkpoint holds those of Adafactor as it begins, all zeros, in the form of this repository's
gin files (`min_dim_size_to_factor = 128`). For another optimizer train in a new directory with
`run.init_checkpoint = 'MODEL_DIR/model.ckpt-0'`.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Mapping

import numpy as np

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.training import launch
from code_t5.training.checkpoints import reading
from code_t5.training.hugging_face import architecture as architectures
from code_t5.training.hugging_face import (
    fitting_vocabulary,
    sharing,
    source_model,
    weights,
)
from code_t5.training.hugging_face.architecture import Architecture, Stack

_MIN_FACTORED_SIZE = 128
# The same functions and variables as mesh-tensorflow's, quicker (`code_t5.training.stepping`).
_LAYERS = {
    architectures.SELF_ATTENTION: "code_t5.QuickSelfAttention",
    architectures.CROSS_ATTENTION: "code_t5.QuickEncDecAttention",
    architectures.FEED_FORWARD: "mesh_tensorflow.transformer.transformer_layers.DenseReluDense",
}


def import_hugging_face(
    directory: str | os.PathLike[str],
    *,
    model_dir: str | os.PathLike[str],
    task: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    check_vocabulary: bool = True,
) -> pathlib.Path:
    """Makes a model directory of a local Hugging Face T5; loads torch and TensorFlow.

    Args:
      directory: What `save_pretrained` wrote.
      model_dir: Gets the checkpoint and the gin file; must be new or empty.
      task: The Task that the model will be trained on: its vocabulary is compared with the model's
        tokenizer. None for that of the export, where `directory` is one; else nothing is compared.
      data_dir: Where the Task's data set was built; None for the environment's default.
      check_vocabulary: False takes a model whose tokenizer is another one too: its embeddings are
        then those of other tokens.

    Returns:
      The gin file.

    Raises:
      InputError: The directory holds no T5 that mesh-tensorflow can express, or the model
        directory holds something.
      NotBuiltError: The Task or its vocabulary is not there.
      VocabularyMismatchError: The Task's vocabulary is another one than the model's.
      ArtifactError: The vocabulary is damaged.
      BusyError: Another process is writing the same model directory.
    """
    source, target = pathlib.Path(directory), pathlib.Path(os.path.abspath(model_dir))
    if not source.is_dir():
        raise errors.InputError(
            f"found no directory {source}; wanted a Hugging Face T5; name the directory that "
            "save_pretrained wrote"
        )
    model, num_embeddings = source_model.read_config(source)
    trained = fitting_vocabulary.trained_on(source)
    if task is not None:
        fitting_vocabulary.check_vocabulary(
            source,
            task=task,
            data_dir=data_dir,
            num_embeddings=num_embeddings,
            only_size=not check_vocabulary,
        )
    arrays = source_model.read_weights(source, architecture=model, num_embeddings=num_embeddings)
    model = sharing.share_layers(model, arrays)
    links = weights.links(model, num_embeddings=num_embeddings)
    variables = weights.to_variables(arrays, links=links)
    name = task or (trained[0] if trained else None)
    lengths = trained[1] if trained else None
    text = gin_text(model, num_embeddings=num_embeddings, task=name, sequence_length=lengths)
    with atomic.lock(target.parent / f".{target.name}.lock", purpose="imports a model there"):
        _check_empty(target)
        atomic.remove_leftovers(target)
        with atomic.directory(target) as folder:
            _write_checkpoint(folder, variables)
            atomic.write_file(folder / architectures.IMPORTED_NAME, text.encode("utf-8"))
    return target / architectures.IMPORTED_NAME


def training_command(
    gin_file: pathlib.Path, *, data_dir: str | os.PathLike[str] | None = None
) -> str:
    """Returns the command that trains an imported model.

    Args:
      gin_file: As `import_hugging_face` returned it.
      data_dir: Where the Task's data set was built; None for the environment's default.
    """
    name = architectures.find_settings(gin_file.parent).macro("MIXTURE_NAME", default="TASK")
    config = launch.TrainerConfig(
        model_dir=gin_file.parent,
        mixture_or_task_name=name,
        data_dir=None if data_dir is None else pathlib.Path(data_dir),
        gin_files=("models/shared-prefix_lm.gin", os.fspath(gin_file)),
        gin_params=("run.train_steps = 10000",),
    )
    return launch.format_command(launch.trainer_command(config))


def _check_empty(target: pathlib.Path) -> None:
    """Refuses a model directory that holds something.

    Raises:
      InputError: It does.
    """
    if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
        raise errors.InputError(
            f"{target} is there and is not empty; wanted a new model directory, as a training goes "
            "on from what it finds; name another --model_dir"
        )


def optimizer_variables(variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the variables of Adafactor before its first step: zeros.

    A matrix whose sides both have 128 numbers or more is *factored*: of its mean squares, those of
    rows and columns are kept (Adafactor, arXiv:1804.04235, section 3).

    Args:
      variables: The model's.

    Returns:
      float32 arrays by name.
    """
    found = {}
    for name, array in variables.items():
        found[f"{name}_slot_m"] = np.zeros(array.shape, np.float32)
        sizes = sorted(range(array.ndim), key=lambda axis: -array.shape[axis])
        if array.ndim < 2 or array.shape[sizes[1]] < _MIN_FACTORED_SIZE:
            found[f"{name}_slot_v"] = np.zeros(array.shape, np.float32)
            continue
        for suffix, dropped in (("vr", sizes[0]), ("vc", sizes[1])):
            shape = [size for axis, size in enumerate(array.shape) if axis != dropped]
            found[f"{name}_slot_{suffix}"] = np.zeros(shape, np.float32)
    return found


def _write_checkpoint(folder: pathlib.Path, variables: Mapping[str, np.ndarray]) -> None:
    """Writes `model.ckpt-0` and names it in the state file."""
    import tensorflow as tf

    values = {**variables, **optimizer_variables(variables), "global_step": np.int64(0)}
    names = sorted(values)
    prefix = reading.prefix_of(folder, 0)
    # Saved under another name first, as TensorFlow leaves a folder of parts beside it.
    with tempfile.TemporaryDirectory(dir=folder) as parts:
        part = os.path.join(parts, "part")
        with tf.device("cpu"):
            tf.raw_ops.SaveV2(
                prefix=part,
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=[tf.constant(values[name]) for name in names],
            )
            tf.raw_ops.MergeV2Checkpoints(
                checkpoint_prefixes=[part], destination_prefix=os.fspath(prefix)
            )
    # Names are relative: the directory is renamed when it is whole.
    line = f'model_checkpoint_path: "{prefix.name}"\nall_model_checkpoint_paths: "{prefix.name}"\n'
    atomic.write_file(folder / reading.STATE_FILE, line.encode("ascii"))


def gin_text(
    model: Architecture,
    *,
    num_embeddings: int,
    task: str | None = None,
    sequence_length: Mapping[str, int] | None = None,
) -> str:
    """Returns the gin file of an architecture.

    Args:
      model: The architecture, without scales.
      num_embeddings: Rows of the embeddings.
      task: The Task that it is for, if known.
      sequence_length: Its lengths, if known.
    """
    activations = {word: names for names, word in architectures.FEED_FORWARDS.items()}
    names = activations[model.feed_forward].split("*")
    activation = names if len(names) > 1 else names[0]
    lines = [
        "# -*-Python-*-",
        "# The architecture of a model that scripts/import_hugging_face.py took from Hugging Face.",
        "#",
        '# Use:       after a model, such as --gin_file="models/shared-prefix_lm.gin"',
        "# Must set:  MIXTURE_NAME, if it is not below: the vocabulary must be the model's",
        "import code_t5.training.stepping.attention",
        f"d_model = {model.d_model}",
        f"d_ff = {model.d_ff}",
        f"d_kv = {model.d_kv}",
        f"num_heads = {model.num_heads}",
        f"num_layers = {model.encoder.num_blocks}",
        f"dropout_rate = {model.dropout_rate!r}",
        "utils.run.model_type = 'bitransformer'",
        f"make_bitransformer.encoder_name = {model.encoder.scope!r}",
        f"make_bitransformer.decoder_name = {model.decoder.scope!r}",
        *_stack_lines(architectures.ENCODER, model.encoder),
        *_stack_lines(architectures.DECODER, model.decoder),
        "transformer.Unitransformer.d_model = %d_model",
        "transformer.Unitransformer.positional_embedding = False",
        f"transformer.Unitransformer.shared_embedding_and_softmax_weights = {model.is_tied}",
        "# As many embeddings as the model has, whatever the size of the vocabulary below that.",
        f"transformer.Unitransformer.vocab_divisor = {num_embeddings}",
        "transformer_layers.SelfAttention.num_heads = %num_heads",
        "transformer_layers.SelfAttention.key_value_size = %d_kv",
        "transformer_layers.SelfAttention.relative_attention_type = 'bias_shared'",
        f"transformer_layers.SelfAttention.relative_attention_num_buckets = {model.num_buckets}",
        "transformer_layers.DenseReluDense.hidden_size = %d_ff",
        f"transformer_layers.DenseReluDense.activation = {activation!r}",
        f"transformer.sublayer_rms_norm.epsilon = {model.norm_epsilon!r}",
    ]
    if task is not None:
        lines.append(f"MIXTURE_NAME = {task!r}")
    if sequence_length is not None:
        lines.append(f"utils.run.sequence_length = {dict(sequence_length)!r}")
    return "\n".join(lines) + "\n"


def _stack_lines(name: str, stack: Stack) -> list[str]:
    parts = [f"    ({layer.name!r}, @{_LAYERS[layer.kind]})," for layer in stack.layers]
    return [
        f"{name}/transformer.make_layer_stack.num_layers = {stack.num_blocks}",
        f"{name}/transformer.make_layer_stack.layers = [",
        *parts,
        "]",
    ]
