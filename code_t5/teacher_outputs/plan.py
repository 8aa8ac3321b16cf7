"""What is to be stored: the schema, how many samples, and everything that decides on them.

The *parts* are what decides on the content, as JSON values: `teacher`, `data`, `vocabulary`,
`options`, `seed` and `schema`. Their hash is the *fingerprint* of the outputs. The *plan* is the
parts with the number of samples and of those in a shard; an interrupted generation is gone on with
by the same plan alone.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from code_t5 import errors
from code_t5.encoding.whole_numbers import read_whole_number
from code_t5.storage import fingerprints
from code_t5.teacher_outputs.schema import OutputSchema

PART_NAMES = ("teacher", "data", "vocabulary", "options", "seed", "schema")
# Of a shard by default: large enough to read in one go, small enough to lose when killed.
_SHARD_BYTES = 64 << 20
# What a manifest says of them must fit into it.
_MAX_SHARDS = 30_000
_MAX_SHOWN_CHARACTERS = 60
_MAX_SHOWN_DIFFERENCES = 6
_ABSENT = object()


@dataclasses.dataclass(frozen=True)
class OutputsPlan:
    """What a writer is to write.

    Attributes:
      schema: What a sample is made of.
      num_samples: Of all.
      samples_per_shard: Of each shard but the last, which may have fewer.
      teacher: JSON values that tell this teacher from any other, hashes of weights among them.
      data: The same of what the teacher was asked.
      vocabulary: The same of the vocabulary; None without one.
      options: How the teacher was asked.
      seed: Of whatever was drawn; None if nothing was.

    Raises:
      InputError: A number does not do, or a part is not of JSON values.
    """

    schema: OutputSchema
    num_samples: int
    samples_per_shard: int
    teacher: Any = None
    data: Any = None
    vocabulary: Any = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seed: int | None = None

    def __post_init__(self) -> None:
        """Checks the numbers and the parts.

        Raises:
          InputError: One does not do.
        """
        for name in ("num_samples", "samples_per_shard"):
            number = read_whole_number(getattr(self, name), name=name, at_least=1)
            object.__setattr__(self, name, number)
        if self.num_shards > _MAX_SHARDS:
            raise errors.InputError(
                f"{self.num_samples:,} samples make {self.num_shards:,} shards; wanted at most "
                f"{_MAX_SHARDS:,}; put more samples into a shard than {self.samples_per_shard}"
            )
        _ = self.parts

    @functools.cached_property
    def parts(self) -> dict[str, Any]:
        """What decides on the content, by the names of `PART_NAMES`.

        Raises:
          InputError: A part is not of JSON values.
        """
        values = {name: getattr(self, name) for name in PART_NAMES if name != "schema"}
        return as_json({**values, "schema": self.schema.to_json()})

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of the parts."""
        return fingerprints.hash_json(self.parts)

    @property
    def num_shards(self) -> int:
        """How many shards there are."""
        return -(-self.num_samples // self.samples_per_shard)

    def samples_of(self, shard_index: int) -> range:
        """Returns the numbers of the samples in a shard.

        Args:
          shard_index: Of the shard, from 0.

        Raises:
          InputError: There is no such shard.
        """
        index = read_whole_number(shard_index, name="the shard's index", at_least=0)
        if index >= self.num_shards:
            raise errors.InputError(
                f"found the shard {index}; wanted one of 0 to {self.num_shards - 1}; count from 0"
            )
        start = index * self.samples_per_shard
        return range(start, min(start + self.samples_per_shard, self.num_samples))


def default_samples_per_shard(sample_bytes: float) -> int:
    """Returns how many samples make a shard of a good size.

    Args:
      sample_bytes: About how many bytes a sample takes.

    >>> default_samples_per_shard(2 * 4 * 52_920)
    158
    """
    return max(1, int(_SHARD_BYTES // max(sample_bytes, 1)))


def as_json(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns parts as they come back out of JSON.

    Args:
      parts: Of an `OutputsPlan`, or some of them.

    Raises:
      InputError: One is not of JSON values, or there is no part of its name.
    """
    unknown = sorted(set(parts) - set(PART_NAMES))
    if unknown:
        raise errors.InputError(
            f"there is no part {unknown[0]!r} of a fingerprint; wanted {', '.join(PART_NAMES)}; "
            "name one of these"
        )
    found = {}
    for name, value in parts.items():
        plain = value.to_json() if isinstance(value, OutputSchema) else value
        if isinstance(plain, Mapping):
            plain = dict(plain)
        try:
            found[name] = json.loads(json.dumps(plain, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise errors.InputError(
                f"the part {name!r} cannot be JSON ({error}); wanted numbers, texts, lists and "
                "mappings; convert it"
            ) from error
    return found


def _shown(value: Any) -> str:
    text = "absent" if value is _ABSENT else json.dumps(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}..."


def _compare(name: str, *, found: Any, wanted: Any) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in dict.fromkeys([*wanted, *found]):
            inner = f"{name}.{key}" if name else str(key)
            yield from _compare(
                inner, found=found.get(key, _ABSENT), wanted=wanted.get(key, _ABSENT)
            )
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for index, (one, other) in enumerate(zip(found, wanted)):
            yield from _compare(f"{name}[{index}]", found=one, wanted=other)
    elif found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
        # 1 and 1.0 are the same, 1 and true are not.
        yield f"{ascii(name)[1:-1]} is {_shown(found)}, wanted {_shown(wanted)}"


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Names where parts differ: what was found and what was wanted of each.

    Args:
      found: All parts.
      wanted: Those that must be the same.

    Returns:
      Empty if they do not differ; else one line, which ends early if there are many.

    >>> differences({"seed": 1, "options": {"k": 32}}, {"options": {"k": 64}})
    'options.k is 32, wanted 64'
    """
    lines = list(
        _compare("", found={name: found.get(name) for name in wanted}, wanted=dict(wanted))
    )
    more = len(lines) - _MAX_SHOWN_DIFFERENCES
    shown = lines[:_MAX_SHOWN_DIFFERENCES] + ([f"and {more} more"] if more > 0 else [])
    return "; ".join(shown)
