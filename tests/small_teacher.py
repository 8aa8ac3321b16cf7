"""A small teacher for tests, made of NumPy alone: one fixed field, and a ragged one."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5.encoding import ragged
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.training.teachers import agreement
from code_t5.training.teachers.generating import GenerationConfig
from code_t5.training.teachers.teacher import TeacherSpec

SCHEMA = OutputSchema(
    (ArrayField("value", "float64"), ArrayField("rows", "uint16", (None, 2), length="rows"))
)


@dataclasses.dataclass
class SmallTeacher:
    """Says of a drawn number itself, and as many rows as its last digit.

    Attributes:
      journal: Gets a line of JSON for each batch: the numbers that were asked about.
      room: Larger batches find no memory.
      seconds: How long a batch takes.
      offset: What is added to what it says.
    """

    journal: str = ""
    room: int = 1 << 30
    seconds: float = 0.0
    offset: float = 0.0
    draws_at_random: bool = True
    depends_on_batch: bool = False
    available: int | None = None

    name = "small"
    schema = SCHEMA
    order = ("value", "rows")
    vocabulary_description = None
    described_fields = ("value",)
    max_batch = 1 << 20
    data_description = {"kind": "drawn", "sample_rate_hz": 8}
    options: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"k": 2})

    @property
    def description(self) -> dict[str, Any]:
        """Its name and what it adds."""
        return {"name": self.name, "offset": self.offset}

    def num_available(self, split: str) -> int | None:
        """Returns how many samples there are."""
        return 20 if split == "validation" else self.available

    def draw(self, numbers: Sequence[int], *, seed: int, split: str) -> list[tuple[int, int]]:
        """Returns numbers of samples, and what is drawn for them."""
        key = ("train", "validation").index(split)
        rngs = [np.random.default_rng((seed, key, number)) for number in numbers]
        return [(number, int(rng.integers(1000))) for number, rng in zip(numbers, rngs)]

    def length_of(self, one_input: tuple[int, int]) -> int:
        """Returns how many rows it will have."""
        return one_input[1] % 10

    def run(self, inputs: Sequence[tuple[int, int]]) -> dict[str, Any]:
        """Answers, and writes down that it did."""
        if len(inputs) > self.room:
            raise MemoryError("stand-in: out of memory")
        if self.journal:
            with open(self.journal, "a", encoding="utf-8") as file:
                file.write(json.dumps([number for number, _ in inputs]) + "\n")
        time.sleep(self.seconds)
        lengths = np.array([self.length_of(one) for one in inputs])
        drawn = np.array([value for _, value in inputs])
        values = np.repeat(drawn, lengths)[:, None] + np.arange(2)
        said = drawn + self.offset
        if self.depends_on_batch:
            said = said + len(inputs) / 1024
        return {
            "value": said.astype(np.float64),
            "rows": ragged.Ragged(values.astype(np.uint16), ragged.offsets_of(lengths)),
        }

    def describe_values(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the values."""
        return {"value": columns["value"]}

    def compare(
        self, found: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> list[agreement.Agreement]:
        """Returns the largest error of each field."""
        return agreement.max_errors(found, wanted=wanted, tolerance=1e-3)


def make_small(changes: tuple[tuple[str, Any], ...], device: str) -> SmallTeacher:
    """Returns a teacher; importable by name."""
    del device
    return SmallTeacher(**dict(changes))


def open_small(name: str, *, settings: Mapping[str, Any], device: str) -> SmallTeacher:
    """Returns a teacher with a setting, `offset`; for a family of the registry."""
    del name, device
    return SmallTeacher(offset=settings["offset"], options={"offset": settings["offset"]})


def small_config(*, teacher: Mapping[str, Any] | None = None, **changes: Any) -> GenerationConfig:
    """Returns what is to be generated: 20 samples, four in a shard, in this process."""
    options: dict[str, Any] = {
        "spec": TeacherSpec(make_small, (tuple((teacher or {}).items()),)),
        "num_samples": 20,
        "seed": 7,
        "samples_per_shard": 4,
        "num_workers": 1,
    }
    return GenerationConfig(**{**options, **changes})


def asked(journal: pathlib.Path) -> list[list[int]]:
    """Returns the batches that were asked about."""
    if not os.path.exists(journal):
        return []
    return [json.loads(line) for line in journal.read_text().splitlines()]
