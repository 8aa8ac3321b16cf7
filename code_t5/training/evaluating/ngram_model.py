"""A baseline: tokens by how often they followed the last few in training.

An *n-gram* is n tokens in a row, its *context* the first n - 1 of them. Probabilities are those of
interpolated modified Kneser-Ney smoothing (Chen & Goodman, 1999, "An empirical study of smoothing
techniques for language modeling", section 3): from each count one of three discounts is taken, and
what that frees goes to the next shorter context, which counts before how many different tokens an
n-gram was seen, not how often. Below single tokens stands a uniform distribution.

Of each order the n-grams stand sorted by *key*: the number of its context among the n-grams of one
order less, times the vocabulary's size, plus its last token. So what followed a context lies side
by side. A document begins with token 0, and no n-gram reaches from one document into another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Before each document; it is padding otherwise, so no text holds it.
BOUNDARY = 0
# Where counts say nothing about the discounts: a number that Chen and Goodman's come near to.
_PLAIN_DISCOUNT = 0.75


class Order(NamedTuple):
    """The n-grams of one order.

    Attributes:
      keys: int64 `[num_ngrams]`, sorted.
      counts: int64 `[num_ngrams]`: how often each was seen, below the highest order before how many
        different tokens.
      discounts: float64 `[3]`: of counts of 1, of 2 and of more.
    """

    keys: np.ndarray
    counts: np.ndarray
    discounts: np.ndarray


def _estimate_discounts(counts: np.ndarray) -> np.ndarray:
    """Returns the discounts of an order (Chen & Goodman, equation 26)."""
    n1, n2, n3, n4 = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    found = np.full(3, _PLAIN_DISCOUNT)
    if n1 and n2:
        share = n1 / (n1 + 2 * n2)
        found[0] = 1 - 2 * share * n2 / n1
        found[1] = 2 - 3 * share * n3 / n2
        found[2] = 3 - 4 * share * n4 / n3 if n3 else found[1]
    # Of small corpora they may come out negative.
    return np.clip(found, 0.1, (0.9, 1.9, 2.9))


def count_orders(
    documents: Sequence[np.ndarray], *, vocab_size: int, max_order: int
) -> list[Order]:
    """Counts the n-grams of some documents.

    Args:
      documents: int `[num_tokens]` each; ids from 1.
      vocab_size: Of the vocabulary.
      max_order: The longest n-grams that are counted.

    Returns:
      The orders from 1 to `max_order`.
    """
    parts = [part for ids in documents for part in ([BOUNDARY], ids)]
    tokens = np.concatenate([np.zeros(0), *parts]).astype(np.int64)
    # The number of each place's n-gram among those of its order; -1 where it would cross a border.
    numbers = tokens.copy()
    orders: list[Order] = []
    for order in range(1, max_order + 1):
        if order > 1:
            before = np.concatenate([[-1], numbers[:-1]])
            is_whole = (before >= 0) & (tokens != BOUNDARY)
            keys, first, inverse, seen = np.unique(
                before[is_whole] * vocab_size + tokens[is_whole],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            places = np.flatnonzero(is_whole)[first]
            # How many different n-grams of this order end in each of the order below.
            continued = np.bincount(numbers[places], minlength=len(orders[-1].keys))
            orders[-1] = _with_continuations(orders[-1], continued)
            numbers = np.full(len(tokens), -1)
            numbers[is_whole] = inverse.reshape(-1)
        else:
            keys, seen = np.arange(vocab_size), np.bincount(tokens, minlength=vocab_size)
        orders.append(Order(keys, seen, _estimate_discounts(seen)))
    return orders


def _with_continuations(order: Order, continued: np.ndarray) -> Order:
    """Returns an order that counts what stood before; n-grams at a beginning keep their counts."""
    counts = np.where(continued > 0, continued, order.counts)
    return Order(order.keys, counts, _estimate_discounts(counts))


class NgramModel:
    """Probabilities of the next token."""

    def __init__(self, orders: Sequence[Order], *, vocab_size: int) -> None:
        """Takes up counts.

        Args:
          orders: From `count_orders`.
          vocab_size: Of the vocabulary.
        """
        self._orders = orders
        self._vocab_size = vocab_size
        singles = orders[0].counts.astype(np.float64).copy()
        # Documents begin with it; nothing is followed by it.
        singles[BOUNDARY] = 0
        uniform = np.full(vocab_size, 1 / (vocab_size - 1))
        uniform[BOUNDARY] = 0
        self._singles = self._smoothed(singles, orders[0].discounts, uniform)

    @staticmethod
    def _smoothed(counts: np.ndarray, discounts: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        taken = np.where(counts > 0, discounts[np.minimum(counts, 3).astype(np.int64) - 1], 0.0)
        total = max(1.0, counts.sum())
        return (counts - taken) / total + (taken.sum() / total if counts.any() else 1.0) * shorter

    @property
    def max_order(self) -> int:
        """The longest n-grams that are known."""
        return len(self._orders)

    def probabilities(self, context: Sequence[int]) -> np.ndarray:
        """Returns how likely each token is to follow.

        Args:
          context: The tokens before; the last `max_order - 1` count. A document's first token
            follows `BOUNDARY`.

        Returns:
          float64 `[vocab_size]`; the sum is 1.
        """
        found = self._singles
        for length in range(1, min(self.max_order - 1, len(context)) + 1):
            start, stop = self._followers(context[len(context) - length :])
            if start == stop:
                break
            order = self._orders[length]
            tokens = order.keys[start:stop] % self._vocab_size
            counts = order.counts[start:stop].astype(np.float64)
            taken = order.discounts[np.minimum(counts, 3).astype(np.int64) - 1]
            total = counts.sum()
            found = found * (taken.sum() / total)
            found[tokens] += (counts - taken) / total
        return found

    def _followers(self, context: Sequence[int]) -> tuple[int, int]:
        """Returns where what followed a context begins and ends, in the order above its length."""
        number = int(context[0])
        for length, token in enumerate(context[1:], start=2):
            keys = self._orders[length - 1].keys
            key = number * self._vocab_size + int(token)
            number = int(np.searchsorted(keys, key))
            if number == len(keys) or keys[number] != key:
                return 0, 0
        bounds = np.array([number, number + 1]) * self._vocab_size
        start, stop = np.searchsorted(self._orders[len(context)].keys, bounds)
        return int(start), int(stop)
