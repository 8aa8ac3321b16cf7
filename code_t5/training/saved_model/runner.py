"""Runs an export: prompts as token ids in, candidates as token ids out.

`code_t5.training.saved_model.exported` says what an export is, and nothing of one is trusted before
it is read (`code_t5.training.saved_model.graphs`). Neither seqio nor t5 is loaded, and TensorFlow
only when a `Runner` is made.
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np

from code_t5 import errors, library_errors
from code_t5.training.saved_model import exported, graphs


class Candidates(NamedTuple):
    """What a model writes after each of n prompts, best first.

    Attributes:
      output_ids: int32 `[n, num_candidates, max_new_tokens]`, padding 0 behind the end.
      scores: float32 `[n, num_candidates]`, sums of log-probabilities in nats.
    """

    output_ids: np.ndarray
    scores: np.ndarray


class Runner:
    """A model that is loaded, has run once and is ready; several threads may use it.

    Attributes:
      version_dir: The export.
      model_info: What it says of itself.
    """

    def __init__(self, version_dir: pathlib.Path, *, num_threads: int = 0) -> None:
        """Loads an export and runs it once.

        Args:
          version_dir: The export, `<name>/<version>`.
          num_threads: That one operation may use; 0 for as many as there are cores. The first
            session of a process decides for all.

        Raises:
          InputError: There is no such directory.
          ArtifactError: It is half-written, damaged, or no export of ours.
        """
        self.version_dir = pathlib.Path(version_dir)
        self.model_info = exported.read_info(self.version_dir)
        self._call = graphs.load(self.version_dir, num_threads=num_threads)
        self.predict(np.full((self.batch_size, 1), self.model_info.eos_id, np.int32))

    @property
    def batch_size(self) -> int:
        """Most prompts at once."""
        return self.model_info.batch_size

    @property
    def num_candidates(self) -> int:
        """Candidates of each prompt."""
        return self.model_info.num_candidates

    @property
    def max_prompt_tokens(self) -> int:
        """Most tokens of a prompt, the end mark that the Task may add included."""
        return self.model_info.max_prompt_tokens

    @property
    def max_new_tokens(self) -> int:
        """Most tokens of a candidate."""
        return self.model_info.max_new_tokens

    def predict(self, input_ids: np.ndarray) -> Candidates:
        """Returns what the model writes after some prompts.

        Args:
          input_ids: Whole numbers [n, length], n from 1 to `batch_size`, length at most
            `max_prompt_tokens`; padding 0 behind each prompt.

        Returns:
          The candidates.

        Raises:
          InputError: The ids are not of that shape, or not of the vocabulary.
          ArtifactError: The export's graph does not do what an export of ours does.
        """
        prompts = self._checked(np.asarray(input_ids))
        try:
            output_ids, scores = self._call(prompts)
        # TensorFlow's own errors are no children of one that can be named without importing it.
        except Exception as error:
            raise self._broken(library_errors.one_line(error)) from error
        n = len(prompts)
        wanted = (n, self.num_candidates, self.max_new_tokens)
        if output_ids.shape != wanted or scores.shape != wanted[:2]:
            raise self._broken(f"gave ids {output_ids.shape} and scores {scores.shape}")
        return Candidates(output_ids, scores)

    def _broken(self, found: str) -> errors.ArtifactError:
        return errors.ArtifactError(
            f"the model of {self.version_dir} cannot be run: {found}; wanted a graph that does "
            f"what its manifest says; export again: {exported.EXPORT_COMMAND}"
        )

    def _checked(self, input_ids: np.ndarray) -> np.ndarray:
        """Returns prompts as the graph takes them: int32 [n, max_prompt_tokens].

        Raises:
          InputError: They cannot be.
        """
        info = self.model_info
        is_fit = (
            input_ids.ndim == 2
            and np.issubdtype(input_ids.dtype, np.integer)
            and 1 <= input_ids.shape[0] <= info.batch_size
            and input_ids.shape[1] <= info.max_prompt_tokens
        )
        if not is_fit:
            raise errors.InputError(
                f"found prompts {input_ids.dtype} {list(input_ids.shape)}; wanted whole numbers "
                f"[1 to {info.batch_size}, at most {info.max_prompt_tokens}]; split them, or "
                "export with other sizes"
            )
        if input_ids.size and not 0 <= input_ids.min() <= input_ids.max() < info.vocab_size:
            raise errors.InputError(
                f"found ids from {input_ids.min()} to {input_ids.max()}; wanted 0 to "
                f"{info.vocab_size - 1}; encode the prompts with the model's own vocabulary"
            )
        prompts = np.zeros((len(input_ids), info.max_prompt_tokens), np.int32)
        prompts[:, : input_ids.shape[1]] = input_ids
        return prompts
