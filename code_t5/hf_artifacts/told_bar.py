"""A progress bar that says what is being done, and goes on being drawn while nothing moves it.

A bar is drawn when it moves. While a child process prepares or loads a data set nothing does, and
the bar would say for minutes what was done before.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Callable

from tqdm import tqdm

from code_t5 import visible_text

_TICK_SECONDS = 0.5

Doing = Callable[[str], object]


@contextlib.contextmanager
def telling(
    bar: tqdm, *, delay_seconds: float = 2.0, interval_seconds: float | None = None
) -> Iterator[Doing]:
    """Lets a bar say what is being done until the block ends.

    Args:
      bar: The bar.
      delay_seconds: It is not drawn before.
      interval_seconds: How long it may stand still; None for what a terminal, or a log, wants.

    Yields:
      What is told of each step, in a few words.
    """
    waited = interval_seconds or (1.0 if sys.stderr.isatty() else 10.0)
    begun, is_over = time.monotonic(), threading.Event()
    drawn_at, drawn = begun, ""

    def redraw() -> None:
        nonlocal drawn, drawn_at
        tick = min(_TICK_SECONDS, waited)
        while not is_over.wait(tick):
            now = time.monotonic()
            is_new = bool(bar.postfix) and bar.postfix != drawn
            is_due = now - drawn_at >= (min(waited, delay_seconds) if is_new else waited)
            if now - begun >= delay_seconds and is_due:
                drawn, drawn_at = bar.postfix, now
                bar.refresh()
                # A bar that was never drawn is not closed with a line end.
                bar.last_print_t = time.time()

    thread = threading.Thread(target=redraw, daemon=True)
    thread.start()
    try:
        yield lambda text: bar.set_postfix_str(visible_text.one_line(text), refresh=False)
    finally:
        is_over.set()
        thread.join()
        bar.set_postfix_str("", refresh=False)
