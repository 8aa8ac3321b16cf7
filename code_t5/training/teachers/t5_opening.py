"""Opens T5 teachers by name; what `registry` calls.

A name is `t5_<size>_<kind>`: the *kind* says what the teacher is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.teacher_outputs.codec import TopKCodec
from code_t5.training.teachers import t5_source
from code_t5.training.teachers.t5_sequence_level import T5SequenceTeacher
from code_t5.training.teachers.t5_token_level import T5TokenTeacher

# What a name's end stands for, where the user does not choose.
KINDS: dict[str, dict[str, Any]] = {
    "top32": {"k": 32},
    "mass99": {"k": 64, "mass": 0.99},
    "nbest4": {"num_beams": 4},
}
_MAX_BEAMS = 64


def settle_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings that mean the same model in every process, even while it is being trained.

    Args:
      name: `t5_<size>_<kind>`.
      settings: All of its family; None for a default.

    Raises:
      InputError: There is no such checkpoint.
      NotBuiltError: There is no model.
      ArtifactError: The checkpoints' list is damaged.
    """
    return {**settings, **t5_source.settle_model(name.split("_")[1], settings)}


def open_t5_teacher(
    name: str, *, settings: Mapping[str, Any], device: str
) -> T5TokenTeacher | T5SequenceTeacher:
    """Returns a teacher.

    Args:
      name: `t5_<size>_<kind>`.
      settings: All of its family; None for a default.
      device: Of torch.

    Raises:
      InputError: A setting does not do, or the model is of another size.
      NotBuiltError: There is no model, or the Task's data set is not built.
      VocabularyMismatchError: The Task's vocabulary is not the model's.
      ArtifactError: Something of it is damaged.
    """
    _, _, kind = name.split("_")
    chosen = {
        key: default if settings.get(key) is None else settings[key]
        for key, default in KINDS[kind].items()
    }
    if "num_beams" in chosen and not 1 <= chosen["num_beams"] <= _MAX_BEAMS:
        raise errors.InputError(
            f"--num_beams is {chosen['num_beams']}; wanted 1 to {_MAX_BEAMS}; give such a number"
        )
    source = t5_source.open_source(name, settings=settings)
    if "num_beams" in chosen:
        return T5SequenceTeacher(name, source=source, num_beams=chosen["num_beams"], device=device)
    temperature = settings.get("temperature")
    codec = TopKCodec(
        vocab_size=source.num_embeddings,
        temperature=1.0 if temperature is None else temperature,
        **chosen,
    )
    return T5TokenTeacher(name, source=source, codec=codec, device=device)
