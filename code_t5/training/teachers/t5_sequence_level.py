"""T5 teachers at the level of sequences: of each input the best continuations, with scores.

A student learns from what its teacher would write (sequence-level distillation: Kim and Rush,
"Sequence-Level Knowledge Distillation", 2016, section 3.2). The *score* of a continuation is the
sum of its tokens' log-probabilities in nats, the end of text's included, as the teacher gives them
when it reads the continuation; beams are searched with the same sums, without a penalty for length.
A continuation that is cut off at the longest length has no end of text.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5.encoding.piece_model import PAD_ID
from code_t5.encoding.ragged import Ragged
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.training.teachers import t5_teacher
from code_t5.training.teachers.agreement import Agreement
from code_t5.training.teachers.t5_inputs import TaskInput
from code_t5.training.teachers.t5_source import T5Source
from code_t5.training.teachers.t5_teacher import INPUTS, TARGETS, T5Teacher

SEQUENCES, SEQUENCE_LENGTHS, SCORES = "sequences", "sequence_lengths", "scores"
_MOST_ERROR = 1e-2
# Beams that are alike likely may change places.
_LEAST_AGREEMENT = 0.9


class T5SequenceTeacher(T5Teacher):
    """A T5 teacher at the level of sequences.

    Attributes:
      num_beams: How many beams there are, and continuations.
      order: Names of the fields of a tuple.
      described_fields: Names of the fields that `describe_values` looks at.
    """

    order = (INPUTS, TARGETS, SEQUENCES, SEQUENCE_LENGTHS, SCORES)
    described_fields = (INPUTS, TARGETS, SEQUENCE_LENGTHS, SCORES)

    def __init__(self, name: str, *, source: T5Source, num_beams: int, device: str) -> None:
        """Loads nothing but libraries.

        Args:
          name: It is registered under this.
          source: The model and the Task.
          num_beams: How many beams there are, and continuations.
          device: Of torch.
        """
        super().__init__(name, source=source, device=device)
        self.num_beams = num_beams

    @property
    def schema(self) -> OutputSchema:
        """Inputs, targets, and all continuations one after the other, with lengths and scores."""
        return OutputSchema(
            (
                self.token_field(INPUTS),
                self.token_field(TARGETS),
                self.token_field(SEQUENCES),
                ArrayField(SEQUENCE_LENGTHS, "int32", (self.num_beams,)),
                ArrayField(SCORES, "float32", (self.num_beams,)),
            )
        )

    @property
    def _suppressed(self) -> list[int]:
        """Returns the tokens that no text has."""
        vocab_size = self.vocabulary_description["vocab_size"]
        return [PAD_ID, *range(vocab_size, self.source.num_embeddings)]

    @property
    def _settings(self) -> dict[str, Any]:
        """What `generate` is told; all of it decides on what is found."""
        return {
            "max_new_tokens": self.source.lengths[TARGETS],
            "length_penalty": 0.0,
            "early_stopping": False,
        }

    @property
    def options(self) -> dict[str, Any]:
        """Task, lengths, and how continuations are found."""
        suppressed = self._suppressed
        return {
            **self.task_options,
            "num_beams": self.num_beams,
            **self._settings,
            "suppressed": f"{PAD_ID}, and {len(suppressed) - 1} ids behind the vocabulary's",
            "vocab_size": self.source.num_embeddings,
        }

    def run(self, inputs: Sequence[TaskInput]) -> dict[str, Any]:
        """Asks about some examples.

        Args:
          inputs: The examples.

        Returns:
          A column for each field.

        Raises:
          ArtifactError: The model does not do.
        """
        # All at once, whatever padding their inputs have: a step of the search costs about as much
        # for one as for many.
        every = self.network.beams(
            inputs,
            settings={**self._settings, "suppress_tokens": self._suppressed},
            num_beams=self.num_beams,
        )
        rows = [list(itertools.chain(*beams.sequences)) for beams in every]
        lengths = [[len(one) for one in beams.sequences] for beams in every]
        return {
            **self.tokens_of(inputs),
            SEQUENCES: Ragged.from_rows(rows, np.dtype(self.id_dtype)),
            SEQUENCE_LENGTHS: np.array(lengths, dtype=np.int32),
            SCORES: np.array([beams.scores for beams in every], dtype=np.float32),
        }

    def describe_values(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns lengths and the scores of the best.

        Args:
          columns: The described fields of some samples.
        """
        return {
            "input tokens": columns[INPUTS].lengths,
            "target tokens": columns[TARGETS].lengths,
            "tokens of a continuation": columns[SEQUENCE_LENGTHS],
            "score of the best (nats)": columns[SCORES][:, 0],
        }

    def compare(self, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Agreement]:
        """Asks the teacher how likely the stored continuations are, and whether it finds them.

        Args:
          found: Columns that are stored.
          wanted: Columns of the same samples that `run` gave just now.

        Returns:
          Whether tokens are the same; if so, the largest error of a score, and how often both find
          the same continuation the best.
        """
        tokens = t5_teacher.compare_tokens(found, wanted)
        if not tokens.is_close:
            return [tokens]
        stored, fresh = sequences_of(found), sequences_of(wanted)
        asked = [
            TaskInput(one.inputs, tokens)
            for one, sequences in zip(t5_teacher.inputs_of(found), stored)
            for tokens in sequences
        ]
        error = float(np.abs(self.network.scores(asked) - found[SCORES].ravel()).max(initial=0))
        same = [np.array_equal(one[0], other[0]) for one, other in zip(stored, fresh)]
        share = float(np.mean(same)) if same else 1.0
        return [
            tokens,
            Agreement(
                "scores: largest error", error, f"at most {_MOST_ERROR}", error <= _MOST_ERROR
            ),
            Agreement(
                "same best continuation, share",
                share,
                f"at least {_LEAST_AGREEMENT}",
                share >= _LEAST_AGREEMENT,
            ),
        ]


def sequences_of(columns: Mapping[str, Any]) -> list[list[np.ndarray]]:
    """Returns the continuations of some samples, the best first.

    Args:
      columns: With all continuations and their lengths.

    Returns:
      For each sample its continuations, int32 `[num_tokens]` each.
    """
    found = []
    for number, lengths in enumerate(np.asarray(columns[SEQUENCE_LENGTHS])):
        row = columns[SEQUENCES].row(number).astype(np.int32)
        found.append(np.split(row, np.cumsum(lengths)[:-1]))
    return found
