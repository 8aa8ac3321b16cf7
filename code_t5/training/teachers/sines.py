"""Sines of drawn frequency and level: what waveform teachers are asked about.

The *level* is that of the peak, in dB below (negative) or above full scale, which is 1. Frequencies
are drawn evenly on a logarithmic scale, levels evenly in dB. Both are rounded to float32, so that
they are the same in a cache of either precision.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SAMPLE_RATE_HZ = 44_100
DURATION_SECONDS = 1.2
_SPLIT_KEYS = {"train": 0, "validation": 1}


class Sine(NamedTuple):
    """One input.

    Attributes:
      f0: Frequency in Hz.
      level_db: Level of the peak in dB.
    """

    f0: float
    level_db: float


@dataclasses.dataclass(frozen=True)
class SineRange:
    """What sines are drawn from.

    Attributes:
      f0_hz: Lowest and highest frequency in Hz.
      level_db: Lowest and highest level in dB.
      sample_rate_hz: Of the signals.
      duration_seconds: Of each.
    """

    f0_hz: tuple[float, float]
    level_db: tuple[float, float]
    sample_rate_hz: int = SAMPLE_RATE_HZ
    duration_seconds: float = DURATION_SECONDS

    @property
    def num_time_samples(self) -> int:
        """How many values a signal has."""
        return round(self.sample_rate_hz * self.duration_seconds)

    def draw(self, numbers: Sequence[int], *, seed: int, split: str) -> list[Sine]:
        """Returns the inputs of some samples; each follows from its number, seed and split alone.

        Args:
          numbers: Of the samples.
          seed: Of all.
          split: `train` or `validation`, which never share an input.
        """
        return [self._draw_one(number, seed=seed, split=split) for number in numbers]

    def _draw_one(self, number: int, *, seed: int, split: str) -> Sine:
        key = (_SPLIT_KEYS[split], int(number))
        sequence = np.random.SeedSequence(seed, spawn_key=key)
        at_f0, at_level = np.random.Generator(np.random.PCG64(sequence)).random(2)
        (low, high), (quiet, loud) = self.f0_hz, self.level_db
        # Rounding must not leave the range.
        f0 = np.clip(np.float32(low * (high / low) ** at_f0), low, high)
        level = np.clip(np.float32(quiet + (loud - quiet) * at_level), quiet, loud)
        return Sine(float(np.float32(f0)), float(np.float32(level)))

    def signal(self, sine: Sine, *, dtype: str) -> np.ndarray:
        """Returns a sine as `[num_time_samples]`; reckoned in float64, then rounded.

        Args:
          sine: Which.
          dtype: `float32` or `float64`.
        """
        times = np.arange(self.num_time_samples, dtype=np.float64) / self.sample_rate_hz
        amplitude = 10.0 ** (sine.level_db / 20.0)
        signal = amplitude * np.sin((2.0 * np.pi * sine.f0) * times)
        return signal.astype(dtype)
