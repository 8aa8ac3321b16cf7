"""A T5 in torch, asked about examples: states of the decoder, logits, and the best beams.

For logits, examples of unlike lengths are asked about in *groups*: within a batch those of about
one length stand together, so that little of a group is padding. Padding is masked, but sums are
taken in other orders in groups of other shapes: the last digits of what is said depend on the
group, and so on the batch. A *position* is a place in the targets; the *state* there is what the
decoder has before the last layer, from which the logits of the token there follow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.encoding.piece_model import EOS_ID, PAD_ID
from code_t5.training.completing import completer
from code_t5.training.teachers.t5_inputs import TaskInput

# Of a group: rows that are worth a call, and the share of padding that is worth another.
_LEAST_ROWS, _LEAST_ROWS_GPU = 8, 32
_MOST_PADDING = 0.15
# Logits that are there at once: as many as a processor keeps near, or as a GPU has use for.
_MAX_LOGITS, _MAX_LOGITS_GPU = 1 << 20, 1 << 24
_LEAST_PART = 64


class Beams(NamedTuple):
    """The best continuations of one example.

    Attributes:
      sequences: Their tokens, the best first, each with the end of text if it came to one.
      scores: Sum of each one's log-probabilities, in nats.
    """

    sequences: list[list[int]]
    scores: list[float]


class T5Network:
    """A T5 on a device.

    Attributes:
      model: The `transformers.T5ForConditionalGeneration`.
      device: Of torch.
    """

    def __init__(self, model: Any, *, device: str) -> None:
        """Puts the model on the device.

        Args:
          model: The `transformers.T5ForConditionalGeneration`, in float32.
          device: Of torch.
        """
        completer.heed_mask(model)
        self.model = model.to(device).eval()
        self.device = device

    def groups(self, examples: Sequence[TaskInput]) -> list[list[int]]:
        """Puts examples of about one length together, as suits the device.

        Args:
          examples: A batch.

        Returns:
          Numbers of the examples of each group.
        """
        return groups(examples, _LEAST_ROWS if self.device == "cpu" else _LEAST_ROWS_GPU)

    def states(self, group: Sequence[TaskInput]) -> Any:
        """Returns the decoder's states at all positions of some examples.

        Args:
          group: The examples.

        Returns:
          float32 `[num_positions, d_model]` on the device: the positions of the first example,
          those of the second, and so on.
        """
        import torch

        ids, mask = self._pad([example.inputs for example in group])
        targets, target_mask = self._pad([example.targets for example in group])
        start = torch.full_like(targets[:, :1], PAD_ID)
        with torch.inference_mode():
            encoded = self.model.get_encoder()(input_ids=ids, attention_mask=mask)
            decoded = self.model.get_decoder()(
                input_ids=torch.cat([start, targets[:, :-1]], dim=1),
                encoder_hidden_states=encoded.last_hidden_state,
                encoder_attention_mask=mask,
                use_cache=False,
            ).last_hidden_state
            return decoded[target_mask.bool()]

    def logits(self, states: Any) -> Iterator[Any]:
        """Yields the logits of some states, a part of them at a time.

        Args:
          states: float32 `[num_positions, d_model]`.

        Yields:
          float32 `[num_positions of this part, num_embeddings]`.
        """
        import torch

        config = self.model.config
        most = _MAX_LOGITS if self.device == "cpu" else _MAX_LOGITS_GPU
        rows = max(_LEAST_PART, most // config.vocab_size)
        # T5 scales where the embeddings are the output weights too.
        scale = config.d_model**-0.5 if config.tie_word_embeddings else 1.0
        with torch.inference_mode():
            for part in states.split(rows):
                yield self.model.lm_head(part * scale)

    def log_probabilities_of(self, examples: Sequence[TaskInput]) -> np.ndarray:
        """Returns the log-probability of each token of the targets.

        Args:
          examples: Of about one length.

        Returns:
          float32 `[num_positions]`, one example after the other.
        """
        import torch

        wanted = torch.from_numpy(np.concatenate([example.targets for example in examples]))
        found, start = [], 0
        for part in self.logits(self.states(examples)):
            tokens = wanted[start : start + len(part)].long().to(self.device)
            start += len(part)
            logs = torch.log_softmax(part, dim=1)
            found.append(logs.gather(1, tokens[:, None])[:, 0].cpu().numpy())
        return np.concatenate(found)

    def beams(
        self, group: Sequence[TaskInput], *, settings: Mapping[str, Any], num_beams: int
    ) -> list[Beams]:
        """Returns the best continuations of some examples, found by beam search.

        Args:
          group: The examples; what they have for targets is not looked at.
          settings: For transformers' `generate`.
          num_beams: How many beams, and continuations.

        Returns:
          For each example as many.
        """
        import torch

        ids, mask = self._pad([example.inputs for example in group])
        with torch.inference_mode():
            encoded = self.model.get_encoder()(input_ids=ids, attention_mask=mask)
            rows = self.model.generate(
                encoder_outputs=encoded,
                attention_mask=mask,
                decoder_input_ids=torch.full_like(ids[:, :1], PAD_ID),
                num_beams=num_beams,
                num_return_sequences=num_beams,
                do_sample=False,
                eos_token_id=EOS_ID,
                pad_token_id=PAD_ID,
                **settings,
            )
        # Behind the start.
        cut = [_until_eos(row) for row in rows[:, 1:].tolist()]
        asked = [
            TaskInput(group[index // num_beams].inputs, np.array(tokens, dtype=np.int32))
            for index, tokens in enumerate(cut)
        ]
        scores = self.scores(asked)
        found = []
        for start in range(0, len(cut), num_beams):
            places = sorted(range(start, start + num_beams), key=lambda place: -scores[place])
            found.append(Beams([cut[i] for i in places], [float(scores[i]) for i in places]))
        return found

    def scores(self, examples: Sequence[TaskInput]) -> np.ndarray:
        """Returns the sum of the log-probabilities of each example's targets.

        Args:
          examples: In any order.

        Returns:
          float32 `[num_examples]`, in nats.
        """
        found = np.zeros(len(examples), dtype=np.float32)
        for numbers in self.groups(examples):
            group = [examples[number] for number in numbers]
            logs = self.log_probabilities_of(group)
            ends = np.cumsum([len(example.targets) for example in group])
            found[numbers] = [part.sum() for part in np.split(logs, ends[:-1])]
        return found

    def _pad(self, rows: Sequence[np.ndarray]) -> tuple[Any, Any]:
        """Returns ids and mask, int64 `[num_rows, length]`."""
        import torch

        length = max(len(row) for row in rows)
        ids = np.full((len(rows), length), PAD_ID, dtype=np.int64)
        mask = np.zeros((len(rows), length), dtype=np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)


def _until_eos(tokens: list[int]) -> list[int]:
    return tokens[: tokens.index(EOS_ID) + 1] if EOS_ID in tokens else tokens


def groups(examples: Sequence[TaskInput], least_rows: int = _LEAST_ROWS) -> list[list[int]]:
    """Puts examples of about one length together.

    Args:
      examples: A batch.
      least_rows: How many stand together, whatever their lengths.

    Returns:
      Numbers of the examples of each group; the same for the same lengths.

    >>> rows = [TaskInput(np.zeros(n), np.zeros(n)) for n in (90, 2, 91)]
    >>> groups(rows)
    [[1, 0, 2]]
    >>> groups(rows * 8)[0]
    [1, 4, 7, 10, 13, 16, 19, 22]
    """
    lengths = [(len(example.targets), len(example.inputs)) for example in examples]
    found: list[list[int]] = []
    real = widest = 0
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        num_targets, num_inputs = lengths[number]
        rows = len(found[-1]) + 1 if found else 0
        # Those before it have at most as many targets.
        padded = rows * (num_targets + max(widest, num_inputs))
        total = real + num_targets + num_inputs
        if not found or (rows > least_rows and total < (1 - _MOST_PADDING) * padded):
            found.append([])
            real = widest = 0
        found[-1].append(number)
        real += num_targets + num_inputs
        widest = max(widest, num_inputs)
    return found


def most_likely(logits: Any, *, k: int, temperature: float) -> tuple[np.ndarray, ...]:
    """Returns the most likely tokens of some positions; what `TopKCodec.pack` takes.

    Args:
      logits: float32 `[num_positions, num_embeddings]`, on any device.
      k: How many tokens.
      temperature: Divides the logits.

    Returns:
      ids int64 `[num_positions, k]`, their log-probabilities float32 `[num_positions, k]`, and the
      probability of all others together, float32 `[num_positions]`.

    Raises:
      ArtifactError: A logit is no number.
    """
    import torch

    scaled = logits if temperature == 1 else logits / temperature
    kept, ids = scaled.topk(k, dim=1)
    shares = (scaled - kept[:, :1]).exp_()
    totals = shares.sum(dim=1, keepdim=True)
    rest = shares.scatter_(1, ids, 0.0).sum(dim=1, keepdim=True) / totals
    logs = kept - kept[:, :1] - totals.log()
    if not bool(torch.isfinite(totals).all()):
        raise errors.ArtifactError(
            "the teacher gave logits that are no numbers; wanted numbers: its training went wrong; "
            "take an earlier checkpoint with --step"
        )
    return ids.cpu().numpy(), logs.cpu().numpy(), rest[:, 0].cpu().numpy()


def import_libraries() -> None:
    """Imports torch; transformers then does without TensorFlow."""
    os.environ.setdefault("USE_TF", "0")
    import torch

    # Every float32 sum in float32, on GPUs too.
    torch.backends.cuda.matmul.allow_tf32 = False
