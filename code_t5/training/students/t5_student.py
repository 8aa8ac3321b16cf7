"""T5 students in torch: a small T5 of Hugging Face that learns what its teacher says of each token.

Of a teacher at token level it learns from the targets and from the teacher's distributions
(`t5_losses` says how); of one at sequence level from the teacher's best hypothesis as targets,
which is cross-entropy alone (Kim and Rush, "Sequence-Level Knowledge Distillation", 2016).

This module needs torch and transformers: `registry` imports it when it is asked for.
"""

from __future__ import annotations

import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Union

# transformers imports TensorFlow where it finds one, unless it is told not to.
os.environ.setdefault("USE_TF", "0")

import torch
import transformers

from code_t5 import errors
from code_t5.encoding.piece_model import PAD_ID
from code_t5.teacher_outputs import t5_samples
from code_t5.teacher_outputs.codec import TopKCodec
from code_t5.training.hugging_face import architecture, exporting
from code_t5.training.hugging_face.architecture import Architecture, Stack
from code_t5.training.students import t5_batches, t5_losses, t5_saving
from code_t5.training.students.student import LOSS

# d_model, layers of the encoder and of the decoder, d_ff, heads, d_kv; dev and small are those of
# gin_configs/models, without sharing.
SIZES = {
    "nano": (32, 1, 1, 64, 2, 16),
    "tiny": (64, 1, 1, 128, 4, 16),
    "dev": (128, 2, 2, 256, 4, 32),
    "small": (512, 6, 6, 2048, 8, 64),
}
CROSS_ENTROPY, DIVERGENCE = "cross_entropy", "kl_divergence"
_NUM_BUCKETS = 32
Batches = Union[t5_batches.TokenBatches, t5_batches.BestHypothesisBatches]


