"""Loads the graph of an export, so that a hostile one can do no more than compute.

Of the graph only what lies between the prompts and the candidates is taken. It may hold operations
of a known list, none of which reads or writes files, calls functions or runs code; variables are
made here and filled from the export's weights.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from code_t5 import errors, library_errors
from code_t5.training.checkpoints import reading
from code_t5.training.saved_model import exported

if TYPE_CHECKING:
    import numpy as np
    import tensorflow.compat.v1 as tf

# What the exports of every size and every way of decoding are made of, and what the other layers
# of mesh-tensorflow's transformers may bring. All of them compute, and nothing else.
_OPERATIONS = frozenset(
    """
    Abs Add AddV2 All Any ArgMax Assert BatchMatMulV2 BroadcastTo Cast Ceil ConcatV2 Const Cos
    Cumsum Einsum EnsureShape Enter Equal Erf Exit Exp ExpandDims Fill Floor FloorDiv FloorMod
    GatherV2 Greater GreaterEqual Identity IsFinite Less LessEqual Log Log1p LogicalAnd LogicalNot
    LogicalOr LoopCond MatMul Max Maximum Mean Merge Min Minimum Mul Multinomial Neg NextIteration
    NotEqual OneHot OnesLike Pack Pad PadV2 Placeholder PlaceholderWithDefault Pow Prod
    RandomUniform Range ReadVariableOp RealDiv Relu Reshape Round Rsqrt Select SelectV2 Shape
    Sigmoid Sign Sin Size Slice Softmax Split SplitV Sqrt Square SquaredDifference Squeeze
    StopGradient StridedSlice Sub Sum Switch Tanh Tile TopKV2 Transpose Unpack VarHandleOp
    ZerosLike
    """.split()
)
_TAG = "serve"


def _refused(version_dir: pathlib.Path, found: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"{version_dir / exported.GRAPH_NAME} {found}; wanted the graph of an export of ours; "
        f"export again: {exported.EXPORT_COMMAND}"
    )


def keep_needed(graph: Any, names: Sequence[str]) -> None:
    """Takes out of a graph's definition what some of its operations do not need.

    Args:
      graph: A `GraphDef`; changed.
      names: Of the operations to keep, with all that leads to them.
    """
    inputs = {
        node.name: [name.lstrip("^").partition(":")[0] for name in node.input]
        for node in graph.node
    }
    needed: set[str] = set()
    ahead = [name for name in names if name in inputs]
    while ahead:
        name = ahead.pop()
        if name not in needed:
            needed.add(name)
            ahead += [found for found in inputs[name] if found in inputs]
    kept = [node for node in graph.node if node.name in needed]
    del graph.node[:]
    graph.node.extend(kept)


def unknown_operations(graph: Any) -> list[str]:
    """Returns the kinds of operations in a graph's definition that an export may not have."""
    return sorted({node.op for node in graph.node} - _OPERATIONS)


