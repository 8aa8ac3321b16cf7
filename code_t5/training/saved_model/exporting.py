"""What t5's trainer runs in `infer` mode to write the model as a SavedModel.

`runs/export.gin` names `write_saved_model` as `infer_model.decode_fn`. The trainer's own export
takes strings, and our vocabularies are no TensorFlow operations; it also loses the scores. This one
has the trainer's model build its graph once more, cuts out what lies between the prompts and the
candidates, and saves that with the checkpoint's weights and with names for what goes in and out.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import gin
import tensorflow.compat.v1 as tf
from absl import logging
from mesh_tensorflow.transformer import utils as mesh_utils

from code_t5 import errors
from code_t5.data import trainer_errors
from code_t5.storage import atomic
from code_t5.training.checkpoints import reading
from code_t5.training.saved_model import candidates, exported, graphs, task_facts

_VARIABLE_OPS = ("VariableV2", "VarHandleOp", "Variable")


def _model_graph(estimator: Any, *, batch_size: int, length: int) -> tf.Graph:
    """Returns the graph in which the trainer's model predicts."""
    with tf.Graph().as_default() as graph:
        prompts = tf.placeholder(tf.int32, [batch_size, length])
        estimator.model_fn(
            features={"inputs": prompts},
            labels=None,
            mode=tf.estimator.ModeKeys.PREDICT,
            config=estimator.config,
        )
    return graph


def _only(graph: tf.Graph, collection: str) -> str:
    """Returns the name of the one tensor in a collection."""
    found = graph.get_collection(collection)
    if len(found) != 1:
        raise errors.InputError(
            f"found {len(found)} tensors {collection} in the model's graph; wanted one, as an "
            "export is of one device and of predict_candidates; take mesh and predict_fn from "
            "runs/export.gin"
        )
    return str(found[0].name)


def _node(tensor_name: str) -> str:
    return tensor_name.partition(":")[0]


def _cut(graph: tf.Graph, tensors: list[str], *, inputs: str) -> tuple[Any, list[str]]:
    """Returns the part of a graph between one tensor and some others, and its variables' names.

    Neither the operation that gives the first tensor nor the variables are in the part.

    Raises:
      InputError: It does more than compute.
    """
    definition = graph.as_graph_def()
    for node in definition.node:
        node.device = ""
        # Where it lay beside a variable.
        node.attr.pop("_class", None)
        if node.name == _node(inputs):
            del node.input[:]
    graphs.keep_needed(definition, [_node(name) for name in tensors])
    names = [node.name for node in definition.node if node.op in _VARIABLE_OPS]
    kept = [node for node in definition.node if node.name not in {*names, _node(inputs)}]
    del definition.node[:]
    definition.node.extend(kept)
    unknown = graphs.unknown_operations(definition)
    if unknown or definition.library.function:
        raise errors.InputError(
            f"the model's graph holds {', '.join(unknown) or 'functions'}; wanted operations that "
            "only compute, as nobody runs others from an export unseen; if these do, add them to "
            "code_t5/training/saved_model/graphs.py"
        )
    return definition, names


def _padded(prompts: tf.Tensor, *, batch_size: int, length: int) -> tf.Tensor:
    """Returns a whole batch, filled up with rows that are no prompts."""
    num_prompts = tf.shape(prompts)[0]
    fits = tf.assert_less_equal(
        num_prompts, batch_size, message=f"wanted at most {batch_size} prompts at once"
    )
    with tf.control_dependencies([fits]):
        rows = tf.pad(
            prompts, [[0, batch_size - num_prompts], [0, 0]], constant_values=candidates.NO_PROMPT
        )
    return tf.ensure_shape(rows, [batch_size, length])


def _restored(names: list[str], *, checkpoint_path: str, session: tf.Session) -> dict[str, Any]:
    """Returns variables that hold a checkpoint's weights as float32, by name."""
    weights = reading.read_variables(checkpoint_path)
    missing = sorted(set(names) - set(weights))
    if missing:
        raise errors.InputError(
            f"the checkpoint {checkpoint_path} has no {', '.join(missing[:3])}; wanted all weights "
            "of the model; name the gin files that it was trained with"
        )
    found = {}
    for name in names:
        value = weights[name].astype("float32")
        found[name] = tf.get_variable(
            name, value.shape, tf.float32, tf.zeros_initializer(), use_resource=True
        )
        session.run(found[name].initializer, {found[name].initializer.inputs[1]: value})
    return found


