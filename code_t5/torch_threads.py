"""How torch's threads on the CPU wait for each other."""

from __future__ import annotations

import os


def wait_without_spinning() -> None:
    """Has torch's threads sleep while they wait; call it before torch is imported.

    By default they spin for a while (`OMP_WAIT_POLICY` of OpenMP, which the user's own setting
    overrules). Where other work wants the cores, processes that read batches for instance, one
    spins on the very core that the other waits for, and each small operation takes as long as the
    scheduler lets a thread run.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
