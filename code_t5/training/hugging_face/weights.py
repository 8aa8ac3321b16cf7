"""Which variable of mesh-tensorflow holds which weight of Hugging Face's T5, both ways.

A *link* is one such pair. Several weights may be linked to one variable: where encoder and decoder
are shared, and where Hugging Face's files name the embeddings by several names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from code_t5 import errors
from code_t5.training.hugging_face import architecture as architectures
from code_t5.training.hugging_face.architecture import Architecture, Stack

EMBEDDING, EMBEDDING_WEIGHT = "shared/embedding", "shared.weight"
OUTPUT_WEIGHT = "lm_head.weight"
_STEP = "global_step"
# A stack's parts in Hugging Face: the number of each in a block.
_PLACES = {
    architectures.ENCODER: {architectures.SELF_ATTENTION: 0, architectures.FEED_FORWARD: 1},
    architectures.DECODER: {
        architectures.SELF_ATTENTION: 0,
        architectures.CROSS_ATTENTION: 1,
        architectures.FEED_FORWARD: 2,
    },
}


@dataclasses.dataclass(frozen=True)
class Link:
    """A weight and the variable that holds it.

    Attributes:
      weight: Name in Hugging Face.
      variable: Name in mesh-tensorflow.
      shape: Of the weight.
      is_turned: Whether the variable is the weight transposed.
      scale: What the variable is multiplied by.
    """

    weight: str
    variable: str
    shape: tuple[int, ...]
    is_turned: bool = True
    scale: float = 1.0


def links(architecture: Architecture, *, num_embeddings: int) -> list[Link]:
    """Returns all links of a model.

    Args:
      architecture: The model's.
      num_embeddings: Rows of the embeddings.

    Returns:
      One link per weight.
    """
    one = architecture
    embeddings = (num_embeddings, one.d_model)
    found = [
        Link(
            EMBEDDING_WEIGHT,
            EMBEDDING,
            embeddings,
            is_turned=False,
            scale=one.embedding_scale,
        )
    ]
    if not one.is_tied:
        found.append(Link(OUTPUT_WEIGHT, f"{one.decoder.scope}/logits/kernel", embeddings))
    found += _stack_links(one, one.encoder, stack_name=architectures.ENCODER)
    found += _stack_links(one, one.decoder, stack_name=architectures.DECODER)
    return found


def _stack_links(one: Architecture, stack: Stack, *, stack_name: str) -> Iterator[Link]:
    for block in range(stack.num_blocks):
        for layer in stack.layers:
            place = _PLACES[stack_name][layer.kind]
            weight = f"{stack_name}.block.{block}.layer.{place}"
            scope = f"{stack.scope}/block_{block:03d}/{layer.name}"
            yield Link(
                f"{weight}.layer_norm.weight",
                f"{scope}/{stack.norm_name}/scale",
                (one.d_model,),
            )
            weight, scope = f"{weight}.{layer.kind}", f"{scope}/{layer.kind}"
            if layer.kind == architectures.FEED_FORWARD:
                yield from _feed_forward_links(one, weight=weight, scope=scope)
                continue
            yield from _attention_links(one, weight=weight, scope=scope)
            if block == 0 and layer.kind == architectures.SELF_ATTENTION:
                yield Link(
                    f"{weight}.relative_attention_bias.weight",
                    f"{scope}/relative_attention_bias",
                    (one.num_buckets, one.num_heads),
                )
    yield Link(
        f"{stack_name}.final_layer_norm.weight",
        f"{stack.scope}/{stack.final_norm_name}/scale",
        (one.d_model,),
    )


def _attention_links(one: Architecture, *, weight: str, scope: str) -> Iterator[Link]:
    width = one.num_heads * one.d_kv
    yield Link(f"{weight}.q.weight", f"{scope}/q", (width, one.d_model), scale=one.query_scale)
    yield Link(f"{weight}.k.weight", f"{scope}/k", (width, one.d_model))
    yield Link(f"{weight}.v.weight", f"{scope}/v", (width, one.d_model))
    yield Link(f"{weight}.o.weight", f"{scope}/o", (one.d_model, width))


def _feed_forward_links(one: Architecture, *, weight: str, scope: str) -> Iterator[Link]:
    for name in ("wi_0", "wi_1") if one.is_gated else ("wi",):
        yield Link(f"{weight}.{name}.weight", f"{scope}/{name}/kernel", (one.d_ff, one.d_model))
    yield Link(f"{weight}.wo.weight", f"{scope}/wo/kernel", (one.d_model, one.d_ff))


def check_variables(
    shapes: Mapping[str, tuple[int, ...]], *, architecture: Architecture, place: str
) -> list[Link]:
    """Returns the links of a model after comparing them with what a checkpoint holds.

    Args:
      shapes: Of the checkpoint's variables.
      architecture: The model's.
      place: The checkpoint, for messages.

    Returns:
      All links.

    Raises:
      InputError: Variables are missing, of other shapes, or there are some that no weight is for.
    """
    embedding = shapes.get(EMBEDDING, (0,))
    found = links(architecture, num_embeddings=embedding[0])
    wanted = {link.variable: link.shape for link in found}
    for link in found:
        size = int(np.prod(shapes.get(link.variable, (0,)), dtype=np.int64))
        if size != int(np.prod(link.shape, dtype=np.int64)) or size == 0:
            shape = shapes.get(link.variable)
            raise errors.InputError(
                f"{place} holds {link.variable} {'not at all' if shape is None else list(shape)}; "
                f"wanted the numbers of a weight {list(link.shape)}, as its configuration says; "
                "export a checkpoint and the configuration that it was trained with"
            )
    others = [name for name in shapes if name not in wanted and not _is_state(name, wanted)]
    if others:
        raise errors.InputError(
            f"{place} holds {', '.join(others[:3])}, {len(others)} variables in all for which "
            "Hugging Face's T5 has no weight; wanted a plain T5; export another model"
        )
    return found


def _is_state(name: str, variables: Iterable[str]) -> bool:
    """Says whether a variable is the optimizer's, or the trainer's."""
    if name == _STEP:
        return True
    return any(name.startswith((f"{variable}_", f"{variable}/")) for variable in variables)


def to_weights(
    variables: Mapping[str, np.ndarray], *, links: Iterable[Link]
) -> dict[str, np.ndarray]:
    """Returns the weights of a checkpoint.

    Args:
      variables: The checkpoint's: float arrays by name, as mesh-tensorflow shapes them.
      links: As `check_variables` returns them.

    Returns:
      float32 arrays by name, each of its link's shape.
    """
    weights = {}
    for link in links:
        array = np.asarray(variables[link.variable]).astype(np.float32)
        # With one head, or where heads stand for themselves, mesh-tensorflow has other dimensions.
        if link.is_turned:
            array = array.reshape(link.shape[::-1]).T
        if link.scale != 1.0:
            array = array * np.float32(link.scale)
        weights[link.weight] = np.ascontiguousarray(array.reshape(link.shape))
    return weights


def to_variables(
    weights: Mapping[str, np.ndarray], *, links: Iterable[Link]
) -> dict[str, np.ndarray]:
    """Returns the variables of a Hugging Face model; the way back from `to_weights`.

    Args:
      weights: float arrays by name, each of its link's shape.
      links: Those of its architecture, without scales.

    Returns:
      float32 arrays by name, turned where the link is.
    """
    variables = {}
    for link in links:
        array = np.asarray(weights[link.weight]).astype(np.float32)
        variables[link.variable] = np.ascontiguousarray(array.T if link.is_turned else array)
    return variables
