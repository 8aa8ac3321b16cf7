"""Carries values between the launcher and the workers as files, without running what a file says.

A *value* is made of numbers, text, bytes, paths, lists, tuples, dicts, NumPy arrays, and the named
tuples, dataclasses, functions and `functools.partial` objects of this project: what the stages of a
build give to a pool of processes and get back. One value is one file, an `.npz` archive with the
arrays and a JSON *tree* that refers to them. Reading one makes objects of this project's own
classes only. An array that is the whole of a memory-mapped file is carried by its name.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import importlib
import io
import json
import mmap
import os
import pathlib
import types
import zipfile
import zlib
from typing import Any, Callable

import numpy as np

from code_t5 import errors
from code_t5.storage import atomic

_PACKAGES = ("code_t5.", "preprocessing.")
_TAG = "~"
_TREE = "tree"
_READ_ERRORS = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)


def _name_of(target: Any) -> str:
    """Returns `module:name` of a class or function of this project."""
    name = f"{target.__module__}:{target.__qualname__}"
    if not name.startswith(_PACKAGES) or "<" in name:
        raise errors.InputError(
            f"{name} cannot be sent to a Beam worker; wanted a class or function of this project "
            "that can be imported by name; move it to the top of a module of preprocessing"
        )
    return name


def _find(name: str) -> Any:
    """Returns what `_name_of` named."""
    module, _, path = name.partition(":")
    target: Any = None
    if name.startswith(_PACKAGES):
        target = importlib.import_module(module)
        for part in path.split("."):
            target = getattr(target, part)
    # A module of this project reaches others that it imports: what is found must live here too.
    if isinstance(target, types.FunctionType) or _is_record(target):
        if f"{target.__module__}:{target.__qualname__}" == name:
            return target
    raise errors.ArtifactError(
        f"a value names {name!r}; wanted a function, a dataclass or a named tuple of this project; "
        "build again"
    )


def _is_record(target: Any) -> bool:
    if not isinstance(target, type):
        return False
    return dataclasses.is_dataclass(target) or (
        issubclass(target, tuple) and hasattr(target, "_fields")
    )


def _is_whole_file(array: np.ndarray) -> bool:
    """Says whether an array is all of a memory map; the base of a slice is another array."""
    base: Any = array.base
    return isinstance(base, mmap.mmap) and bool(array.flags.c_contiguous)


class _Encoder:
    """Turns a value into a JSON tree and a list of arrays."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []

    def encode(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) is list:
            return [self.encode(item) for item in value]
        if isinstance(value, tuple):
            return self._tagged_tuple(value)
        if type(value) is dict:
            pairs = [[self.encode(key), self.encode(item)] for key, item in value.items()]
            return {_TAG: "dict", "items": pairs}
        if isinstance(value, (bytes, bytearray)):
            return {_TAG: "bytes", "base64": base64.b64encode(value).decode("ascii")}
        if isinstance(value, pathlib.PurePath):
            return {_TAG: "path", "path": str(value)}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value)
        return self._object(value)

    def _tagged_tuple(self, value: tuple[Any, ...]) -> dict[str, Any]:
        items = [self.encode(item) for item in value]
        if type(value) is tuple:
            return {_TAG: "tuple", "items": items}
        return {_TAG: "named", "name": _name_of(type(value)), "items": items}

    def _array(self, value: np.ndarray | np.generic) -> dict[str, Any]:
        if isinstance(value, np.memmap) and value.filename and _is_whole_file(value):
            value.flush()
            return {
                _TAG: "file",
                "path": os.path.abspath(str(value.filename)),
                "dtype": np.lib.format.dtype_to_descr(value.dtype),
                "shape": list(value.shape),
                "offset": value.offset,
            }
        self.arrays.append(np.asarray(value))
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {_TAG: kind, "index": len(self.arrays) - 1}

    def _object(self, value: Any) -> dict[str, Any]:
        if isinstance(value, functools.partial):
            return {
                _TAG: "partial",
                "function": self.encode(value.func),
                "args": [self.encode(item) for item in value.args],
                "keywords": {name: self.encode(item) for name, item in value.keywords.items()},
            }
        if isinstance(value, types.FunctionType):
            return {_TAG: "function", "name": _name_of(value)}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {
                field.name: self.encode(getattr(value, field.name))
                for field in dataclasses.fields(value)
            }
            return {_TAG: "data", "name": _name_of(type(value)), "fields": fields}
        raise errors.InputError(
            f"a {type(value).__name__} cannot be sent to a Beam worker; wanted what "
            "preprocessing.beam.beam_values carries; give the stage such a value"
        )


