"""A stand-in for `Completer` that needs no model: it writes what it was asked, in capitals."""

from __future__ import annotations

import types
from typing import Any

from code_t5.training.decoding_options import Candidate
from code_t5.training.prompts import Gap


class StandInCompleter:
    """Remembers what it was asked and with which seeds."""

    def __init__(self, objective: str = "prefix_lm", stop_after: int | None = None) -> None:
        self.export = types.SimpleNamespace(fingerprint="model", objective=objective)
        self.asked: list[Any] = []
        self.seeds: list[int] = []
        self._stop_after = stop_after

    def complete(self, prompts, *, options):
        """Returns one candidate each, or stops as Ctrl-C does."""
        self.seeds.append(options.seed)
        if self._stop_after is not None and len(self.seeds) > self._stop_after:
            raise KeyboardInterrupt
        self.asked += prompts
        return [
            [Candidate((one.suffix if isinstance(one, Gap) else one).upper(), -0.5, 2, True)]
            for one in prompts
        ]
