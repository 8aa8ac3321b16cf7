"""Span corruption: 15 % of a window, in spans of 3 tokens on average, are hidden behind sentinels.

From Raffel et al., 2020, section 3.1.4. The inputs are the window with each hidden *span* replaced
by a sentinel, the targets the spans, each behind its sentinel. Which tokens are hidden is drawn as
t5's `random_spans_noise_mask` draws it: the numbers of hidden tokens and of spans follow from the
window's length; windows begin with a kept stretch and end with a hidden one; all ways to cut the
hidden tokens, and the kept ones, into that many stretches are alike likely. A window of one token
is hidden, where t5 hides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gin
import numpy as np

from code_t5 import errors
from code_t5.data.objectives import windows
from code_t5.data.objectives.objective import Documents, Examples, Objective, Requests
from code_t5.encoding import keys, piece_model, ragged
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.token_model import TokenModel


def choose_subsets(row_keys: np.ndarray, *, sizes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Chooses so many of so many things, for each row anew; all subsets are alike likely.

    By Floyd's algorithm (Bentley and Floyd, "A sample of brilliance", CACM 1987), a step at a time
    for all rows.

    Args:
      row_keys: uint64 `[num_rows]`.
      sizes: int64 `[num_rows]`: how many things there are.
      counts: int64 `[num_rows]`: how many to choose, at most the size.

    Returns:
      bool `[num_rows, largest size]`: what is chosen.

    >>> choose_subsets(keys.mix_keys(0), sizes=np.array([4]), counts=np.array([4])).tolist()
    [[True, True, True, True]]
    """
    chosen = np.zeros((len(sizes), int(sizes.max(initial=0))), dtype=bool)
    for step in range(int(counts.max(initial=0))):
        (rows,) = np.nonzero(step < counts)
        last = (sizes - counts)[rows] + step
        drawn = keys.draw(keys.mix_keys(row_keys[rows], step), last + 1)
        drawn = np.where(chosen[rows, drawn], last, drawn)
        chosen[rows, drawn] = True
    return chosen


