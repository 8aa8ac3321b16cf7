"""How far what is stored is from what a teacher says now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from code_t5.encoding import ragged


class Agreement(NamedTuple):
    """One figure of a comparison.

    Attributes:
      name: What was compared, and how: `y: largest error`.
      value: The figure.
      wanted: What would do, in words: `at most 0.0001`.
      is_close: Whether it does.
      note: What helps to judge it, or nothing.
    """

    name: str
    value: float
    wanted: str
    is_close: bool
    note: str = ""

    def __str__(self) -> str:
        """Returns a line about it."""
        return f"{self.name} {self.value:.3g}" + (f" ({self.note})" if self.note else "")


def max_errors(
    found: Mapping[str, Any], *, wanted: Mapping[str, Any], tolerance: float
) -> list[Agreement]:
    """Compares columns value by value.

    Args:
      found: What is stored: arrays or `Ragged`, by name of the field.
      wanted: What the teacher says now, of the same fields.
      tolerance: Largest error that will do.

    Returns:
      The largest error of each field; infinite where shapes differ or a value is no number.

    >>> print(*max_errors({"y": np.ones(2)}, wanted={"y": np.array([1, 1.5])}, tolerance=0.1))
    y: largest error 0.5 (values up to 1)
    """
    limit = f"at most {tolerance:.3g}"
    agreements = []
    for name, column in found.items():
        error, largest = _max_error(column, wanted[name])
        note = f"values up to {largest:.4g}"
        agreements.append(
            Agreement(f"{name}: largest error", error, limit, error <= tolerance, note)
        )
    return agreements


def _max_error(found: Any, wanted: Any) -> tuple[float, float]:
    """Returns the largest difference, and the largest value without its sign."""
    same_lengths = True
    if isinstance(found, ragged.Ragged):
        same_lengths = np.array_equal(found.offsets, wanted.offsets)
        found, wanted = found.values, wanted.values
    stored = np.asarray(found).astype(np.float64)
    asked = np.asarray(wanted).astype(np.float64)
    largest = float(np.abs(stored).max(initial=0.0))
    if not same_lengths or stored.shape != asked.shape:
        return float("inf"), largest
    error = float(np.abs(stored - asked).max(initial=0.0))
    return (float("inf") if np.isnan(error) else error), largest
