"""What a teacher said, stored for its students: samples of named arrays in shards, mapped to read.

    from code_t5.teacher_outputs import OutputsWriter, open_outputs

    with OutputsWriter("cached_train", plan=plan) as writer:
        for index in writer.missing_shards():
            writer.write_shard(index, [ask(number) for number in plan.samples_of(index)])
        writer.publish()
    outputs = open_outputs("cached_train", expected={"teacher": description})
    outputs[5]["x"]                                # a view of the map
    outputs.read([5, 3])                           # {"x": float32 [2, ...], ...}

`schema` says what a sample is, `codec` makes the most likely tokens of a distribution small,
`torch_outputs`, `tf_outputs` and `pt_file` hand samples to frameworks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from code_t5.teacher_outputs.codec import TopKCodec
    from code_t5.teacher_outputs.plan import OutputsPlan
    from code_t5.teacher_outputs.reader import TeacherOutputs, open_outputs
    from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
    from code_t5.teacher_outputs.writer import OutputsWriter

__all__ = [
    "ArrayField",
    "OutputSchema",
    "OutputsPlan",
    "OutputsWriter",
    "TeacherOutputs",
    "TopKCodec",
    "open_outputs",
]
_MODULES = {
    "ArrayField": "schema",
    "OutputSchema": "schema",
    "OutputsPlan": "plan",
    "OutputsWriter": "writer",
    "TeacherOutputs": "reader",
    "TopKCodec": "codec",
    "open_outputs": "reader",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for, so that importing the package costs nothing.

    Raises:
      AttributeError: There is no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
