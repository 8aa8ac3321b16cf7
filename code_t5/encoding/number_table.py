"""A hash table from 64-bit keys to numbers, looked up and filled by array operations.

Keys go into the place that their upper bits name, or the next free one (open addresses); so those
bits must be well spread: callers hash, mix or multiply their keys first.
"""

from __future__ import annotations

import numpy as np

_FIRST_BITS = 16


class NumberTable:
    """Numbers by key; number 0 is that of every key that is not there.

    Attributes:
      num_keys: How many are there.
    """

    def __init__(self, *, places_per_key: int = 2) -> None:
        """Starts empty.

        Args:
          places_per_key: At least; with more, fewer keys are found in another place than their own.
        """
        self._places_per_key = places_per_key
        self.clear()

    def clear(self) -> None:
        """Forgets every key."""
        self.num_keys = 0
        self._allocate(_FIRST_BITS)

    def _allocate(self, bits: int) -> None:
        self._shift = np.uint64(64 - bits)
        # Where the key is 0 the place is free, and its number is 0.
        self._keys = np.zeros(1 << bits, dtype=np.uint64)
        self._numbers = np.zeros(1 << bits, dtype=np.int64)

    def _places(self, keys: np.ndarray) -> np.ndarray:
        return (keys >> self._shift).view(np.int64)

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Returns the numbers of keys.

        Args:
          keys: uint64 `[num]`.

        Returns:
          int64 `[num]`; 0 for an unknown key.
        """
        places = self._places(keys)
        numbers = self._numbers[places]
        found = self._keys[places]
        wrong = np.flatnonzero(found != keys)
        numbers[wrong] = 0
        found, places = found[wrong], places[wrong]
        while True:
            # What is not in a taken place may be in the next.
            taken = np.flatnonzero(found)
            if not len(taken):
                return numbers
            wrong, places = wrong[taken], (places[taken] + 1) & (len(self._keys) - 1)
            found = self._keys[places]
            right = np.flatnonzero(found == keys[wrong])
            numbers[wrong[right]] = self._numbers[places[right]]
            found[right] = 0

    def insert(self, keys: np.ndarray, numbers: np.ndarray) -> None:
        """Adds keys.

        Args:
          keys: uint64 `[num]`; all different and none of them there.
          numbers: int64 `[num]`, none of them 0.
        """
        self.num_keys += len(keys)
        if self._places_per_key * self.num_keys > len(self._keys):
            taken = np.flatnonzero(self._keys)
            keys = np.concatenate([self._keys[taken], keys])
            numbers = np.concatenate([self._numbers[taken], numbers])
            # Twice as many, so that it is not at once too small again.
            self._allocate((2 * self._places_per_key * self.num_keys - 1).bit_length())
        places = self._places(keys)
        while len(keys):
            # Of several that want the same free place, the last written gets it.
            free = self._keys[places] == 0
            self._keys[places[free]] = keys[free]
            is_in = self._keys[places] == keys
            self._numbers[places[is_in]] = numbers[is_in]
            keys, numbers = keys[~is_in], numbers[~is_in]
            places = (places[~is_in] + 1) & (len(self._keys) - 1)
