"""Hugging Face's T5 in torch, trained on the same rows as the trainer: the peer of benchmarks.

Its decoder uses the encoder's self-attention and feed-forward weights, as our models do, so that
parameters and the optimizer's state are as many.
"""

from __future__ import annotations

import contextlib
from typing import Any

from benchmarks.training_variants import NUM_BATCHES, Shape, make_rows

# d_model, layers, d_ff, heads, d_kv: the numbers of gin_configs/models/shared_*.gin.
SIZES = {
    "dev": (128, 2, 256, 4, 32),
    "small": (512, 6, 2048, 8, 64),
    "base": (768, 12, 3072, 12, 64),
}


def _make_model(shape: Shape) -> Any:
    """Returns a T5 with shared weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    d_model, num_layers, d_ff, num_heads, d_kv = SIZES[shape.size]
    config = transformers.T5Config(
        vocab_size=shape.padded_vocabulary,
        d_model=d_model,
        num_layers=num_layers,
        d_ff=d_ff,
        num_heads=num_heads,
        d_kv=d_kv,
        dropout_rate=0.0,
        decoder_start_token_id=0,
        use_cache=False,
    )
    model = transformers.T5ForConditionalGeneration(config)
    for encoder, decoder in zip(model.encoder.block, model.decoder.block):
        own, shared = decoder.layer[0].SelfAttention, encoder.layer[0].SelfAttention
        for name in ("q", "k", "v", "o"):
            setattr(own, name, getattr(shared, name))
        if own.has_relative_attention_bias:
            own.relative_attention_bias = shared.relative_attention_bias
        decoder.layer[0].layer_norm = encoder.layer[0].layer_norm
        decoder.layer[2] = encoder.layer[1]
    model.decoder.final_layer_norm = model.encoder.final_layer_norm
    return model.train()


class TorchVariant:
    """Steps of Hugging Face's T5 with Adafactor."""

    def __init__(
        self, shape: Shape, *, is_bfloat16: bool, device: str = "cpu", is_compiled: bool = False
    ) -> None:
        """Makes the model and its batches.

        Args:
          shape: What is trained.
          is_bfloat16: Whether under autocast to bfloat16.
          device: `cpu` or `cuda`.
          is_compiled: Whether by `torch.compile`.
        """
        import torch
        import transformers

        model = _make_model(shape).to(device)
        self.num_parameters = sum(parameter.numel() for parameter in model.parameters())
        self._optimizer = transformers.Adafactor(
            model.parameters(), lr=0.04, relative_step=False, beta1=0.9
        )
        self._model = torch.compile(model) if is_compiled else model
        self._device, self._is_bfloat16 = device, is_bfloat16
        rows = {
            name: torch.tensor(values, dtype=torch.long, device=device)
            for name, values in make_rows(shape).items()
        }
        self._batches = [
            {
                "input_ids": rows["inputs"][index],
                "attention_mask": rows["inputs_segmentation"][index],
                "labels": rows["targets"][index].masked_fill(rows["targets"][index] == 0, -100),
            }
            for index in range(NUM_BATCHES)
        ]
        self._num_steps = 0

    def step(self) -> float:
        """Trains one step; returns its loss, per token."""
        import torch

        batch = self._batches[self._num_steps % NUM_BATCHES]
        self._num_steps += 1
        self._optimizer.zero_grad()
        cast: Any = contextlib.nullcontext()
        if self._is_bfloat16:
            cast = torch.autocast(self._device, dtype=torch.bfloat16)
        with cast:
            loss = self._model(**batch).loss
        loss.backward()
        self._optimizer.step()
        return float(loss)
