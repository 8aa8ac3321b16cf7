"""What an export must know of the Task that a model was trained on.

Import this module only in a trainer's process: it imports seqio.
"""

from __future__ import annotations

import gin
import numpy as np
import seqio

from code_t5 import errors
from code_t5.data import objectives
from code_t5.data.objective_task import ObjectiveTask
from code_t5.data.objectives import CausalLm, SpanCorruption
from code_t5.data.t5_vocabulary import T5Vocabulary

# Where gin says which objective a Task without one of its own has.
_GIN_OBJECTIVE = "t5.data.preprocessors.unsupervised.preprocessors"


def inputs_feature(name: str) -> seqio.Feature:
    """Returns the feature that prompts are encoded for, of a vocabulary that is ours.

    Args:
      name: Of the Task or Mixture.

    Raises:
      InputError: Its vocabulary is another library's.
    """
    feature = seqio.get_mixture_or_task(name).output_features["inputs"]
    if not isinstance(feature.vocabulary, T5Vocabulary):
        raise errors.InputError(
            f"the vocabulary of {name} is a {type(feature.vocabulary).__name__}; wanted one of "
            "code_t5, which an export can take along; train on a Task of code_t5"
        )
    return feature


def objective(name: str) -> str:
    """Returns the name of a Task's objective; empty if it is none of code_t5's, or several.

    Args:
      name: Of the Task or Mixture.

    Raises:
      InputError: Its prompts are not read by the encoder, so that an export could not take them.
    """
    task = seqio.get_mixture_or_task(name)
    tasks = task.tasks if isinstance(task, seqio.Mixture) else [task]
    named = {part.objective for part in tasks if isinstance(part, ObjectiveTask)}
    if named == {None}:
        named = set(_bound_objectives())
    (found,) = named if len(named) == 1 else ("",)
    if found == CausalLm.name:
        raise errors.InputError(
            f"{name} has the objective {found}, whose prompts the decoder is given; wanted one "
            "whose encoder reads them, as an exported graph takes them there; complete with "
            "scripts/complete.py, or train with another objective"
        )
    return found if found in objectives.OBJECTIVES else ""


def _bound_objectives() -> list[str]:
    try:
        bound = gin.query_parameter(_GIN_OBJECTIVE)
    except ValueError:
        return []
    return [getattr(part, "selector", "").rpartition(".")[2] for part in bound]


def end_ids(name: str, *, stop_at_newline: bool) -> np.ndarray:
    """Returns the ids that end what the model writes.

    Args:
      name: Of the Task or Mixture.
      stop_at_newline: Whether each that holds a line feed is one.

    Returns:
      int64 [number of ids].

    Raises:
      InputError: The vocabulary does not say what its ids hold.
    """
    vocabulary = inputs_feature(name).vocabulary
    found = {vocabulary.eos_id}
    if objective(name) == SpanCorruption.name:
        # The second sentinel begins the next span.
        found.add(vocabulary.vocab_size - 2)
    if stop_at_newline:
        rows = vocabulary.token_model.token_bytes
        size = vocabulary.vocab_size
        found |= {number for number in range(size) if b"\n" in rows.row(number).tobytes()}
    return np.array(sorted(found))
