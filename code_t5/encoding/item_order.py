"""The order in which items are read: a formula, so that nothing is stored and any place is found.

An *item* is whatever is stored by number: a window of a token cache, a sample of a teacher. An
*epoch* is one pass over all items, in an order of its own. A *position* counts items from
the start of an epoch. All ranks (processes of a training run) walk the same order together: of
each *global batch*, which is one batch for each rank, the first rank takes the first batch, and so
on. So a run is described by its epoch and by how many items all ranks have had of it, and goes
on from there with any number of ranks and any size of batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.encoding import keys, permutation
from code_t5.encoding.whole_numbers import read_indexes, read_whole_number

STATE_VERSION = 1
DEFAULT_SEED = 42
# Positions that are rearranged in one go: one at a time would cost more than reading the items.
_BLOCK_POSITIONS = 1 << 13


class ItemOrder:
    """Which item stands at which position.

    Attributes:
      num_items: Of an epoch.
      seed: Another one gives another order.
      shuffle: Whether items are shuffled; else they come by number.
      identity: What the numbers of items hang on, JSON values by name.
      items: What they are called.
    """

    def __init__(
        self,
        num_items: int,
        *,
        seed: int = DEFAULT_SEED,
        shuffle: bool = True,
        identity: Mapping[str, Any] | None = None,
        items: str = "windows",
    ) -> None:
        """Sets the order.

        Args:
          num_items: How many there are.
          seed: Another one gives another order.
          shuffle: Whether to shuffle them, anew for each epoch.
          identity: What their numbers hang on, such as the fingerprint of where they are stored.
          items: What they are called, in messages and states.

        Raises:
          InputError: There are no items, or a number is none.
        """
        self.items = items
        self.num_items = read_whole_number(num_items, name=f"num_{items}", at_least=1)
        self.seed = read_whole_number(seed, name="seed")
        self.shuffle = bool(shuffle)
        self.identity = {f"num_{items}": self.num_items, **(identity or {})}

    def at(self, positions: np.ndarray, *, epoch: int = 0) -> np.ndarray:
        """Returns the items at some positions.

        Args:
          positions: int `[num_positions]`; those behind the end of the epoch lie in later ones.
          epoch: That the positions count from.

        Returns:
          int64 `[num_positions]`.

        Raises:
          InputError: The positions are no whole numbers.
          IndexError: A position is negative.
        """
        numbers = read_indexes(positions, name="positions")
        epochs, places = np.divmod(numbers, self.num_items)
        if not self.shuffle or not numbers.size:
            return places
        order_keys = keys.mix_keys(self.seed, epochs + epoch)
        return permutation.permute(places, size=self.num_items, keys=order_keys)


class _Start(NamedTuple):
    """Where batches are counted from."""

    epoch: int
    position: int


class ShardedOrder:
    """The batches of one rank, and how far all ranks have come.

    Attributes:
      order: Of the items.
      batch_size: Items of a batch of one rank.
      rank: From 0 to `world_size - 1`.
      world_size: How many ranks there are.
      drop_last: Whether an epoch ends with its last whole global batch; else what is left is dealt
        out evenly, and a rank's last batch may be shorter, or empty.
      epoch: Of the next batch.
      position: Items of this epoch that all ranks together have had.
    """

    def __init__(
        self,
        order: ItemOrder,
        *,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
    ) -> None:
        """Begins with the first epoch.

        Args:
          order: Of the items.
          batch_size: Items of a batch of one rank.
          rank: From 0 to `world_size - 1`.
          world_size: How many ranks there are.
          drop_last: Whether an epoch ends with its last whole global batch.

        Raises:
          InputError: A number does not do, or an epoch would have no batch.
        """
        self.batch_size = read_whole_number(batch_size, name="batch_size", at_least=1)
        self.world_size = read_whole_number(world_size, name="world_size", at_least=1)
        self.rank = read_whole_number(rank, name="rank", at_least=0)
        if self.rank >= self.world_size:
            raise errors.InputError(
                f"found rank {rank} with world_size {world_size}; wanted one below world_size; "
                "count ranks from 0"
            )
        if drop_last and order.num_items < batch_size * world_size:
            raise errors.InputError(
                f"{order.num_items:,} {order.items} make no batch of {batch_size} for each of "
                f"{world_size} ranks; wanted {batch_size * world_size:,} at least; choose a "
                "smaller batch_size or drop_last=False"
            )
        self.order = order
        self.drop_last = bool(drop_last)
        self.epoch = 0
        self.position = 0
        self._block: tuple[tuple[_Start, int], np.ndarray] | None = None

    @property
    def global_batch_size(self) -> int:
        """Items of a batch of all ranks."""
        return self.batch_size * self.world_size

    @property
    def num_batches(self) -> int:
        """Batches of this rank that are left in this epoch."""
        return self._num_batches(self.position)

    def batch(self, index: int) -> np.ndarray:
        """Returns the items of a batch that is left in this epoch, without moving on.

        Args:
          index: From 0, the next one, to `num_batches - 1`.

        Returns:
          int64 `[batch_size]`, or fewer in the last batch without `drop_last`.

        Raises:
          IndexError: There is no such batch.
        """
        if not 0 <= index < self.num_batches:
            raise IndexError(f"batch {index} of {self.num_batches} that are left")
        return self._batch(index, start=_Start(self.epoch, self.position))

    def _batch(self, index: int, *, start: _Start) -> np.ndarray:
        per_block = max(1, _BLOCK_POSITIONS // self.batch_size)
        number, within = divmod(index, per_block)
        key = (start, number)
        if self._block is None or self._block[0] != key:
            last = min((number + 1) * per_block, self._num_batches(start.position))
            positions = self._positions(np.arange(number * per_block, last), start=start.position)
            self._block = key, self.order.at(positions, epoch=start.epoch)
        first = within * self.batch_size
        return self._block[1][first : first + self.batch_size]

    def _num_batches(self, position: int) -> int:
        left = self.order.num_items - position
        whole = left // self.global_batch_size
        return whole if self.drop_last else whole + (left % self.global_batch_size > 0)

    def _positions(self, batches: np.ndarray, *, start: int) -> np.ndarray:
        """Returns the positions of batches in a row, one after the other."""
        starts = start + batches * self.global_batch_size
        rest = self.order.num_items - int(starts[-1])
        is_whole = rest >= self.global_batch_size
        whole = (starts if is_whole else starts[:-1]) + self.rank * self.batch_size
        positions = (whole[:, None] + np.arange(self.batch_size)).ravel()
        if is_whole:
            return positions
        ends = [rest * rank // self.world_size for rank in (self.rank, self.rank + 1)]
        return np.concatenate([positions, starts[-1] + np.arange(*ends)])

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields the batches that are left in this epoch, and counts each as it is handed out."""
        start = _Start(self.epoch, self.position)
        for index in range(self._num_batches(start.position)):
            batch = self._batch(index, start=start)
            self.epoch, self.position = start
            self.advance(index + 1)
            yield batch

    def advance(self, num_batches: int) -> None:
        """Moves on, into the next epoch if this one has no batch left.

        Args:
          num_batches: Batches that each rank has had, at most `num_batches` of this epoch.

        Raises:
          IndexError: There are not as many.
        """
        left = self.num_batches
        if not 0 <= num_batches <= left:
            raise IndexError(f"{num_batches} batches were handed out of {left} that were left")
        if num_batches == left:
            self.epoch, self.position = self.epoch + 1, 0
        else:
            self.position += num_batches * self.global_batch_size

    def set_epoch(self, epoch: int) -> None:
        """Goes to the start of an epoch; where it is this one already, stays at its place.

        Args:
          epoch: From 0 on.

        Raises:
          InputError: It is no whole number, or negative.
        """
        number = read_whole_number(epoch, name="epoch", at_least=0)
        if number != self.epoch:
            self.epoch, self.position = number, 0

    def state_dict(self) -> dict[str, Any]:
        """Returns where all ranks are: JSON values, the same on each rank."""
        return {
            "version": STATE_VERSION,
            "epoch": self.epoch,
            "position": self.position,
            **self._fixed(),
        }

    def _fixed(self) -> dict[str, Any]:
        order = self.order
        return {"seed": order.seed, "shuffle": order.shuffle, **order.identity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a run was that may have had other ranks and other batches.

        Args:
          state: What `state_dict` gave.

        Raises:
          InputError: It is not one, or of other items or another order; nothing is changed.
        """
        if not isinstance(state, Mapping):
            raise errors.InputError(
                f"found a state that is {type(state).__name__}; wanted what state_dict returned; "
                "give that"
            )
        wanted = {"version": STATE_VERSION, **self._fixed()}
        found = {name: state.get(name) for name in wanted}
        differing = [
            f"{name} is {found[name]!r} where this reader has {wanted[name]!r}"
            for name in wanted
            if found[name] != wanted[name]
        ]
        if differing:
            raise errors.InputError(
                f"the state of another reader cannot be gone on with: {'; '.join(differing)}; "
                "make the reader with the same cache and arguments, or start anew"
            )
        epoch: Any = state.get("epoch")
        position: Any = state.get("position")
        is_usable = all(type(value) is int and value >= 0 for value in (epoch, position))
        if not is_usable or position >= self.order.num_items:
            raise errors.InputError(
                f"the state says epoch {epoch!r} and position {position!r}; wanted 0 or more, and "
                f"a position below {self.order.num_items:,}; give what state_dict returned"
            )
        self.epoch, self.position = epoch, position
        if not self.num_batches:
            self.advance(0)


class Resumable:
    """What goes on where another run was: each method is that of the place which it stands on."""

    @property
    def _place(self) -> Any:
        """Has the methods below: an order, or what is made of one."""
        raise NotImplementedError

    def set_epoch(self, epoch: int) -> None:
        """Goes to the start of an epoch; where it is this one already, stays at its place.

        Args:
          epoch: From 0 on.

        Raises:
          InputError: It is no whole number, or negative.
        """
        self._place.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Returns where all ranks are: JSON values, the same on each rank."""
        return self._place.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a run was that may have had other ranks, batches and workers.

        Args:
          state: What `state_dict` gave.

        Raises:
          InputError: It is not one, or of other items or another order; nothing is changed.
        """
        self._place.load_state_dict(state)
