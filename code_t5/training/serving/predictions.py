"""What goes into a served model and what comes out, whatever runs it.

A *prompt* is the text, or the token ids, that the model goes on from; a *candidate* one text that
it goes on with. A *served model* turns several prompts at once into predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Prompt(NamedTuple):
    """What to go on from: a text or ids.

    Attributes:
      text: The text before the cursor.
      suffix: The text behind it, for models that read one.
      token_ids: The ids of the vocabulary, without padding.
    """

    text: str | None = None
    suffix: str = ""
    token_ids: tuple[int, ...] | None = None


class ScoredText(NamedTuple):
    """One way to go on.

    Attributes:
      text: What is written.
      score: Sum of the log-probabilities of its tokens, in nats.
    """

    text: str
    score: float


class Prediction(NamedTuple):
    """What a model says to one prompt.

    Attributes:
      candidates: Best first.
      output_ids: Ids of each row that the model wrote, padding included; `[num_candidates,
        max_new_tokens]`.
      scores: Score of each row; None where it is not finite.
      num_prompt_tokens: Tokens of the prompt that the model read.
      num_new_tokens: Tokens that it wrote, over all candidates.
    """

    candidates: tuple[ScoredText, ...]
    output_ids: list[list[int]]
    scores: list[float | None]
    num_prompt_tokens: int
    num_new_tokens: int


class ServedModel(Protocol):
    """A model that is loaded and answers.

    Attributes:
      name: Under which it is served.
      version: Its number.
      batch_size: Most prompts at once.
      num_candidates: Candidates per prompt.
      max_prompt_tokens: What is before them is not read.
      max_new_tokens: Of one candidate.
      vocab_size: Token ids are below it.
      reads_suffix: Whether it reads the text behind the cursor too.
      signature_def: Its signatures, as TensorFlow Serving's metadata has them.
    """

    name: str
    version: int
    batch_size: int
    num_candidates: int
    max_prompt_tokens: int
    max_new_tokens: int
    vocab_size: int
    reads_suffix: bool
    signature_def: dict[str, Any]

    def predict(self, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Returns a prediction per prompt, of at most `batch_size`; called by one thread."""
