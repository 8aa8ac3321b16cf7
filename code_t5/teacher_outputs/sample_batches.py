"""Batches of samples as NumPy arrays: what every framework's reader is made of.

    batches = OutputBatches(open_outputs("cached_train"), batch_size=64)
    for batch in batches:                  # one epoch; {"x": float32 [64, ...], ...}
        ...
    state = batches.state_dict()           # small, JSON: goes on from here, on any number of ranks

Ragged fields are padded; how many rows of each sample count is in `<length>_lengths`, int64 `[n]`.
Frameworks can do little with uint16 and uint32, so these become int32 and int64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding.item_order import DEFAULT_SEED, ItemOrder, Resumable, ShardedOrder
from code_t5.encoding.whole_numbers import read_whole_number
from code_t5.teacher_outputs.reader import TeacherOutputs
from code_t5.teacher_outputs.schema import ArrayField

_LENGTHS = "_lengths"
_WIDER: dict[str, np.dtype] = {"uint16": np.dtype(np.int32), "uint32": np.dtype(np.int64)}


def lengths_name(length: str) -> str:
    """Returns under which name a batch has the lengths of its samples.

    >>> lengths_name("tokens")
    'tokens_lengths'
    """
    return f"{length}{_LENGTHS}"


def batch_dtype(field: ArrayField) -> np.dtype:
    """Returns the dtype that a field has in a batch.

    Args:
      field: The field.
    """
    return _WIDER.get(field.dtype, np.dtype(field.dtype))


class SampleReader:
    """Reads any samples as a batch.

    Attributes:
      outputs: What is read.
      fields: Those of a batch, in order.
      lengths: Names of their lengths.
      pad_to: By the name of a length, to how many rows its fields are filled.
    """

    def __init__(
        self,
        outputs: TeacherOutputs,
        *,
        fields: Sequence[str] | None = None,
        fill: Mapping[str, Any] | None = None,
        pad_to: Mapping[str, int] | None = None,
    ) -> None:
        """Checks what is asked for.

        Args:
          outputs: What is read.
          fields: Names of those wanted; None for all.
          fill: By the name of a ragged field, what stands behind a sample's rows; else 0.
          pad_to: By the name of a length, to how many rows its fields are filled; else to those of
            the longest sample of each batch.

        Raises:
          InputError: There is no such field or length, or a number does not do.
        """
        self.outputs = outputs
        schema = outputs.schema
        self.fields = tuple(schema.field(name) for name in schema.select(fields))
        self.lengths = tuple(dict.fromkeys(f.length for f in self.fields if f.length))
        taken = {field.name for field in self.fields}
        self._fill = _known(fill, [f.name for f in self.fields if f.is_ragged], what="fill")
        self.pad_to = {
            name: read_whole_number(number, name=f"pad_to[{name!r}]", at_least=1)
            for name, number in _known(pad_to, self.lengths, what="pad_to").items()
        }
        for length in self.lengths:
            if lengths_name(length) in taken:
                raise errors.InputError(
                    f"there is a field {lengths_name(length)!r}, which is what a batch calls the "
                    f"lengths of {length!r}; wanted another name; rename one in the schema"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """What a batch is made of, in order: the fields, then the lengths."""
        return (*(field.name for field in self.fields), *map(lengths_name, self.lengths))

    def read(self, indexes: Any) -> dict[str, np.ndarray]:
        """Reads some samples as a batch.

        Args:
          indexes: int `[n]`.

        Returns:
          Arrays by the names of `names`.

        Raises:
          InputError: A sample is longer than `pad_to` says.
          IndexError: There is no such sample.
          ArtifactError: A shard is damaged.
        """
        gathered = self.outputs.gather(indexes)
        found = {}
        for field in self.fields:
            dtype = batch_dtype(field)
            if field.length is None:
                found[field.name] = gathered.read_fixed(field, dtype)
            else:
                found[field.name] = gathered.read_padded(
                    field,
                    dtype=dtype,
                    fill=self._fill.get(field.name, 0),
                    num_rows=self.pad_to.get(field.length),
                )
        for length in self.lengths:
            found[lengths_name(length)] = gathered.lengths(length).copy()
        return found


def _known(
    given: Mapping[str, Any] | None, names: Sequence[str], *, what: str
) -> Mapping[str, Any]:
    """Returns a mapping after looking for names that are none.

    Raises:
      InputError: There is one.
    """
    wrong = [name for name in given or {} if name not in names]
    if wrong:
        known = ", ".join(names) or "none, as nothing that is read is ragged"
        raise errors.InputError(f"{what} names {wrong[0]!r}; wanted {known}; correct it")
    return given or {}


class OutputBatches(Resumable):
    """The batches of one rank, as NumPy arrays; iterating yields those left in an epoch.

    A batch counts as had when it is handed out. Iterating again gives the next epoch, or what is
    left of one that was broken off.

    Attributes:
      reader: Reads the samples.
      order: Which of them each batch holds, and how far all ranks have come.
    """

    def __init__(
        self,
        outputs: TeacherOutputs,
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = DEFAULT_SEED,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
        fields: Sequence[str] | None = None,
        fill: Mapping[str, Any] | None = None,
        pad_to: Mapping[str, int] | None = None,
    ) -> None:
        """Begins with the first epoch.

        Args:
          outputs: What is read.
          batch_size: Samples of a batch of one rank.
          shuffle: Whether each epoch has an order of its own; else samples come by number.
          seed: Another one gives other orders.
          rank: Number of this process among those that read together, from 0.
          world_size: How many processes read together.
          drop_last: Whether an epoch ends with its last batch that is whole on all ranks.
          fields: Names of those wanted; None for all.
          fill: By the name of a ragged field, what stands behind a sample's rows; else 0.
          pad_to: By the name of a length, to how many rows its fields are filled.

        Raises:
          InputError: Something of that does not do, or an epoch would have no batch.
        """
        self.reader = SampleReader(outputs, fields=fields, fill=fill, pad_to=pad_to)
        order = ItemOrder(
            outputs.num_samples,
            seed=seed,
            shuffle=shuffle,
            identity={"fingerprint": outputs.fingerprint},
            items="samples",
        )
        self.order = ShardedOrder(
            order, batch_size=batch_size, rank=rank, world_size=world_size, drop_last=drop_last
        )

    @property
    def _place(self) -> Any:
        return self.order

    def __len__(self) -> int:
        """Returns how many batches are left in this epoch."""
        return self.order.num_batches

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Yields the batches that are left in this epoch; the last may be shorter."""
        for indexes in self.order:
            yield self.read(indexes)

    def read(self, indexes: Any) -> dict[str, np.ndarray]:
        """Reads some samples as a batch.

        Args:
          indexes: int `[n]`.

        Raises:
          InputError: A sample is longer than `pad_to` says.
          IndexError: There is no such sample.
          ArtifactError: A shard is damaged.
        """
        return self.reader.read(indexes)
