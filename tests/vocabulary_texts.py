"""Texts for the tests of vocabularies: some to train on, and the nastiest to encode."""

from __future__ import annotations

import random
import string

# Every printable character, and words that repeat.
TRAINING_TEXTS = (
    string.printable,
    "def first(value):\n    return value + 1\n\n\nfor index in range(10):\n\tprint(index)\n" * 3,
    "class Reader:\n    def __init__(self, path):\n        self.path = path  # where it is\n" * 3,
)

NASTY_TEXTS = (
    *("", " ", "\n", "\t", "\r", "\0", "a", " a", "a ", "a\r\nb\r\n", "a\rb", "\n\n\n"),
    *(" " * count for count in range(1, 60)),
    *(" " * count + "word" + " " * count for count in (1, 2, 23, 24, 25, 26, 47, 48, 49, 50)),
    *("\t" * count + "word" for count in range(1, 12)),
    *("x" + " " * count + "\n" for count in (1, 24, 25)),
    *(chr(code) for code in range(0x20)),
    *(f"a{chr(code)}b {chr(code)} c" for code in range(0x20)),
    *("\x7f", "\x80", "\x85", "\xa0", "\u2028", "\u3000", "\ufeff", "a\ufeffb", "\ufffd", "\ufffe"),
    *("\u2581", "\u2581\u2581 \u2581", " \u2581word", "\u2584\u2585\u2586", "\u010a", "\u0120x"),
    *("\x10", "\x10\x10", "\x10e", "\x10s", "\x10x", "\x10x<extra_id_0>", "a\x10", "\x10\u2581s"),
    *("e\u0301", "\u0301e", "é", "ﬁ", "Å", "日本語 テキスト", "שלום", "\u202eabc", "ß" * 30),
    *("🙂", "👩\u200d💻", "\U0010ffff", "𝒳 = 1", "\ud7ff\ue000", "\U0001f1e9\U0001f1ea"),
    *("<extra_id_0>", "<extra_id_99>", "\u2581<extra_id_0>", " <extra_id_5> ", "<extra_id_100>"),
    *("</s>", "<pad>", "<unk>", "<s>", "<0x0A>", " <0x00>", "a</s>b<pad>c", "\u2047", " \u2047 "),
    *("x_1 = 0x10FFFF", "a.b(c)[d]{e}", "if x:\n        pass\n", "1234567890" * 30, "a" * 5000),
)

_ALPHABET = (
    *("\x10", "e", "s", "x", "\u2581", " ", "  ", "\t", "\n", "\r", "\0", "\u2585", "é", "日"),
    *(
        "\u0301",
        "\ufeff",
        "🙂",
        "\U0010ffff",
        "<extra_id_0>",
        "</s>",
        "<0x41>",
        "def",
        "_",
        "9",
        "(",
    ),
)


def random_texts(count: int, *, seed: int) -> list[str]:
    """Returns texts put together from the characters that are most likely to go wrong."""
    rng = random.Random(seed)
    return ["".join(rng.choices(_ALPHABET, k=rng.randrange(40))) for _ in range(count)]
