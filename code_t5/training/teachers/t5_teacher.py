"""What all T5 teachers have in common: examples of a Task go in, one after the other.

What is stored of an example holds its inputs and targets as well, so that a student needs nothing
else. A *size* and a *kind* make a teacher's name: `t5_dev_top32` is the dev size, asked for the 32
most likely tokens.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5.encoding import ragged
from code_t5.encoding.ragged import Ragged
from code_t5.teacher_outputs.schema import ArrayField
from code_t5.training.teachers import t5_network
from code_t5.training.teachers.agreement import Agreement
from code_t5.training.teachers.t5_inputs import TaskInput
from code_t5.training.teachers.t5_network import T5Network
from code_t5.training.teachers.t5_source import T5Source

INPUTS, TARGETS = "inputs", "targets"
# Counted up whenever the same weights would come to say something else.
_VERSION = 1
_SMALL_VOCABULARY = 1 << 16


class T5Teacher:
    """Common parts of the T5 teachers, as `teacher.Teacher` says.

    Attributes:
      name: It is registered under this.
      source: The model and the Task.
      max_batch: Larger batches gain nothing.
      draws_at_random: True.
      depends_on_batch: True: what padding there is decides on the last digits.
    """

    max_batch = 256
    draws_at_random = True
    depends_on_batch = True

    def __init__(self, name: str, *, source: T5Source, device: str) -> None:
        """Loads nothing but libraries: weights are read when they are hashed, or asked.

        Args:
          name: It is registered under this.
          source: The model and the Task.
          device: Of torch.
        """
        t5_network.import_libraries()
        self.name = name
        self.source = source
        self._device = device

    @functools.cached_property
    def network(self) -> T5Network:
        """The model on its device.

        Raises:
          ArtifactError: Settings, weights and vocabulary do not fit each other, or are damaged.
        """
        return T5Network(self.source.load(), device=self._device)

    @functools.cached_property
    def description(self) -> dict[str, Any]:
        """Name, sizes and a hash of the weights.

        Raises:
          InputError: Weights are missing, damaged or of other shapes.
        """
        return {"name": self.name, "version": _VERSION, **self.source.describe()}

    @property
    def data_description(self) -> dict[str, Any]:
        """The Task, its tokens and its objective."""
        return self.source.inputs.description

    @property
    def vocabulary_description(self) -> dict[str, Any]:
        """Fingerprint and size of the Task's vocabulary."""
        return self.source.inputs.vocabulary_description

    @property
    def task_options(self) -> dict[str, Any]:
        """Task and lengths."""
        lengths = {f"{name}_length": length for name, length in self.source.lengths.items()}
        return {"task": self.source.inputs.task, **lengths}

    @property
    def id_dtype(self) -> str:
        """Of tokens."""
        return "uint16" if self.source.num_embeddings <= _SMALL_VOCABULARY else "uint32"

    def num_available(self, split: str) -> int | None:
        """Returns how many samples there are; None for no end.

        Args:
          split: `train` or `validation`.

        Raises:
          InputError: The split holds no example.
        """
        return self.source.inputs.num_available(split)

    def draw(self, numbers: Sequence[int], *, seed: int, split: str) -> list[TaskInput]:
        """Returns some examples.

        Args:
          numbers: Of the samples.
          seed: Of all.
          split: `train` or `validation`.

        Raises:
          InputError: The split holds no example.
          ArtifactError: The Task's cache is damaged.
        """
        return self.source.inputs.draw(numbers, seed=seed, split=split)

    def length_of(self, one_input: TaskInput) -> int:
        """Returns the tokens of the targets, which cost more than inputs.

        Args:
          one_input: The example.
        """
        return len(one_input.targets)

    def token_field(self, name: str, *, length: str | None = None) -> ArrayField:
        """Returns a field of tokens.

        Args:
          name: Of the field.
          length: What it counts; None for its own name.
        """
        return ArrayField(name, self.id_dtype, (None,), length)

    def tokens_of(self, inputs: Sequence[TaskInput]) -> dict[str, Ragged]:
        """Returns the columns of inputs and targets.

        Args:
          inputs: The examples.
        """
        dtype = np.dtype(self.id_dtype)
        return {
            name: Ragged.from_rows([getattr(one, name) for one in inputs], dtype)
            for name in (INPUTS, TARGETS)
        }


def inputs_of(columns: Mapping[str, Any]) -> list[TaskInput]:
    """Returns the examples that columns are about.

    Args:
      columns: With inputs and targets.
    """
    inputs, targets = columns[INPUTS], columns[TARGETS]
    return [
        TaskInput(inputs.row(number).astype(np.int32), targets.row(number).astype(np.int32))
        for number in range(inputs.num_rows)
    ]


def compare_tokens(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Agreement:
    """Says how many samples have the same inputs and targets.

    Args:
      found: Columns that are stored.
      wanted: Columns of the same samples.
    """
    stored, drawn = inputs_of(found), inputs_of(wanted)
    same = [
        all(np.array_equal(part, other) for part, other in zip(one, another))
        for one, another in zip(stored, drawn)
    ]
    share = float(np.mean(same)) if same else 1.0
    tokens = sum(len(one.targets) for one in stored)
    return Agreement(
        "share of samples with the same tokens",
        share,
        "1",
        share == 1,
        f"{len(stored)} samples, {tokens:,} target tokens",
    )


def joined(parts: Sequence[np.ndarray], *, numbers: Sequence[int], lengths: np.ndarray) -> Ragged:
    """Puts what was found group by group in the order of the batch.

    Args:
      parts: Rows of each group `[num_positions, ...]`, one example after the other.
      numbers: Of the examples, as they stand in the groups.
      lengths: int64 `[num_examples]`: positions of each example of the batch.
    """
    values = np.concatenate(list(parts))
    order = np.array(numbers, dtype=np.int64)
    starts = np.empty(len(order), dtype=np.int64)
    starts[order] = ragged.offsets_of(lengths[order])[:-1]
    return ragged.gather_ranges(values, starts=starts, lengths=lengths)
