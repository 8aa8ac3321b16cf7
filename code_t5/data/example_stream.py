"""Endless streams of examples in which any place is found at once.

A *stream* numbers its examples from 0 on. Which document, which of its examples and which random
numbers stand behind a number follows from the number and a seed by a formula, so a stream can be
read from anywhere in any pieces, and always holds the same. An *epoch* is one pass over all
examples of a Task: each comes once, in an order of the epoch's own, cut or masked anew.

A stream of several Tasks gives each its share: after any number of whole *rounds* of examples, each
Task has had its rate of them, to within a few examples, and within a round they come shuffled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from code_t5 import errors
from code_t5.data.objectives import Documents, Examples, Objective, Requests, mix_keys
from code_t5.encoding import permutation, ragged
from code_t5.encoding.ragged import Ragged

# Examples within which the members of a mixture are shuffled.
ROUND_EXAMPLES = 1024
_LOW_BITS = np.uint64(32)
_LOW_MASK = np.uint64(2**32 - 1)


class ExampleStream(Protocol):
    """Examples by their number."""

    def at(self, numbers: np.ndarray) -> Examples:
        """Returns the examples with these numbers, in their order."""


class TaskStream:
    """The examples of one Task.

    Attributes:
      num_examples: Of an epoch.
    """

    def __init__(
        self,
        documents: Documents,
        *,
        objective: Objective,
        seed: int = 0,
        shuffle: bool = True,
        vocab_size: int | None = None,
    ) -> None:
        """Counts the examples.

        Args:
          documents: What examples are made of.
          objective: What makes them.
          seed: Another one gives another order and other random numbers.
          shuffle: Whether to draw an order for each epoch; else documents come as they stand.
          vocab_size: Ids that are not below it are refused; None to let them pass.

        Raises:
          InputError: The documents hold no example.
        """
        self._documents = documents
        self._objective = objective
        self._seed = seed
        self._shuffle = shuffle
        self._vocab_size = vocab_size
        self._offsets = ragged.offsets_of(objective.num_examples(documents))
        self.num_examples = int(self._offsets[-1])
        if not self.num_examples:
            raise errors.InputError(
                f"{len(self._offsets) - 1:,} documents hold no example of the objective "
                f"{objective.name}; wanted one at least; choose a split or a data set with longer "
                "files"
            )

    def at(self, numbers: np.ndarray) -> Examples:
        """Returns the examples with these numbers, in their order.

        Args:
          numbers: int64 `[num_examples]`, from 0 on without end.

        Raises:
          ArtifactError: The documents hold an id that the vocabulary does not have.
        """
        requests = self.requests(numbers)
        try:
            examples = self._objective.make_examples(self._documents, requests)
        except IndexError:
            # An objective looked an id up that no token has.
            self._check_ids(*self._tokens_of(requests))
            raise
        self._check_ids(examples.inputs.values, examples.targets.values)
        return examples

    def _tokens_of(self, requests: Requests) -> list[np.ndarray]:
        starts, ends = self._documents.offsets[:-1], self._documents.offsets[1:]
        return [self._documents.tokens[starts[i] : ends[i]] for i in requests.documents.tolist()]

    def _check_ids(self, *ids: np.ndarray) -> None:
        for values in ids if self._vocab_size is not None else ():
            if len(values) and not 0 <= values.min() <= values.max() < self._vocab_size:
                raise errors.ArtifactError(
                    f"documents hold ids from {values.min()} to {values.max()}; wanted ids below "
                    f"{self._vocab_size}, the size of the vocabulary; find the damaged cache with "
                    "scripts/cache_tasks.py --verify, and write it again with --overwrite"
                )

    def requests(self, numbers: np.ndarray) -> Requests:
        """Returns what stands behind some numbers: documents, their examples, and random keys.

        Args:
          numbers: int64 `[num_examples]`.
        """
        epochs, places = np.divmod(np.asarray(numbers, dtype=np.int64), self.num_examples)
        if self._shuffle:
            places = permutation.permute(
                places, size=self.num_examples, keys=mix_keys(self._seed, epochs)
            )
        documents = np.searchsorted(self._offsets, places, side="right") - 1
        within = places - self._offsets[documents]
        return Requests(documents, within, mix_keys(self._seed, epochs, documents, within))


class MixedStream:
    """The examples of several streams, each at its rate."""

    def __init__(
        self, members: Sequence[ExampleStream], *, rates: Sequence[float], seed: int = 0
    ) -> None:
        """Sets the shares.

        Args:
          members: The streams.
          rates: One per member; only their ratios count.
          seed: Another one gives another order.

        Raises:
          InputError: A rate is not a positive number, or there are not as many as members.
        """
        wrong = [rate for rate in rates if not (math.isfinite(rate) and rate > 0)]
        if wrong or len(rates) != len(members) or not rates:
            raise errors.InputError(
                f"a mixture of {len(members)} Tasks has the rates {', '.join(map(str, rates))}; "
                "wanted a positive number for each; correct the mixture"
            )
        self._members = list(members)
        self._seed = seed
        # Member i takes this share, in units of 2^-32, of what the members before it leave.
        # Divided by the largest first, since a sum of large ones may be beyond every number.
        parts = np.array(rates, dtype=np.float64) / max(rates)
        left = np.cumsum(parts[::-1])[::-1]
        shares = np.round(parts / left * 2.0**32).clip(1, 2**32)
        self._shares = [np.uint64(share) for share in shares.tolist()]

    def at(self, numbers: np.ndarray) -> Examples:
        """Returns the examples with these numbers, in their order.

        Args:
          numbers: int64 `[num_examples]`, from 0 on without end.
        """
        owners, places = self.locate(numbers)
        order = np.argsort(owners, kind="stable")
        parts = []
        for member, stream in enumerate(self._members):
            mine = order[owners[order] == member]
            if len(mine):
                parts.append(stream.at(places[mine]))
        # Where each example lies in the parts, one after the other.
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return Examples(
            _pick([part.inputs for part in parts], back),
            _pick([part.targets for part in parts], back),
        )

    def locate(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns whose examples stand at some numbers.

        Args:
          numbers: int64 `[num_examples]`.

        Returns:
          The members, int64 `[num_examples]`, and the numbers within their streams, int64
          `[num_examples]`.
        """
        rounds, within = np.divmod(np.asarray(numbers, dtype=np.int64), ROUND_EXAMPLES)
        within = permutation.permute(within, size=ROUND_EXAMPLES, keys=mix_keys(self._seed, rounds))
        places = (rounds * ROUND_EXAMPLES + within).astype(np.uint64)
        owners = np.zeros(len(places), dtype=np.int64)
        left = np.arange(len(places))
        for member, share in enumerate(self._shares[:-1]):
            here = places[left]
            before, after = _scaled(here, share), _scaled(here + np.uint64(1), share)
            is_mine = after > before
            places[left] = np.where(is_mine, before, here - before)
            left = left[~is_mine]
            owners[left] = member + 1
        return owners, places.astype(np.int64)


def _scaled(places: np.ndarray, share: np.uint64) -> np.ndarray:
    """Returns `places * share / 2^32` rounded down, without overflow."""
    return (places >> _LOW_BITS) * share + ((places & _LOW_MASK) * share >> _LOW_BITS)


def _pick(parts: Sequence[Ragged], order: np.ndarray) -> Ragged:
    """Returns the rows of several arrays, seen as one, in another order."""
    values = np.concatenate([part.values for part in parts])
    lengths = np.concatenate([part.lengths for part in parts])
    shifts = np.cumsum([0, *(len(part.values) for part in parts[:-1])])
    starts = np.concatenate([part.offsets[:-1] + shift for part, shift in zip(parts, shifts)])
    return ragged.gather_ranges(values, starts=starts[order], lengths=lengths[order])
