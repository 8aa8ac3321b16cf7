"""Reads a T5 from a local directory of Hugging Face: its architecture and its weights.

The directory may be of somebody else: settings are JSON of bounded size, weights are taken from
safetensors files, or from `pytorch_model.bin` with torch's reader that makes nothing but tensors.
Neither kind of file may stand for much more numbers than it has bytes.
"""

from __future__ import annotations

import json
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5 import errors, library_errors
from code_t5.training.hugging_face import architecture as architectures
from code_t5.training.hugging_face import weights
from code_t5.training.hugging_face.architecture import Architecture, Layer, Stack
from code_t5.training.hugging_face.exporting import CONFIG_NAME, MAX_DISTANCE

SAFE_NAME, TORCH_NAME = "model.safetensors", "pytorch_model.bin"
_MAX_JSON_BYTES = 16 << 20
# torch stores weights that have several names once; the embeddings of a T5 have four.
_MAX_NAMES_OF_A_WEIGHT = 4
_MODEL_TYPES = ("t5", "mt5")
# Numbers of an architecture: Hugging Face's name, its default, and the most that is believed.
_NUMBERS = {
    "vocab_size": (32128, 1 << 24),
    "d_model": (512, 1 << 17),
    "d_kv": (64, 1 << 14),
    "d_ff": (2048, 1 << 20),
    "num_layers": (6, 1000),
    "num_heads": (8, 1 << 12),
    "relative_attention_num_buckets": (32, 1 << 12),
}
# Names of the embeddings beside their first.
_ALIASES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
# In T5's first files; neither library uses it.
_UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
_SEPARATE = {
    architectures.ENCODER: ("layer_000", "layer_001"),
    architectures.DECODER: ("layer_000", "layer_001", "layer_002"),
}


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns the JSON object in a file of at most 16 MiB.

    Args:
      path: The file.

    Raises:
      InputError: It is missing, too large, or holds something else.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_JSON_BYTES + 1)
        found = json.loads(data) if len(data) <= _MAX_JSON_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise errors.InputError(
            f"cannot read {path}: {library_errors.one_line(error)}; wanted a JSON file of a "
            "Hugging Face T5; name the directory that save_pretrained wrote"
        ) from error
    if not isinstance(found, dict):
        raise errors.InputError(
            f"{path} holds no JSON object of at most {_MAX_JSON_BYTES} bytes; wanted the settings "
            "of a Hugging Face T5; name the directory that save_pretrained wrote"
        )
    return found


def _refuse(folder: pathlib.Path, *, found: str, wanted: str) -> errors.InputError:
    return errors.InputError(
        f"{folder / CONFIG_NAME} says {found}; wanted {wanted}: mesh-tensorflow's T5 has nothing "
        "else; import another model"
    )


def read_config(folder: pathlib.Path) -> tuple[Architecture, int]:
    """Reads `config.json`.

    Args:
      folder: The model's directory.

    Returns:
      The architecture with separate encoder and decoder, and the rows of the embeddings.

    Raises:
      InputError: There is none, or mesh-tensorflow cannot express it.
    """
    config = read_json(folder / CONFIG_NAME)
    if config.get("model_type") not in _MODEL_TYPES:
        raise _refuse(
            folder,
            found=f"model_type {config.get('model_type')!r}",
            wanted=f"one of {_MODEL_TYPES}",
        )
    number = {name: _number(folder, config, name) for name in _NUMBERS}
    num_decoder_layers = config.get("num_decoder_layers")
    if num_decoder_layers is not None:
        config["num_layers"] = num_decoder_layers
        num_decoder_layers = _number(folder, config, "num_layers")
    word = config.get("feed_forward_proj", "relu")
    if word not in architectures.FEED_FORWARDS.values():
        raise _refuse(
            folder,
            found=f"feed_forward_proj {word!r}",
            wanted=f"one of {sorted(architectures.FEED_FORWARDS.values())}",
        )
    distance = config.get("relative_attention_max_distance", MAX_DISTANCE)
    if distance != MAX_DISTANCE:
        raise _refuse(
            folder, found=f"relative_attention_max_distance {distance!r}", wanted=str(MAX_DISTANCE)
        )
    stacks = {
        name: Stack(scope=name, num_blocks=num_blocks, layers=_separate_layers(name))
        for name, num_blocks in (
            (architectures.ENCODER, number["num_layers"]),
            (architectures.DECODER, num_decoder_layers or number["num_layers"]),
        )
    }
    found = Architecture(
        encoder=stacks[architectures.ENCODER],
        decoder=stacks[architectures.DECODER],
        d_model=number["d_model"],
        d_kv=number["d_kv"],
        d_ff=number["d_ff"],
        num_heads=number["num_heads"],
        num_buckets=number["relative_attention_num_buckets"],
        feed_forward=word,
        is_tied=config.get("tie_word_embeddings", True) is not False,
        dropout_rate=_rate(folder, config, "dropout_rate", default=0.1),
        norm_epsilon=_rate(folder, config, "layer_norm_epsilon", default=1e-6),
    )
    return found, number["vocab_size"]


def _separate_layers(stack_name: str) -> tuple[Layer, ...]:
    return tuple(map(Layer, architectures.LAYERS[stack_name], _SEPARATE[stack_name]))


def _number(folder: pathlib.Path, config: dict[str, Any], name: str) -> int:
    """Returns a whole number of the settings.

    Raises:
      InputError: It is none, or not believable.
    """
    default, most = _NUMBERS[name]
    value = config.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise _refuse(folder, found=f"{name} {value!r}", wanted=f"a whole number from 1 to {most}")
    return value


