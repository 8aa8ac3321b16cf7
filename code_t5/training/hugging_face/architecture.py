"""What a T5 of mesh-tensorflow must be like for Hugging Face's T5 to be the same function.

A *stack* is an encoder or decoder, a *block* one of its layers in Hugging Face's sense: attention
and feed-forward together. In mesh-tensorflow each of these parts has a *scope*, the beginning of
its variables' names. Encoder and decoder are *shared* if they have the same scope: then the decoder
uses the encoder's weights and has attention to the encoder's output besides.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib

from code_t5 import errors
from code_t5.training import operative_config
from code_t5.training.hugging_face.gin_settings import GinSettings, read_settings

# What `import_hugging_face` writes: the configuration of a model that is not trained here yet.
IMPORTED_NAME = "hugging_face.gin"
SELF_ATTENTION, CROSS_ATTENTION = "SelfAttention", "EncDecAttention"
FEED_FORWARD = "DenseReluDense"
ENCODER, DECODER = "encoder", "decoder"
LAYERS = {
    ENCODER: (SELF_ATTENTION, FEED_FORWARD),
    DECODER: (SELF_ATTENTION, CROSS_ATTENTION, FEED_FORWARD),
}
# Activations of mesh-tensorflow, joined by '*', to Hugging Face's word for the feed-forward part.
FEED_FORWARDS = {
    "relu": "relu",
    "gelu": "gelu_new",
    "swish": "silu",
    "gelu*linear": "gated-gelu",
    "relu*linear": "gated-relu",
    "swish*linear": "gated-silu",
}


@dataclasses.dataclass(frozen=True)
class Layer:
    """One part of a block in mesh-tensorflow.

    Attributes:
      kind: `SELF_ATTENTION`, `CROSS_ATTENTION` or `FEED_FORWARD`.
      name: Of its scope in the block.
    """

    kind: str
    name: str


@dataclasses.dataclass(frozen=True)
class Stack:
    """An encoder or decoder.

    Attributes:
      scope: Beginning of its variables' names.
      num_blocks: How many blocks.
      layers: Parts of each block, in order.
      norm_name: Scope of the norm in front of each part.
      final_norm_name: Scope of the norm behind the last block.
    """

    scope: str
    num_blocks: int
    layers: tuple[Layer, ...]
    norm_name: str = "rms_norm"
    final_norm_name: str = "rms_norm"


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A T5 that both libraries can express.

    Attributes:
      encoder: Its encoder.
      decoder: Its decoder.
      d_model: Width.
      d_kv: Width of one head.
      d_ff: Width inside of the feed-forward parts.
      num_heads: Heads of each attention.
      num_buckets: Of relative positions.
      feed_forward: One of the values of `FEED_FORWARDS`.
      is_tied: Whether the embeddings are the output weights too.
      dropout_rate: When it is trained.
      norm_epsilon: Of the norms.
      query_scale: What the stored query weights are to be multiplied by.
      embedding_scale: What the stored embeddings are to be multiplied by.
    """

    encoder: Stack
    decoder: Stack
    d_model: int
    d_kv: int
    d_ff: int
    num_heads: int
    num_buckets: int
    feed_forward: str
    is_tied: bool
    dropout_rate: float
    norm_epsilon: float
    query_scale: float = 1.0
    embedding_scale: float = 1.0

    @property
    def is_gated(self) -> bool:
        """Whether the feed-forward parts are products of two."""
        return self.feed_forward.startswith("gated-")


def find_settings(model_dir: str | os.PathLike[str]) -> GinSettings:
    """Returns the configuration of a model directory.

    Args:
      model_dir: Where the trainer has trained, or a Hugging Face model was imported to.

    Raises:
      InputError: There is none.
      ArtifactError: It is damaged.
    """
    for name in (operative_config.FILE_NAME, IMPORTED_NAME):
        path = pathlib.Path(model_dir, name)
        if path.is_file():
            return read_settings(path)
    raise errors.InputError(
        f"found no {operative_config.FILE_NAME} in {model_dir}; wanted a directory that the "
        "trainer has trained in; train first"
    )