def _descr_to_dtype(descr: Any) -> np.dtype:
    # JSON has made lists of the pairs of name and type.
    fields: Any = descr if isinstance(descr, str) else [tuple(field) for field in descr]
    return np.dtype(fields)


def _decode(node: Any, arrays: Any) -> Any:
    """Turns a tree back into the value."""
    if isinstance(node, list):
        return [_decode(item, arrays) for item in node]
    if not isinstance(node, dict):
        return node
    return _DECODERS[node[_TAG]](node, arrays)


def _decode_items(node: dict[str, Any], arrays: Any) -> list[Any]:
    return [_decode(item, arrays) for item in node["items"]]


def _decode_partial(node: dict[str, Any], arrays: Any) -> Any:
    keywords = {name: _decode(item, arrays) for name, item in node["keywords"].items()}
    args = [_decode(item, arrays) for item in node["args"]]
    return functools.partial(_decode(node["function"], arrays), *args, **keywords)


def _decode_file(node: dict[str, Any], arrays: Any) -> np.ndarray:
    del arrays
    return np.memmap(
        node["path"],
        dtype=_descr_to_dtype(node["dtype"]),
        mode="r",
        offset=node["offset"],
        shape=tuple(node["shape"]),
    )


_DECODERS: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "tuple": lambda node, arrays: tuple(_decode_items(node, arrays)),
    "named": lambda node, arrays: _find(node["name"])(*_decode_items(node, arrays)),
    "dict": lambda node, arrays: {
        _decode(key, arrays): _decode(item, arrays) for key, item in node["items"]
    },
    "bytes": lambda node, arrays: base64.b64decode(node["base64"]),
    "path": lambda node, arrays: pathlib.Path(node["path"]),
    "array": lambda node, arrays: arrays[f"array_{node['index']}"],
    "scalar": lambda node, arrays: arrays[f"array_{node['index']}"][()],
    "file": _decode_file,
    "partial": _decode_partial,
    "function": lambda node, arrays: _find(node["name"]),
    "data": lambda node, arrays: _find(node["name"])(
        **{name: _decode(item, arrays) for name, item in node["fields"].items()}
    ),
}


def write_value(path: str | os.PathLike[str], value: Any) -> None:
    """Writes one value in one step.

    Args:
      path: The file.
      value: What to write.

    Raises:
      InputError: It holds something that no file can carry.
    """
    encoder = _Encoder()
    tree = json.dumps(encoder.encode(value)).encode("ascii")
    arrays = {f"array_{index}": array for index, array in enumerate(encoder.arrays)}
    buffer = io.BytesIO()
    np.savez(buffer, **{_TREE: np.frombuffer(tree, np.uint8)}, **arrays)
    atomic.write_file(path, buffer.getvalue())


def read_value(path: str | os.PathLike[str]) -> Any:
    """Reads what `write_value` wrote.

    Args:
      path: The file.

    Returns:
      An equal value; arrays that were memory-mapped files are so again, read-only.

    Raises:
      ArtifactError: The file is missing, damaged, or names something outside of this project.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _decode(json.loads(arrays[_TREE].tobytes()), arrays)
    except _READ_ERRORS as error:
        raise errors.ArtifactError(
            f"{path} cannot be read ({error}); wanted a value that a step of a Beam build left in "
            "the shared directory; every worker must reach it under the same path; build again"
        ) from error