@gin.configurable(module="code_t5.objectives")
class SpanCorruption(Objective):
    """Hides spans of each window of a file.

    A window has as many tokens as fit into inputs and targets once spans are sentinels. Windows end
    with their file: t5's objective lays files end to end first, and a window of its may hold parts
    of several.

    Attributes:
      noise_density: Share of the tokens that are hidden.
      mean_noise_span_length: Average length of a span in tokens.
      window: Most tokens of a window.
    """

    name: ClassVar[str] = "span_corruption"
    least_inputs: ClassVar[int] = 3
    least_targets: ClassVar[int] = 3

    def __init__(
        self,
        sequence_length: Mapping[str, int],
        *,
        model: TokenModel,
        with_path: bool = False,
        noise_density: float = 0.15,
        mean_noise_span_length: float = 3.0,
    ) -> None:
        """Works out the longest window.

        Args:
          sequence_length: Most tokens of `inputs` and `targets`, end of text included.
          model: The vocabulary's.
          with_path: Put a line with repository and path in front of the inputs.
          noise_density: Share of the tokens that are hidden.
          mean_noise_span_length: Average length of a span in tokens.

        Raises:
          InputError: A length is too short, or so long that the sentinels do not suffice; a setting
            is out of range.
        """
        super().__init__(sequence_length, model=model, with_path=with_path)
        self.noise_density = float(noise_density)
        self.mean_noise_span_length = float(mean_noise_span_length)
        if not (0 < self.noise_density < 1 and self.mean_noise_span_length >= 1):
            raise errors.InputError(
                f"noise_density is {noise_density} and mean_noise_span_length "
                f"{mean_noise_span_length}; wanted a share between 0 and 1 and a length of 1 or "
                "more; set SpanCorruption.noise_density and SpanCorruption.mean_noise_span_length"
            )
        self.window = self._longest_window()

    @property
    def settings(self) -> dict[str, Any]:
        """See `Objective.settings`."""
        own = {
            "noise_density": self.noise_density,
            "mean_noise_span_length": self.mean_noise_span_length,
        }
        return {**super().settings, **own}

    def _count_noise(self, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many tokens are hidden, and in how many spans, in t5's arithmetic."""
        lengths = np.maximum(lengths, 2)
        hidden = np.rint(lengths.astype(np.float32) * np.float32(self.noise_density))
        hidden = np.clip(hidden.astype(np.int64), 1, lengths - 1)
        spans = np.rint(hidden.astype(np.float32) / np.float32(self.mean_noise_span_length))
        # No more than there are kept tokens between them.
        return hidden, np.clip(spans.astype(np.int64), 1, lengths - hidden)

    def _longest_window(self) -> int:
        """Returns the longest window whose inputs, targets and sentinels fit."""
        lengths = np.arange(2, 2 + 2 * (self.inputs_room + self.targets_room))
        hidden, spans = self._count_noise(lengths)
        fits = (lengths - hidden + spans <= self.inputs_room) & (
            hidden + spans <= self.targets_room
        )
        # A shorter window fits wherever a longer one does, or nearly so: the first that does not.
        last = int(np.argmin(fits)) - 1
        if last < 0 or spans[last] > piece_model.EXTRA_IDS:
            raise errors.InputError(
                f"the lengths {self.sequence_length} leave room for "
                f"{'no window' if last < 0 else f'{spans[last]} hidden spans'}; wanted 1 to "
                f"{piece_model.EXTRA_IDS}, one for each sentinel; set utils.run.sequence_length "
                "(or --sequence_length), or longer spans (SpanCorruption.mean_noise_span_length)"
            )
        return int(lengths[last])

    def num_examples(self, documents: Documents) -> np.ndarray:
        """Returns how many windows each document has, int64 `[num_documents]`."""
        return windows.count_windows(documents.lengths, window=self.window)

    def _make_examples(self, documents: Documents, requests: Requests) -> Examples:
        starts, lengths = windows.window_bounds(documents, requests=requests, window=self.window)
        rows = windows.gather_tokens(documents, starts=starts, lengths=lengths)
        hidden, spans = self._count_noise(lengths)
        kept_lengths = self._draw_stretches(
            keys.mix_keys(requests.keys, 0), sizes=np.maximum(lengths, 2) - hidden, counts=spans
        )
        hidden_lengths = self._draw_stretches(
            keys.mix_keys(requests.keys, 1), sizes=hidden, counts=spans
        )
        # A window of one token is all hidden.
        kept_lengths[ragged.offsets_of(spans)[:-1][lengths == 1]] = 0
        return self._replace_spans(rows, spans, stretches=(kept_lengths, hidden_lengths))

    def _draw_stretches(
        self, row_keys: np.ndarray, *, sizes: np.ndarray, counts: np.ndarray
    ) -> np.ndarray:
        """Cuts each row's tokens into stretches of 1 or more, and returns the lengths of all."""
        # Where a stretch begins, among all tokens of a row but the first.
        begins = choose_subsets(row_keys, sizes=sizes - 1, counts=counts - 1)
        width = begins.shape[1] + 1
        all_begins = np.ones((len(sizes), width), dtype=bool)
        all_begins[:, 1:] = begins
        places = np.flatnonzero(all_begins)
        # The next stretch's place; the last of a row ends where its tokens do.
        ends = np.append(places[1:], 0)
        ends[ragged.offsets_of(counts)[1:] - 1] = np.arange(len(sizes)) * width + sizes
        return ends - places

    def _replace_spans(
        self, rows: Ragged, spans: np.ndarray, *, stretches: tuple[np.ndarray, np.ndarray]
    ) -> Examples:
        """Puts sentinels in the place of hidden stretches, and of kept ones for the targets.

        Args:
          rows: The windows.
          spans: int64 `[num_rows]`: how many spans each window has.
          stretches: The lengths of all kept and of all hidden stretches, window after window; they
            take turns.
        """
        kept, hidden = stretches
        span_offsets = ragged.offsets_of(spans)
        numbers = np.arange(span_offsets[-1]) - np.repeat(span_offsets[:-1], spans)
        sentinels = (self.model.vocab_size - 1 - numbers).astype(np.int32)
        # Where each pair of stretches begins among the tokens.
        begins = ragged.offsets_of(kept + hidden)[:-1]
        inputs = _interleave(rows.values, sentinels, starts=begins, lengths=kept, mark_first=False)
        targets = _interleave(
            rows.values, sentinels, starts=begins + kept, lengths=hidden, mark_first=True
        )
        return Examples(
            _group(inputs, lengths=kept + 1, span_offsets=span_offsets),
            _group(targets, lengths=hidden + 1, span_offsets=span_offsets),
        )


def _interleave(
    tokens: np.ndarray,
    marks: np.ndarray,
    *,
    starts: np.ndarray,
    lengths: np.ndarray,
    mark_first: bool,
) -> np.ndarray:
    """Copies stretches of tokens, a mark before or after each."""
    # One token more than the stretch: the mark is written over it.
    begins = ragged.offsets_of(lengths + 1)
    places = ragged.positions_in_ranges(starts - mark_first, lengths + 1)
    places[begins[:-1] if mark_first else begins[1:] - 1] = 0
    found = tokens[places]
    found[begins[:-1] if mark_first else begins[1:] - 1] = marks
    return found


def _group(values: np.ndarray, *, lengths: np.ndarray, span_offsets: np.ndarray) -> Ragged:
    return Ragged(values, ragged.offsets_of(lengths)[span_offsets])