def _read(version_dir: pathlib.Path) -> Any:
    """Returns the meta graph that is served.

    Raises:
      ArtifactError: The file is no SavedModel, or holds none to serve.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((version_dir / exported.GRAPH_NAME).read_bytes())
    # protobuf's own error has no common parent with others but this.
    except Exception as error:
        reason = library_errors.one_line(error)
        raise _refused(version_dir, f"cannot be read: {reason}") from error
    served = [graph for graph in model.meta_graphs if _TAG in graph.meta_info_def.tags]
    if len(served) != 1 or exported.SIGNATURE not in served[0].signature_def:
        raise _refused(version_dir, f"has no signature {exported.SIGNATURE}")
    return served[0]


def _tensor_names(meta_graph: Any, version_dir: pathlib.Path) -> dict[str, str]:
    """Returns the names in the graph of what goes in and out.

    Raises:
      ArtifactError: The signature is not ours.
    """
    signature = meta_graph.signature_def[exported.SIGNATURE]
    inputs, outputs = set(signature.inputs), set(signature.outputs)
    if inputs != {exported.INPUT_IDS} or outputs != {exported.OUTPUT_IDS, exported.SCORES}:
        raise _refused(
            version_dir, f"takes {sorted(inputs)} and gives {sorted(outputs)} in its signature"
        )
    infos = {**signature.inputs, **signature.outputs}
    return {name: info.name for name, info in infos.items()}


def _served_part(meta_graph: Any, names: Mapping[str, str], *, version_dir: pathlib.Path) -> Any:
    """Returns the part of the graph that the candidates need.

    Raises:
      ArtifactError: Something in it does more than compute.
    """
    wanted = [names[name].partition(":")[0] for name in (exported.OUTPUT_IDS, exported.SCORES)]
    part = meta_graph.graph_def
    keep_needed(part, wanted)
    unknown = unknown_operations(part)
    if unknown or part.library.function:
        found = ", ".join(unknown[:5]) or "functions"
        raise _refused(version_dir, f"holds {found}, which an export has no use for")
    for node in part.node:
        node.device = ""
    return part


def _weights(version_dir: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the weights, by name.

    Raises:
      ArtifactError: They are damaged.
    """
    try:
        return reading.read_variables(version_dir / exported.WEIGHTS_PREFIX)
    except errors.ArtifactError as error:
        reason = library_errors.one_line(error).partition("; wanted")[0]
        raise errors.ArtifactError(
            f"the weights of {version_dir} cannot be read: {reason}; wanted an export as it was "
            f"written; export again: {exported.EXPORT_COMMAND}"
        ) from error


def _variables(
    part: Any, weights: Mapping[str, np.ndarray], *, version_dir: pathlib.Path
) -> dict[str, tf.Variable]:
    """Takes the variables out of a graph and returns others of the same names.

    Raises:
      ArtifactError: A weight is missing, or not of the shape that the graph has.
    """
    import tensorflow.compat.v1 as tf

    found = {}
    for node in part.node:
        if node.op != "VarHandleOp":
            continue
        shape = tf.TensorShape(node.attr["shape"].shape)
        weight = weights.get(node.name)
        if (
            weight is None
            or weight.dtype != "float32"
            or not shape.is_compatible_with(weight.shape)
        ):
            says = "none" if weight is None else f"{weight.dtype} {list(weight.shape)}"
            raise _refused(version_dir, f"wants {node.name} as float32 {shape} and there is {says}")
        found[node.name] = tf.get_variable(
            node.name, weight.shape, tf.float32, use_resource=True, initializer=tf.zeros_initializer
        )
    kept = [node for node in part.node if node.name not in found]
    del part.node[:]
    part.node.extend(kept)
    return found


def load(
    version_dir: pathlib.Path, *, num_threads: int = 0
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Loads the graph and the weights of an export.

    Args:
      version_dir: The export; `exported.read_info` has read it.
      num_threads: That one operation may use; 0 for as many as there are cores.

    Returns:
      What turns prompts, int32 [n, max_prompt_tokens], into ids and scores.

    Raises:
      ArtifactError: The graph or the weights are damaged, or not of an export of ours.
    """
    import tensorflow.compat.v1 as tf

    meta_graph = _read(version_dir)
    names = _tensor_names(meta_graph, version_dir)
    part = _served_part(meta_graph, names, version_dir=version_dir)
    weights = _weights(version_dir)
    config = tf.ConfigProto(allow_soft_placement=True, intra_op_parallelism_threads=num_threads)
    config.gpu_options.allow_growth = True
    with tf.Graph().as_default() as graph:
        session = tf.Session(graph=graph, config=config)
        variables = _variables(part, weights, version_dir=version_dir)
        handles = {f"{name}:0": variable.handle for name, variable in variables.items()}
        try:
            prompts, *results = tf.import_graph_def(
                part,
                input_map=handles,
                return_elements=[
                    names[name]
                    for name in (exported.INPUT_IDS, exported.OUTPUT_IDS, exported.SCORES)
                ],
                name="",
            )
        except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
            reason = library_errors.one_line(error)
            raise _refused(version_dir, f"does not hold together: {reason}") from error
        for name, variable in variables.items():
            initializer = variable.initializer
            session.run(initializer, {initializer.inputs[1]: weights[name]})
        return session.make_callable(results, feed_list=[prompts])
