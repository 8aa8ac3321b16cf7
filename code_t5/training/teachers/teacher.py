"""What a teacher is to those who ask it: a schema, descriptions, inputs to draw, batches to run.

A *sample* has a number. Its input follows from that number, the seed and the *split* (`train` or
`validation`) alone. What a teacher says of an input should not depend on the others in its batch:
then a run that was stopped gives the bytes of one that was not, whatever its batches are. Where
arithmetic makes it depend on them (`depends_on_batch`), batches are the same in every run: each
shard is asked about by itself, in order of length, and the batch size is part of what decides on
the bytes.

Who writes a teacher gives `Teacher`'s attributes and methods, and a family in `registry`:

- `description`, `data_description`, `vocabulary_description` and `options` become the fingerprint.
  They hold hashes, never paths. `description` holds the `name`. What decides on `options` stands
  there under the name of the registry's setting, so that a cache says how to open its teacher.
- `draw`, `length_of` and `run` are called by `batching.BatchRunner`, which makes batches by length
  and smaller ones where memory runs out. `run` gives its columns in the order of its inputs, in the
  dtypes of the schema; a ragged field as `Ragged` of this batch.
- A teacher is made once for its descriptions, and once in each process that asks it. It should not
  load what only `run` needs before `run` is called; but one that uses torch imports it when it is
  made, so that whoever asks can set its threads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Protocol

import numpy as np

from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.teacher_outputs.schema import OutputSchema
from code_t5.training.teachers.agreement import Agreement

TRAIN = "train"
VALIDATION = "validation"
# Among the options of a teacher whose bytes depend on it.
BATCH_SIZE = "batch_size"
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
      draws_at_random: Whether samples are drawn with a seed, and so differ from one generation to
        the next. If not, `draw` gets the seed 0.
      described_fields: Names of the fields that `describe_values` looks at.
      max_batch: Larger batches gain nothing.
      depends_on_batch: Whether the bytes of a sample depend on the others of its batch.
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
    def draws_at_random(self) -> bool:
        """Whether samples are drawn with a seed."""

    @property
    def described_fields(self) -> tuple[str, ...]:
        """Names of the fields that `describe_values` looks at."""

    @property
    def max_batch(self) -> int:
        """Larger batches gain nothing."""

    @property
    def depends_on_batch(self) -> bool:
        """Whether the bytes of a sample depend on the others of its batch."""

    def num_available(self, split: str) -> int | None:
        """Returns how many samples there are; None for no end, which `validation` has.

        Args:
          split: `train` or `validation`.
        """

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

    def compare(self, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Agreement]:
        """Says how far what is stored is from what the teacher says now.

        Args:
          found: Columns that are stored.
          wanted: Columns of the same samples that `run` gave just now.
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


def expected_parts(
    teacher: Teacher, *, split: str, batch_size: int | None = None
) -> dict[str, Any]:
    """Returns what outputs of a teacher say of themselves, whatever their seed.

    A reader passes it as `expected`, so that nothing of another teacher is taken for its own.

    Args:
      teacher: Whose they are.
      split: `train` or `validation`.
      batch_size: Samples that are asked about at once, where the bytes depend on it.
    """
    options = dict(teacher.options)
    if teacher.depends_on_batch and batch_size is not None:
        options[BATCH_SIZE] = batch_size
    return {
        "teacher": dict(teacher.description),
        "data": {**teacher.data_description, "split": split},
        "vocabulary": teacher.vocabulary_description,
        "options": options,
        "schema": teacher.schema.to_json(),
    }


def make_plan(
    teacher: Teacher,
    *,
    num_samples: int,
    seed: int | None,
    split: str = TRAIN,
    batch_size: int | None = None,
    samples_per_shard: int | None = None,
) -> OutputsPlan:
    """Returns what is to be written.

    Args:
      teacher: Who is asked.
      num_samples: How many samples.
      seed: What they are drawn with; None if nothing is drawn.
      split: `train` or `validation`.
      batch_size: Samples that are asked about at once, where the bytes depend on it.
      samples_per_shard: None for a good number.

    Returns:
      The plan; the same for the same arguments, on every machine.

    Raises:
      InputError: A number does not do.
    """
    parts = expected_parts(teacher, split=split, batch_size=batch_size)
    parts.pop("schema")
    default = max(_SAMPLES_PER_SHARD, -(-num_samples // _MAX_SHARDS))
    if teacher.depends_on_batch and batch_size is not None:
        # Whole batches, so that no shard has a small one but the last.
        default = -(-default // batch_size) * batch_size
    return OutputsPlan(
        schema=teacher.schema,
        num_samples=num_samples,
        samples_per_shard=samples_per_shard or default,
        seed=seed,
        **parts,
    )
