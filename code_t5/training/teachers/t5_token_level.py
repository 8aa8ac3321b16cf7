"""T5 teachers at the level of tokens: of each target token the most likely ones, and the rest.

A sample is an example of the Task with what the teacher says at each position of the targets, given
the inputs and the targets before it: the tokens that `code_t5.teacher_outputs.codec` keeps, their
log-probabilities, and the probability of all others together (the *tail*).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5.encoding import ragged
from code_t5.encoding.ragged import Ragged
from code_t5.teacher_outputs import codec as codecs
from code_t5.teacher_outputs import divergence
from code_t5.teacher_outputs.codec import TopK, TopKCodec
from code_t5.teacher_outputs.schema import OutputSchema
from code_t5.training.teachers import t5_network, t5_teacher
from code_t5.training.teachers.agreement import Agreement
from code_t5.training.teachers.t5_inputs import TaskInput
from code_t5.training.teachers.t5_source import T5Source
from code_t5.training.teachers.t5_teacher import INPUTS, TARGETS, T5Teacher

# What rounding to float16, and sums in another order, may add to a divergence, in nats.
_MOST_DIVERGENCE = 1e-3
# Two tokens that are alike likely may change places.
_LEAST_AGREEMENT = 0.99


class T5TokenTeacher(T5Teacher):
    """A T5 teacher at the level of tokens.

    Attributes:
      codec: How distributions are stored.
      described_fields: Names of the fields that `describe_values` looks at.
    """

    described_fields = (INPUTS, TARGETS, codecs.TAIL_MASS)

    def __init__(self, name: str, *, source: T5Source, codec: TopKCodec, device: str) -> None:
        """Loads nothing but libraries.

        Args:
          name: It is registered under this.
          source: The model and the Task.
          codec: How distributions are stored.
          device: Of torch.
        """
        super().__init__(name, source=source, device=device)
        self.codec = codec

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the fields of a tuple."""
        return self.schema.names

    @property
    def schema(self) -> OutputSchema:
        """Inputs, targets, and what the codec keeps of each target token."""
        tokens = (self.token_field(INPUTS), self.token_field(TARGETS, length=codecs.TOKENS))
        return OutputSchema((*tokens, *self.codec.fields()))

    @property
    def options(self) -> dict[str, Any]:
        """Task, lengths, and what the codec keeps."""
        return {**self.task_options, **self.codec.options}

    def run(self, inputs: Sequence[TaskInput]) -> dict[str, Ragged]:
        """Asks about some examples.

        Args:
          inputs: The examples.

        Returns:
          A column for each field.

        Raises:
          ArtifactError: The model does not do, or gives what is no number.
        """
        numbers: list[int] = []
        found: list[tuple[np.ndarray, ...]] = []
        for group in self.network.groups(inputs):
            numbers += group
            states = self.network.states([inputs[number] for number in group])
            for logits in self.network.logits(states):
                found.append(
                    t5_network.most_likely(
                        logits, k=self.codec.k, temperature=self.codec.temperature
                    )
                )
        lengths = np.array([len(one.targets) for one in inputs], dtype=np.int64)
        ids, logs, tail = (
            t5_teacher.joined(parts, numbers=numbers, lengths=lengths).values
            for parts in zip(*found)
        )
        kept = self.codec.pack(ids, log_probabilities=logs, tail_mass=tail)
        return {**self.tokens_of(inputs), **self._columns(kept, lengths)}

    def _columns(self, kept: TopK, lengths: np.ndarray) -> dict[str, Ragged]:
        """Returns the codec's fields of samples that have so many positions."""
        tokens = ragged.offsets_of(lengths)
        offsets = {codecs.TOKENS: tokens}
        if kept.num_kept is not None:
            offsets[codecs.ENTRIES] = ragged.offsets_of(kept.num_kept.astype(np.int64))[tokens]
        arrays = self.codec.to_arrays(kept)
        return {
            field.name: Ragged(arrays[field.name], offsets[str(field.length)])
            for field in self.codec.fields()
        }

    def _kept(self, columns: Mapping[str, Any]) -> TopK:
        """Returns the positions of all samples, one after the other."""
        names = [field.name for field in self.codec.fields()]
        return self.codec.from_arrays({name: columns[name].values for name in names})

    def describe_values(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns lengths, and of each sample the mean probability of what was kept.

        Args:
          columns: The described fields of some samples.
        """
        tail: Ragged = columns[codecs.TAIL_MASS]
        sums = np.add.reduceat(tail.values, tail.offsets[:-1], dtype=np.float64)
        return {
            "input tokens": columns[INPUTS].lengths,
            "target tokens": columns[TARGETS].lengths,
            "kept mass, mean of a sample": 1 - sums / tail.lengths,
        }

    def compare(self, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Agreement]:
        """Compares what is stored with the teacher's whole distributions.

        Args:
          found: Columns that are stored.
          wanted: Columns of the same samples that `run` gave just now.

        Returns:
          Whether tokens are the same; if so, the divergence of what is stored from what the teacher
          says, and how often both find the same token the most likely.
        """
        tokens = t5_teacher.compare_tokens(found, wanted)
        if not tokens.is_close:
            return [tokens]
        stored, fresh = self._kept(found), self._kept(wanted)
        sums = np.zeros(3)
        start = 0
        for logs in self._all_log_probabilities(t5_teacher.inputs_of(wanted)):
            part = slice(start, start + len(logs))
            for place, one in enumerate((stored, fresh)):
                rows = _rows(one, part)
                sums[place] += divergence.divergence_of_stored(
                    logs, kept=rows, codec=self.codec
                ).sum(dtype=np.float64)
            sums[2] += (stored.ids[part, 0] == logs.argmax(axis=1)).sum()
            start += len(logs)
        lost, lost_now, agreeing = sums / max(start, 1)
        mass = 1 - float(np.mean(found[codecs.TAIL_MASS].values))
        note = (
            f"{lost:.3g} nats a token are lost by keeping {self.codec.k} of "
            f"{self.codec.vocab_size:,} at most; kept mass {mass:.4f}"
        )
        return [
            tokens,
            Agreement(
                "KL divergence from the live teacher, beyond what is lost by keeping few",
                lost - lost_now,
                f"at most {_MOST_DIVERGENCE}",
                bool(lost - lost_now <= _MOST_DIVERGENCE),
                note,
            ),
            Agreement(
                "same most likely token, share",
                agreeing,
                f"at least {_LEAST_AGREEMENT}",
                bool(agreeing >= _LEAST_AGREEMENT),
            ),
        ]

    def _all_log_probabilities(self, inputs: Sequence[TaskInput]) -> Any:
        """Yields all log-probabilities, float32 `[num_positions of a part, num_embeddings]`."""
        for one in inputs:
            for logits in self.network.logits(self.network.states([one])):
                yield codecs.log_softmax(logits.cpu().numpy() / np.float32(self.codec.temperature))


def _rows(kept: TopK, part: slice) -> TopK:
    return TopK(
        kept.ids[part],
        kept.values[part],
        None if kept.tail_mass is None else kept.tail_mass[part],
        None if kept.num_kept is None else kept.num_kept[part],
    )