def _rate(folder: pathlib.Path, config: dict[str, Any], name: str, *, default: float) -> float:
    """Returns a share of the settings.

    Raises:
      InputError: It is none.
    """
    value = config.get(name, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
        raise _refuse(folder, found=f"{name} {value!r}", wanted="a number from 0 to less than 1")
    return float(value)


def read_weights(
    folder: pathlib.Path, *, architecture: Architecture, num_embeddings: int
) -> dict[str, np.ndarray]:
    """Reads the weights.

    Args:
      folder: The model's directory.
      architecture: As `read_config` returned it.
      num_embeddings: The same.

    Returns:
      float32 arrays by name, each of the shape that the architecture asks for; of names for the
      same weight the first.

    Raises:
      InputError: Files or weights are missing, damaged or of other shapes.
    """
    found: dict[str, np.ndarray] = {}
    for path in _weight_files(folder):
        found.update(_read_file(path))
    first = found.get(weights.EMBEDDING_WEIGHT)
    for alias in _ALIASES:
        other = found.pop(alias, None)
        if first is None:
            first = other
        elif other is not None and not np.array_equal(first, other):
            raise errors.InputError(
                f"{folder} has other weights in {alias} than in {weights.EMBEDDING_WEIGHT}; wanted "
                "one table of embeddings, as T5 has; import another model"
            )
    if first is not None:
        found[weights.EMBEDDING_WEIGHT] = first
    found.pop(_UNUSED, None)
    if architecture.is_tied:
        # A copy of the embeddings, which from_pretrained would put in its place too.
        found.pop(weights.OUTPUT_WEIGHT, None)
    _check_shapes(folder, found, weights.links(architecture, num_embeddings=num_embeddings))
    return found


def _check_shapes(
    folder: pathlib.Path, found: dict[str, np.ndarray], links: list[weights.Link]
) -> None:
    """Compares weights with what an architecture asks for.

    Raises:
      InputError: One is missing, of another shape, or not asked for.
    """
    for link in links:
        shape = found[link.weight].shape if link.weight in found else None
        if shape != link.shape:
            raise errors.InputError(
                f"{folder} holds {link.weight} {'not at all' if shape is None else list(shape)}; "
                f"wanted {list(link.shape)}, as {CONFIG_NAME} says; take weights and settings of "
                "one model"
            )
    unknown = sorted(set(found) - {link.weight for link in links})
    if unknown:
        names = ", ".join(map(ascii, unknown[:3]))
        raise errors.InputError(
            f"{folder} holds {names}, {len(unknown)} weights in all that mesh-tensorflow's T5 has "
            "not; wanted a plain T5; import another model"
        )


def _weight_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files that hold the weights.

    Raises:
      InputError: There are none, or a list of them names one outside of the directory.
    """
    for name in (SAFE_NAME, TORCH_NAME):
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if not index.is_file():
            continue
        table = read_json(index).get("weight_map")
        names = sorted(set(map(str, table.values()))) if isinstance(table, dict) else []
        outside = [one for one in names if os.path.basename(one) != one or one in ("", ".", "..")]
        if outside or not names:
            raise errors.InputError(
                f"{index} lists {outside[:1] or 'nothing'}; wanted names of files beside it; name "
                "the directory that save_pretrained wrote"
            )
        return [folder / one for one in names]
    raise errors.InputError(
        f"found neither {SAFE_NAME} nor {TORCH_NAME} in {folder}; wanted the weights of a Hugging "
        "Face T5; name the directory that save_pretrained wrote"
    )


def _read_file(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads one file of weights.

    Raises:
      InputError: It is damaged, or holds something else than floating-point tensors.
    """
    import safetensors.torch
    import torch

    try:
        if path.suffix == ".safetensors":
            tensors = safetensors.torch.load_file(path)
        else:
            _check_packed(path)
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        _check_tensors(tensors, num_bytes=path.stat().st_size)
        return {name: tensor.to(torch.float32).numpy() for name, tensor in tensors.items()}
    # Both readers raise what they please on a damaged file.
    except Exception as error:
        raise errors.InputError(
            f"cannot read {path}: {library_errors.one_line(error)}; wanted weights that "
            "save_pretrained wrote; fetch the file again"
        ) from error


def _check_packed(path: pathlib.Path) -> None:
    """Looks into an archive before torch unpacks it; torch itself packs nothing.

    Raises:
      ValueError: It would become larger than it is.
    """
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return
    with zipfile.ZipFile(path) as archive:
        num_bytes = sum(entry.file_size for entry in archive.infolist())
    if num_bytes > path.stat().st_size:
        raise ValueError(f"it unpacks to {num_bytes} bytes, which are more than it has")


def _check_tensors(tensors: Mapping[Any, Any], *, num_bytes: int) -> None:
    """Looks at what a file of so many bytes holds before it is copied.

    Raises:
      ValueError: It is not tensors of floating-point numbers by name, or more than the file holds.
    """
    import torch

    for name, tensor in tensors.items():
        is_one = isinstance(name, str) and isinstance(tensor, torch.Tensor)
        if not (is_one and tensor.is_floating_point()):
            raise ValueError(f"{name!a} is no tensor of floating-point numbers")
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if total > _MAX_NAMES_OF_A_WEIGHT * num_bytes:
        raise ValueError(f"it stands for {total} bytes of numbers, which are more than it has")
