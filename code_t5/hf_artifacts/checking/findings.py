"""What the checks of a root found, one line for each thing.

An *owner* is what depends on a file: a record, by its folder's name below `artifacts/`; or a
snapshot of which there is no record, as `FOLDER@COMMIT`.
"""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
      path: What it is about, relative to the root.
      problem: What was found, what was wanted, and what to do.
      owners: Who depends on it; none for what nobody asked for by name.
      is_damage: Whether something is wrong; if not, it is only worth knowing.
    """

    path: str
    problem: str
    owners: tuple[str, ...] = ()
    is_damage: bool = True

    def as_json(self) -> dict[str, Any]:
        """Returns the finding as JSON values."""
        return {**dataclasses.asdict(self), "owners": list(self.owners)}
