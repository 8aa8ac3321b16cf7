"""What a sample of a teacher is made of: arrays by name, with dtype and shape.

A *sample* is what a teacher said about one input, as arrays by name; a *field* is one of these
names with its dtype and shape. A field is *fixed* if each sample has the same shape of it, and
*ragged* if the first axis has another length in each sample; its shape begins with None then.
Ragged fields that belong together, as ids and their probabilities, share one *length*: it has a
name, and within a sample all fields of that name are equally long.

>>> schema = OutputSchema((ArrayField("ids", "uint16", (None, 32), length="tokens"),
...                        ArrayField("tail_mass", "float32", (None,), length="tokens")))
>>> schema.lengths
('tokens',)
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors

# What arrays may hold, all little-endian, and how safetensors calls it.
DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_MAX_FIELDS = 100
_MAX_AXES = 8


@dataclasses.dataclass(frozen=True)
class ArrayField:
    """One array of each sample.

    Attributes:
      name: Letters, digits and _.
      dtype: One of `DTYPES`.
      shape: Of the array in one sample; None in front for a ragged one.
      length: What the first axis of a ragged field counts; by default the field's own name. None
        for a fixed one.

    Raises:
      InputError: Something of it is not as above.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] = ()
    length: str | None = None

    def __post_init__(self) -> None:
        """Checks the field, and gives a ragged one its length.

        Raises:
          InputError: Something is not as the class says.
        """
        object.__setattr__(self, "shape", tuple(self.shape))
        if self.is_ragged and self.length is None:
            object.__setattr__(self, "length", self.name)
        for name in (self.name, self.length or "a"):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise _refused(name, "wanted a name of letters, digits and _")
        if self.dtype not in DTYPES:
            raise _refused(self.name, f"holds {self.dtype!r}; wanted one of {', '.join(DTYPES)}")
        inner = self.shape[1:] if self.is_ragged else self.shape
        is_sound = len(self.shape) <= _MAX_AXES and all(
            type(size) is int and size >= 1 for size in inner
        )
        if not is_sound:
            raise _refused(
                self.name, f"has the shape {self.shape}; wanted positive sizes, None in front alone"
            )
        if self.length is not None and not self.is_ragged:
            raise _refused(
                self.name,
                f"has the length {self.length!r} and the fixed shape {self.shape}; wanted None in "
                "front",
            )

    @property
    def is_ragged(self) -> bool:
        """Whether samples differ in the length of this field."""
        return bool(self.shape) and self.shape[0] is None

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row: of one sample of a fixed field, of one element of a ragged one."""
        return tuple(size for size in self.shape if size is not None)

    @functools.cached_property
    def numpy_dtype(self) -> np.dtype:
        """The dtype, little-endian."""
        return np.dtype(self.dtype).newbyteorder("<")

    @functools.cached_property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        size = self.numpy_dtype.itemsize
        for axis in self.row_shape:
            size *= axis
        return size


def _refused(name: object, found: str) -> errors.InputError:
    return errors.InputError(f"the field {name!r} {found}; correct the schema")


@dataclasses.dataclass(frozen=True)
class OutputSchema:
    """All fields of a sample, in order.

    Attributes:
      fields: The fields; no two have the same name.

    Raises:
      InputError: There is no field, or one twice.
    """

    fields: tuple[ArrayField, ...]

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
          InputError: There is none, too many, or one twice.
        """
        object.__setattr__(self, "fields", tuple(self.fields))
        if not 1 <= len(self.fields) <= _MAX_FIELDS:
            raise errors.InputError(
                f"the schema has {len(self.fields)} fields; wanted 1 to {_MAX_FIELDS}; correct it"
            )
        for field in self.fields:
            if self.names.count(field.name) > 1:
                raise _refused(field.name, "is there twice; wanted each name once")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(field.name for field in self.fields)

    @property
    def lengths(self) -> tuple[str, ...]:
        """Names of the lengths, each once, in the order of the fields."""
        return tuple(dict.fromkeys(field.length for field in self.fields if field.length))

    def field(self, name: str) -> ArrayField:
        """Returns a field by its name.

        Args:
          name: Of the field.

        Raises:
          InputError: There is no such field.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise errors.InputError(
            f"there is no field {name!r}; wanted one of {', '.join(self.names)}; name one of these"
        )

    def select(self, names: Sequence[str] | None) -> tuple[str, ...]:
        """Returns names of fields after checking them.

        Args:
          names: Of fields; None for all.

        Raises:
          InputError: One is of no field or there twice, or there is none.
        """
        if names is None:
            return self.names
        wanted = (names,) if isinstance(names, str) else tuple(names)
        for name in wanted:
            self.field(name)
        if not wanted or len(set(wanted)) < len(wanted):
            raise errors.InputError(
                f"the fields asked for are {list(wanted)}; wanted one or more of "
                f"{', '.join(self.names)}, each once; correct the list"
            )
        return wanted

    def to_json(self) -> list[dict[str, Any]]:
        """Returns the fields as JSON values."""
        return [
            {
                "name": field.name,
                "dtype": field.dtype,
                "shape": list(field.shape),
                "length": field.length,
            }
            for field in self.fields
        ]

    @classmethod
    def from_json(cls, value: Any) -> OutputSchema:
        """Returns the schema that `to_json` gave.

        Args:
          value: JSON values, whoever wrote them.

        Raises:
          InputError: It is none.
        """
        if not isinstance(value, list) or len(value) > _MAX_FIELDS:
            raise errors.InputError("found no list of fields; wanted a schema; build it again")
        fields = []
        for item in value:
            if not isinstance(item, Mapping) or set(item) != {"name", "dtype", "shape", "length"}:
                raise errors.InputError(
                    "found a field without name, dtype, shape and length; wanted a schema; build "
                    "it again"
                )
            if not isinstance(item["shape"], list) or not isinstance(item["dtype"], str):
                raise _refused(item["name"], "has no usable shape and dtype")
            fields.append(ArrayField(**item))
        return cls(tuple(fields))
