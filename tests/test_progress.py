"""The progress bar says what is left, and a slow start does not count."""

from __future__ import annotations

import time

from code_t5 import progress


def test_speed_after_a_restart_is_that_of_the_steps_after_it(monkeypatch, capsys):
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    with progress.progress_bar(description="training", unit="step", total=100, initial=10) as bar:
        monkeypatch.setattr(bar, "_time", lambda: now[0])
        now[0] += 60
        bar.update(0)
        progress.restart_clock(bar, done=20)
        assert bar.n == 20
        for _ in range(4):
            now[0] += 10
            bar.update(10)
    last = capsys.readouterr().err.strip().split("\r")[-1]
    # 40 steps in 40 seconds, 40 left: the minute before does not count.
    assert "60/100" in last
    assert "[00:40<00:40,  1.00step/s]" in last


def test_bar_of_what_is_quickly_done_is_not_seen(capsys):
    assert list(progress.progress_bar([1, 2], description="walking", unit="file")) == [1, 2]
    assert capsys.readouterr().err == ""
