"""Spans and tokens."""

from __future__ import annotations

import pytest

from code_t5 import errors
from preprocessing import redaction
from preprocessing.redaction import spans as spans_module


def test_every_kind_has_a_token_that_is_an_identifier_of_its_own():
    assert tuple(redaction.TOKENS) == redaction.KINDS
    assert len(set(redaction.TOKENS.values())) == len(redaction.KINDS)
    for token in redaction.TOKENS.values():
        assert token.decode("ascii").isidentifier()
        assert token.startswith(spans_module.TOKEN_PREFIX)


def test_spans_are_replaced_by_the_tokens_of_their_kinds():
    spans = [
        redaction.Span(0, 2, "ipv4"),
        redaction.Span(2, 3, "ipv6"),
        redaction.Span(4, 6, "email"),
    ]
    assert redaction.replace_spans(b"aabcdd", spans) == b"REDACTED_IPV4REDACTED_IPV6cREDACTED_EMAIL"
    assert redaction.replace_spans(b"aab", []) == b"aab"


@pytest.mark.parametrize(
    "ranges", [[(3, 5), (0, 2)], [(0, 3), (2, 5)], [(4, 7)], [(-1, 2)], [(2, 2)]]
)
def test_spans_that_do_not_fit_the_text_are_refused(ranges):
    spans = [redaction.Span(start, end, "secret") for start, end in ranges]
    with pytest.raises(errors.InputError, match="wanted sorted, disjoint spans"):
        redaction.replace_spans(b"abcdef", spans)


def test_counts_name_every_kind_and_a_continued_span_once():
    spans = [
        redaction.Span(0, 1, "private_key"),
        redaction.Span(2, 3, "private_key", True),
        redaction.Span(4, 5, "private_key"),
        redaction.Span(6, 7, "email"),
    ]
    assert redaction.count_kinds(spans) == {
        "email": 1, "ipv4": 0, "ipv6": 0, "private_key": 2, "secret": 0
    }  # fmt: skip
