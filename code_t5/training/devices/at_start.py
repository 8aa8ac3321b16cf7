"""What happens when the trainer imports `code_t5`: before gin is read and a graph is built.

Elsewhere importing `code_t5` does none of this.
"""

from __future__ import annotations

from code_t5.data import trainer_errors


def prepare_trainer() -> None:
    """Loads CUDA libraries and has the preflight run once gin is read; in the trainer alone.

    Raises:
      SystemExit: What the environment says of the libraries does not do; the message is one line.
    """
    if trainer_errors.trainer_flags() is None:
        return
    from code_t5.training.devices import preflight, restarting

    with trainer_errors.one_line_errors():
        restarting.restart_if_needed()
    preflight.register()
