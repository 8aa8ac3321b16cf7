"""The waveform student: a small network that learns what a waveform teacher makes of a sine.

It works on *frames*, some values in a row: an encoder makes features of each frame, dilated
convolutions let them know of the frames around, and a decoder makes of them, for each value, a
factor for the signal and something to add; the sum is bent by tanh. Frequency and level go into
each convolution as factors and terms of its channels (FiLM: Perez et al. 2018, arXiv 1709.07871,
section 2.1).

The loss is the *error-to-signal ratio*, the energy of the error over that of the wanted signal, as
a mean over samples (Damskaegg et al. 2019, arXiv 1811.00334, equation 2, without the filter in
front). It does not hang on the level.

This module needs torch: `registry` imports it when it is asked for.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from code_t5 import errors
from code_t5.training.students.student import LOSS

NETWORK_VERSION = 1
WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
_FIELDS = ("x", "y", "f0", "dB")
# Below it a wanted signal counts as silent: the energy of -60 dB over a second of 44.1 kHz.
_MIN_ENERGY = 0.02


@dataclasses.dataclass(frozen=True)
class StudentConfig:
    """Sizes of a network.

    Attributes:
      frame_size: Values of a frame.
      num_channels: Features of a frame.
      num_layers: Convolutions; the dilation doubles with each.
      condition_size: Hidden size of what makes factors of frequency and level.
    """

    frame_size: int = 56
    num_channels: int = 32
    num_layers: int = 6
    condition_size: int = 32


class WaveformNetwork(nn.Module):
    """The network."""

    def __init__(self, config: StudentConfig) -> None:
        """Draws the weights.

        Args:
          config: Sizes.
        """
        super().__init__()
        self.config = config
        size, channels = config.frame_size, config.num_channels
        # Each frame is seen with half of the one before and of the one behind.
        self.encoder = nn.Conv1d(1, channels, 2 * size, stride=size)
        self.condition = nn.Sequential(
            nn.Linear(2, config.condition_size),
            nn.Tanh(),
            nn.Linear(config.condition_size, 2 * channels * config.num_layers),
        )
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, padding=2**layer, dilation=2**layer)
            for layer in range(config.num_layers)
        )
        self.mixers = nn.ModuleList(
            nn.Conv1d(channels, channels, 1) for _ in range(config.num_layers)
        )
        self.decoder = nn.ConvTranspose1d(channels, 2, 2 * size, stride=size)

    def forward(
        self, x: torch.Tensor, *, f0_hz: torch.Tensor, level_db: torch.Tensor
    ) -> torch.Tensor:
        """Processes signals.

        Args:
          x: `[batch, num_time_samples]`.
          f0_hz: Frequencies `[batch]`.
          level_db: Levels `[batch]`.

        Returns:
          `[batch, num_time_samples]`, within -1 and 1.
        """
        size, length = self.config.frame_size, x.shape[1]
        behind = size // 2 + -length % size
        padded = nn.functional.pad(x, (size - size // 2, behind + size - size // 2 * 2))
        about = torch.stack([torch.log2(f0_hz / 440.0), level_db / 20.0], dim=1)
        films = self.condition(about).view(len(x), len(self.layers), 2, -1, 1).unbind(1)
        sound = self.encoder(padded[:, None])
        for layer, mixer, film in zip(self.layers, self.mixers, films):
            factor, term = film.unbind(1)
            sound = sound + mixer(nn.functional.gelu(layer(sound) * (1.0 + factor) + term))
        decoded = self.decoder(sound)[:, :, size // 2 : size // 2 + length]
        return torch.tanh(decoded[:, 0] * x + decoded[:, 1])


def collate(columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Makes a batch, all of it float32.

    Args:
      columns: `x` and `y` `[batch, num_time_samples, 1]`, `f0` and `dB` `[batch]`.

    Returns:
      `x` and `y` `[batch, num_time_samples]`, `f0` and `dB` `[batch]`.
    """
    arrays = {name: np.asarray(columns[name], np.float32) for name in _FIELDS}
    return {name: a[..., 0] if a.ndim == 3 else a for name, a in arrays.items()}


def error_to_signal(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Returns the error-to-signal ratio of each sample, `[batch]`.

    Args:
      found: `[batch, num_time_samples]`.
      wanted: The same.
    """
    energy = wanted.square().sum(dim=1).clamp_min(_MIN_ENERGY)
    return (wanted - found).square().sum(dim=1) / energy


class WaveformStudent:
    """A waveform student, as `student.Student` says.

    Attributes:
      name: `waveform`.
      fields: All of a waveform teacher's outputs.
      learning_rate: A good one.
      network: Its parameters are trained.
      collate_fn: Makes arrays of columns.
    """

    name = "waveform"
    fields = _FIELDS
    learning_rate = 4e-3
    collate_fn = staticmethod(collate)

    def __init__(self, config: StudentConfig = StudentConfig()) -> None:  # noqa: B008 - frozen
        """Draws the weights.

        Args:
          config: Sizes.
        """
        self.config = config
        self.network = WaveformNetwork(config)

    @property
    def description(self) -> dict[str, Any]:
        """Sizes and loss."""
        return {
            "network": dataclasses.asdict(self.config),
            "network_version": NETWORK_VERSION,
            "loss": "error_to_signal",
        }

    def losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Reckons the losses of a batch.

        Args:
          batch: As of `collate`.

        Returns:
          The mean error-to-signal ratio as `loss`, and the mean squared error.
        """
        found = self.network(batch["x"], f0_hz=batch["f0"], level_db=batch["dB"])
        ratio = error_to_signal(found, batch["y"]).mean()
        with torch.no_grad():
            squared = (found - batch["y"]).square().mean()
        return {LOSS: ratio, "mean_squared_error": squared}

    def weight(self, batch: Mapping[str, torch.Tensor]) -> float:
        """Returns the number of samples.

        Args:
          batch: As of `collate`.
        """
        return float(len(batch["x"]))

    def save(self, folder: pathlib.Path) -> None:
        """Writes weights and sizes.

        Args:
          folder: Empty.
        """
        import safetensors.torch

        weights = {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
        (folder / WEIGHTS_NAME).write_bytes(safetensors.torch.save(weights))
        text = json.dumps({"name": self.name, **self.description}, indent=2, sort_keys=True)
        (folder / CONFIG_NAME).write_text(text + "\n", encoding="ascii")


def open_waveform_student(parts: Mapping[str, Any], settings: Mapping[str, Any]) -> WaveformStudent:
    """Returns a student; what `registry` calls.

    Args:
      parts: Of the teacher's outputs.
      settings: None.

    Raises:
      InputError: The outputs are not a waveform teacher's.
    """
    del settings
    fields = parts["schema"] if isinstance(parts.get("schema"), list) else []
    names = {field.get("name") for field in fields if isinstance(field, dict)}
    if fields and not set(_FIELDS) <= names:
        raise errors.InputError(
            f"the outputs have the fields {sorted(map(str, names))}; wanted {', '.join(_FIELDS)}; "
            "give those of a waveform teacher"
        )
    return WaveformStudent()
