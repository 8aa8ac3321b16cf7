"""Causal language modelling: nothing is given, a window of a file must be written."""

from __future__ import annotations

from typing import ClassVar

import gin
import numpy as np

from code_t5.data.objectives import windows
from code_t5.data.objectives.objective import Documents, Examples, Objective, Requests
from code_t5.encoding.ragged import Ragged


@gin.configurable(module="code_t5.objectives")
class CausalLm(Objective):
    """Takes each window of a file as targets.

    A window has as many tokens as the targets have room for; the inputs are empty, or the header
    alone. Nothing is drawn.
    """

    name: ClassVar[str] = "causal_lm"

    def num_examples(self, documents: Documents) -> np.ndarray:
        """Returns how many windows each document has, int64 `[num_documents]`."""
        return windows.count_windows(documents.lengths, window=self.targets_room)

    def _make_examples(self, documents: Documents, requests: Requests) -> Examples:
        starts, lengths = windows.window_bounds(
            documents, requests=requests, window=self.targets_room
        )
        nothing = Ragged(np.zeros(0, dtype=np.int32), np.zeros(len(starts) + 1, dtype=np.int64))
        return Examples(nothing, windows.gather_tokens(documents, starts=starts, lengths=lengths))
