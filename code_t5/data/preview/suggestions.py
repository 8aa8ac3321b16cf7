"""Settings that the lengths of a data set ask for: lengths of rows, packing, tokens of a batch.

Everything follows from arrays of lengths; nothing is read here. The rules:

- *Lengths.* Examples with a length of their own get the least length that cuts at most 1 % of them.
  Examples cut out of documents fill whatever they are given, so there it is the documents that
  count: a longer window shows the model more of a file, until there is not file enough to fill it.
  They get the longest window of `WINDOW_LENGTHS` that they fill to nine tenths, and targets in the
  proportion that was measured.
- *Packing* pays where it saves one row in fifty or more.
- *Tokens of a batch* are T5's 65,536 (Raffel et al., 2020, section 3.1.2), halved until an epoch
  has a hundred steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from code_t5.data.preview import lengths

WINDOW_LENGTHS = (128, 256, 512, 1024, 2048, 4096)
LEAST_FILL = 0.9
PERCENT_UNCUT = 99.0
LEAST_SAVING = 0.02
MOST_BATCH_TOKENS = 1 << 16
LEAST_EPOCH_STEPS = 100
_LEAST_BATCH_ROWS = 8


@dataclasses.dataclass(frozen=True)
class Trial:
    """All examples of some documents.

    Attributes:
      sequence_length: Most tokens by feature, with which the examples were made.
      examples: By feature, int `[num_examples]`: tokens of examples, the end of text included.
      num_epoch_examples: How many the whole split would give; None where it is not known.
    """

    sequence_length: Mapping[str, int]
    examples: Mapping[str, np.ndarray]
    num_epoch_examples: int | None = None


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured of a Task or Mixture.

    Attributes:
      given: With the lengths that were asked for.
      documents: int `[num_documents]`, tokens of documents; None where it is not known.
      natural: By feature, int `[num_examples]`: lengths of examples that were given no limit; None
        where there are none without.
      window: With the length of `best_window` for every feature; None where examples have a length
        of their own.
    """

    given: Trial
    documents: np.ndarray | None = None
    natural: Mapping[str, np.ndarray] | None = None
    window: Trial | None = None


@dataclasses.dataclass(frozen=True)
class Window:
    """How documents fare with windows of one length.

    Attributes:
      length: Tokens of a window, the end of text included.
      share_whole: Share of the documents that fit into one.
      share_tokens_whole: Share of all tokens that are in those.
      mean_windows: Windows per document.
      fill: Share of the windows' positions that hold a token of the document.
    """

    length: int
    share_whole: float
    share_tokens_whole: float
    mean_windows: float
    fill: float


@dataclasses.dataclass(frozen=True)
class Packing:
    """What packing does to examples of some lengths.

    Attributes:
      num_rows: Rows, packed.
      num_examples: Rows, one example each.
      fill: By feature, share of the packed positions that hold a token.
      fill_unpacked: The same for one example per row.
    """

    num_rows: int
    num_examples: int
    fill: dict[str, float]
    fill_unpacked: dict[str, float]

    @property
    def saving(self) -> float:
        """Share of the rows that packing saves."""
        return 1 - self.num_rows / self.num_examples if self.num_examples else 0.0


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """Settings, and why.

    Attributes:
      sequence_length: By feature.
      pack: Whether to pack.
      tokens_per_batch: As the trainer counts them: rows times the longer feature.
      reasons: One sentence per setting.
    """

    sequence_length: dict[str, int]
    pack: bool
    tokens_per_batch: int
    reasons: list[str]

    def gin_lines(self, function: str) -> list[str]:
        """Returns the settings as bindings of gin.

        Args:
          function: Name of the input function.
        """
        return [
            f"utils.run.sequence_length = {self.sequence_length}",
            f"{function}.pack = {self.pack}",
            f"utils.run.batch_size = ('tokens_per_batch', {self.tokens_per_batch})",
        ]


