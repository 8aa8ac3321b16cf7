"""Waveform teachers: sines go in, the same bytes come out whatever the batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from refusals import assert_refused

from code_t5.training.teachers import opening, registry, sines, waveform
from code_t5.training.teachers import teacher as teachers
from code_t5.training.teachers.batching import BatchRunner
from code_t5.training.teachers.generating import GenerationConfig, generate, one_thread
from code_t5.training.teachers.teacher import TeacherSpec

# The sizes of waveform_0, 51.2 ms at 8 kHz.
SHORT = dataclasses.replace(
    waveform.CONFIGS[0],
    inputs=dataclasses.replace(
        waveform.CONFIGS[0].inputs, sample_rate_hz=8_000, duration_seconds=0.256
    ),
    num_validation_samples=8,
)


def _teacher(dtype="float32", **changes):
    inputs = dataclasses.replace(SHORT.inputs, **changes)
    return waveform.WaveformTeacher(dataclasses.replace(SHORT, inputs=inputs), dtype=dtype)


def _columns(teacher, numbers, *, batch_size):
    with one_thread():
        return BatchRunner(teacher, batch_size=batch_size).run_window(
            numbers, seed=3, split="train"
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_byte_depends_on_the_batch(dtype):
    teacher = _teacher(dtype)
    whole = _columns(teacher, range(9), batch_size=9)
    for batch_size in (1, 2, 5):
        found = _columns(_teacher(dtype), range(9), batch_size=batch_size)
        assert {name: column.tobytes() for name, column in found.items()} == {
            name: column.tobytes() for name, column in whole.items()
        }
    last = _columns(teacher, [8], batch_size=1)
    assert last["y"].tobytes() == whole["y"][8:].tobytes()


def test_a_sample_is_a_sine_and_what_became_of_it():
    teacher = _teacher("float64")
    columns = _columns(teacher, range(4), batch_size=4)
    times = np.arange(2048) / 8_000
    for x, y, f0, level in zip(*(columns[name] for name in teacher.order)):
        assert x.shape == y.shape == (2048, 1)
        assert 55 <= f0 <= 880 and -30 <= level <= 0
        sine = 10 ** (level / 20) * np.sin(2 * np.pi * f0 * times)
        assert np.abs(x[:, 0] - sine).max() < 1e-12
        assert 0 < np.abs(y).max() < 1
        # It is no mere change of level: the sine explains only a part of it.
        share = (x * y).sum() / (x * x).sum()
        assert np.abs(y - share * x).max() > 0.1 * np.abs(y).max()


def test_level_decides_on_more_than_the_level():
    teacher = _teacher("float64")
    loud, quiet = (teacher.run([sines.Sine(220.0, level)])["y"][0] for level in (0.0, -20.0))
    assert np.abs(loud - 10 * quiet).max() > 0.1 * np.abs(loud).max()


def test_float32_is_near_float64():
    single, double = (
        _columns(_teacher(dtype), range(3), batch_size=3)["y"] for dtype in ("float32", "float64")
    )
    assert single.dtype == np.float32 and double.dtype == np.float64
    assert np.abs(single - double).max() < 1e-5


def test_weights_and_inputs_are_the_same_everywhere():
    hashes = [
        waveform.WaveformTeacher(config).description["weights_sha256"][:12]
        for config in waveform.CONFIGS
    ]
    assert hashes == ["61b464d739d1", "30ccc965af03", "8f086481a130", "012c57ff5ae7"]
    assert SHORT.inputs.draw([0, 5], seed=7, split="validation") == [
        sines.Sine(282.2030334472656, -14.8045072555542),
        sines.Sine(394.51202392578125, -13.241984367370605),
    ]
    assert len({config.inputs for config in waveform.CONFIGS}) > 1


def test_splits_share_no_input_and_numbers_decide_alone():
    draw = SHORT.inputs.draw
    train, validation = (
        set(draw(range(50), seed=1, split=split)) for split in ("train", "validation")
    )
    assert len(train) == len(validation) == 50 and not train & validation
    assert draw([7], seed=1, split="train") == draw([3, 7], seed=1, split="train")[1:]
    assert draw([7], seed=1, split="train") != draw([7], seed=2, split="train")


def test_values_stay_in_their_range():
    narrow = sines.SineRange(f0_hz=(100.0, 100.0), level_db=(-6.0, -6.0))
    assert set(narrow.draw(range(20), seed=0, split="train")) == {sines.Sine(100.0, -6.0)}
    assert narrow.num_time_samples == 52_920


def _make_short(device):
    del device
    return _teacher()


def _generate(path):
    config = GenerationConfig(TeacherSpec(_make_short), num_samples=3, seed=1, num_workers=1)
    return generate(config, output=str(path))


@pytest.mark.parametrize("name", ["cache", "cache.pt"])
def test_another_sample_rate_duration_or_configuration_is_refused_by_name(tmp_path, name):
    path = tmp_path / name
    _generate(path)
    opening.open_cache(path, split="train", teacher=_teacher())
    for other, match in [
        (_teacher(sample_rate_hz=16_000, duration_seconds=0.128), "data.sample_rate_hz is 8000"),
        (_teacher(duration_seconds=0.128), r"data.duration_seconds is 0.256, wanted 0.128"),
        (_teacher(f0_hz=(20.0, 880.0)), r"data.f0_hz\[0\] is 55.0, wanted 20.0"),
        (_teacher("float64"), "options.dtype is .float32., wanted .float64."),
        (waveform.WaveformTeacher(waveform.CONFIGS[1]), "teacher.name is .waveform_0., wanted"),
    ]:
        assert_refused(
            lambda other=other: opening.open_cache(path, split="train", teacher=other),
            match=match,
            unchanged=tmp_path,
        )


def test_a_signal_is_whole_frames():
    assert_refused(lambda: _teacher(duration_seconds=0.2561), match="whole frames of 4")
    assert_refused(lambda: _teacher("float16"), match="wanted float32 or float64")


def test_teachers_are_known_by_number_and_name():
    names = registry.teacher_names()[:4]
    assert names == ("waveform_0", "waveform_1", "waveform_2", "waveform_3")
    for number, name in enumerate(names):
        assert registry.resolve_name(number) == registry.resolve_name(f" {number}") == name
        teacher = registry.open_teacher(name)
        assert teacher.name == name
        assert teacher.num_available(teachers.TRAIN) is None
        assert teacher.num_available(teachers.VALIDATION) == 256
    assert registry.open_teacher("0", settings={"dtype": "float64"}).options == {"dtype": "float64"}


@pytest.mark.parametrize("name", ["8", "-1", "waveform_9", "", "0\n1", "\x1b[31m"])
def test_an_unknown_teacher_is_refused(name):
    assert_refused(lambda: registry.resolve_name(name), match="wanted a number or name of 0 wave")


def test_a_setting_that_a_teacher_does_not_take_is_refused():
    assert_refused(
        lambda: registry.teacher_spec("0", {"beams": 4}), match="waveform_0 does not take --beams"
    )
    assert_refused(
        lambda: registry.teacher_spec("0", {"dtype": "int8"}), match="the dtype is 'int8'"
    )
