"""What the trainer's own log and event files say of its steps."""

from __future__ import annotations

import re

import pytest

from code_t5.training import event_files
from code_t5.training.stepping import session, watch

LINE = re.compile(
    r"step (\d+): (\d+\.\d\d) steps/s, (\d+) tokens/s, "
    r"fill (\d+\.\d)%, waited (\d+\.\d)% for data$",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def log(trained_small):
    return (trained_small.model_dir / "logs" / "train-1.log").read_text()


def test_the_last_line_tells_the_speed_the_fill_and_the_waiting(log, trained_small):
    step, steps_per_second, tokens_per_second, fill, waited = map(float, LINE.findall(log)[-1])
    assert step == 20
    # A step has 8 rows of 64 and 32 positions.
    tokens_per_step = tokens_per_second / steps_per_second
    assert tokens_per_step == pytest.approx(fill / 100 * 8 * 96, rel=0.05)
    assert 20 < fill <= 100
    assert waited < 100
    (path,) = event_files.list_files(trained_small.model_dir / watch.FOLDER)
    last = event_files.read_scalars(path)["speed/fill"][-1]
    assert (last.step, 100 * last.value) == (20, pytest.approx(fill, abs=0.06))


def test_the_precision_and_the_devices_are_told(log):
    precision = session.settled_precision("auto", on_gpu=False, flags=session.cpu_flags())
    assert f"Steps are in {precision}" in log
    (line,) = re.findall(r"a step executes .*", log)
    assert re.search(r"CPU:0 100\.0% of operations, 100\.0% of matrix products", line)
    assert ("matrix products in 16 bits" in line) == (precision == "bfloat16")