def round_up(length: float) -> int:
    """Returns the next multiple of 64, of 16 below 128, which matrix units like.

    >>> round_up(65), round_up(130), round_up(1)
    (80, 192, 16)
    """
    step = 16 if length <= 128 else 64
    return int(-(-length // step) * step)


def windows_of(documents: np.ndarray) -> list[Window]:
    """Returns how documents fare with windows of each of `WINDOW_LENGTHS`.

    Args:
      documents: int `[num_documents]`, tokens of each without an end of text; at least one.
    """
    total = max(int(documents.sum()), 1)
    found = []
    for length in WINDOW_LENGTHS:
        room = length - 1
        whole = documents <= room
        num_windows = np.maximum(-(-documents // room), 1)
        found.append(
            Window(
                length=length,
                share_whole=float(whole.mean()),
                share_tokens_whole=float(documents[whole].sum()) / total,
                mean_windows=float(num_windows.mean()),
                fill=float(documents.sum() / (num_windows.sum() * room)),
            )
        )
    return found


def reckon_packing(
    examples: Mapping[str, np.ndarray], sequence_length: Mapping[str, int]
) -> Packing:
    """Packs examples of some lengths into rows as the trainer does: in order, greedily.

    Args:
      examples: By feature, int `[num_examples]`; what is longer than allowed counts as cut.
      sequence_length: Room by feature.

    Returns:
      How many rows there are and how full.
    """
    names = list(examples)
    limits = [sequence_length[name] for name in names]
    cut = np.stack([np.minimum(examples[name], sequence_length[name]) for name in names], axis=1)
    num_rows, used = 0, [0] * len(names)
    for one in cut.tolist():
        together = [a + b for a, b in zip(used, one)]
        if num_rows and all(size <= limit for size, limit in zip(together, limits)):
            used = together
        else:
            num_rows, used = num_rows + 1, one
    sums = cut.sum(axis=0)
    return Packing(
        num_rows=num_rows,
        num_examples=len(cut),
        fill={n: float(s) / max(num_rows * m, 1) for n, s, m in zip(names, sums, limits)},
        fill_unpacked={n: float(s) / max(len(cut) * m, 1) for n, s, m in zip(names, sums, limits)},
    )


def best_window(documents: np.ndarray) -> Window:
    """Returns the longest window that documents fill to nine tenths, else the shortest.

    Args:
      documents: int `[num_documents]`, tokens of each; at least one.

    >>> best_window(np.array([5000, 6000])).length, best_window(np.array([500, 40])).length
    (1024, 128)
    """
    windows = windows_of(documents)
    return next((one for one in windows[::-1] if one.fill >= LEAST_FILL), windows[0])


def _natural_trial(natural: Mapping[str, np.ndarray], given: Trial) -> tuple[Trial, str]:
    """Returns the lengths for examples that have one of their own, and why."""
    chosen = {
        name: round_up(lengths.percentile(values, PERCENT_UNCUT))
        for name, values in natural.items()
    }
    cut = [
        f"{name} of {chosen[name]:,} cut {float((values > chosen[name]).mean()):.1%}"
        for name, values in natural.items()
    ]
    reason = f"Examples have a length of their own: {' and '.join(cut)} of them."
    return Trial(chosen, natural, given.num_epoch_examples), reason


def _window_trial(window: Trial, documents: np.ndarray) -> tuple[Trial, str]:
    """Returns the lengths for examples that are cut out of documents, and why."""
    best = best_window(documents)
    chosen = {
        name: min(best.length, round_up(int(values.max(initial=1))))
        for name, values in window.examples.items()
    }
    reason = (
        f"Documents fill {best.fill:.0%} of windows of {best.length:,} tokens, and "
        f"{best.share_whole:.0%} of them fit into one."
    )
    shorter = [f"{name} need {length:,}" for name, length in chosen.items() if length < best.length]
    if shorter:
        reason += f" Of these, {' and '.join(shorter)}."
    return Trial(chosen, window.examples, window.num_epoch_examples), reason


def _choose(measured: Measured) -> tuple[Trial, str]:
    """Returns examples with the lengths that suit them, and why these."""
    if measured.natural is not None:
        return _natural_trial(measured.natural, measured.given)
    if measured.window is not None and measured.documents is not None:
        return _window_trial(measured.window, measured.documents)
    return measured.given, "Nothing is known that speaks for other lengths."


def _choose_batch(num_rows_epoch: float | None, longest: int) -> tuple[int, str]:
    """Returns the tokens of a batch, and why."""
    num_rows = max(MOST_BATCH_TOKENS // longest, 1)
    if num_rows_epoch is None:
        return num_rows * longest, f"Batches of {num_rows:,} rows are T5's; epochs are not counted."
    while num_rows > _LEAST_BATCH_ROWS and num_rows_epoch / num_rows < LEAST_EPOCH_STEPS:
        num_rows //= 2
    steps = max(num_rows_epoch / num_rows, 1)
    return num_rows * longest, (
        f"An epoch is about {num_rows_epoch:,.0f} rows: {steps:,.0f} steps of {num_rows:,} rows."
    )


def suggest(measured: Measured) -> Suggestion:
    """Suggests settings.

    Args:
      measured: With at least one example.

    Returns:
      The settings.
    """
    trial, length_reason = _choose(measured)
    packing = reckon_packing(trial.examples, trial.sequence_length)
    pack = packing.saving >= LEAST_SAVING
    num_rows: float | None = trial.num_epoch_examples
    if num_rows is not None and pack:
        num_rows *= packing.num_rows / packing.num_examples
    tokens_per_batch, batch_reason = _choose_batch(num_rows, max(trial.sequence_length.values()))
    fills = packing.fill if pack else packing.fill_unpacked
    words = ", ".join(f"{name} {share:.0%}" for name, share in fills.items())
    if "targets" in fills:
        num_batch_rows = tokens_per_batch // max(trial.sequence_length.values())
        num_targets = num_batch_rows * trial.sequence_length["targets"] * fills["targets"]
        batch_reason += f" A step has about {num_targets:,.0f} target tokens."
    pack_reason = f"Packing saves {packing.saving:.0%} of these rows. They are filled: {words}."
    return Suggestion(
        dict(trial.sequence_length),
        pack=pack,
        tokens_per_batch=tokens_per_batch,
        reasons=[length_reason, pack_reason, batch_reason],
    )
