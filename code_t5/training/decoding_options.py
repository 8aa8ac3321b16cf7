"""How candidates are looked for, and what one is.

A *candidate* is one text that a model may go on with after a prompt.
"""

from __future__ import annotations

import dataclasses

from code_t5 import errors

_MAX_NEW_TOKENS = 4096
_MAX_CANDIDATES = 256
# What programs call a setting where it is not by its name.
_FLAGS = {"max_new_tokens": "max_tokens"}


@dataclasses.dataclass(frozen=True)
class DecodingOptions:
    """How candidates are found.

    With a temperature of 0 the likeliest text is looked for: greedily, or with a beam where there
    are several beams or candidates. With another, candidates are drawn.

    Attributes:
      max_new_tokens: Most tokens of a candidate.
      num_candidates: How many texts for each prompt.
      num_beams: Width of the beam; at least `num_candidates` is used.
      temperature: What the logits are divided by before drawing; 0 draws nothing.
      top_k: Draw among so many of the likeliest tokens; 0 for all.
      top_p: Draw among the likeliest tokens that have this probability together.
      stop_at_newline: End a candidate before the first line end.
      seed: Of the drawing; the same prompts, options and seed give the same candidates.
    """

    max_new_tokens: int = 64
    num_candidates: int = 1
    num_beams: int = 1
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    stop_at_newline: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          InputError: One is out of range, or beams are to be drawn.
        """
        ranges = (
            ("max_new_tokens", 1, _MAX_NEW_TOKENS),
            ("num_candidates", 1, _MAX_CANDIDATES),
            ("num_beams", 1, _MAX_CANDIDATES),
            ("temperature", 0.0, 100.0),
            ("top_k", 0, 1 << 30),
            ("top_p", 1e-6, 1.0),
            ("seed", 0, (1 << 63) - 1),
        )
        for name, lowest, highest in ranges:
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise errors.InputError(
                    f"{name} is {value}; wanted {lowest} to {highest}; give "
                    f"--{_FLAGS.get(name, name)} another value"
                )
        if self.temperature > 0 and self.num_beams > 1:
            raise errors.InputError(
                f"num_beams is {self.num_beams} and temperature {self.temperature}; wanted a beam "
                "or drawing, not both; leave out --num_beams or set --temperature=0"
            )

    @property
    def rows_per_prompt(self) -> int:
        """Rows that are decoded for each prompt."""
        if self.temperature > 0:
            return self.num_candidates
        return max(self.num_beams, self.num_candidates)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One text that a model may go on with.

    Attributes:
      text: What it writes; a character that was cut off at the end is marked with U+FFFD.
      score: Sum of the log-probabilities of its tokens and of the one that ends it, in nats.
      num_tokens: How many tokens that are, the one that ends it included.
      is_finished: Whether the model ended it; otherwise it got its most tokens.
    """

    text: str
    score: float
    num_tokens: int
    is_finished: bool
