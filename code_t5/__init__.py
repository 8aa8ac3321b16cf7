"""code_t5: T5 models of source code, from repositories to a trained model.

Importing this package imports nothing heavy. Where seqio is imported already, as in
`python -m t5.models.mesh_transformer_main --module_import=code_t5`, it also registers the Tasks of
the data directory, and in the trainer looks at the devices (`code_t5.training.devices`); elsewhere
`code_t5.data.tasks.register_tasks()` does the first.
"""

from __future__ import annotations

import sys

__version__ = "0.1.0"

if "seqio" in sys.modules:
    from code_t5.data import tasks as _tasks
    from code_t5.training.devices import at_start as _at_start

    _tasks.register_tasks()
    _at_start.prepare_trainer()
