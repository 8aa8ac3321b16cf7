"""Imported by the trainer: while it saves step `$FULL_AT`, its files may hold 10 kB.

So the graph and the event files are written as ever, and the saver itself meets the limit.
"""

from __future__ import annotations

import os
import resource

from code_t5.training.checkpoints import saving

_BYTES = 10_000
_watch_saver = saving.watch_saver


def _save_limited(save, *arguments, **options):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_BYTES, limits[1]))
    try:
        return save(*arguments, **options)
    finally:
        # The log, which holds more already, is to get the last line.
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _watch_limited(saver, *, model_dir):
    save = saver.save

    def save_limited(*arguments, **options):
        if options.get("global_step") == int(os.environ["FULL_AT"]):
            return _save_limited(save, *arguments, **options)
        return save(*arguments, **options)

    saver.save = save_limited
    _watch_saver(saver, model_dir=model_dir)


saving.watch_saver = _watch_limited
