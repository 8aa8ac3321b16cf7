"""The network of the waveform teachers: a signal processor with memory, slow to ask one by one.

A bank of FIR filters splits the signal into bands; each is bent by tanh. Frames of the bent bands
go through gated recurrent layers, which follow the signal's level as a compressor does. What they
say, beside the bands, goes through dilated gated convolutions, whose sum with the dry signal is
bent once more. In the convolutions `u / (1 + |u|)` takes the place of tanh, and half of it
beside one half that of the sigmoid: these cost a third, and no library rounds them in its own way.

The recurrence is that of simple recurrent units (Lei et al. 2018, arXiv 1709.02755, section 3): the
state's own weights are a vector, not a matrix. The gate is rational here: for an activation u,
`u ** 2 / (1 + u ** 2)`.

No result depends on the batch. Whatever sums (filters, matrices, convolutions) or goes through a
function of a library is reckoned sample by sample, by the same calls on arrays of the same shape.
What is reckoned for the whole batch, step by step through time, is +, -, * and / of single values,
which IEEE 754 rounds in one way only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from code_t5.storage import fingerprints

if TYPE_CHECKING:
    import torch

# What is computed; a change of the arithmetic is another teacher.
NETWORK_VERSION = 1
# Filters are rounded to multiples of this: sines of libraries differ in their last digits.
_TAP_STEP = 2.0**-24
_MAX_GATE_BIAS = 24.0


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """Sizes of a network.

    Attributes:
      weights_seed: What its weights are drawn with.
      num_bands: Of the filter bank.
      num_taps: Of each filter; odd.
      frame_size: Values of a frame.
      num_recurrent_layers: How many.
      hidden_size: Of each recurrent layer.
      num_channels: Of the convolutions.
      num_convolutions: How many; the dilation doubles with each.
    """

    weights_seed: int
    num_bands: int
    num_taps: int
    frame_size: int
    num_recurrent_layers: int
    hidden_size: int
    num_channels: int
    num_convolutions: int


def _filter_bank(config: NetworkConfig, *, sample_rate_hz: int) -> np.ndarray:
    """Returns taps, float64 `[num_bands, 1, num_taps]`: windowed sincs, edges an octave apart."""
    edges = (sample_rate_hz / 4) * 2.0 ** np.arange(1 - config.num_bands, 1)
    times = np.arange(config.num_taps) - config.num_taps // 2
    window = 0.5 + 0.5 * np.cos(2 * np.pi * times / (config.num_taps + 1))
    shares = 2 * edges[:, None] / sample_rate_hz
    low_pass = shares * np.sinc(shares * times) * window
    bands = np.diff(low_pass, axis=0, prepend=0.0)
    return (np.round(bands / _TAP_STEP) * _TAP_STEP)[:, None]


def make_weights(config: NetworkConfig, *, sample_rate_hz: int) -> dict[str, np.ndarray]:
    """Returns the weights of a network, float64 by name; the same on every machine.

    Args:
      config: Sizes and seed.
      sample_rate_hz: Of the signals.
    """
    rng = np.random.Generator(np.random.PCG64(config.weights_seed))

    def even(*shape: int, low: float = -1.0, high: float = 1.0) -> np.ndarray:
        return low + (high - low) * rng.random(shape)

    def scaled(*shape: int, fan_in: int) -> np.ndarray:
        return even(*shape) * np.sqrt(3.0 / fan_in)

    bands, hidden, channels = config.num_bands, config.hidden_size, config.num_channels
    weights = {
        "filters": _filter_bank(config, sample_rate_hz=sample_rate_hz),
        "drive": even(bands, 1, low=2.0, high=16.0),
        "bend": even(bands, 1, low=-0.5, high=0.5),
        "read": scaled(2 * config.frame_size, hidden, fan_in=hidden).T.copy(),
        "enter": scaled(channels, bands + 2, 1, fan_in=bands + 2),
        "leave": scaled(1, channels, 1, fan_in=channels),
        "dry": even(1, low=0.3, high=0.6),
    }
    for layer in range(config.num_recurrent_layers):
        size = hidden if layer else bands * config.frame_size
        weights[f"input_{layer}"] = scaled(3 * hidden, size, fan_in=size).T.copy()
        weights[f"memory_{layer}"] = even(2, hidden)
        weights[f"gate_bias_{layer}"] = even(hidden, low=1.0, high=_MAX_GATE_BIAS)
    for layer in range(config.num_convolutions):
        weights[f"kernel_{layer}"] = scaled(2 * channels, channels, 3, fan_in=3 * channels)
        weights[f"kernel_bias_{layer}"] = even(2 * channels) * 0.1
    return weights


def hash_weights(weights: dict[str, np.ndarray]) -> str:
    """Returns a hash of names, shapes and values.

    Args:
      weights: By name.
    """
    return fingerprints.hash_json(
        {
            name: [list(array.shape), fingerprints.hash_bytes(array.astype("<f8").tobytes())]
            for name, array in weights.items()
        }
    )


class Network:
    """A network on a device, in one precision."""

    def __init__(
        self, config: NetworkConfig, *, weights: dict[str, np.ndarray], dtype: str, device: str
    ) -> None:
        """Puts the weights where they are used.

        Args:
          config: Sizes.
          weights: Of `make_weights`.
          dtype: `float32` or `float64`.
          device: Of torch.
        """
        import torch

        self.config = config
        self.device = torch.device(device)
        self._weights = {
            name: torch.tensor(array, dtype=getattr(torch, dtype), device=self.device)
            for name, array in weights.items()
        }

    def process(self, signals: list[torch.Tensor]) -> list[torch.Tensor]:
        """Processes signals.

        Args:
          signals: Each `[num_time_samples]`, whole frames, on the network's device.

        Returns:
          As many, of the same shape, within -1 and 1.
        """
        import torch

        exact = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        )
        with torch.inference_mode(), exact:
            bent = [self._bend(signal) for signal in signals]
            hidden: Iterable[torch.Tensor] = (self._frames(bands) for bands in bent)
            for layer in range(self.config.num_recurrent_layers):
                hidden = self._remember(hidden, layer=layer, batch_size=len(signals))
            return [self._mix(*one) for one in zip(signals, bent, hidden)]

    def _bend(self, signal: torch.Tensor) -> torch.Tensor:
        """Returns bent bands `[num_bands, num_time_samples]`."""
        import torch

        filters, drive, bend = (self._weights[name] for name in ("filters", "drive", "bend"))
        bands = torch.nn.functional.conv1d(
            signal[None, None], filters, padding=self.config.num_taps // 2
        )[0]
        return torch.tanh(bands * drive + bend) - torch.tanh(bend)

    def _frames(self, bands: torch.Tensor) -> torch.Tensor:
        """Returns frames `[num_frames, num_bands * frame_size]`."""
        size = self.config.frame_size
        split = bands.view(len(bands), -1, size).permute(1, 0, 2)
        return split.reshape(split.shape[0], -1)

    def _remember(
        self, inputs: Iterable[torch.Tensor], *, layer: int, batch_size: int
    ) -> list[torch.Tensor]:
        """Runs a recurrent layer over `[num_frames, size]` of each sample."""
        import torch

        matrix, bias = self._weights[f"input_{layer}"], self._weights[f"gate_bias_{layer}"]
        of_gate, of_output = self._weights[f"memory_{layer}"]
        size = self.config.hidden_size
        outputs = []
        for row, one in enumerate(inputs):
            projected = one @ matrix
            if not row:
                shape = (len(projected), batch_size, size)
                values, gates = projected.new_empty(shape), projected.new_empty(shape)
            values[:, row] = projected[:, :size]
            gates[:, row] = projected[:, size : 2 * size] + bias
            outputs.append(projected[:, 2 * size :].clone())
        _recur(values, gates, of_gate)
        found = []
        for row, output in enumerate(outputs):
            # Memory of its own: how an array lies must not depend on its place in the batch.
            state = gates[:, row].clone()
            before = torch.cat([torch.zeros_like(state[:1]), state[:-1]])
            gate = torch.sigmoid(output + of_output * before)
            value = values[:, row].clone()
            found.append(gate * torch.tanh(state) + (1 - gate) * value)
        return found

    def _mix(self, signal: torch.Tensor, bands: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Returns what comes out: `[num_time_samples]`."""
        import torch

        conv1d, softsign = torch.nn.functional.conv1d, torch.nn.functional.softsign
        channels, size = self.config.num_channels, self.config.frame_size
        read = hidden @ self._weights["read"]
        heard = read.view(len(read), 2, size).permute(1, 0, 2).reshape(2, -1)
        sound = conv1d(torch.cat([bands, heard])[None], self._weights["enter"])
        for layer in range(self.config.num_convolutions):
            step = 2**layer
            both = conv1d(
                sound,
                self._weights[f"kernel_{layer}"],
                self._weights[f"kernel_bias_{layer}"],
                padding=step,
                dilation=step,
            )
            gate = softsign(both[:, channels:]).add_(1.0).mul_(0.5)
            sound = gate.mul_(softsign(both[:, :channels])).add_(sound)
        wet = conv1d(sound, self._weights["leave"])[0, 0]
        return torch.tanh(wet * 0.5 + signal * self._weights["dry"])


def _recur(values: torch.Tensor, gates: torch.Tensor, of_gate: torch.Tensor) -> None:
    """Runs the recurrence through time; the states take the place of the gates.

    Args:
      values: What each step would set the state to, `[num_steps, batch, size]`.
      gates: Activation of each step's gate without the state's part, of the same shape.
      of_gate: The state's part, `[size]`.
    """
    import torch

    state = torch.zeros_like(values[0])
    gate, above, rest = (torch.empty_like(state) for _ in range(3))
    weight = of_gate.expand_as(state).contiguous()
    for value, place in zip(values.unbind(0), gates.unbind(0)):
        torch.mul(state, weight, out=gate)
        gate.add_(place)
        gate.mul_(gate)
        torch.add(gate, 1.0, out=above)
        gate.div_(above)
        torch.sub(state, value, out=rest)
        rest.mul_(gate)
        state = torch.add(rest, value, out=place)
