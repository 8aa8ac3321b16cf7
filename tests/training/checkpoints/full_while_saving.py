"""Imported by the trainer: from the checkpoint of step `$FULL_AT` on its files may hold 10 kB.

So the graph and the event files are written as ever, and the saver itself meets the limit.
"""

from __future__ import annotations

import os
import resource

from code_t5.training.checkpoints import saving

_BYTES = 10_000
_watch_saver = saving.watch_saver


def _watch_limited(saver, *, model_dir):
    save = saver.save

    def save_limited(*arguments, **options):
        if options.get("global_step") == int(os.environ["FULL_AT"]):
            resource.setrlimit(resource.RLIMIT_FSIZE, (_BYTES, _BYTES))
        return save(*arguments, **options)

    saver.save = save_limited
    _watch_saver(saver, model_dir=model_dir)


saving.watch_saver = _watch_limited
