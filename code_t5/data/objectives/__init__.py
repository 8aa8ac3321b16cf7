"""Objectives: what a model is given and what it must write, by array operations on tokens."""

from __future__ import annotations

from code_t5.data.objectives.causal_lm import CausalLm
from code_t5.data.objectives.infilling import Infilling
from code_t5.data.objectives.line_completion import LineCompletion
from code_t5.data.objectives.objective import Documents, Examples, Objective, Requests
from code_t5.data.objectives.prefix_lm import PrefixLm
from code_t5.data.objectives.span_corruption import SpanCorruption
from code_t5.encoding.keys import mix_keys

__all__ = [
    "OBJECTIVES",
    "CausalLm",
    "Documents",
    "Examples",
    "Infilling",
    "LineCompletion",
    "Objective",
    "PrefixLm",
    "Requests",
    "SpanCorruption",
    "mix_keys",
]

_CLASSES: tuple[type[Objective], ...] = (
    PrefixLm,
    SpanCorruption,
    CausalLm,
    Infilling,
    LineCompletion,
)
# The suffix of a Task's name to its objective.
OBJECTIVES: dict[str, type[Objective]] = {objective.name: objective for objective in _CLASSES}
