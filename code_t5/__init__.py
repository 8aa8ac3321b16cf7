"""code_t5: T5 models of source code, from repositories to a trained model.

Importing this package imports nothing heavy. Where seqio is imported already, as in
`python -m t5.models.mesh_transformer_main --module_import=code_t5`, it also registers the Tasks of
the data directory; elsewhere `code_t5.data.tasks.register_tasks()` does.
"""

from __future__ import annotations

import sys

__version__ = "0.1.0"

if "seqio" in sys.modules:
    from code_t5.data import tasks as _tasks

    _tasks.register_tasks()
