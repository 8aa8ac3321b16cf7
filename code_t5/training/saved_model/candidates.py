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
from collections.abc import Mapping
from typing import Any, NamedTuple

import gin
import mesh_tensorflow as mtf
import numpy as np
import tensorflow.compat.v1 as tf
from mesh_tensorflow.transformer import transformer

from code_t5 import errors
from code_t5.data import trainer_errors
from code_t5.training.saved_model import choosing, task_facts
from code_t5.training.saved_model.choosing import Progress
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
    """What is known of the ids.

    Attributes:
      allowed: bool [vocabulary size, padded], which may be chosen.
      ends: int64 [number of them], which end a candidate.
    """

    allowed: np.ndarray
    ends: np.ndarray


def _ids(name: str, *, size: int, stop_at_newline: bool) -> _Ids:
    vocabulary = task_facts.inputs_feature(name).vocabulary
    # Padding is no token, and the weights of the ids above the vocabulary were never trained.
    allowed = np.arange(size) < vocabulary.vocab_size
    allowed[vocabulary.pad_id] = False
    return _Ids(allowed, task_facts.end_ids(name, stop_at_newline=stop_at_newline))


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


def _is_search(settings: DecodingSettings) -> bool:
    return not settings.temperature and settings.num_candidates > 1


def _one_step(
    logits: tf.Tensor, *values: tf.Tensor, settings: DecodingSettings, ids: _Ids
) -> list[tf.Tensor]:
    """Returns what is known after a step, its position left out, and after a search the parents."""
    now = Progress(*values)
    if _is_search(settings):
        step = choosing.choose_beams(logits, scores=now.scores, allowed=ids.allowed, ends=ids.ends)
        return [*choosing.after_search(now, step)[1:], step.alive.parents]
    known = {"scores": now.scores, "finished": now.finished, "allowed": ids.allowed}
    if settings.temperature:
        chosen = choosing.choose_drawn(
            logits, **known, temperature=settings.temperature, top_k=settings.top_k
        )
    else:
        chosen = choosing.choose_likeliest(logits, **known)
    is_end = np.isin(np.arange(len(ids.allowed)), ids.ends)
    return list(choosing.after_choice(now, chosen=chosen, is_end=is_end)[1:])


def _reordered(state: mtf.Tensor, parents: mtf.Tensor) -> mtf.Tensor:
    """Returns a state of which each beam is its parent's."""
    batch, beam = (state.shape.dims.index(dim) for dim in parents.shape.dims)
    others = [axis for axis in range(state.shape.ndims) if axis not in (batch, beam)]
    order = [batch, beam, *others]

    def gather(value: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        value = tf.gather(tf.transpose(value, order), places, batch_dims=1)
        return tf.transpose(value, np.argsort(order))

    return on_one_device(gather, tensors=[state, parents])


def _start(prompts: mtf.Tensor, settings: DecodingSettings) -> Progress:
    """Returns what the loop begins with; rows of `NO_PROMPT` are finished."""
    batch_dim = prompts.shape.dims[0]
    num_beams = settings.num_candidates
    dims = [
        batch_dim,
        mtf.Dimension("beam", num_beams),
        mtf.Dimension("length", settings.max_new_tokens),
    ]
    shapes = {0: mtf.Shape([]), 2: mtf.Shape(dims[:2]), 3: mtf.Shape(dims)}

    def make(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        is_none = tf.reduce_any(rows < 0, axis=-1, keepdims=True)
        made = choosing.start(
            batch_dim.size,
            num_beams=num_beams,
            length=settings.max_new_tokens,
            is_search=_is_search(settings),
            finished=tf.tile(is_none, [1, num_beams]),
        )
        return tuple(made[1:])

    kinds = [(2, tf.int32), (3, tf.int32), (2, tf.float32), (2, tf.bool), (3, tf.int32)]
    kinds.append((2, tf.float32))
    made = on_one_device(
        make,
        tensors=[prompts],
        shapes=[shapes[rank] for rank, _ in kinds],
        dtypes=[dtype for _, dtype in kinds],
    )
    return Progress(mtf.constant(prompts.mesh, 0, dtype=tf.int32), *made)


def _decoded(
    decoder: StepDecoder, *, start: Progress, settings: DecodingSettings, ids: _Ids
) -> Progress:
    """Decodes step by step until all is finished or full."""
    update = functools.partial(_one_step, settings=settings, ids=ids)

    def body(*values: mtf.Tensor) -> list[mtf.Tensor]:
        now = Progress(*values[: len(start)])
        logits, states = decoder.step(now.position, tokens=now.tokens, states=values[len(start) :])
        outputs = [*now[1:], now.tokens] if _is_search(settings) else [*now[1:]]
        found = on_one_device(
            update,
            tensors=[logits, *now],
            shapes=[tensor.shape for tensor in outputs],
            dtypes=[tensor.dtype for tensor in outputs],
        )
        if _is_search(settings):
            states = [_reordered(state, found[-1]) for state in states]
        return [now.position + 1, *found[: len(start) - 1], *states]

    def goes_on(*values: mtf.Tensor) -> mtf.Tensor:
        now = Progress(*values[: len(start)])
        return on_one_device(
            lambda step, done: tf.logical_and(step < settings.max_new_tokens, ~tf.reduce_all(done)),
            tensors=[now.position, now.finished],
            shapes=[mtf.Shape([])],
            dtypes=[tf.bool],
        )

    found = mtf.while_loop(goes_on, body, [*start, *decoder.first_states()])
    return Progress(*found[: len(start)])


def _predicted(
    model: Any,
    *,
    prompts: mtf.Tensor,
    variable_dtype: Any,
    settings: DecodingSettings,
    ids: _Ids,
) -> tuple[mtf.Tensor, mtf.Tensor]:
    """Returns ids and scores of the candidates, best first."""
    start = _start(prompts, settings)
    _, beam_dim, length_dim = start.ids.shape.dims
    decoder = StepDecoder(
        model,
        inputs=mtf.maximum(prompts, 0),
        variable_dtype=variable_dtype,
        beam_dim=beam_dim,
        length_dim=length_dim,
    )
    found = _decoded(decoder, start=start, settings=settings, ids=ids)
    return on_one_device(
        lambda *values: choosing.best_first(Progress(*values)),
        tensors=list(found),
        shapes=[found.ids.shape, found.scores.shape],
        dtypes=[tf.int32, tf.float32],
    )


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
