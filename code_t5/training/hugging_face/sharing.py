"""Finds out whether the decoder of a Hugging Face T5 has the encoder's weights."""

from __future__ import annotations

import numpy as np

from code_t5.training.hugging_face import architecture as architectures
from code_t5.training.hugging_face import weights
from code_t5.training.hugging_face.architecture import Architecture, Layer, Stack

# As t5's models/bi_v1_shared.gin names them.
SHARED_NAMES = {
    architectures.SELF_ATTENTION: "self_attention",
    architectures.CROSS_ATTENTION: "enc_dec_attention",
    architectures.FEED_FORWARD: "dense_relu_dense",
}


def share_layers(architecture: Architecture, arrays: dict[str, np.ndarray]) -> Architecture:
    """Returns the architecture with one stack of weights where encoder and decoder have the same.

    Args:
      architecture: With separate ones.
      arrays: The weights: float32 arrays by name, in the shapes that `architecture` asks for.

    Returns:
      The shared architecture if the decoder has the encoder's weights, else the one given.
    """
    if architecture.encoder.num_blocks != architecture.decoder.num_blocks:
        return architecture
    layers = {
        name: tuple(Layer(kind, SHARED_NAMES[kind]) for kind in kinds)
        for name, kinds in architectures.LAYERS.items()
    }
    scope = architectures.DECODER
    stacks = {
        name: Stack(scope, architecture.encoder.num_blocks, layers[name])
        for name in architectures.LAYERS
    }
    shared = Architecture(
        **{
            **vars(architecture),
            "encoder": stacks[architectures.ENCODER],
            "decoder": stacks[architectures.DECODER],
        }
    )
    firsts: dict[str, np.ndarray] = {}
    for link in weights.links(shared, num_embeddings=1):
        array = arrays[link.weight]
        if not np.array_equal(firsts.setdefault(link.variable, array), array):
            return architecture
    return shared
