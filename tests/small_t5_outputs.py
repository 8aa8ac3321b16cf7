"""Small outputs of T5 teachers for tests: drawn tokens, and distributions of drawn logits."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from code_t5.encoding.ragged import Ragged
from code_t5.teacher_outputs.codec import TOKENS, TopKCodec
from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.teacher_outputs.reader import TeacherOutputs
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.writer import OutputsWriter

LENGTHS = {"inputs_length": 8, "targets_length": 6}


def _ids(number: int, *, length: int, vocab_size: int) -> np.ndarray:
    """Returns `length` ids above the special ones, and the end of text."""
    rng = np.random.default_rng((number, length))
    return np.append(rng.integers(3, vocab_size, size=length), 1).astype(np.uint16)


def token_schema(codec: TopKCodec) -> OutputSchema:
    """Returns the schema of a teacher at token level."""
    inputs = ArrayField("inputs", "uint16", (None,))
    targets = ArrayField("targets", "uint16", (None,), length=TOKENS)
    return OutputSchema((inputs, targets, *codec.fields()))


def teacher_logits(number: int, *, codec: TopKCodec) -> np.ndarray:
    """Returns the logits at the positions of a sample; it has 2 to 5 target tokens."""
    rng = np.random.default_rng((number, 1))
    return rng.normal(scale=3.0, size=(2 + number % 4, codec.vocab_size)).astype(np.float32)


def token_sample(number: int, *, codec: TopKCodec) -> dict[str, Any]:
    """Returns a sample of token level."""
    logits = teacher_logits(number, codec=codec)
    return {
        "inputs": _ids(number, length=1 + number % 6, vocab_size=codec.vocab_size),
        "targets": _ids(number, length=len(logits) - 1, vocab_size=codec.vocab_size),
        **codec.to_arrays(codec.encode(logits)),
    }


NBEST_SCHEMA = OutputSchema(
    (
        ArrayField("inputs", "uint16", (None,)),
        ArrayField("targets", "uint16", (None,)),
        ArrayField("sequences", "uint16", (None,)),
        ArrayField("sequence_lengths", "int32", (2,)),
        ArrayField("scores", "float32", (2,)),
    )
)


def nbest_sample(number: int, *, vocab_size: int = 400) -> dict[str, Any]:
    """Returns a sample of sequence level: the second hypothesis has no end of text.

    Its first token is the number of the sample and 10, and the first hypothesis is three times as
    likely as the second.
    """
    first = np.array([number + 10, 7, 1], dtype=np.uint16)
    second = np.array([number + 10, 8, 9, 9], dtype=np.uint16)
    return {
        "inputs": _ids(number, length=1 + number % 6, vocab_size=vocab_size),
        "targets": _ids(number, length=3, vocab_size=vocab_size),
        "sequences": np.concatenate([first, second]),
        "sequence_lengths": np.array([len(first), len(second)], dtype=np.int32),
        "scores": np.log(np.array([0.3, 0.1])).astype(np.float32),
    }


def parts(
    schema: OutputSchema, *, options: dict[str, Any], vocabulary: Any = None, **data: Any
) -> dict[str, Any]:
    """Returns the parts of outputs, without the seed."""
    return {
        "teacher": {"name": "t5_test", "weights": "0" * 64},
        "data": {
            "task": "small_prefix_lm",
            "objective": {"objective": "prefix_lm"},
            "split": "train",
            **data,
        },
        "vocabulary": vocabulary,
        "options": {**LENGTHS, "task": "small_prefix_lm", **options},
        "schema": schema.to_json(),
    }


def write_nbest(
    path: pathlib.Path, *, num_samples: int = 20, vocabulary: Any = None, **changes: Any
) -> TeacherOutputs:
    """Writes outputs of sequence level; `split` and `teacher` may be others."""
    data = {"task": "small_prefix_lm", "split": changes.pop("split", "train")}
    plan = OutputsPlan(
        schema=changes.pop("schema", NBEST_SCHEMA),
        num_samples=num_samples,
        samples_per_shard=8,
        teacher=changes.pop("teacher", {"name": "t5_test"}),
        data={**data, **changes},
        vocabulary=vocabulary,
        options={**LENGTHS, "num_beams": 2, "vocab_size": 400},
        seed=7,
    )
    with OutputsWriter(path, plan=plan) as writer:
        for index in writer.missing_shards():
            writer.write_shard(index, map(nbest_sample, plan.samples_of(index)))
        return writer.publish()


def columns(samples: list[dict[str, Any]], schema: OutputSchema) -> dict[str, Any]:
    """Returns the columns of some samples."""
    found: dict[str, Any] = {}
    for field in schema.fields:
        arrays = [sample[field.name] for sample in samples]
        if field.is_ragged:
            lengths = np.array([len(array) for array in arrays])
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
            found[field.name] = Ragged(np.concatenate(arrays), offsets)
        else:
            found[field.name] = np.stack(arrays)
    return found
