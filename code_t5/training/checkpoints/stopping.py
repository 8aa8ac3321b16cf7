"""Stops a training that is asked to: after the step, with a checkpoint, so that nothing is lost.

Asked it is by a signal: SIGINT (Ctrl-C), SIGTERM (`kill`, a batch system that wants its machine
back) or SIGHUP (the terminal is gone). After that Ctrl-C ends the process at once, as it does
elsewhere; the other two do not, because whoever ends a process often tells its parent as well, and
the parent passes it on.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from absl import logging

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What a shell reports of a program that a signal ended: this and the signal's number.
STATUS_OF_SIGNAL = 128


class StopRequest:
    """Waits for a signal while it listens.

    Attributes:
      is_wanted: Whether someone will say how the training ended, so that it may listen.
      signal: The number of the signal that came; None as long as none has.
    """

    def __init__(self) -> None:
        """Does not listen yet."""
        self.is_wanted = False
        self.signal: int | None = None
        self._earlier: dict[int, Any] = {}

    def listen(self) -> None:
        """Takes the signals over, but for those that are ignored (`nohup`); once is enough."""
        # Python delivers signals to its main thread, and lets no other one ask for them.
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            if number not in self._earlier and signal.getsignal(number) != signal.SIG_IGN:
                self._earlier[number] = signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.signal is not None:
            return
        self.signal = number
        if signal.SIGINT in self._earlier:
            _restore(signal.SIGINT, self._earlier.pop(signal.SIGINT))
        logging.warning(
            "Got %s: the training ends after this step and saves a checkpoint; Ctrl-C ends it at "
            "once",
            signal.Signals(number).name,
        )

    def leave(self) -> None:
        """Gives the signals back to whoever had them."""
        while self._earlier:
            _restore(*self._earlier.popitem())


def _restore(number: int, earlier: Any) -> None:
    # None is a handler that was not Python's.
    signal.signal(number, signal.SIG_DFL if earlier is None else earlier)
