"""What the trainer predicts when it exports: several candidates per prompt, with their scores.

A *candidate* is what the model writes after a prompt, token by token; its *score* the sum of the
log-probabilities of its tokens in nats, the end of text included. Candidates come from a beam
search, or are drawn if the temperature is above 0. A candidate is *finished* after the end of text,
and after a token that holds a line feed if candidates are to end there; when all of a batch are,
decoding stops.

`runs/export.gin` names `predict_candidates` as `utils.run.predict_fn`. The model's own layers are
run step by step, as mesh-tensorflow's beam search runs them; what is done with their logits is
plain TensorFlow, so this works on one device alone.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gin
import mesh_tensorflow as mtf
import numpy as np
import tensorflow.compat.v1 as tf
from mesh_tensorflow.transformer import transformer

from code_t5 import errors
from code_t5.data import trainer_errors
from code_t5.training.saved_model import choosing, task_facts
from code_t5.training.saved_model.step_decoder import StepDecoder, on_one_device

# Collections of the graph that hold what is cut out of it for the export.
PROMPTS = "code_t5_prompts"
OUTPUT_IDS = "code_t5_output_ids"
SCORES = "code_t5_scores"
# And the one that holds a DecodingSettings.
SETTINGS = "code_t5_settings"
# What fills the rows of a batch that has too few prompts.
NO_PROMPT = -1


class DecodingSettings(NamedTuple):
    """What `predict_candidates` was told; it says what each means."""

    max_new_tokens: int
    num_candidates: int
    temperature: float
    top_k: int
    stop_at_newline: bool


def _recorded(tensor: mtf.Tensor, collection: str) -> mtf.Tensor:
    """Has the TensorFlow tensor that a tensor becomes found again in a collection of its graph."""

    def record(value: tf.Tensor) -> tf.Tensor:
        value = tf.identity(value)
        tf.add_to_collection(collection, value)
        return value

    return on_one_device(record, tensors=[tensor])


class _Ids(NamedTuple):
    """What is known of each id: bool [vocabulary size, padded].

    Attributes:
      is_allowed: Whether it may be chosen.
      is_end: Whether it ends a candidate.
    """

    is_allowed: np.ndarray
    is_end: np.ndarray


def _ids(name: str, *, size: int, stop_at_newline: bool) -> _Ids:
    vocabulary = task_facts.inputs_feature(name).vocabulary
    # Padding is no token, and the weights of the ids above the vocabulary were never trained.
    is_allowed = np.arange(size) < vocabulary.vocab_size
    is_allowed[vocabulary.pad_id] = False
    is_end = np.isin(np.arange(size), task_facts.end_ids(name, stop_at_newline=stop_at_newline))
    return _Ids(is_allowed, is_end)


def _check(model: Any, settings: DecodingSettings) -> None:
    """Refuses what cannot be exported.

    Raises:
      InputError: It is that.
    """
    if not isinstance(model, transformer.Bitransformer):
        raise errors.InputError(
            f"found a model of the kind {type(model).__name__}; wanted an encoder and a decoder "
            "(utils.run.model_type = 'bitransformer'), as only such a model is exported"
        )
    temperature, top_k = settings.temperature, settings.top_k
    if temperature < 0 or top_k < 0 or (top_k and not temperature):
        raise errors.InputError(
            f"found temperature {temperature} and top_k {top_k}; wanted a temperature above 0 to "
            "draw, or both 0 to search; set predict_candidates.temperature and .top_k"
        )


def _chooser(settings: DecodingSettings, *, allowed: np.ndarray) -> Callable[..., choosing.Chosen]:
    """Returns what decides on a step."""
    if settings.temperature:
        return functools.partial(
            choosing.choose_drawn,
            allowed=allowed,
            temperature=settings.temperature,
            top_k=settings.top_k,
        )
    if settings.num_candidates > 1:
        return functools.partial(choosing.choose_beams, allowed=allowed)
    return functools.partial(choosing.choose_likeliest, allowed=allowed)


def _reordered(state: mtf.Tensor, parents: mtf.Tensor) -> mtf.Tensor:
    """Returns a state of which each beam is its parent's."""
    batch, beam = (state.shape.dims.index(dim) for dim in parents.shape.dims)
    others = [axis for axis in range(state.shape.ndims) if axis not in (batch, beam)]
    order = [batch, beam, *others]

    def gather(value: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        value = tf.gather(tf.transpose(value, order), places, batch_dims=1)
        return tf.transpose(value, np.argsort(order))

    return on_one_device(gather, tensors=[state, parents])


class _Progress(NamedTuple):
    """What the loop carries from step to step, apart from the decoder's states.

    Attributes:
      position: int32 [], tokens decoded so far.
      tokens: int32 [batch, beam], the last ones.
      ids: int32 [batch, beam, length], all so far, then padding.
      scores: float32 [batch, beam].
      finished: bool [batch, beam].
    """

    position: mtf.Tensor
    tokens: mtf.Tensor
    ids: mtf.Tensor
    scores: mtf.Tensor
    finished: mtf.Tensor


def _start(
    inputs: mtf.Tensor, *, beam_dim: mtf.Dimension, length_dim: mtf.Dimension, is_search: bool
) -> _Progress:
    """Returns what the loop begins with; rows of `NO_PROMPT` are finished."""
    mesh, (batch_dim, input_dim) = inputs.mesh, inputs.shape.dims
    beams = mtf.Shape([batch_dim, beam_dim])
    tokens = mtf.zeros(mesh, beams, dtype=tf.int32)
    ids = mtf.zeros(mesh, mtf.Shape([batch_dim, beam_dim, length_dim]), dtype=tf.int32)
    lowest = mtf.reduce_min(inputs, reduced_dim=input_dim)
    finished = mtf.less(mtf.broadcast(lowest, beams), 0)
    scores = mtf.zeros(mesh, beams, dtype=tf.float32)
    if is_search:
        first = choosing.first_scores(batch_dim.size, beam_dim.size)
        scores = mtf.import_tf_tensor(mesh, tf.constant(first), beams)
    return _Progress(mtf.constant(mesh, 0, dtype=tf.int32), tokens, ids, scores, finished)


def _decoded(
    decoder: StepDecoder,
    *,
    start: _Progress,
    choose: Callable[..., choosing.Chosen],
    is_end: np.ndarray,
    is_search: bool,
) -> _Progress:
    """Decodes step by step until all is finished or full."""
    length = start.ids.shape.dims[-1].size

    def update(logits: tf.Tensor, *values: tf.Tensor) -> list[tf.Tensor]:
        now = _Progress(*values)
        chosen = choose(logits, scores=now.scores, finished=now.finished)
        ids, finished = now.ids, now.finished
        if chosen.parents is not None:
            ids = tf.gather(ids, chosen.parents, batch_dims=1)
            finished = tf.gather(finished, chosen.parents, batch_dims=1)
        ids += chosen.tokens[..., None] * tf.one_hot(now.position, length, dtype=tf.int32)
        finished |= tf.gather(tf.constant(is_end), chosen.tokens)
        found = [chosen.tokens, ids, chosen.scores, finished]
        return found + ([] if chosen.parents is None else [chosen.parents])

    def body(*values: mtf.Tensor) -> list[mtf.Tensor]:
        now = _Progress(*values[: len(start)])
        logits, states = decoder.step(now.position, tokens=now.tokens, states=values[len(start) :])
        outputs = [*now[1:], now.tokens] if is_search else [*now[1:]]
        found = on_one_device(
            update,
            tensors=[logits, *now],
            shapes=[tensor.shape for tensor in outputs],
            dtypes=[tensor.dtype for tensor in outputs],
        )
        if is_search:
            states = [_reordered(state, found[-1]) for state in states]
        return [now.position + 1, *found[: len(start) - 1], *states]

    def goes_on(position: mtf.Tensor, *values: mtf.Tensor) -> mtf.Tensor:
        finished = _Progress(position, *values[: len(start) - 1]).finished
        return on_one_device(
            lambda step, done: tf.logical_and(step < length, ~tf.reduce_all(done)),
            tensors=[position, finished],
            shapes=[mtf.Shape([])],
            dtypes=[tf.bool],
        )

    found = mtf.while_loop(goes_on, body, [*start, *decoder.first_states()])
    return _Progress(*found[: len(start)])


def _best_first(ids: mtf.Tensor, scores: mtf.Tensor) -> tuple[mtf.Tensor, mtf.Tensor]:
    """Returns candidates and their scores in the order of the scores."""

    def sort(ids: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        found = tf.math.top_k(scores, scores.shape[-1])
        return tf.gather(ids, found.indices, batch_dims=1), found.values

    return on_one_device(
        sort,
        tensors=[ids, scores],
        shapes=[ids.shape, scores.shape],
        dtypes=[ids.dtype, scores.dtype],
    )


def _predicted(
    model: Any,
    *,
    prompts: mtf.Tensor,
    variable_dtype: Any,
    settings: DecodingSettings,
    ids: _Ids,
) -> tuple[mtf.Tensor, mtf.Tensor]:
    """Returns ids and scores of the candidates, best first."""
    beam_dim = mtf.Dimension("beam", settings.num_candidates)
    length_dim = mtf.Dimension("length", settings.max_new_tokens)
    decoder = StepDecoder(
        model,
        inputs=mtf.maximum(prompts, 0),
        variable_dtype=variable_dtype,
        beam_dim=beam_dim,
        length_dim=length_dim,
    )
    is_search = not settings.temperature and settings.num_candidates > 1
    found = _decoded(
        decoder,
        start=_start(prompts, beam_dim=beam_dim, length_dim=length_dim, is_search=is_search),
        choose=_chooser(settings, allowed=ids.is_allowed),
        is_end=ids.is_end,
        is_search=is_search,
    )
    if settings.temperature:
        return _best_first(found.ids, found.scores)
    return found.ids, found.scores


@gin.configurable(module="code_t5")
def predict_candidates(
    model: Any,
    *,
    features: Mapping[str, mtf.Tensor],
    variable_dtype: Any,
    max_new_tokens: int = gin.REQUIRED,
    mixture_or_task_name: str = gin.REQUIRED,
    num_candidates: int = 1,
    temperature: float = 0.0,
    top_k: int = 0,
    stop_at_newline: bool = False,
) -> mtf.Tensor:
    """Predicts candidates, best first, and notes where in the graph they are.

    Args:
      model: The trainer's Bitransformer.
      features: `inputs`, int32 [batch, length]; a row of `NO_PROMPT` is not decoded.
      variable_dtype: The trainer's.
      max_new_tokens: Most tokens of a candidate.
      mixture_or_task_name: The Task or Mixture, which says what ends a candidate.
      num_candidates: How many per prompt.
      temperature: 0 for a beam search (with one candidate: the likeliest token every time).
      top_k: Draw among so many tokens; 0 for all.
      stop_at_newline: Whether a token that holds a line feed ends a candidate too.

    Returns:
      The best candidate of each prompt, int32 [batch, length].

    Raises:
      InputError: The model is of another kind, or the settings do not go together.
      SystemExit: The same in the trainer; the message is one line.
    """
    settings = DecodingSettings(
        max_new_tokens, num_candidates, float(temperature), top_k, bool(stop_at_newline)
    )
    with trainer_errors.one_line_errors():
        _check(model, settings)
        size = model.output_vocab_dim.size
        ids = _ids(mixture_or_task_name, size=size, stop_at_newline=settings.stop_at_newline)
    tf.add_to_collection(SETTINGS, settings)
    prompts = _recorded(features["inputs"], PROMPTS)
    output_ids, scores = _predicted(
        model, prompts=prompts, variable_dtype=variable_dtype, settings=settings, ids=ids
    )
    _recorded(scores, SCORES)
    batch_dim, _, length_dim = output_ids.shape.dims
    return on_one_device(
        lambda ids: ids[:, 0],
        tensors=[_recorded(output_ids, OUTPUT_IDS)],
        shapes=[mtf.Shape([batch_dim, length_dim])],
    )
