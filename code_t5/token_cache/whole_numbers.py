"""Whole numbers that callers give: anything else is refused by the argument's name."""

from __future__ import annotations

import operator
from typing import Any

from code_t5 import errors


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