def _served(
    graph: tf.Graph, *, info: exported.ModelInfo, checkpoint_path: str, session: tf.Session
) -> tuple[Any, Any]:
    """Builds the graph that is served in the default graph; returns its signature and its saver."""
    names = [_only(graph, name) for name in (candidates.OUTPUT_IDS, candidates.SCORES)]
    prompts_name = _only(graph, candidates.PROMPTS)
    part, variable_names = _cut(graph, names, inputs=prompts_name)
    prompts = tf.placeholder(tf.int32, [None, info.max_prompt_tokens], name=exported.INPUT_IDS)
    variables = _restored(variable_names, checkpoint_path=checkpoint_path, session=session)
    feeds = {f"{name}:0": variable.value() for name, variable in variables.items()}
    feeds[prompts_name] = _padded(
        prompts, batch_size=info.batch_size, length=info.max_prompt_tokens
    )
    output_ids, scores = tf.import_graph_def(
        part, input_map=feeds, return_elements=names, name="model"
    )
    rows = tf.shape(prompts)[0]
    outputs = {
        exported.OUTPUT_IDS: tf.identity(output_ids[:rows], name=exported.OUTPUT_IDS),
        exported.SCORES: tf.identity(scores[:rows], name=exported.SCORES),
    }
    signature = tf.saved_model.predict_signature_def({exported.INPUT_IDS: prompts}, outputs)
    return signature, tf.train.Saver(variables)


def _write(
    folder: pathlib.Path, graph: tf.Graph, *, info: exported.ModelInfo, checkpoint_path: str
) -> None:
    """Writes an export into an empty folder."""
    config = tf.ConfigProto(device_count={"GPU": 0})
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        signature, saver = _served(
            graph, info=info, checkpoint_path=checkpoint_path, session=session
        )
        builder = tf.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            signature_def_map={exported.SIGNATURE: signature},
            clear_devices=True,
            saver=saver,
        )
        builder.save()
    vocabulary = task_facts.inputs_feature(info.task).vocabulary
    shutil.copytree(vocabulary.vocabulary_dir, folder / exported.VOCABULARY_FOLDER)
    exported.write_info(folder, info)


def _settings(graph: tf.Graph) -> candidates.DecodingSettings:
    """Returns what the model's graph was made with."""
    found = graph.get_collection(candidates.SETTINGS)
    if not found:
        raise errors.InputError(
            "the model's graph was not made by predict_candidates; wanted that as "
            "utils.run.predict_fn, as the trainer's own predictions have no scores; take it from "
            "runs/export.gin"
        )
    return found[0]


def _model_info(
    name: str,
    checkpoint_path: str,
    *,
    task: str,
    batch_size: int,
    max_prompt_tokens: int,
    settings: candidates.DecodingSettings,
) -> exported.ModelInfo:
    """Returns what the export will say of itself."""
    feature = task_facts.inputs_feature(task)
    vocabulary = feature.vocabulary
    return exported.ModelInfo(
        name=name,
        step=mesh_utils.get_step_from_checkpoint_path(checkpoint_path),
        task=task,
        objective=task_facts.objective(task),
        batch_size=batch_size,
        max_prompt_tokens=max_prompt_tokens,
        add_eos=bool(feature.add_eos),
        eos_id=vocabulary.eos_id,
        vocab_size=vocabulary.vocab_size,
        vocabulary_kind=getattr(vocabulary, "kind", type(vocabulary).__name__),
        vocabulary_fingerprint=vocabulary.fingerprint,
        checkpoint=pathlib.Path(checkpoint_path).name,
        **settings._asdict(),
    )


@gin.configurable(module="code_t5")
def write_saved_model(
    estimator: Any,
    *,
    vocabulary: Any,
    model_type: str,
    batch_size: int,
    sequence_length: Mapping[str, int],
    checkpoint_path: str,
    mixture_or_task_name: str = gin.REQUIRED,
    output_dir: str = gin.REQUIRED,
) -> None:
    """Writes a checkpoint as `<output_dir>/<step>`, whole or not at all.

    Args:
      estimator: The trainer's, with the model in it.
      vocabulary: Unused; the Task's counts.
      model_type: Unused; the trainer passes it.
      batch_size: Most prompts at once.
      sequence_length: Most tokens of a prompt and of a candidate.
      checkpoint_path: The checkpoint.
      mixture_or_task_name: The Task or Mixture, which says what its inputs look like.
      output_dir: The model's folder; its name is the model's.

    Raises:
      InputError: The model cannot be exported, or the name does not do.
      SystemExit: The same in the trainer; the message is one line.
    """
    del vocabulary, model_type
    with trainer_errors.one_line_errors():
        target = pathlib.Path(output_dir)
        exported.check_name(target.name)
        if checkpoint_path is None:
            raise errors.InputError(
                f"found no checkpoint in {estimator.model_dir}; wanted a trained model; train first"
            )
        length = sequence_length["inputs"]
        graph = _model_graph(estimator, batch_size=batch_size, length=length)
        info = _model_info(
            target.name,
            checkpoint_path,
            task=mixture_or_task_name,
            batch_size=batch_size,
            max_prompt_tokens=length,
            settings=_settings(graph),
        )
        version_dir = target / str(info.step)
        with atomic.lock(target / f".{info.step}.lock", purpose="writes the export there"):
            atomic.remove_leftovers(version_dir)
            exported.check_replaceable(version_dir)
            with atomic.directory(version_dir) as folder:
                _write(folder, graph, info=info, checkpoint_path=checkpoint_path)
    logging.info("Wrote the SavedModel %s", version_dir)
