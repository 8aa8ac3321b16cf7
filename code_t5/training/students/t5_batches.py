"""Batches for T5 students: what a cache or a live teacher gives, as arrays that torch takes.

Inputs and targets are padded. What a teacher says of tokens is not: its *positions*, the tokens of
all targets of the batch one after the other, are what losses are reckoned at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding.ragged import Ragged
from code_t5.teacher_outputs import t5_samples
from code_t5.teacher_outputs.codec import TopKCodec

INPUTS, TARGETS = "inputs", "targets"
INPUT_LENGTHS, TARGET_LENGTHS = "input_lengths", "target_lengths"
KEPT_IDS, KEPT_LOGS, IS_KEPT = "kept_ids", "kept_logs", "is_kept"
TAIL_MASS = "tail_mass"
# Logarithm of a stored probability of zero.
_LEAST = -104.0


def _padded(rows: Ragged) -> np.ndarray:
    """Returns int64 `[num_rows, longest]`, zeros behind each row."""
    lengths = rows.lengths
    found = np.zeros((rows.num_rows, max(1, int(lengths.max(initial=0)))), dtype=np.int64)
    found[np.arange(found.shape[1]) < lengths[:, None]] = rows.values
    return found


def _example(inputs: Ragged, targets: Ragged) -> dict[str, np.ndarray]:
    return {
        INPUTS: _padded(inputs),
        INPUT_LENGTHS: inputs.lengths.astype(np.int64),
        TARGETS: _padded(targets),
        TARGET_LENGTHS: targets.lengths.astype(np.int64),
    }


def _flat(column: Any) -> np.ndarray:
    return column.values if isinstance(column, Ragged) else np.asarray(column)


@dataclasses.dataclass(frozen=True)
class TokenBatches:
    """Makes batches of outputs at token level.

    Attributes:
      codec: How distributions are stored.
    """

    codec: TopKCodec

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that are read."""
        names = [field.name for field in self.codec.fields()]
        return (t5_samples.INPUTS, t5_samples.TARGETS, *names)

    def __call__(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns a batch.

        Args:
          columns: The fields of some samples.

        Returns:
          `inputs` and `targets` int64 `[n, length]`, their lengths int64 `[n]`; at the positions
          `kept_ids` int64 and `kept_logs` float32 `[num_positions, k]`, `is_kept` bool of the same
          shape where the mass decides on k, and `tail_mass` float32 `[num_positions]`.

        Raises:
          ArtifactError: A sample's distributions are not those of its targets.
        """
        batch = _example(columns[t5_samples.INPUTS], columns[t5_samples.TARGETS])
        kept = self.codec.from_arrays(
            {field.name: _flat(columns[field.name]) for field in self.codec.fields()}
        )
        if len(kept.ids) != int(batch[TARGET_LENGTHS].sum()):
            raise errors.ArtifactError(
                f"found distributions of {len(kept.ids)} tokens for targets of "
                f"{int(batch[TARGET_LENGTHS].sum())}; wanted as many; generate the outputs again"
            )
        values = kept.values.astype(np.float32)
        if not self.codec.is_log:
            values = np.log(np.maximum(values, np.exp(np.float32(_LEAST))))
        mass = kept.tail_mass
        if mass is None:
            mass = np.clip(1 - self.codec.probabilities(kept).sum(axis=1), 0, 1)
        batch[KEPT_IDS] = kept.ids.astype(np.int64)
        batch[KEPT_LOGS] = np.maximum(values, np.float32(_LEAST))
        batch[TAIL_MASS] = mass.astype(np.float32)
        if kept.num_kept is not None:
            batch[IS_KEPT] = kept.is_kept
        return batch


@dataclasses.dataclass(frozen=True)
class BestHypothesisBatches:
    """Makes batches of outputs at sequence level: the best hypothesis becomes the targets."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that are read."""
        return t5_samples.INPUTS, t5_samples.SEQUENCES, t5_samples.SEQUENCE_LENGTHS

    def __call__(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns a batch.

        Args:
          columns: The fields of some samples.

        Returns:
          `inputs` and `targets` int64 `[n, length]`, and their lengths int64 `[n]`.

        Raises:
          ArtifactError: A sample has other tokens than its hypotheses together.
        """
        best = np.zeros(len(columns[t5_samples.SEQUENCE_LENGTHS]), dtype=np.int64)
        return _example(columns[t5_samples.INPUTS], t5_samples.take_hypotheses(columns, which=best))
