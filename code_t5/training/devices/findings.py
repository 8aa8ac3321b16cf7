"""What an examination of the machine finds, one by one.

A *finding* is a fact with its state: `ok`, `note` (worth knowing, nothing to mend) or `problem`
(training will fail or be wrong), and what mends it.
"""

from __future__ import annotations

import dataclasses

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fact.

    Attributes:
      name: What it is about.
      found: What is the case, in one line.
      state: `ok`, `note` or `problem`.
      mend: The command, or what to do; empty where there is nothing to do.
    """

    name: str
    found: str
    state: str = OK
    mend: str = ""
