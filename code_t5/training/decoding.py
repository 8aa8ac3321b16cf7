"""What t5's trainer runs in `infer` mode in place of its own line-by-line decoding.

`runs/complete.gin` names `decode_prompts` as `infer_model.decode_fn`. The trainer's own reads one
line of a file per example, which code is not. This one reads prompts from a JSON list and writes a
JSON list of texts; everything else, from the checkpoint to the beam, stays the trainer's.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import gin
import numpy as np
import seqio
import tensorflow.compat.v1 as tf
from mesh_tensorflow.transformer import utils as mesh_utils

from code_t5.storage import atomic


@gin.configurable
def decode_prompts(
    estimator: Any,
    *,
    vocabulary: Any,
    model_type: str,
    batch_size: int,
    sequence_length: Mapping[str, int],
    checkpoint_path: str,
    mixture_or_task_name: str = gin.REQUIRED,
    prompts_path: str = gin.REQUIRED,
    output_path: str = gin.REQUIRED,
) -> None:
    """Completes every prompt and writes the texts in the same order.

    Args:
      estimator: The trainer's, with the model in it.
      vocabulary: The trainer's.
      model_type: Unused; the trainer passes it.
      batch_size: Examples decoded together.
      sequence_length: Tokens of each feature; a longer prompt loses its beginning.
      checkpoint_path: The checkpoint.
      mixture_or_task_name: The Task or Mixture, which says whether inputs end with EOS.
      prompts_path: A JSON list of strings.
      output_path: Gets a JSON list of strings.
    """
    del model_type
    prompts = json.loads(pathlib.Path(prompts_path).read_bytes())
    feature = seqio.get_mixture_or_task(mixture_or_task_name).output_features["inputs"]
    rows = [
        prompt_ids(
            feature.vocabulary.encode(prompt),
            eos_id=_eos_id(feature),
            length=sequence_length["inputs"],
        )
        for prompt in prompts
    ]
    inputs = np.array(rows + [rows[-1]] * (-len(rows) % batch_size), np.int32)

    def input_fn(params: Mapping[str, Any]) -> tf.data.Dataset:
        del params
        return tf.data.Dataset.from_tensor_slices({"inputs": inputs}).batch(
            batch_size, drop_remainder=True
        )

    outputs = mesh_utils.decode(estimator, input_fn, vocabulary, checkpoint_path)
    texts = [_text(output) for output in outputs][: len(prompts)]
    atomic.write_file(output_path, json.dumps(texts).encode("ascii"))


def _eos_id(feature: seqio.Feature) -> int | None:
    return feature.vocabulary.eos_id if feature.add_eos else None


def _text(output: Any) -> str:
    # Bytes if the vocabulary decodes inside the graph; a cut-off character at the end is marked.
    return output.decode("utf-8", errors="replace") if isinstance(output, bytes) else output


def prompt_ids(token_ids: Sequence[int], *, eos_id: int | None, length: int) -> list[int]:
    """Returns a prompt's tokens as the model was trained to read them, padded to `length`.

    Args:
      token_ids: The prompt's tokens.
      eos_id: What inputs end with, None for nothing.
      length: Tokens that the model reads; of a longer prompt the end counts.

    Returns:
      int [length], padding 0.

    >>> prompt_ids([5, 6, 7], eos_id=1, length=3)
    [6, 7, 1]
    >>> prompt_ids([5], eos_id=None, length=3)
    [5, 0, 0]
    """
    end = [] if eos_id is None else [eos_id]
    ids = list(token_ids)[-(length - len(end)) :] + end
    return ids + [0] * (length - len(ids))
