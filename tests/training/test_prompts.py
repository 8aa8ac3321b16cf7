"""Prompts as each objective reads them."""

from __future__ import annotations

import pytest

from code_t5.training.prompts import Gap, PromptEncoder


class _CharacterModel:
    """A token model of one id per character, with two sentinels at the top."""

    vocab_size = 1000

    def encode(self, text):
        return [ord(one) for one in text]


def _encode(prompt, *, objective, length=8, add_eos=True):
    encoder = PromptEncoder(_CharacterModel(), objective, length, 8, add_eos)
    return encoder.encode(prompt)


def _ids(text):
    """`|` stands for the first sentinel, `$` for the end."""
    return tuple({"|": 999, "$": 1}.get(one, ord(one)) for one in text)


@pytest.mark.parametrize("objective", ["prefix_lm", "line_completion", "span_of_t5"])
def test_prefix_alone_is_read_and_its_end_counts(objective):
    assert _encode("abc", objective=objective).input_ids == _ids("abc$")
    assert _encode("0123456789", objective=objective).input_ids == _ids("3456789$")
    assert _encode(Gap("abc", "xyz"), objective=objective).input_ids == _ids("abc$")
    assert _encode("0123456789", objective=objective, add_eos=False).input_ids == _ids("23456789")


def test_infilling_reads_both_sides_of_a_gap():
    assert _encode(Gap("ab", "yz"), objective="infilling").input_ids == _ids("ab|yz$")
    # Without a suffix it is asked as it was trained: without a sentinel.
    assert _encode(Gap("ab", ""), objective="infilling").input_ids == _ids("ab$")
    both_long = _encode(Gap("abcdefgh", "stuvwxyz"), objective="infilling")
    assert both_long.input_ids == _ids("fgh|stu$")
    short_prefix = _encode(Gap("a", "stuvwxyz"), objective="infilling")
    assert short_prefix.input_ids == _ids("a|stuvw$")
    short_suffix = _encode(Gap("abcdefgh", "s"), objective="infilling")
    assert short_suffix.input_ids == _ids("defgh|s$")


def test_span_corruption_writes_between_sentinels():
    found = _encode(Gap("ab", "yz"), objective="span_corruption")
    assert found.input_ids == _ids("ab|yz$")
    assert (found.decoder_ids, found.stop_ids) == ((999,), (998,))


def test_causal_model_reads_nothing_and_goes_on_from_the_prompt():
    found = _encode("0123456789", objective="causal_lm")
    assert found.input_ids == (1,)
    assert found.decoder_ids == _ids("6789")
