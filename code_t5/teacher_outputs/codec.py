"""Distributions over a vocabulary made small: the most likely tokens, and how much the rest weighs.

A student that learns from its teacher's distributions (word-level distillation: Kim and Rush,
"Sequence-Level Knowledge Distillation", 2016, section 3.1) needs of each token position as many
numbers as the vocabulary has pieces. Of these the *kept* ones are stored, by their number *k* or by
the *mass* (probability) that they must have together, as in nucleus sampling (Holtzman et al., "The
Curious Case of Neural Text Degeneration", 2020, section 3.1); the *tail* is all others, and its
mass is stored as well: a student that is told that it was zero learns a biased distribution
(Anshumann et al., "Sparse Logit Sampling", 2025, abstract). A *temperature* divides logits
before the softmax (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015,
section 2). At k = 32 a position takes 32 uint16 ids, 32 float16 log-probabilities and a float32
tail: 132 bytes.

>>> codec = TopKCodec(vocab_size=4, k=2)
>>> kept = codec.encode(np.log([[0.1, 0.5, 0.3, 0.1]]))
>>> kept.ids.tolist(), round(float(kept.tail_mass[0]), 3)
([[1, 2]], 0.2)
>>> codec.to_dense(kept).round(3)
array([[0.1, 0.5, 0.3, 0.1]], dtype=float32)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding.whole_numbers import read_whole_number
from code_t5.teacher_outputs.schema import ArrayField

SPREAD, LEFT_OUT = TAILS = ("spread", "left_out")
IDS, LOG_PROBABILITIES, PROBABILITIES = "ids", "log_probabilities", "probabilities"
TAIL_MASS, NUM_KEPT = "tail_mass", "num_kept"
TOKENS, ENTRIES = "tokens", "entries"
_SMALL_VOCABULARY = 1 << 16
# The smallest that float16 holds: a probability of zero.
_LEAST_LOG = float(np.finfo(np.float16).min)


@dataclasses.dataclass(frozen=True)
class TopK:
    """The kept tokens of some positions, the most likely first.

    Attributes:
      ids: uint16 `[n, k]`, or uint32 for a vocabulary of more than 65,536.
      values: float16 `[n, k]`: log-probabilities, or probabilities if the codec stores these.
      tail_mass: float32 `[n]`: probability of all others together; None if it is not stored.
      num_kept: uint16 `[n]`: how many of each row count where mass decides on that; behind them
        stand zeros. None if all do.
    """

    ids: np.ndarray
    values: np.ndarray
    tail_mass: np.ndarray | None = None
    num_kept: np.ndarray | None = None

    @property
    def is_kept(self) -> np.ndarray:
        """Which entries count, bool `[n, k]`."""
        if self.num_kept is None:
            return np.ones(self.ids.shape, dtype=bool)
        return np.arange(self.ids.shape[1]) < self.num_kept[:, None]


@dataclasses.dataclass(frozen=True)
class TopKCodec:
    """How distributions are stored; `options` says it to whoever reads them.

    Attributes:
      vocab_size: Tokens of the vocabulary.
      k: How many tokens are kept of each position; with `mass`, the most that are.
      mass: Probability that the kept ones must have together; None keeps k everywhere.
      temperature: Divides the logits before the softmax. What is stored is at this temperature.
      is_log: Whether log-probabilities are stored; else probabilities.
      has_tail: Whether the tail's mass is stored.

    Raises:
      InputError: One of them does not do.
    """

    vocab_size: int
    k: int = 32
    mass: float | None = None
    temperature: float = 1.0
    is_log: bool = True
    has_tail: bool = True

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
          InputError: One does not do.
        """
        read_whole_number(self.vocab_size, name="vocab_size", at_least=2)
        k = read_whole_number(self.k, name="k", at_least=1)
        if k > min(self.vocab_size, _SMALL_VOCABULARY - 1):
            raise errors.InputError(
                f"k is {k}; wanted at most the vocabulary's {self.vocab_size}; choose a smaller one"
            )
        if self.mass is not None and not 0 < self.mass <= 1:
            raise errors.InputError(
                f"mass is {self.mass}; wanted more than 0 and at most 1; choose another"
            )
        if not 0 < self.temperature < float("inf"):
            raise errors.InputError(
                f"temperature is {self.temperature}; wanted more than 0; choose another"
            )

    @property
    def id_dtype(self) -> str:
        """Of the ids."""
        return "uint16" if self.vocab_size <= _SMALL_VOCABULARY else "uint32"

    @property
    def values_name(self) -> str:
        """Name of the field with the values."""
        return LOG_PROBABILITIES if self.is_log else PROBABILITIES

    @property
    def options(self) -> dict[str, Any]:
        """Everything about the codec as JSON values, for the fingerprint's options."""
        return dataclasses.asdict(self)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> TopKCodec:
        """Returns the codec that outputs were stored with.

        Args:
          options: What `options` gave; others among them are passed over.

        Raises:
          InputError: One is missing.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in names if name not in options]
        if missing:
            raise errors.InputError(
                f"the options lack {', '.join(missing)}; wanted those of a codec; open outputs "
                "that hold distributions"
            )
        return cls(**{name: options[name] for name in names})

    def fields(self) -> tuple[ArrayField, ...]:
        """Returns what a sample of token positions is made of, for a schema."""
        if self.mass is None:
            fields = [
                ArrayField(IDS, self.id_dtype, (None, self.k), TOKENS),
                ArrayField(self.values_name, "float16", (None, self.k), TOKENS),
            ]
        else:
            fields = [
                ArrayField(IDS, self.id_dtype, (None,), ENTRIES),
                ArrayField(self.values_name, "float16", (None,), ENTRIES),
                ArrayField(NUM_KEPT, "uint16", (None,), TOKENS),
            ]
        if self.has_tail:
            fields.append(ArrayField(TAIL_MASS, "float32", (None,), TOKENS))
        return tuple(fields)

    @property
    def bytes_per_token(self) -> int:
        """Bytes of a token position; with `mass`, the most that one takes."""
        entry = np.dtype(self.id_dtype).itemsize + np.dtype(np.float16).itemsize
        per_position = (4 if self.has_tail else 0) + (0 if self.mass is None else 2)
        return self.k * entry + per_position

    def encode(self, logits: np.ndarray) -> TopK:
        """Keeps the most likely tokens of some positions; of equally likely ones the first.

        Args:
          logits: Floats `[n, vocab_size]`; log-probabilities are logits too.

        Returns:
          What is stored of them.

        Raises:
          InputError: The shape is another, or a number is NaN or infinite.
        """
        logs = log_softmax(self._checked(logits) / np.float32(self.temperature))
        ids = _largest(logs, self.k)
        kept = np.take_along_axis(logs, ids, axis=1)
        rest = np.exp(logs)
        np.put_along_axis(rest, ids, 0, axis=1)
        return self.pack(ids, log_probabilities=kept, tail_mass=rest.sum(axis=1, dtype=np.float64))

    def pack(
        self,
        ids: np.ndarray,
        *,
        log_probabilities: np.ndarray,
        tail_mass: np.ndarray | None = None,
    ) -> TopK:
        """Stores what a teacher found to be most likely by itself, on an accelerator for example.

        Args:
          ids: Integers `[n, k]`: the k most likely of each position, in any order.
          log_probabilities: Floats `[n, k]`, at the codec's temperature.
          tail_mass: Floats `[n]`: of all but these k; None takes what is missing to 1.

        Returns:
          What is stored of them, the most likely first.

        Raises:
          InputError: The shapes are others, or an id is none of the vocabulary.
        """
        numbers, logs = np.asarray(ids), np.asarray(log_probabilities, dtype=np.float32)
        if numbers.shape != logs.shape or numbers.ndim != 2 or numbers.shape[1] != self.k:
            raise errors.InputError(
                f"found ids {list(numbers.shape)} and log-probabilities {list(logs.shape)}; wanted "
                f"[n, {self.k}] of both; give the k most likely"
            )
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < self.vocab_size:
            raise errors.InputError(
                f"found ids {numbers.min()} to {numbers.max()}; wanted 0 to {self.vocab_size - 1}; "
                "give the codec the teacher's vocab_size"
            )
        order = np.lexsort((numbers, -logs), axis=1)
        numbers = np.take_along_axis(numbers, order, axis=1)
        logs = np.take_along_axis(logs, order, axis=1)
        kept = np.exp(logs, dtype=np.float64)
        if tail_mass is None:
            tail = 1 - kept.sum(axis=1)
        else:
            tail = np.array(tail_mass, dtype=np.float64)
        num_kept = None
        if self.mass is not None:
            # Those before which the mass was not reached yet.
            is_kept = np.cumsum(kept, axis=1) - kept < self.mass
            num_kept = is_kept.sum(axis=1).astype(np.uint16)
            tail += np.where(is_kept, 0, kept).sum(axis=1)
            numbers = np.where(is_kept, numbers, 0)
            logs, kept = np.where(is_kept, logs, 0), np.where(is_kept, kept, 0)
        values = np.maximum(logs, _LEAST_LOG) if self.is_log else kept
        return TopK(
            ids=numbers.astype(self.id_dtype),
            values=values.astype(np.float16),
            tail_mass=np.clip(tail, 0, 1).astype(np.float32) if self.has_tail else None,
            num_kept=num_kept,
        )

    def to_arrays(self, kept: TopK) -> dict[str, np.ndarray]:
        """Returns the arrays of a sample whose positions these are, for the fields of `fields`.

        Args:
          kept: What `encode` or `pack` gave.
        """
        arrays = {IDS: kept.ids, self.values_name: kept.values}
        if kept.num_kept is not None:
            is_kept = kept.is_kept
            arrays = {name: array[is_kept] for name, array in arrays.items()}
            arrays[NUM_KEPT] = kept.num_kept
        if kept.tail_mass is not None:
            arrays[TAIL_MASS] = kept.tail_mass
        return arrays

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> TopK:
        """Returns the positions of a sample, or of several one after the other.

        Args:
          arrays: What `to_arrays` gave; others among them are passed over.

        Raises:
          ArtifactError: They do not fit together.
        """
        ids, values = np.asarray(arrays[IDS]), np.asarray(arrays[self.values_name])
        tail_mass = arrays[TAIL_MASS] if self.has_tail else None
        if self.mass is None:
            return TopK(ids, values, tail_mass)
        num_kept = np.asarray(arrays[NUM_KEPT])
        if int(num_kept.sum()) != len(ids) or len(values) != len(ids):
            raise errors.ArtifactError(
                f"found {len(ids)} ids for {int(num_kept.sum())} that were kept; wanted as many; "
                "generate the outputs again"
            )
        shape = len(num_kept), int(num_kept.max(initial=1))
        is_kept = np.arange(shape[1]) < num_kept[:, None]
        all_ids, all_values = np.zeros(shape, ids.dtype), np.zeros(shape, values.dtype)
        all_ids[is_kept], all_values[is_kept] = ids, values
        return TopK(all_ids, all_values, tail_mass, num_kept)

    def probabilities(self, kept: TopK) -> np.ndarray:
        """Returns the probabilities of the kept tokens, float32 `[n, k]`.

        Args:
          kept: The positions; what does not count is 0.
        """
        values = kept.values.astype(np.float32)
        found = np.exp(values) if self.is_log else values
        return found if kept.num_kept is None else np.where(kept.is_kept, found, np.float32(0))

    def tail_share(self, kept: TopK, tail: str = SPREAD) -> np.ndarray:
        """Returns what each token that was not kept gets, float32 `[n]`.

        Args:
          kept: The positions.
          tail: `spread` gives all of them the same share of the tail's mass, `left_out` nothing.

        Raises:
          InputError: `tail` is neither.
        """
        if tail not in TAILS:
            raise errors.InputError(f"tail is {tail!r}; wanted {' or '.join(TAILS)}; give one")
        if tail == LEFT_OUT:
            return np.zeros(len(kept.ids), dtype=np.float32)
        mass = kept.tail_mass
        if mass is None:
            mass = np.clip(1 - self.probabilities(kept).sum(axis=1), 0, 1)
        num_others = self.vocab_size - kept.is_kept.sum(axis=1)
        return (mass / np.maximum(num_others, 1)).astype(np.float32)

    def to_dense(self, kept: TopK, tail: str = SPREAD) -> np.ndarray:
        """Returns whole distributions, float32 `[n, vocab_size]`.

        Args:
          kept: The positions.
          tail: What the other tokens get, as for `tail_share`. With `left_out` a row's sum is less
            than 1 by the tail's mass.

        Raises:
          InputError: `tail` is neither.
        """
        dense = np.repeat(self.tail_share(kept, tail)[:, None], self.vocab_size, axis=1)
        rows, columns = np.nonzero(kept.is_kept)
        dense[rows, kept.ids[rows, columns]] = self.probabilities(kept)[rows, columns]
        return dense

    def _checked(self, logits: np.ndarray) -> np.ndarray:
        """Returns logits as float32.

        Raises:
          InputError: They are not as `encode` says.
        """
        array = np.asarray(logits)
        if array.ndim != 2 or array.shape[1] != self.vocab_size or array.dtype.kind != "f":
            raise errors.InputError(
                f"found logits {array.dtype.name} {list(array.shape)}; wanted floats "
                f"[n, {self.vocab_size}]; give one row for each position"
            )
        # -inf is what masks leave; a row needs one number at least.
        if np.isnan(array).any() or not np.isfinite(array.max(axis=1, initial=-np.inf)).all():
            raise errors.InputError(
                "found logits that are NaN or infinite; wanted numbers; look at the teacher"
            )
        return array.astype(np.float32, copy=False)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Returns log-probabilities.

    Args:
      logits: float32 `[n, vocab_size]`.

    Returns:
      float32 of the same shape; the sums are taken in float32 from the largest logit on.
    """
    shifted = logits - logits.max(axis=1, keepdims=True, initial=-np.inf)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True, dtype=np.float32))
    return shifted


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Returns where the largest of each row are, int64 `[n, count]`; of equal ones the first."""
    if count == values.shape[1]:
        return np.broadcast_to(np.arange(count), values.shape).copy()
    found = np.argpartition(-values, count - 1, axis=1)[:, :count]
    least = np.take_along_axis(values, found, axis=1).min(axis=1, keepdims=True)
    # Where several are equal to the least that is kept, which of them was chosen is chance.
    tied = np.flatnonzero((values >= least).sum(axis=1) > count)
    if len(tied):
        found[tied] = np.argsort(-values[tied], axis=1, kind="stable")[:, :count]
    return found