class T5Student:
    """A T5 student, as `student.Student` says.

    Attributes:
      name: `t5_` and its size.
      description: Sizes, and what its losses are made of.
      network: A `transformers.T5ForConditionalGeneration`.
      learning_rate: A good one for AdamW.
      collate_fn: Makes batches.
    """

    learning_rate = 2e-3

    def __init__(
        self,
        size: str,
        *,
        config: Mapping[str, Any],
        batches: Batches,
        alpha: float,
        kl_temperature: float,
        missing_mass: str,
        saver: t5_saving.StudentSaver,
    ) -> None:
        """Draws the weights.

        Args:
          size: One of `SIZES`.
          config: For `transformers.T5Config`.
          batches: Makes batches of the teacher's outputs.
          alpha: Share of the cross-entropy in the loss.
          kl_temperature: Divides logits where the student is compared with its teacher.
          missing_mass: One of `t5_losses.MISSING_MASSES`.
          saver: Writes the network.
        """
        self.name = f"t5_{size}"
        self.collate_fn = batches
        self.network = transformers.T5ForConditionalGeneration(transformers.T5Config(**config))
        self._codec = batches.codec if isinstance(batches, t5_batches.TokenBatches) else None
        self._alpha, self._temperature, self._missing_mass = alpha, kl_temperature, missing_mass
        self._saver = saver
        self.description = {"kind": "t5", "size": size, "config": dict(config)}
        if self._codec is not None:
            self.description["loss"] = {
                "alpha": alpha,
                "kl_temperature": kl_temperature,
                "missing_mass": missing_mass,
            }

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that it reads."""
        return self.collate_fn.fields

    def states(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Returns what the logits at all positions are made of; padding costs none.

        Args:
          batch: Inputs, targets and their lengths.

        Returns:
          float32 `[num_positions, d_model]`: times the output weights they are the logits.
        """
        inputs, targets = batch[t5_batches.INPUTS], batch[t5_batches.TARGETS]
        mask = _mask(inputs, batch[t5_batches.INPUT_LENGTHS])
        # Attention wants something to look at, in an empty text too.
        mask[:, 0] = True
        start = torch.full_like(targets[:, :1], PAD_ID)
        encoded = self.network.get_encoder()(input_ids=inputs, attention_mask=mask.long())
        decoded = self.network.get_decoder()(
            input_ids=torch.cat([start, targets[:, :-1]], dim=1),
            encoder_hidden_states=encoded.last_hidden_state,
            encoder_attention_mask=mask.long(),
            use_cache=False,
        ).last_hidden_state
        states: torch.Tensor = decoded[_mask(targets, batch[t5_batches.TARGET_LENGTHS])]
        # T5 scales where the embeddings are the output weights too.
        return states * self.network.config.d_model**-0.5

    def losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Reckons the losses of a batch: means over the tokens of its targets, in nats.

        Args:
          batch: What `collate_fn` gave, as tensors.

        Returns:
          `loss`, `cross_entropy` and, at token level, `kl_divergence`.
        """
        states, weight = self.states(batch), self.network.lm_head.weight
        targets = batch[t5_batches.TARGETS]
        wanted = targets[_mask(targets, batch[t5_batches.TARGET_LENGTHS])][:, None]
        if self._codec is None:
            entropy = -t5_losses.token_scores(states, weight=weight, ids=wanted)[0].mean()
            return {LOSS: entropy, CROSS_ENTROPY: entropy.detach()}
        temperature, kept_ids = self._temperature, batch[t5_batches.KEPT_IDS]
        ids = torch.cat([wanted, kept_ids], dim=1) if temperature == 1 else wanted
        logs, sums = t5_losses.token_scores(states, weight=weight, ids=ids)
        entropy, student = -logs[:, 0].mean(), logs[:, 1:]
        if temperature != 1:
            student, sums = t5_losses.token_scores(
                states / temperature, weight=weight, ids=kept_ids
            )
        divergence = t5_losses.divergences(
            student,
            sums=sums,
            num_tokens=len(weight),
            kept_logs=t5_losses.at_temperature(
                batch[t5_batches.KEPT_LOGS],
                is_kept=batch.get(t5_batches.IS_KEPT),
                ratio=self._codec.temperature / temperature,
            ),
            tail_mass=batch[t5_batches.TAIL_MASS],
            missing_mass=self._missing_mass,
        ).mean()
        loss = self._alpha * entropy + (1 - self._alpha) * temperature**2 * divergence
        return {LOSS: loss, CROSS_ENTROPY: entropy.detach(), DIVERGENCE: divergence.detach()}

    def weight(self, batch: Mapping[str, torch.Tensor]) -> float:
        """Returns how many tokens the targets have.

        Args:
          batch: What `collate_fn` gave, as tensors.
        """
        return float(batch[t5_batches.TARGET_LENGTHS].sum())

    def save(self, folder: pathlib.Path) -> None:
        """Writes a directory that `transformers` loads, and code_t5 completes with.

        Args:
          folder: An empty directory.

        Raises:
          CodeT5Error: The vocabulary is damaged.
        """
        self._saver.save(folder, network=self.network)


def _mask(tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Returns which of padded tokens count, bool `[n, length]`."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]


def _architecture(size: str) -> Architecture:
    d_model, encoder_layers, decoder_layers, d_ff, num_heads, d_kv = SIZES[size]
    return Architecture(
        encoder=Stack(architecture.ENCODER, encoder_layers, ()),
        decoder=Stack(architecture.DECODER, decoder_layers, ()),
        d_model=d_model,
        d_kv=d_kv,
        d_ff=d_ff,
        num_heads=num_heads,
        num_buckets=_NUM_BUCKETS,
        feed_forward="relu",
        is_tied=True,
        dropout_rate=0.0,
        norm_epsilon=1e-6,
    )


def _number(settings: Mapping[str, Any], name: str, *, most: float) -> float:
    """Returns a setting that is a number of 0 or more.

    Raises:
      InputError: It is none.
    """
    value = float(settings[name])
    if not (0 <= value <= most and math.isfinite(value)):
        raise errors.InputError(
            f"--{name} is {settings[name]}; wanted a number from 0 to {most:g}; give one"
        )
    return value


def _batches(schema: list[Any], options: Mapping[str, Any]) -> Batches:
    """Returns what makes batches of outputs.

    Raises:
      InputError: They are neither of token nor of sequence level.
    """
    names = {field["name"] for field in schema}
    if t5_samples.SEQUENCES in names:
        return t5_batches.BestHypothesisBatches()
    return t5_batches.TokenBatches(TopKCodec.from_options(options))


def open_t5_student(parts: Mapping[str, Any], settings: Mapping[str, Any]) -> T5Student:
    """Returns a student with drawn weights.

    Args:
      parts: Of its teacher's outputs.
      settings: `student_size`, `alpha`, `kl_temperature`, `missing_mass`, `vocabulary_dir`; and, if
        they are known, the teacher's `data_dir` and `hf_dir`.

    Raises:
      InputError: A setting does not do, or the outputs are of no T5.
    """
    options, size = parts["options"], settings["student_size"]
    batches = _batches(parts["schema"], options)
    given = settings["kl_temperature"]
    temperature = options.get("temperature", 1.0) if given is None else given
    temperature = _number({"kl_temperature": temperature}, "kl_temperature", most=100)
    if temperature == 0:
        raise errors.InputError("--kl_temperature is 0; wanted more than 0; give such a number")
    model = _architecture(size)
    lengths = {name: int(options[f"{name}_length"]) for name in ("inputs", "targets")}
    config = exporting.model_config(
        model, num_embeddings=int(options["vocab_size"]), num_inputs=lengths
    )
    return T5Student(
        size,
        config=config,
        batches=batches,
        alpha=_number(settings, "alpha", most=1),
        kl_temperature=temperature,
        missing_mass=settings["missing_mass"],
        saver=t5_saving.StudentSaver(
            architecture=model,
            parts=parts,
            lengths=lengths,
            vocabulary_dir=t5_saving.find_vocabulary(parts, settings=settings),
        ),
    )
