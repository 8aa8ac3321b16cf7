from __future__ import annotations

from code_t5.token_cache.tokenizing import hostile_texts

TOKENS = ["<|endoftext|>", "<fim_prefix>", ""]


def test_the_texts_are_the_same_each_time_and_whatever_the_order_of_tokens():
    texts = hostile_texts.hostile_texts(TOKENS)
    assert texts == hostile_texts.hostile_texts([*reversed(TOKENS), TOKENS[0]])


def test_the_texts_are_small_and_utf_8():
    texts = hostile_texts.hostile_texts(TOKENS)
    assert 200_000 < sum(map(len, texts)) < 400_000
    for text in texts:
        text.decode("utf-8")


def test_each_special_token_is_there_whole_halved_and_in_a_row():
    joined = b"\n".join(hostile_texts.hostile_texts(TOKENS))
    for token in (b"<|endoftext|>", b"<fim_prefix>"):
        assert token + token in joined
        assert b" " + token + b" " in joined
        assert b"x" + token[: len(token) // 2] + b" " in joined
        assert token.upper() in joined


def test_many_special_tokens_do_not_make_many_texts_by_chance():
    few = len(hostile_texts.hostile_texts(["<0>"]))
    assert len(hostile_texts.hostile_texts([f"<{number}>" for number in range(500)])) == few + 499


def test_letters_younger_than_most_tables_stand_before_contractions():
    joined = b"".join(hostile_texts.hostile_texts([])).decode("utf-8")
    for letter in ("\u088f", "\ua7ce", "\U0002b73a"):
        assert f"{letter}'s" in joined, ascii(letter)
