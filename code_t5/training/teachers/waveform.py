"""Waveform teachers 0 to 3: a sine goes in, the signal that the network makes of it comes out."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.training.teachers import agreement, waveform_network
from code_t5.training.teachers.sines import Sine, SineRange
from code_t5.training.teachers.teacher import VALIDATION
from code_t5.training.teachers.waveform_network import NetworkConfig

_NARROW = SineRange(f0_hz=(55.0, 880.0), level_db=(-30.0, 0.0))
_WIDE = SineRange(f0_hz=(27.5, 3520.0), level_db=(-48.0, 6.0))
_TOLERANCES = {"float32": 1e-4, "float64": 1e-10}


@dataclasses.dataclass(frozen=True)
class WaveformConfig:
    """A waveform teacher.

    Attributes:
      name: It is known by this.
      network: Sizes and seed of the network.
      inputs: What it is asked about.
      num_validation_samples: How many there are.
    """

    name: str
    network: NetworkConfig
    inputs: SineRange
    num_validation_samples: int = 256


def _config(name: str, inputs: SineRange, sizes: Sequence[int]) -> WaveformConfig:
    return WaveformConfig(name, NetworkConfig(*sizes), inputs)


# 255 taps would make the filters of torch many times as slow as 127 do.
# Sizes in the order of NetworkConfig: the seed, bands and taps, frames, recurrence, convolutions.
CONFIGS = (
    _config("waveform_0", _NARROW, (100, 8, 127, 4, 2, 32, 12, 7)),
    _config("waveform_1", _WIDE, (101, 8, 127, 4, 2, 32, 12, 7)),
    _config("waveform_2", _NARROW, (102, 8, 127, 4, 2, 64, 16, 7)),
    _config("waveform_3", _WIDE, (103, 8, 127, 4, 3, 64, 16, 9)),
)


class WaveformTeacher:
    """A waveform teacher, as `teacher.Teacher` says.

    Attributes:
      config: What it is.
      order: Names of the fields of a tuple.
      described_fields: Names of the fields that `describe_values` looks at.
      vocabulary_description: None.
      max_batch: Larger batches gain nothing.
      draws_at_random: True.
      depends_on_batch: False.
    """

    order = ("x", "y", "f0", "dB")
    described_fields = ("f0", "dB")
    vocabulary_description = None
    # The steps through time cost about as much for one sample as for this many.
    max_batch = 4096
    draws_at_random = True
    depends_on_batch = False

    def __init__(
        self, config: WaveformConfig, *, dtype: str = "float32", device: str = "cpu"
    ) -> None:
        """Makes the weights; the network is put on its device when it is asked.

        Args:
          config: Which teacher.
          dtype: Of the signals and of all arithmetic: `float32` or `float64`.
          device: Of torch.

        Raises:
          InputError: It cannot reckon in this dtype, or signals are not whole frames.
        """
        if dtype not in _TOLERANCES:
            raise errors.InputError(
                f"the dtype is {dtype!r}; wanted {' or '.join(_TOLERANCES)}; give one of these"
            )
        if config.inputs.num_time_samples % config.network.frame_size:
            raise errors.InputError(
                f"{config.name} has signals of {config.inputs.num_time_samples} values; wanted "
                f"whole frames of {config.network.frame_size}; change the duration"
            )
        # Whoever asks sets its threads.
        importlib.import_module("torch")
        self.config = config
        self.dtype = dtype
        self._device = device
        self._weights = waveform_network.make_weights(
            config.network, sample_rate_hz=config.inputs.sample_rate_hz
        )
        self._network: waveform_network.Network | None = None

    @property
    def name(self) -> str:
        """Name that it is registered under."""
        return self.config.name

    @property
    def schema(self) -> OutputSchema:
        """Signals in and out `[num_time_samples, 1]`, frequency in Hz, level in dB."""
        shape = (self.config.inputs.num_time_samples, 1)
        return OutputSchema(
            (
                ArrayField("x", self.dtype, shape),
                ArrayField("y", self.dtype, shape),
                ArrayField("f0", self.dtype),
                ArrayField("dB", self.dtype),
            )
        )

    @property
    def description(self) -> dict[str, Any]:
        """Name, sizes and a hash of the weights."""
        return {
            "name": self.name,
            "network": dataclasses.asdict(self.config.network),
            "network_version": waveform_network.NETWORK_VERSION,
            "weights_sha256": waveform_network.hash_weights(self._weights),
        }

    @property
    def data_description(self) -> dict[str, Any]:
        """What sines are drawn from."""
        return {"kind": "sines", **dataclasses.asdict(self.config.inputs)}

    @property
    def options(self) -> dict[str, Any]:
        """The precision of the arithmetic."""
        return {"dtype": self.dtype}

    def num_available(self, split: str) -> int | None:
        """Returns how many samples there are; None for no end.

        Args:
          split: `train` or `validation`.
        """
        return self.config.num_validation_samples if split == VALIDATION else None

    def draw(self, numbers: Sequence[int], *, seed: int, split: str) -> list[Sine]:
        """Returns the sines of some samples.

        Args:
          numbers: Of the samples.
          seed: Of all.
          split: `train` or `validation`.
        """
        return self.config.inputs.draw(numbers, seed=seed, split=split)

    def length_of(self, one_input: Sine) -> int:
        """Returns the length of a signal, which all share.

        Args:
          one_input: The sine.
        """
        del one_input
        return self.config.inputs.num_time_samples

    def run(self, inputs: Sequence[Sine]) -> dict[str, np.ndarray]:
        """Processes some sines.

        Args:
          inputs: The sines.

        Returns:
          Signals `[num_inputs, num_time_samples, 1]`, frequencies and levels `[num_inputs]`.
        """
        import torch

        if self._network is None:
            self._network = waveform_network.Network(
                self.config.network, weights=self._weights, dtype=self.dtype, device=self._device
            )
        shape = (len(inputs), self.config.inputs.num_time_samples, 1)
        x, y = np.empty(shape, self.dtype), np.empty(shape, self.dtype)
        signals = []
        for row, sine in enumerate(inputs):
            signal = self.config.inputs.signal(sine, dtype=self.dtype)
            x[row, :, 0] = signal
            signals.append(torch.tensor(signal, device=self._device))
        for row, processed in enumerate(self._network.process(signals)):
            y[row, :, 0] = processed.cpu().numpy()
        f0, level = np.array([tuple(sine) for sine in inputs], self.dtype).T
        return {"x": x, "y": y, "f0": f0.copy(), "dB": level.copy()}

    def describe_values(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns frequencies and levels.

        Args:
          columns: The described fields of some samples.
        """
        return {"f0 (Hz)": columns["f0"], "level (dB)": columns["dB"]}

    def compare(
        self, found: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> list[agreement.Agreement]:
        """Returns the largest error of each field.

        Args:
          found: Columns that are stored.
          wanted: Columns of the same samples that `run` gave just now.
        """
        return agreement.max_errors(found, wanted=wanted, tolerance=_TOLERANCES[self.dtype])


def open_waveform_teacher(
    name: str, *, settings: Mapping[str, Any], device: str
) -> WaveformTeacher:
    """Returns a teacher; what `registry` calls.

    Args:
      name: Of one of `CONFIGS`.
      settings: `dtype`.
      device: Of torch.

    Raises:
      InputError: The dtype is neither float32 nor float64.
    """
    config = next(config for config in CONFIGS if config.name == name)
    return WaveformTeacher(config, dtype=settings["dtype"], device=device)
