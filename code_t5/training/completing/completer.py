"""Writes on from prompts with a trained model: greedily, by beam search or by sampling.

The model is its Hugging Face export (`code_t5.training.hugging_face`), run by transformers' own
`generate`, so nothing here needs TensorFlow. A *candidate* is one text that the model may go on
with; its *score* is the sum of the log-probabilities, in nats, that the model gives its tokens and
the one that ends it, whichever way they were drawn.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

from code_t5.encoding import piece_model, token_model
from code_t5.training import prompts as prompt_forms
from code_t5.training.completing import loading
from code_t5.training.decoding_options import Candidate, DecodingOptions
from code_t5.training.hugging_face import opening

_LINE_END = 0x0A
# Rows (prompts times candidates or beams) that are decoded together.
_MAX_ROWS = 64


class Completer:
    """A trained model that writes on from prompts.

    Attributes:
      export: What it was loaded from.
      prompts: Turns prompts into ids.
    """

    def __init__(self, export: opening.HuggingFaceExport) -> None:
        """Loads the model.

        Args:
          export: Of the model, opened.

        Raises:
          ArtifactError: Its parts do not fit each other.
        """
        import torch

        self.export = export
        self._vocabulary = token_model.load_token_model(export.vocabulary_dir)
        self.prompts = prompt_forms.PromptEncoder(
            model=self._vocabulary,
            objective=export.objective or prompt_forms.PREFIX_LM,
            inputs_length=export.sequence_length["inputs"],
            targets_length=export.sequence_length["targets"],
            add_eos=export.add_eos,
        )
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        model = loading.load_model(export, vocabulary=self._vocabulary)
        heed_mask(model)
        self._model = model.to(self._device)
        self._newline_ids = _ids_with_line_end(self._vocabulary)

    @classmethod
    def from_model_dir(
        cls,
        model_dir: str | os.PathLike[str],
        *,
        data_dir: str | os.PathLike[str] | None = None,
        step: int | None = None,
    ) -> Completer:
        """Loads a model that the trainer has trained; exports it first where that is not done yet.

        Args:
          model_dir: The model directory.
          data_dir: Where its data set was built; None for the environment's default.
          step: The checkpoint's; None for the newest.

        Raises:
          InputError: There is no such checkpoint.
          ArtifactError: What lies there is damaged.
        """
        return cls(opening.latest_export(model_dir, data_dir=data_dir, step=step))

    @classmethod
    def from_export(cls, directory: str | os.PathLike[str]) -> Completer:
        """Loads an export.

        Args:
          directory: As `export_hugging_face` writes it.

        Raises:
          ArtifactError: It is not whole, or something else.
        """
        return cls(opening.open_export(directory))

    def complete(
        self,
        prompts: Sequence[prompt_forms.Prompt],
        *,
        options: DecodingOptions = DecodingOptions(),  # noqa: B008 - frozen
    ) -> list[list[Candidate]]:
        """Returns what the model goes on with after each prompt.

        Args:
          prompts: Code up to a cursor, or `Gap`s; of what is too long the part at the cursor
            counts.
          options: How candidates are found.

        Returns:
          For each prompt its candidates, best first.
        """
        encoded = [self.prompts.encode(prompt) for prompt in prompts]
        found: list[list[Candidate]] = [[] for _ in prompts]
        for numbers in self._batches(encoded, rows_per_prompt=options.rows_per_prompt):
            batch = [encoded[number] for number in numbers]
            # Of drawn candidates every prompt gets its own.
            options_here = dataclasses.replace(options, seed=options.seed + numbers[0])
            for number, candidates in zip(numbers, self._complete_batch(batch, options_here)):
                found[number] = candidates
        return found

    def _batches(
        self, encoded: Sequence[prompt_forms.EncodedPrompt], *, rows_per_prompt: int
    ) -> Iterator[list[int]]:
        """Yields numbers of prompts that are decoded together: of like length, few at a time."""
        size = max(1, _MAX_ROWS // rows_per_prompt)

        def key(number: int) -> tuple[int, int]:
            # A decoder's beginnings are not padded, so they must be alike long.
            return len(encoded[number].decoder_ids), -len(encoded[number].input_ids)

        batch: list[int] = []
        for number in sorted(range(len(encoded)), key=key):
            if batch and (len(batch) == size or key(batch[0])[0] != key(number)[0]):
                yield batch
                batch = []
            batch.append(number)
        if batch:
            yield batch

    def _complete_batch(
        self, batch: Sequence[prompt_forms.EncodedPrompt], options: DecodingOptions
    ) -> list[list[Candidate]]:
        import torch

        length = max(1, max(len(prompt.input_ids) for prompt in batch))
        inputs = torch.zeros((len(batch), length), dtype=torch.long)
        for row, prompt in enumerate(batch):
            inputs[row, : len(prompt.input_ids)] = torch.tensor(prompt.input_ids, dtype=torch.long)
        start = torch.tensor([[piece_model.PAD_ID, *prompt.decoder_ids] for prompt in batch])
        inputs, start = inputs.to(self._device), start.to(self._device)
        mask = (inputs != piece_model.PAD_ID).long()
        # Attention wants something to look at: an empty prompt shows it one padding token.
        mask[:, 0] = 1
        stop_ids = {piece_model.EOS_ID, *batch[0].stop_ids}
        stop_ids |= set(self._newline_ids) if options.stop_at_newline else set()
        with torch.inference_mode(), _seeded(options.seed):
            encoded = self._model.get_encoder()(input_ids=inputs, attention_mask=mask)
            # `generate` repeats the rows in what it is given.
            hidden = encoded.last_hidden_state
            sequences = self._model.generate(
                encoder_outputs=encoded,
                attention_mask=mask,
                decoder_input_ids=start,
                **_generate_arguments(options, stop_ids=sorted(stop_ids)),
            )
            scores = self._token_scores(
                hidden, mask=mask, sequences=sequences, first=start.shape[1]
            )
        rows = sequences[:, start.shape[1] :].tolist()
        candidates = [
            self._candidate(ids, token_scores, stop_ids=stop_ids, options=options)
            for ids, token_scores in zip(rows, scores.tolist())
        ]
        count = options.num_candidates
        return [
            sorted(candidates[i : i + count], key=lambda one: -one.score)
            for i in range(0, len(candidates), count)
        ]

    def _token_scores(self, hidden: Any, *, mask: Any, sequences: Any, first: int) -> Any:
        """Returns the log-probability of each token of the sequences from `first` on.

        Args:
          hidden: float `[num_prompts, length, width]`: the encoder's.
          mask: int `[num_prompts, length]`.
          sequences: int `[num_prompts * num_candidates, num_tokens]`.
          first: Where what was written begins.

        Returns:
          float32 `[num_prompts * num_candidates, num_tokens - first]`.
        """
        import torch
        from transformers import modeling_outputs

        repeats = sequences.shape[0] // hidden.shape[0]
        logits = self._model(
            encoder_outputs=modeling_outputs.BaseModelOutput(
                last_hidden_state=hidden.repeat_interleave(repeats, dim=0)
            ),
            attention_mask=mask.repeat_interleave(repeats, dim=0),
            decoder_input_ids=sequences[:, :-1],
            use_cache=False,
        ).logits[:, first - 1 :]
        wanted = sequences[:, first:, None]
        return logits.gather(2, wanted)[..., 0] - torch.logsumexp(logits, dim=2)

    def _candidate(
        self,
        token_ids: list[int],
        token_scores: list[float],
        *,
        stop_ids: set[int],
        options: DecodingOptions,
    ) -> Candidate:
        """Cuts one row where it ends."""
        stop = next((i for i, one in enumerate(token_ids) if one in stop_ids), None)
        num_tokens = len(token_ids) if stop is None else stop + 1
        # Of the tokens that end it, those with a line end may hold text before it.
        keeps_last = stop is None or token_ids[stop] in self._newline_ids
        text = self._vocabulary.decode(token_ids[: num_tokens if keeps_last else num_tokens - 1])
        if options.stop_at_newline:
            text = text.partition("\n")[0].removesuffix("\r")
        return Candidate(text, sum(token_scores[:num_tokens]), num_tokens, stop is not None)


def heed_mask(model: Any) -> None:
    """Lets `generate` tell the decoder which of the encoder's positions are padding.

    That of transformers 4.49 drops an encoder's mask, so a prompt would be completed differently
    beside a longer one.

    Args:
      model: A `transformers.T5ForConditionalGeneration`.
    """
    prepare = model.prepare_inputs_for_generation

    def prepare_with_mask(*args: Any, attention_mask: Any = None, **kwargs: Any) -> dict[str, Any]:
        prepared = prepare(*args, attention_mask=attention_mask, **kwargs)
        return {**prepared, "attention_mask": attention_mask}

    model.prepare_inputs_for_generation = prepare_with_mask


def _ids_with_line_end(model: token_model.TokenModel) -> frozenset[int]:
    """Returns the ids whose text holds a line end."""
    found = model.token_bytes
    positions = (found.values == _LINE_END).nonzero()[0]
    return frozenset((found.offsets.searchsorted(positions, side="right") - 1).tolist())


def _generate_arguments(options: DecodingOptions, *, stop_ids: list[int]) -> dict[str, Any]:
    """Returns what `generate` is told."""
    arguments: dict[str, Any] = {
        "max_new_tokens": options.max_new_tokens,
        "eos_token_id": stop_ids,
        "pad_token_id": piece_model.PAD_ID,
        "num_return_sequences": options.num_candidates,
        "num_beams": 1,
        "do_sample": options.temperature > 0,
        "use_cache": True,
    }
    if options.temperature > 0:
        drawing = {"temperature": options.temperature, "top_p": options.top_p}
        return {**arguments, **drawing, "top_k": options.top_k}
    if options.rows_per_prompt > 1:
        # No penalty: the sums themselves are compared.
        beam = {"num_beams": options.rows_per_prompt, "length_penalty": 0.0}
        return {**arguments, **beam}
    return arguments


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draws from a seed of one's own, and leaves torch's random numbers as they were."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
