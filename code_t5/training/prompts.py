"""Prompts as the ids that a model reads, for each of the objectives that a model was trained with.

A *prompt* is code up to a cursor; a *gap* is code with a hole in it: what stands before the cursor
(*prefix*) and behind it (*suffix*). Which of the two a model can use follows from its *objective*
(`code_t5.data.objectives`):

- `prefix_lm` and `line_completion` read the prefix alone;
- `infilling` reads `prefix <extra_id_0> suffix` where there is a suffix, and writes the middle;
- `span_corruption` reads the same, and writes `<extra_id_0> middle <extra_id_1>`;
- `causal_lm` reads nothing and writes the file, which is given to its decoder up to the cursor.

Of a prefix that is too long the end counts, of a suffix the beginning.
"""

from __future__ import annotations

import dataclasses
from typing import Union

from code_t5.encoding import piece_model
from code_t5.encoding.token_model import TokenModel

PREFIX_LM = "prefix_lm"
INFILLING = "infilling"
SPAN_CORRUPTION = "span_corruption"
CAUSAL_LM = "causal_lm"
GAP_OBJECTIVES = (INFILLING, SPAN_CORRUPTION)
# The suffix gets no more than this share of what a model reads, unless the prefix leaves more.
_SUFFIX_SHARE = 0.5


@dataclasses.dataclass(frozen=True)
class Gap:
    """Code with a hole in it.

    Attributes:
      prefix: What stands before the cursor.
      suffix: What stands behind it.
    """

    prefix: str
    suffix: str


Prompt = Union[str, Gap]


@dataclasses.dataclass(frozen=True)
class EncodedPrompt:
    """What a model is given.

    Attributes:
      input_ids: What the encoder reads.
      decoder_ids: What the decoder's output begins with, before anything is written.
      stop_ids: What ends the output beside the end of text.
    """

    input_ids: tuple[int, ...]
    decoder_ids: tuple[int, ...] = ()
    stop_ids: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class PromptEncoder:
    """Turns prompts into ids as a model was trained to read them.

    Attributes:
      model: The vocabulary's.
      objective: Its name; any that is not known here is read as `prefix_lm`.
      inputs_length: Most tokens that the encoder reads, end of text included.
      targets_length: Most tokens that the decoder writes, end of text included.
      add_eos: Whether inputs end with an end of text.
    """

    model: TokenModel
    objective: str
    inputs_length: int
    targets_length: int
    add_eos: bool

    def encode(self, prompt: Prompt) -> EncodedPrompt:
        """Returns the ids of a prompt.

        Args:
          prompt: Code up to a cursor, or code with a hole; a suffix counts only for the objectives
            that read one.
        """
        gap = Gap(prompt, "") if isinstance(prompt, str) else prompt
        prefix = self.model.encode(gap.prefix)
        end = (piece_model.EOS_ID,) if self.add_eos else ()
        room = max(1, self.inputs_length - len(end))
        if self.objective == CAUSAL_LM:
            kept = prefix[-max(1, self.targets_length // 2) :]
            return EncodedPrompt(end, tuple(kept))
        if self.objective == SPAN_CORRUPTION or (self.objective == INFILLING and gap.suffix):
            suffix = self.model.encode(gap.suffix)
            inputs = (*self._around(prefix, suffix, room=room), *end)
            if self.objective == INFILLING:
                return EncodedPrompt(inputs)
            return EncodedPrompt(inputs, (self._sentinel(0),), (self._sentinel(1),))
        return EncodedPrompt((*prefix[-room:], *end))

    def _sentinel(self, number: int) -> int:
        return self.model.vocab_size - 1 - number

    def _around(self, prefix: list[int], suffix: list[int], *, room: int) -> list[int]:
        """Lays prefix, `<extra_id_0>` and suffix in a row that there is room for."""
        room -= 1
        for_suffix = max(int(room * _SUFFIX_SHARE), room - len(prefix))
        suffix = suffix[:for_suffix]
        for_prefix = room - len(suffix)
        return [*prefix[max(0, len(prefix) - for_prefix) :], self._sentinel(0), *suffix]
