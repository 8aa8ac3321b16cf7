"""Writes defects to the server's log with their traceback; nothing in it commands a terminal."""

from __future__ import annotations

import logging
import traceback

from code_t5 import visible_text

_LOGGER = logging.getLogger("code_t5.serving")


def log_failure(what: str) -> None:
    """Logs the error that is being handled: it may quote what a client sent.

    Args:
      what: What failed.
    """
    text = f"{what}\n{traceback.format_exc()}"
    _LOGGER.error("%s", "".join(piece for _, piece in visible_text.split_marks(text)))
