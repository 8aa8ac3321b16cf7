"""Small teacher outputs for tests: two fixed fields, and three ragged ones of two lengths."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.teacher_outputs.reader import TeacherOutputs
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.writer import OutputsWriter

SCHEMA = OutputSchema(
    (
        ArrayField("x", "float32", (5, 1)),
        ArrayField("f0", "float64"),
        ArrayField("ids", "uint16", (None, 3), length="tokens"),
        ArrayField("log_probabilities", "float16", (None, 3), length="tokens"),
        ArrayField("text", "uint8", (None,)),
    )
)


def small_plan(**changes: Any) -> OutputsPlan:
    """Returns a plan of ten samples in three shards."""
    options: dict[str, Any] = {
        "schema": SCHEMA,
        "num_samples": 10,
        "samples_per_shard": 4,
        "teacher": {"name": "small", "weights": "0" * 64},
        "data": {"name": "drawn"},
        "vocabulary": "none",
        "options": {"k": 3},
        "seed": 7,
    }
    return OutputsPlan(**{**options, **changes})


def small_sample(number: int) -> dict[str, Any]:
    """Returns a sample; every third has no tokens, and the first no text."""
    rng = np.random.default_rng(number)
    num_tokens = number % 3
    return {
        "x": rng.normal(size=(5, 1)).astype(np.float32),
        "f0": 440.0 + number,
        "ids": rng.integers(40_000, 65_536, size=(num_tokens, 3)).astype(np.uint16),
        "log_probabilities": rng.normal(size=(num_tokens, 3)).astype(np.float16),
        "text": np.frombuffer(b"a" * number, dtype=np.uint8),
    }


def write_small(path: pathlib.Path, **changes: Any) -> TeacherOutputs:
    """Writes the outputs of a small plan."""
    plan = small_plan(**changes)
    with OutputsWriter(path, plan=plan) as writer:
        for index in writer.missing_shards():
            writer.write_shard(index, map(small_sample, plan.samples_of(index)))
        return writer.publish()
