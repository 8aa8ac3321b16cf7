"""Reads out of gin what a run of the trainer is about to do, as far as devices go.

Import this module only in a trainer's process: it imports gin and mesh-tensorflow.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

import gin
import mesh_tensorflow as mtf
import t5
from mesh_tensorflow.transformer import utils as mesh_utils

from code_t5 import errors, library_errors
from code_t5.training.devices import gin_sources, meshes

_RUN = "mesh_tensorflow.transformer.utils.run"
_DTYPES = ("get_variable_dtype.activation_dtype", "get_variable_dtype.slice_dtype")
# Layer and parameter -> the dimension of tensors that it is the size of.
_SIZES = {
    ("SelfAttention", "num_heads"): "heads",
    ("EncDecAttention", "num_heads"): "heads",
    ("DenseReluDense", "hidden_size"): "d_ff",
}
_VOCAB_DIVISOR = 128
_SPLIT_NAMES = ("batch", "outer_batch", "heads", "d_ff", "vocab")

# What gin holds: (scope, name of the configurable) -> its parameters.
Config = Mapping[tuple[str, str], Mapping[str, Any]]


def parameter(name: str, default: Any = None) -> Any:
    """Returns the value of a parameter; macros are looked up and references called.

    Args:
      name: Such as `utils.run.mode`.
      default: For a parameter that nothing sets.
    """
    try:
        value = gin.query_parameter(name)
    except ValueError:
        return default
    # A copy is how gin itself turns references into values.
    return copy.deepcopy(value)


def read_plan(config: Config) -> meshes.RunPlan:
    """Returns what `utils.run` is about to do.

    Args:
      config: gin's, with everything parsed.

    Raises:
      InputError: The mesh, its devices or the layout cannot be read.
    """
    shape, layout = _read_mesh()
    mesh = tuple((dimension.name, dimension.size) for dimension in shape.dims)
    splits = {
        name: mtf.tensor_dim_to_mesh_dim_size(layout, shape, mtf.Dimension(name, 0))
        for name in _SPLIT_NAMES
    }
    used = {mesh_name for _, mesh_name in layout._pairs}
    batch_size = parameter(f"{_RUN}.batch_size", ("tokens_per_replica", 2048))
    return meshes.RunPlan(
        mode=parameter(f"{_RUN}.mode", "train"),
        mesh=mesh,
        devices=_devices(),
        splits=splits,
        unused=tuple(name for name, size in mesh if size > 1 and name not in used),
        batch_size=tuple(batch_size) if isinstance(batch_size, list) else batch_size,
        sequence_length=_sequence_length(),
        microbatch_tokens=parameter("serialize_num_microbatches.tokens_per_microbatch_per_replica"),
        sizes=_model_sizes(config),
    )


def _read_mesh() -> tuple[mtf.Shape, mtf.LayoutRules]:
    try:
        shape = mtf.convert_to_shape(parameter(f"{_RUN}.mesh_shape"))
    except Exception as error:
        raise errors.InputError(
            f"utils.run.mesh_shape is not set, or to no mesh ({_first_line(error)}); wanted one "
            "such as 'model:1,batch:2' with its devices; take "
            '--gin_file="meshes/any_1.gin" or another file of meshes/'
        ) from error
    if shape is None:
        raise errors.InputError(
            "utils.run.mesh_shape is None; wanted a mesh such as 'model:1,batch:2'; take "
            '--gin_file="meshes/any_1.gin" or another file of meshes/'
        )
    try:
        return shape, mtf.convert_to_layout_rules(parameter(f"{_RUN}.layout_rules", ""))
    except Exception as error:
        raise errors.InputError(
            f"utils.run.layout_rules cannot be read ({_first_line(error)}); wanted pairs such as "
            "'batch:batch,heads:model'; leave it as it is by default"
        ) from error


def _devices() -> tuple[str, ...] | None:
    names = parameter(f"{_RUN}.mesh_devices")
    if names is None:
        return None
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        return tuple(names)
    raise errors.InputError(
        f"utils.run.mesh_devices is {names!r}; wanted a list of names such as ['gpu:0', 'gpu:1']; "
        "set it, or take a file of meshes/"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return library_errors.one_line(ValueError(lines[0])) if lines else type(error).__name__


def _sequence_length() -> dict[str, int] | None:
    value = parameter(f"{_RUN}.sequence_length")
    if isinstance(value, int):
        return {"inputs": value, "targets": value}
    if not isinstance(value, Mapping) or not value:
        return None
    known = all(isinstance(length, int) and length > 0 for length in value.values())
    return dict(value) if known else None


def _model_sizes(config: Config) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = {}
    for (layer, name), dimension in _SIZES.items():
        sizes = set(_scoped_values(config, layer, name))
        if sizes:
            found.setdefault(dimension, set()).update(sizes)
    vocabulary = parameter_as_it_is(f"{_RUN}.vocabulary")
    if vocabulary is not None:
        divisors = set(_scoped_values(config, "Unitransformer", "vocab_divisor"))
        found["vocab"] = {
            -(-size // divisor) * divisor
            for divisor in divisors or {_VOCAB_DIVISOR}
            for size in _vocabulary_sizes(vocabulary)
        }
    return {name: tuple(sorted(sizes)) for name, sizes in found.items()}


def parameter_as_it_is(name: str) -> Any:
    """Returns what a parameter is set to, None if it is not: an object, not a copy of it."""
    try:
        return gin.query_parameter(name)
    except ValueError:
        return None


def _vocabulary_sizes(vocabulary: Any) -> set[int]:
    try:
        both = (mesh_utils.inputs_vocabulary(vocabulary), mesh_utils.targets_vocabulary(vocabulary))
    except (TypeError, ValueError):
        return set()
    sizes = {getattr(one, "vocab_size", None) for one in both}
    return {size for size in sizes if isinstance(size, int)}


def _scoped_values(config: Config, configurable: str, name: str) -> list[int]:
    """Returns what a parameter is set to in the scopes that count."""
    values: dict[str, Any] = {}
    for (scope, selector), parameters in config.items():
        if selector.rpartition(".")[2] == configurable and name in parameters:
            values[scope] = copy.deepcopy(parameters[name])
    if {"encoder", "decoder"} <= values.keys():
        # Both halves have their own: the general one goes nowhere.
        values.pop("", None)
    return [value for value in values.values() if isinstance(value, int) and value > 0]


def overridden_precision(
    gin_files: list[str], gin_params: list[str]
) -> gin_sources.Statement | None:
    """Returns the user's setting of a precision that the trainer is about to replace by float32.

    Args:
      gin_files: As the trainer was given them.
      gin_params: As the trainer was given them.

    Returns:
      None if there is none; those in files of t5 and mesh-tensorflow do not count.
    """
    statements = gin_sources.find_statements(
        _DTYPES,
        gin_files=gin_files,
        gin_params=gin_params,
        prefixes=gin.config._LOCATION_PREFIXES,
    )
    own = tuple(os.path.dirname(os.path.abspath(one.__file__)) + os.sep for one in (t5, mtf))
    for name in _DTYPES:
        last = [one for one in statements if one.parameter == name][-1:]
        value = parameter(f"mesh_tensorflow.transformer.utils.{name}")
        is_users = last and not os.path.abspath(last[0].path or "").startswith(own)
        if is_users and getattr(value, "name", value) not in (None, "float32"):
            return last[0]
    return None
