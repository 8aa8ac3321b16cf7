"""Prefix language modelling: the start of a window is given, the rest must be written.

From "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer" (Raffel et
al., 2020), section 3.2.1.
"""

from __future__ import annotations

from typing import ClassVar

import gin
import numpy as np

from code_t5.data.objectives import windows
from code_t5.data.objectives.objective import Documents, Examples, Objective, Requests


@gin.configurable(module="code_t5.objectives")
class PrefixLm(Objective):
    """Cuts each window of a file at a random place.

    A window has as many tokens as the inputs have room for. All places between two of its tokens
    are alike likely, but where the targets are shorter than the inputs, only those that leave no
    more than the targets hold. A window of one token has no inputs.

    t5's objective takes one stretch of 65,536 tokens of a longer file; this one takes all of it.
    """

    name: ClassVar[str] = "prefix_lm"
    least_inputs: ClassVar[int] = 3

    def num_examples(self, documents: Documents) -> np.ndarray:
        """Returns how many windows each document has, int64 `[num_documents]`."""
        return windows.count_windows(documents.lengths, window=self.inputs_room)

    def _make_examples(self, documents: Documents, requests: Requests) -> Examples:
        starts, lengths = windows.window_bounds(
            documents, requests=requests, window=self.inputs_room
        )
        cuts = windows.draw_cuts(lengths, row_keys=requests.keys, targets_room=self.targets_room)
        return Examples(
            windows.gather_tokens(documents, starts=starts, lengths=cuts),
            windows.gather_tokens(documents, starts=starts + cuts, lengths=lengths - cuts),
        )
