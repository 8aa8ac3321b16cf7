"""Progress bars for whatever takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

_DELAY_SECONDS = 2.0


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    description: str,
    unit: str,
    total: int | None = None,
    initial: int = 0,
    unit_scale: bool = False,
) -> tqdm:
    """Returns a bar on stderr that appears after two seconds and shows the time left.

    Args:
      iterable: What to walk over; None for a bar that is moved by `update`.
      description: What is being done, in a word or two.
      unit: Of one step, for example `file`.
      total: Number of steps, where `iterable` does not say.
      initial: Steps that an earlier, interrupted run already did.
      unit_scale: Whether to write 1.2M in place of 1200000.

    Returns:
      The bar: an iterator and a context manager.
    """
    # A terminal is redrawn often; a log file gets a line every ten seconds at most.
    interval = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(
        iterable,
        desc=description,
        unit=unit,
        total=total,
        initial=initial,
        unit_scale=unit_scale,
        delay=_DELAY_SECONDS,
        mininterval=interval,
        dynamic_ncols=True,
        file=sys.stderr,
    )


def restart_clock(bar: tqdm, *, done: int) -> None:
    """Has speed and time left follow from what comes now, and not from a slow start before it.

    Args:
      bar: A bar that is moved by `update`.
      done: Steps that are done already.
    """
    bar.initial = bar.n = done
    bar.start_t = bar.last_print_t = time.time()
    bar.last_print_n = done
    bar.delay = 0
