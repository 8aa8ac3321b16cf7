"""Redaction: secrets and personal data found in source files, and fixed tokens in their place.

    spans = redaction.find_spans(content, extension=".py")
    content = redaction.replace_spans(content, spans)

What is found, what is kept on purpose and why is in `docs/redaction.md`.
"""

from __future__ import annotations

from preprocessing.redaction.finder import find_spans
from preprocessing.redaction.spans import KINDS, TOKENS, Span, count_kinds, replace_spans

__all__ = ["KINDS", "TOKENS", "Span", "count_kinds", "find_spans", "replace_spans"]
