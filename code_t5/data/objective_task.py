"""What the Tasks of code_t5 have in common: an objective, features, and errors of one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import seqio
import tensorflow as tf

from code_t5.data import preprocessors, trainer_errors
from code_t5.data.line_questions import LineQuestions
from code_t5.data.objectives import LineCompletion
from code_t5.data.t5_vocabulary import T5Vocabulary


class ObjectiveTask(seqio.Task):
    """A Task whose documents an objective turns into `inputs` and `targets`.

    Attributes:
      objective: Name of its objective; None if gin chooses.
    """

    def __init__(
        self,
        name: str,
        *,
        source: seqio.DataSource,
        vocabulary: T5Vocabulary,
        objective: str | None,
        before: Sequence[Callable[..., Any]] = (),
    ) -> None:
        """Puts the parts of a Task together.

        Args:
          name: Of the Task.
          source: Of the documents.
          vocabulary: Of both features.
          objective: One of `preprocessors.PREPROCESSORS`; None to let gin choose.
          before: What turns a document into ids, the int32 `targets`, where it is not ids already.
        """
        # Only what is asked the same way of everyone can be measured.
        lines = LineQuestions(vocabulary) if objective == LineCompletion.name else None
        super().__init__(
            name,
            source=source,
            preprocessors=[
                *before,
                preprocessors.PREPROCESSORS[objective] if objective else preprocessors.unsupervised,
                seqio.preprocessors.append_eos_after_trim,
                *([lines.add_answers] if lines else []),
            ],
            output_features={
                # Not required: before the objective runs there are only targets.
                "inputs": seqio.Feature(vocabulary, add_eos=True, required=False),
                "targets": seqio.Feature(vocabulary, add_eos=True),
            },
            postprocess_fn=lines.postprocess if lines else None,
            metric_fns=lines.metric_fns if lines else [],
        )
        self.objective = objective

    def get_dataset(self, *args: Any, **kwargs: Any) -> tf.data.Dataset:
        """Returns a split's examples; see `seqio.Task`."""
        with trainer_errors.one_line_errors():
            return super().get_dataset(*args, **kwargs)


def take_over(name: str, *, is_stale: Callable[[seqio.Task], bool]) -> bool:
    """Drops the Task of a name where another is to take its place.

    Args:
      name: Of a Task that is to be registered.
      is_stale: Whether the one that has the name may go.

    Returns:
      Whether no Task has the name now.
    """
    if name not in seqio.TaskRegistry.names():
        return True
    if not is_stale(seqio.TaskRegistry.get(name)):
        return False
    seqio.TaskRegistry.remove(name)
    return True
