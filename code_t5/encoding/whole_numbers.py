"""Whole numbers that callers give: anything else is refused by the argument's name."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from code_t5 import errors

# Larger numbers are none in int64.
_NO_END = 1 << 63


def read_whole_number(value: Any, *, name: str, at_least: int | None = None) -> int:
    """Returns a number as a plain int.

    Args:
      value: int, or what stands for one exactly, as NumPy's integers do.
      name: Of the argument.
      at_least: The smallest that will do; None for any.

    Raises:
      InputError: It is no whole number, or too small.

    >>> read_whole_number(3, name="seq_len")
    3
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or (at_least is not None and number < at_least):
        wanted = "" if at_least is None else f" of {at_least} or more"
        raise errors.InputError(f"{name} is {value!r}; wanted a whole number{wanted}; give one")
    return number


def read_indexes(indexes: Any, *, size: int | None = None, name: str = "windows") -> np.ndarray:
    """Returns whole numbers that say which of some things are meant.

    Args:
      indexes: What NumPy makes whole numbers of; a mask or other numbers are refused.
      size: How many things there are; None for no end.
      name: What they are, for the message.

    Returns:
      int64, of the same shape.

    Raises:
      InputError: They are no whole numbers.
      IndexError: There is no such thing.

    >>> read_indexes([2, 0], size=3)
    array([2, 0])
    """
    numbers = np.asarray(indexes)
    if numbers.size and numbers.dtype.kind not in "iu":
        raise errors.InputError(
            f"the indexes of {name} are {numbers.dtype.name}; wanted whole numbers; of a mask give "
            "numpy.flatnonzero(mask)"
        )
    smallest, largest = (int(numbers.min()), int(numbers.max())) if numbers.size else (0, -1)
    end = _NO_END if size is None else size
    if not (0 <= smallest and largest < end):
        among = "without end" if size is None else f"of {size} {name}"
        raise IndexError(f"{name} {smallest} to {largest} {among}")
    return numbers.astype(np.int64, copy=False)
