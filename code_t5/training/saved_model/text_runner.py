"""Runs an export on texts: the vocabulary that lies in it turns them into ids and back."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from code_t5 import errors
from code_t5.encoding import piece_model, token_model
from code_t5.training.decoding_options import Candidate
from code_t5.training.prompts import SPAN_CORRUPTION, Prompt, PromptEncoder
from code_t5.training.saved_model import exported
from code_t5.training.saved_model.runner import Candidates, Runner

_LINE_END = "\n"
_PAD_ID = 0


def _check_vocabulary(vocabulary_dir: pathlib.Path, info: exported.ModelInfo) -> None:
    """Refuses a vocabulary that the model was not trained with, or that has no texts here.

    Raises:
      InputError: It is a tokenizer of Hugging Face.
      VocabularyMismatchError: It is another one.
    """
    if info.vocabulary_kind not in token_model.KINDS:
        raise errors.InputError(
            f"the vocabulary of {vocabulary_dir.parent.parent} is of the kind "
            f"{info.vocabulary_kind!r}; wanted one of {', '.join(token_model.KINDS)} to turn texts "
            "into ids; give token ids instead"
        )
    found = piece_model.read_vocabulary_manifest(vocabulary_dir)["fingerprint"]
    if found != info.vocabulary_fingerprint:
        raise errors.VocabularyMismatchError(
            f"the vocabulary {vocabulary_dir} has the fingerprint {found[:12]}; wanted "
            f"{info.vocabulary_fingerprint[:12]}, which the model was trained with; export again: "
            f"{exported.EXPORT_COMMAND}"
        )


class TextRunner:
    """A model that is loaded and ready, and its vocabulary; several threads may use it.

    Attributes:
      runner: The model.
      vocabulary: Its vocabulary.
    """

    def __init__(self, version_dir: pathlib.Path, *, num_threads: int = 0) -> None:
        """Loads an export and its vocabulary.

        Args:
          version_dir: The export, `<name>/<version>`.
          num_threads: As `Runner` takes it.

        Raises:
          InputError: There is no such directory, or the vocabulary in it has no texts here.
          NotBuiltError: There is no vocabulary in it.
          ArtifactError: It is half-written, damaged, or no export of ours.
          VocabularyMismatchError: The vocabulary in it is another one.
        """
        info = exported.read_info(pathlib.Path(version_dir))
        vocabulary_dir = pathlib.Path(version_dir, exported.VOCABULARY_FOLDER)
        _check_vocabulary(vocabulary_dir, info)
        self.vocabulary = token_model.load_token_model(vocabulary_dir)
        self.runner = Runner(version_dir, num_threads=num_threads)
        self._encoder = PromptEncoder(
            model=self.vocabulary,
            objective=info.objective,
            inputs_length=info.max_prompt_tokens,
            targets_length=info.max_new_tokens,
            add_eos=info.add_eos,
        )

    def encode(self, prompt: Prompt) -> list[int]:
        """Returns the ids that the model reads of a prompt; of a longer one the end.

        Args:
          prompt: Code up to a cursor, or code with a hole.
        """
        return list(self._encoder.encode(prompt).input_ids)

    def complete(self, prompts: Sequence[Prompt]) -> list[list[Candidate]]:
        """Returns what the model writes after some prompts, best first.

        Args:
          prompts: As many as there may be; they are worked off in batches.

        Returns:
          `num_candidates` for each prompt.

        Raises:
          ArtifactError: The export's graph does not do what an export of ours does.
        """
        found: list[list[Candidate]] = []
        for start in range(0, len(prompts), self.runner.batch_size):
            rows = [
                self.encode(prompt) for prompt in prompts[start : start + self.runner.batch_size]
            ]
            ids = np.zeros((len(rows), max(map(len, rows))), np.int32)
            for row, values in zip(ids, rows):
                row[: len(values)] = values
            found += self.decode(self.runner.predict(ids))
        return found

    def decode(self, candidates: Candidates) -> list[list[Candidate]]:
        """Returns the texts of candidates.

        Args:
          candidates: Of n prompts.

        Returns:
          For each prompt its candidates, in the same order.
        """
        return [
            [
                self._candidate(ids.tolist(), float(score))
                for ids, score in zip(prompt_ids, prompt_scores)
            ]
            for prompt_ids, prompt_scores in zip(candidates.output_ids, candidates.scores)
        ]

    def _candidate(self, output_ids: list[int], score: float) -> Candidate:
        info = self.runner.model_info
        ids = [token_id for token_id in output_ids if token_id != _PAD_ID]
        num_tokens, is_finished = len(ids), info.eos_id in ids
        if info.objective == SPAN_CORRUPTION:
            # What stands between the first sentinel and the second.
            ids = ids[1:] if ids[:1] == [info.vocab_size - 1] else ids
            if info.vocab_size - 2 in ids:
                ids, is_finished = ids[: ids.index(info.vocab_size - 2)], True
        text = self.vocabulary.decode(ids)
        if info.stop_at_newline:
            line, end, _ = text.partition(_LINE_END)
            text, is_finished = line, is_finished or bool(end)
        return Candidate(text, score, num_tokens, is_finished)
