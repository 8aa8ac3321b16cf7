"""What happens when the trainer imports `code_t5`: before gin is read and a graph is built.

Elsewhere importing `code_t5` does none of this.
"""

from __future__ import annotations

from code_t5.data import trainer_errors


def prepare_trainer() -> None:
    """Loads CUDA libraries and has the preflight run once gin is read; in the trainer alone."""
    if trainer_errors.trainer_flags() is None:
        return
