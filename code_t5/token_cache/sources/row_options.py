"""What users may ask of a data set's rows, in the one form that the sources work with.

A *split expression* is a name of a split with, if wanted, a part of it: `train[:10%]`,
`train[100:200]`, `train+test`, as `datasets` has them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np

from code_t5 import errors
from code_t5.encoding import whole_numbers
from code_t5.token_cache import layout
from code_t5.token_cache.sources import row_choice

# A name for all, several, or the name that each gets in the cache.
Split = Union[str, Sequence[str], Mapping[str, str], None]
Columns = Union[str, Sequence[str], None]
DEFAULT_SEED = 42
_NAME = re.compile(r"[^\[\]+\s]+")


@dataclasses.dataclass(frozen=True)
class RowOptions:
    """Which rows and columns of a data set are wanted; `read_options` makes one.

    Attributes:
      columns: Whose text is joined; None to choose the only one of text.
      split: By the name in the cache, a split expression; None for all splits as they are.
      validation_split: How much of train becomes a validation split where there is none.
      seed: Which of its rows do.
    """

    columns: tuple[str, ...] | None
    split: Mapping[str, str] | None
    validation_split: row_choice.ValidationSplit
    seed: int

    @property
    def fingerprint_parts(self) -> dict[str, Any]:
        """What decides on the documents."""
        # The seed chooses nothing else.
        makes_validation = self.validation_split is not None
        return {**self.config, "seed": self.seed if makes_validation else None}

    @property
    def config(self) -> dict[str, Any]:
        """The options, by the names of the caller's arguments."""
        return {
            "mapping_column_name": None if self.columns is None else list(self.columns),
            "split": None if self.split is None else dict(self.split),
            "validation_split": self.validation_split,
            "seed": self.seed,
        }


def read_options(
    *,
    mapping_column_name: Columns,
    split: Split,
    validation_split: row_choice.ValidationSplit,
    seed: int,
) -> RowOptions:
    """Checks what the caller gave, as far as that goes without the data set.

    Args:
      mapping_column_name: A column, or several.
      split: A split expression, which is used as train; several, each used as the split it names;
        or a mapping of names to expressions.
      validation_split: A share, a number of documents, or None.
      seed: An integer.

    Returns:
      The options.

    Raises:
      InputError: One of them is not what it should be.
    """
    columns = [mapping_column_name] if isinstance(mapping_column_name, str) else mapping_column_name
    if columns is not None:
        columns = list(columns)
        if not columns or not all(isinstance(name, str) for name in columns):
            raise errors.InputError(
                f"mapping_column_name is {mapping_column_name!r}; wanted names of columns; give "
                "at least one, or leave it out"
            )
    return RowOptions(
        columns=None if columns is None else tuple(columns),
        split=_read_split(split),
        validation_split=row_choice.read_validation_split(validation_split),
        seed=read_number(seed, name="seed"),
    )


def read_number(value: Any, *, name: str, at_least: int | None = None) -> int:
    """Returns a whole number as a plain int; True and False are none.

    Args:
      value: What the caller gave.
      name: Of the argument.
      at_least: The smallest that will do; None for any.

    Raises:
      InputError: It is no whole number, or too small.
    """
    if isinstance(value, (bool, np.bool_)):
        raise errors.InputError(f"{name} is {value!r}; wanted a whole number; give one")
    return whole_numbers.read_whole_number(value, name=name, at_least=at_least)


def _read_split(split: Split) -> dict[str, str] | None:
    if split is None:
        return None
    if isinstance(split, Mapping):
        found = dict(split)
    elif isinstance(split, str) or not isinstance(split, Sequence):
        # `datasets.Split` and its like are no str, and say their name.
        found = {row_choice.TRAIN: str(split)}
    else:
        expressions = list(split)
        names = [(_NAME.findall(str(expression)) or [""])[0] for expression in expressions]
        found = dict(zip(names, expressions))
        if len(found) < len(expressions):
            raise errors.InputError(
                f"split is {expressions}, in which a split comes twice; wanted each once; give "
                "each a name, as in split={'train': 'train[:90%]', 'validation': 'train[90%:]'}"
            )
    for name, expression in found.items():
        if not isinstance(expression, str) or not layout.is_split_name(str(name)):
            raise errors.InputError(
                f"split has {name!r}: {expression!r}; wanted a name of letters, digits, - and _ "
                "and an expression, as in split={'train': 'train[:90%]'}"
            )
    if not found:
        raise errors.InputError(f"split is {split!r}; wanted at least one; leave it out for all")
    return {str(name): _plain_expression(expression) for name, expression in found.items()}


def _plain_expression(expression: str) -> str:
    """Returns an expression without blanks, so that equal ones look equal."""
    parts = ["".join(part.split()) for part in expression.split("+")]
    if not all(part.partition("[")[0] for part in parts):
        raise errors.InputError(
            f"the split expression {expression!r} names no split before or after a +; wanted one "
            "as train, train[:10%] or train[:5]+test; write it so"
        )
    return "+".join(parts)


def wanted_splits(
    split: Mapping[str, str] | None, *, known: Sequence[str], where: str
) -> dict[str, str]:
    """Returns the splits of the cache, each with its expression.

    Args:
      split: Of the options.
      known: Splits of the data set.
      where: The data set, for messages.

    Raises:
      InputError: The data set has no such split.
    """
    if split is None:
        return {name: name for name in known}
    unknown = sorted(named_splits(split.values()) - set(known))
    if unknown:
        raise errors.InputError(
            f"{where} has no split {unknown[0]!r}; wanted one of {', '.join(known)}; name one of "
            "these with split"
        )
    return dict(split)


def named_splits(expressions: Iterable[str]) -> set[str]:
    """Returns the splits that some expressions are about.

    >>> sorted(named_splits(["train[:10%]+test"]))
    ['test', 'train']
    """
    parts = (part for expression in expressions for part in expression.split("+"))
    return {part.partition("[")[0].strip() for part in parts}


def resolve_expression(
    expression: str, *, num_rows: Mapping[str, int]
) -> list[tuple[str, int, int]]:
    """Says which rows an expression means.

    Args:
      expression: Of a split.
      num_rows: Of each split that it names.

    Returns:
      Split, first row and one after the last, in order.

    Raises:
      InputError: The expression cannot be read.
    """
    if expression in num_rows:
        return [(expression, 0, num_rows[expression])]
    import datasets

    try:
        found = datasets.ReadInstruction.from_spec(expression).to_absolute(dict(num_rows))
    except (ValueError, AssertionError, TypeError) as error:
        raise errors.InputError(
            f"the split expression {expression!r} cannot be read ({' '.join(str(error).split())}); "
            "wanted one as train, train[:10%] or train[100:200]; write it so"
        ) from error
    return [(part.splitname, part.from_ or 0, part.to) for part in found]
