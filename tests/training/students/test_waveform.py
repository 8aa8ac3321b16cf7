"""The waveform student: what it computes, that it can learn, and what it writes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.torch
import torch
from refusals import assert_refused

from code_t5.training.students import waveform
from code_t5.training.students.waveform import StudentConfig, WaveformNetwork, WaveformStudent

_SMALL = StudentConfig(frame_size=7, num_channels=8, num_layers=2, condition_size=4)


def _batch(length=70):
    times = torch.arange(length) / 1000.0
    f0 = torch.tensor([20.0, 50.0])
    x = 0.8 * torch.sin(2 * np.pi * f0[:, None] * times)
    return {"x": x, "y": torch.tanh(2 * x), "f0": f0, "dB": torch.tensor([-2.0, -2.0])}


@pytest.mark.parametrize("frame_size", [1, 6, 7])
@pytest.mark.parametrize("length", [1, 13, 70])
def test_what_comes_out_has_the_length_of_what_goes_in(frame_size, length):
    network = WaveformNetwork(StudentConfig(frame_size, 4, num_layers=1, condition_size=2))
    found = network(torch.ones(2, length), f0_hz=torch.full((2,), 440.0), level_db=torch.zeros(2))
    assert found.shape == (2, length)
    assert float(found.abs().max()) < 1


@pytest.mark.parametrize("frame_size", [6, 7])
def test_a_value_follows_from_those_around_it(frame_size):
    torch.manual_seed(0)
    network = WaveformNetwork(StudentConfig(frame_size, 4, num_layers=1, condition_size=2))
    x = torch.randn(1, 30 * frame_size, requires_grad=True)
    place = 15 * frame_size + 2
    network(x, f0_hz=torch.tensor([440.0]), level_db=torch.zeros(1))[0, place].backward()
    heard = torch.nonzero(x.grad[0])[:, 0]
    # A frame and a half on either side of what the convolutions of three frames see.
    assert place - 3.5 * frame_size <= int(heard.min()) < place - frame_size
    assert place + frame_size < int(heard.max()) <= place + 3.5 * frame_size


def test_frequency_and_level_change_what_comes_out():
    torch.manual_seed(0)
    network = WaveformNetwork(_SMALL)
    x = torch.randn(1, 70)
    base = network(x, f0_hz=torch.tensor([440.0]), level_db=torch.zeros(1))
    assert not torch.equal(base, network(x, f0_hz=torch.tensor([880.0]), level_db=torch.zeros(1)))
    assert not torch.equal(base, network(x, f0_hz=torch.tensor([440.0]), level_db=torch.ones(1)))


def test_the_error_is_taken_as_a_share_of_the_signal():
    wanted = torch.tensor([[1.0, -1.0], [10.0, -10.0], [0.0, 0.0]])
    found = torch.tensor([[0.5, -1.0], [5.0, -10.0], [0.1, 0.0]])
    ratios = waveform.error_to_signal(found, wanted)
    torch.testing.assert_close(ratios, torch.tensor([0.125, 0.125, 0.5]))


def test_losses_are_means_over_samples():
    torch.manual_seed(0)
    student, batch = WaveformStudent(_SMALL), _batch()
    both = student.losses(batch)
    alone = [student.losses({k: v[i : i + 1] for k, v in batch.items()}) for i in range(2)]
    for name in ("loss", "mean_squared_error"):
        mean = (alone[0][name] + alone[1][name]) / 2
        torch.testing.assert_close(both[name], mean, rtol=1e-4, atol=1e-6)
    assert student.weight(batch) == 2


def test_it_learns_a_bend():
    torch.manual_seed(0)
    student, batch = WaveformStudent(_SMALL), _batch()
    optimizer = torch.optim.AdamW(student.network.parameters(), lr=3e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = student.losses(batch)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.02 < 0.3 < losses[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_batch_is_float32_whatever_the_cache_is(dtype):
    x = np.arange(6, dtype=dtype).reshape(2, 3, 1)
    level = np.array([-1.0, -2.0], dtype)
    found = waveform.collate({"x": x, "y": -x, "f0": level + 50, "dB": level})
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    assert found["y"].tolist() == [[0, -1, -2], [-3, -4, -5]]
    assert (found["f0"].tolist(), found["dB"].tolist()) == ([49, 48], [-1, -2])


def test_what_is_saved_is_the_same_student(tmp_path):
    torch.manual_seed(0)
    student, batch = WaveformStudent(_SMALL), _batch()
    student.save(tmp_path)
    config = json.loads((tmp_path / waveform.CONFIG_NAME).read_text())
    again = WaveformStudent(StudentConfig(**config["network"]))
    weights = safetensors.torch.load_file(tmp_path / waveform.WEIGHTS_NAME)
    again.network.load_state_dict(weights)
    assert torch.equal(student.losses(batch)["loss"], again.losses(batch)["loss"])


def test_outputs_of_another_kind_of_teacher_are_refused():
    parts = {"schema": [{"name": "token_ids"}]}
    match = "have the fields .'token_ids'.; wanted x, y, f0, dB"
    assert_refused(lambda: waveform.open_waveform_student(parts, {}), match=match)
