from __future__ import annotations

import io
import threading

from tqdm import tqdm

from code_t5.hf_artifacts import told_bar


class _Screen(io.StringIO):
    """Says when something was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = {"first": threading.Event(), "second": threading.Event()}

    def write(self, text: str) -> int:
        for word, event in self.drawn.items():
            if word in text:
                event.set()
        return super().write(text)


def test_a_bar_that_nothing_moves_says_what_is_being_done():
    screen = _Screen()
    bar = tqdm(total=10, file=screen, mininterval=1000.0, delay=1e-9)
    with bar, told_bar.telling(bar, delay_seconds=0.01, interval_seconds=0.01) as doing:
        doing("first")
        assert screen.drawn["first"].wait(timeout=60)
        doing("second\x1b[2J")
        assert screen.drawn["second"].wait(timeout=60)
    assert "\x1b[2J" not in screen.getvalue()
    assert "0/10" in screen.getvalue()


def test_a_bar_is_not_drawn_before_its_time():
    screen = _Screen()
    bar = tqdm(total=10, file=screen, mininterval=1000.0, delay=1000.0)
    with told_bar.telling(bar, delay_seconds=1000.0, interval_seconds=0.01) as doing:
        doing("first")
        assert not screen.drawn["first"].wait(timeout=0.2)
    assert screen.getvalue() == ""
