"""What a teacher is to those who ask it: a schema, descriptions, inputs to draw, batches to run.

A *sample* has a number. Its input follows from that number, the seed and the *split* (`train` or
`validation`) alone, and what a teacher says of an input does not depend on the others in its batch.
So a run that was stopped gives the bytes of one that was not, whatever its batches are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Protocol

import numpy as np

from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.teacher_outputs.schema import OutputSchema

TRAIN = "train"
VALIDATION = "validation"
# Of the validation samples, which are the same every time.
VALIDATION_SEED = 20_260_101
# Small enough to lose when killed, and as many as a batch.
_SAMPLES_PER_SHARD = 64
_MAX_SHARDS = 20_000


class Teacher(Protocol):
    """What is asked once, and its answers stored.

    Attributes:
      name: It is registered under this name.
      schema: What a sample is made of.
      order: Names of the fields of a tuple, where samples are tuples.
      description: JSON values that tell it from any other, hashes of its weights among them.
      data_description: The same of what it is asked.
      vocabulary_description: The same of its vocabulary; None without one.
      options: How it is asked.
      num_validation_samples: How many there are.
      described_fields: Names of the fields that `describe_values` looks at.
      max_batch: Larger batches gain nothing.
      tolerance: Largest error that rounding on another machine explains.
    """

    @property
    def name(self) -> str:
        """Name that it is registered under."""

    @property
    def schema(self) -> OutputSchema:
        """What a sample is made of."""

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the fields of a tuple."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What tells it from any other."""

    @property
    def data_description(self) -> Mapping[str, Any]:
        """What tells its inputs from any other's."""

    @property
    def vocabulary_description(self) -> Any:
        """What tells its vocabulary from any other; None without one."""

    @property
    def options(self) -> Mapping[str, Any]:
        """How it is asked."""

    @property
    def num_validation_samples(self) -> int:
        """How many validation samples there are."""

    @property
    def described_fields(self) -> tuple[str, ...]:
        """Names of the fields that `describe_values` looks at."""

    @property
    def max_batch(self) -> int:
        """Larger batches gain nothing."""

    @property
    def tolerance(self) -> float:
        """Largest error that rounding on another machine explains."""

    def draw(self, numbers: Sequence[int], *, seed: int, split: str) -> list[Any]:
        """Returns the inputs of some samples.

        Args:
          numbers: Of the samples.
          seed: Of all.
          split: `train` or `validation`.
        """

    def length_of(self, one_input: Any) -> int:
        """Returns how long an input is: inputs of about one length stand in a batch.

        Args:
          one_input: What `draw` gave.
        """

    def run(self, inputs: Sequence[Any]) -> Mapping[str, Any]:
        """Asks about some inputs at once.

        Args:
          inputs: What `draw` gave.

        Returns:
          A column `[num_inputs, ...]` or `Ragged` for each field.
        """

    def describe_values(self, columns: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """Returns what is worth a range in a report, by its name.

        Args:
          columns: The described fields of some samples.
        """


@dataclasses.dataclass(frozen=True)
class TeacherSpec:
    """How a teacher is made, on any device and in any process.

    Attributes:
      make_fn: Importable by name; called with the arguments and the device.
      arguments: What it is called with, before the device.
    """

    make_fn: Callable[..., Teacher]
    arguments: tuple[Any, ...] = ()

    def make(self, device: str) -> Teacher:
        """Returns the teacher.

        Args:
          device: Of torch.
        """
        return self.make_fn(*self.arguments, device)


def expected_parts(teacher: Teacher, *, split: str) -> dict[str, Any]:
    """Returns what outputs of a teacher say of themselves, whatever their seed.

    A reader passes it as `expected`, so that nothing of another teacher is taken for its own.

    Args:
      teacher: Whose they are.
      split: `train` or `validation`.
    """
    return {
        "teacher": dict(teacher.description),
        "data": {**teacher.data_description, "split": split},
        "vocabulary": teacher.vocabulary_description,
        "options": dict(teacher.options),
        "schema": teacher.schema.to_json(),
    }


def make_plan(
    teacher: Teacher,
    *,
    num_samples: int,
    seed: int,
    split: str = TRAIN,
    samples_per_shard: int | None = None,
) -> OutputsPlan:
    """Returns what is to be written.

    Args:
      teacher: Who is asked.
      num_samples: How many samples.
      seed: What they are drawn with.
      split: `train` or `validation`.
      samples_per_shard: None for a good number.

    Returns:
      The plan; the same for the same arguments, on every machine.

    Raises:
      InputError: A number does not do.
    """
    parts = expected_parts(teacher, split=split)
    parts.pop("schema")
    default = max(_SAMPLES_PER_SHARD, -(-num_samples // _MAX_SHARDS))
    return OutputsPlan(
        schema=teacher.schema,
        num_samples=num_samples,
        samples_per_shard=samples_per_shard or default,
        seed=seed,
        **parts,
    )
