"""Which rows of a split become documents: a validation split made of train, and places to sample.

Rows are chosen by a formula from a *seed*: an exact number of them, none stored, and the order of
the rest is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Union

import numpy as np

from code_t5 import errors
from code_t5.encoding import keys, permutation

TRAIN, VALIDATION = "train", "validation"
# From how many places of a split a sample is taken.
NUM_PLACES = 16
ValidationSplit = Union[int, float, None]


@dataclasses.dataclass(frozen=True)
class RowChoice:
    """Some rows of a split, or all but these.

    Attributes:
      num_rows: Of the split.
      num_chosen: How many are chosen.
      seed: Which are.
      takes_chosen: Whether the chosen rows are meant, or the others.
    """

    num_rows: int
    num_chosen: int
    seed: int
    takes_chosen: bool

    @property
    def num_taken(self) -> int:
        """How many rows are meant."""
        return self.num_chosen if self.takes_chosen else self.num_rows - self.num_chosen

    def mask(self, start: int, stop: int) -> np.ndarray:
        """Says of some consecutive rows which are meant.

        Args:
          start: The first row.
          stop: One after the last.

        Returns:
          bool `[stop - start]`.
        """
        key = keys.mix_keys(self.seed, self.num_rows)[0]
        places = permutation.permute(np.arange(start, stop), size=self.num_rows, keys=key)
        return (places < self.num_chosen) == self.takes_chosen


class SplitRows(NamedTuple):
    """Where the rows of a split of the cache come from.

    Attributes:
      origin: Name of the split that has them.
      choice: Which of its rows; None for all.
    """

    origin: str
    choice: RowChoice | None


def read_validation_split(validation_split: Any) -> ValidationSplit:
    """Returns how much becomes a validation split, as a plain number.

    Args:
      validation_split: What the caller gave: a share, a number of documents, or nothing (None, 0).

    Raises:
      InputError: It is none of these.
    """
    number = (
        validation_split.item() if isinstance(validation_split, np.generic) else validation_split
    )
    if number is None:
        return None
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    if is_number and number == 0:
        return None
    if is_number and (0 < number < 1 or _is_count(number)):
        return number
    raise errors.InputError(
        f"validation_split is {validation_split!r}; wanted a share between 0 and 1, or a number of "
        "documents; give one, or leave it out"
    )


def _is_count(number: float) -> bool:
    return number >= 1 and float(number).is_integer()


def count_chosen(validation_split: float, num_rows: int) -> int:
    """Returns how many rows a validation split gets.

    Args:
      validation_split: A share, or a number of documents.
      num_rows: Of train.

    Raises:
      InputError: Nothing would be left of train, or be in validation.
    """
    is_share = 0 < validation_split < 1
    wanted = max(1, round(validation_split * num_rows)) if is_share else int(validation_split)
    if not wanted < num_rows:
        raise errors.InputError(
            f"validation_split is {validation_split}, {wanted} of the {num_rows} documents of "
            f"{TRAIN}; wanted some to be left in both; give less"
        )
    return wanted


def plan_splits(
    num_rows: Mapping[str, int], *, validation_split: ValidationSplit, seed: int
) -> dict[str, SplitRows]:
    """Says which splits a cache gets.

    Args:
      num_rows: Of each split that there is.
      validation_split: How much of train becomes a validation split where there is none; None for
        nothing.
      seed: Which rows do.

    Returns:
      By name, in the order of `num_rows`; validation comes after train.

    Raises:
      InputError: There is no train to make it of, or too little.
    """
    plan = {name: SplitRows(name, None) for name in num_rows}
    if validation_split is None or VALIDATION in num_rows:
        return plan
    if TRAIN not in num_rows:
        raise errors.InputError(
            f"validation_split is {validation_split}, but there is no split {TRAIN!r} to make it "
            f"of; wanted one beside {', '.join(num_rows)}; name it with split={{'train': ...}}"
        )
    total = num_rows[TRAIN]
    num_chosen = count_chosen(validation_split, total)
    made = {
        name: SplitRows(TRAIN, RowChoice(total, num_chosen, seed, name == VALIDATION))
        for name in (TRAIN, VALIDATION)
    }
    others = {name: rows for name, rows in plan.items() if name != TRAIN}
    return {**made, **others}


def spread_places(num_rows: int) -> list[int]:
    """Returns rows spread evenly over a split, from the first on; no more than there are.

    >>> spread_places(3)
    [0, 1, 2]
    """
    num_places = min(NUM_PLACES, num_rows)
    return [place * num_rows // num_places for place in range(num_places)]
