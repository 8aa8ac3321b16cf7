"""Tasks over what a teacher wrote, as gin defines them (sequence-level distillation).

    taught/teacher_outputs.path = 'cached_nbest'
    taught/teacher_outputs.validation_path = 'cached_nbest_val'    # for evaluation; may be left out
    taught/teacher_outputs.hypothesis = 'drawn'                    # 'best' by default
    MIXTURE_NAME = 'taught'

registers the Task `taught` when the trainer asks for the vocabulary
(`code_t5.data.gin_mixtures.mixture_name`). It has the vocabulary of the Task that the teacher was
asked about, which must be there too, and may be a member of mixtures. `code_t5.data.nbest_source`
says what its examples are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gin
import seqio
import tensorflow as tf

from code_t5 import errors
from code_t5.data import gin_scopes, nbest_source, requested, trainer_errors
from code_t5.data.objective_task import take_over
from code_t5.encoding.piece_model import EOS_ID


@gin.configurable(module="code_t5", denylist=["name"])
def teacher_outputs(
    name: str,
    *,
    path: Any = None,
    validation_path: Any = None,
    hypothesis: Any = nbest_source.BEST,
    task: Any = None,
) -> dict[str, Any]:
    """Takes up what gin binds in the scope of a Task's name.

    Args:
      name: Of the Task.
      path: Directory of the outputs that are trained on.
      validation_path: Directory of those for validation; None for none.
      hypothesis: Which one becomes targets, `'best'` or `'drawn'`.
      task: The Task that the teacher was asked about. Registering binds it, so that the operative
        configuration tells those who export the model; what a user binds does not count.

    Returns:
      The arguments.
    """
    return {
        "name": name,
        "path": path,
        "validation_path": validation_path,
        "hypothesis": hypothesis,
        "task": task,
    }


def _keep_end_of_inputs(
    dataset: tf.data.Dataset, sequence_length: Mapping[str, int]
) -> tf.data.Dataset:
    """Cuts inputs so that an end of text stays where there was one; seqio cuts targets."""

    def cut(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs, length = example["inputs"], sequence_length["inputs"]
        # Under mesh-tensorflow `==` compares tensors by identity.
        is_cut = tf.logical_and(tf.size(inputs) > length, tf.equal(inputs[-1:], EOS_ID))
        end = tf.boolean_mask(inputs[-1:], is_cut)
        return {**example, "inputs": tf.concat([inputs[: length - tf.size(end)], end], axis=0)}

    return dataset.map(cut, num_parallel_calls=tf.data.AUTOTUNE)


class NBestTask(seqio.Task):
    """A Task over what a teacher wrote.

    Attributes:
      source: Reads it.
    """

    def __init__(
        self, name: str, *, source: nbest_source.NBestDataSource, vocabulary: seqio.Vocabulary
    ) -> None:
        """Puts the parts of a Task together.

        Args:
          name: Of the Task.
          source: Of the examples.
          vocabulary: Of both features.
        """
        super().__init__(
            name,
            source=source,
            preprocessors=[_keep_end_of_inputs],
            output_features={
                # An end of text stands where the teacher, or its inputs, had one.
                feature: seqio.Feature(vocabulary, add_eos=False)
                for feature in ("inputs", "targets")
            },
            metric_fns=[],
        )

    def get_dataset(self, *args: Any, **kwargs: Any) -> tf.data.Dataset:
        """Returns a split's examples; see `seqio.Task`."""
        # A pass that seqio remembers would be drawn once for all.
        kwargs["try_in_mem_cache"] = False
        with trainer_errors.one_line_errors():
            return super().get_dataset(*args, **kwargs)


def _bound_values(name: str) -> dict[str, Any]:
    # Called through gin and in the name's own scope: so the operative configuration holds it.
    with gin.config_scope(name.split("/")):
        return teacher_outputs(name)


def _read_source(name: str) -> nbest_source.NBestDataSource:
    """Returns the source of a Task, opened.

    Raises:
      InputError: What gin binds is not what it should be.
      NotBuiltError: There are no outputs.
      ArtifactError: They are damaged, or of two teachers.
    """
    bound = _bound_values(name)
    paths = {"train": bound["path"], "validation": bound["validation_path"]}
    for split, path in list(paths.items()):
        if path is None and split != "train":
            del paths[split]
        elif not isinstance(path, str) or not path:
            argument = "path" if split == "train" else "validation_path"
            raise errors.InputError(
                f"the Task {name} has the teacher outputs {path!r}; wanted the directory of some; "
                f"mend {name}/teacher_outputs.{argument} in the gin file or --gin_param"
            )
    source = nbest_source.NBestDataSource(paths, hypothesis=bound["hypothesis"])
    source.check()
    return source


def _asked_task(source: nbest_source.NBestDataSource) -> str:
    return str(dict(source.outputs["train"].parts["data"] or {}).get("task"))


def _find_vocabulary(name: str, source: nbest_source.NBestDataSource) -> seqio.Vocabulary:
    """Returns the vocabulary of the Task that the teacher was asked about.

    Raises:
      InputError: That Task is not there.
      VocabularyMismatchError: It has another vocabulary than the teacher had.
    """
    parts = source.outputs["train"].parts
    asked = _asked_task(source)
    vocabulary = (
        requested.find(
            asked,
            asked=f"the teacher outputs of the Task {name} are about the Task {asked[:80]!a}",
            wanted="Wanted it for its vocabulary; name the --data_dir of its data set",
        )
        .output_features["targets"]
        .vocabulary
    )
    wanted = dict(parts["vocabulary"] or {}).get("fingerprint")
    found = getattr(vocabulary, "fingerprint", None)
    if found != wanted:
        raise errors.VocabularyMismatchError(
            f"the teacher outputs of the Task {name} have the vocabulary {str(wanted)[:16]}, but "
            f"the Task {asked} has {str(found)[:16]}; wanted the same; name the data directory "
            f"that the teacher was trained on, or {nbest_source.MEND}"
        )
    return vocabulary


def register_nbest_tasks() -> list[str]:
    """Registers the Tasks that gin defines over teacher outputs; those that are there, anew.

    Call it after gin is parsed and the Tasks that teachers were asked about are registered.

    Returns:
      Names of the Tasks.

    Raises:
      InputError: A definition is not what it should be, or its name is one of something else.
      NotBuiltError: There are no outputs.
      ArtifactError: They are damaged, or of another vocabulary.
    """
    names = gin_scopes.bound_names("teacher_outputs", "path")
    for name in names:
        is_free = take_over(name, is_stale=lambda task: isinstance(task, NBestTask))
        if not is_free or name in seqio.MixtureRegistry.names():
            raise errors.InputError(
                f"gin defines the Task {name} over teacher outputs, but there is a Task or Mixture "
                f"{name} already; wanted another name; mend {name}/teacher_outputs.path in the gin "
                "file or --gin_param"
            )
        source = _read_source(name)
        vocabulary = _find_vocabulary(name, source)
        with gin.unlock_config():
            gin.bind_parameter(f"{name}/code_t5.teacher_outputs.task", _asked_task(source))
        _bound_values(name)
        task = NBestTask(name, source=source, vocabulary=vocabulary)
        seqio.TaskRegistry.add_provider(name, task)
    return names
