"""Texts on which tokenizer libraries are known, or likely, to disagree.

Libraries cut a text into words before they merge, each with its own regular expressions and its own
tables of Unicode, and each looks for special tokens in its own way. So these texts hold: every
special token, as a whole, in part and in a row; blanks of all kinds in runs of all lengths; long
words, long lines and long runs of one character; contractions, digits, combining marks, emoji, NUL;
both ends of every range of one category of Unicode; letters that are younger than most tables
(gigatoken 0.10 counts those of Unicode 16 and 17 as letters, `tokenizers` 0.21 to 0.23 do not, and
they differ in what follows: `'s` after one is a contraction or is not); and texts that are put
together by chance. They are the same in each run.
"""

from __future__ import annotations

import functools
import itertools
import random
import unicodedata
from collections.abc import Iterator, Sequence

_TEXTS = (
    "",
    " ",
    "\n",
    "\0",
    "a\0b\0\0 \0",
    "line\r\nline\r\rline\n\r\n  \r\n\t\r\n",
    "I'm you're he'll we've they'd it's can't 'S 'Re 'LL '\u017f d\u2019\u00e9t\u00e9",
    "o'\u00e9 \u044f'm '' 'x",
    "\u2581 \u2581\u2581 a\u2581b \u2581the",
    "e\u0301 \u0065\u0301\u0323 n\u0303o \u1100\u1161\u11a8 \u0915\u094d\u0937\u093f",
    "\ufb01 \u212b \u00c5 A\u030a \u2460\u00bd\u00b2 \uff21\uff11 \u0130i\u0307",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f1e6\U0001f1ea \U0001f44d\U0001f3fd \u2764\ufe0f",
    "\u4e2d\u6587\u65e5\u672c\u8a9e \u0e44\u0e17\u0e22",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e9\u05dc\u05d5\u05dd",
    "0 00 000 1234567890 3.14e-10 0xFFFFFFFF 1_000_000 \u0663\u0664 \u0967\u0968 \u2167 v1.2.3",
    "\ufeffbom \ufffd \uffff \U0010ffff \ue000 \x7f \x80 \x85 \xa0 \xad ",
    "\u2028 \u2029 \u200b \u3000 \x1c\x1d\x1e\x1f",
    "def f(self, *args):\n\treturn {k: v for k, v in args}  # TODO(x): \\n",
    '"""doc"""\n\n\n\nclass A: ...',
    "http://example.com/?q=a%20b&c=d#e <a href='x'>y</a> [x](y) $x^2_1$",
    "a@b.c C:\\x\\y __init__ a->b::c",
)
# What texts that are put together by chance are made of.
_CRUMBS = (
    *(
        " ",
        "  ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\u00a0",
        "\u3000",
        "\u2028",
        "\x0b",
        "\x0c",
        "\x85",
        "\0",
    ),
    *(
        "'",
        "'s",
        "'ll",
        "'T",
        "\u2019s",
        "a",
        "Z",
        "the",
        "_",
        "__",
        ".",
        "...",
        "=",
        "==",
        "(",
        "#",
    ),
    *(
        "0",
        "9",
        "42",
        "\u0663",
        "\u00b2",
        "\u00e9",
        "\u0301",
        "\u00df",
        "\u0416",
        "\u4e2d",
        "\u2581",
    ),
    *(
        "\U0001f600",
        "\u200d",
        "\ufe0f",
        "\ufffd",
        "\u088f",
        "\U0002b73a",
        "return",
        "def ",
        "\\",
        "/",
    ),
)
# Letters and digits of Unicode 16 and 17, the first of each range.
_YOUNG = (
    "\u088f\u0c5c\u0cdc\ua7ce\ua7cf\ua7d2\ua7d4\ua7f1\U00010940\U00010d40\U00010ec5\U00011db0"
    "\U00011de0\U00016ea0\U00016ebb\U00016ff2\U000187f8\U00018d09\U00018d80\U0001e6c0\U0001e6e0"
    "\U0001e6f0\U0001e6fe\U0002b73a\U0002cea2\U000323b0"
)
# Nearly all that is assigned lies below; above are tags, selectors and private use.
_NUM_POINTS = 0x34000
_HIGH = "\U000e0001\U000e0020\U000e0100\U000e01ef\U000f0000\U0010fffd\U0010ffff"
_NUM_CHANCE_TEXTS, _CRUMBS_PER_TEXT = 400, 60
_CHARACTERS_PER_TEXT = 256
_LONG = 10_000


def _category_ends() -> Iterator[str]:
    """Yields the first and last character of each run of one category; of unassigned ones more."""
    categories = list(map(unicodedata.category, map(chr, range(_NUM_POINTS))))
    start = 0
    for category, run in itertools.groupby(categories):
        stop = start + sum(1 for _ in run)
        if category != "Cs":
            # Where newer tables have letters.
            more = {min(start + 1, stop - 1), (start + stop) // 2} if category == "Cn" else set()
            yield from map(chr, sorted({start, stop - 1, *more}))
        start = stop
    yield from _HIGH


def _character_texts() -> Iterator[str]:
    # Whether a character is a letter shows in what becomes of a contraction or quote after it.
    patterns = [f' {c}a{c}1.{c}\'s{c} "{c}",\n' for c in (*_YOUNG, *_category_ends())]
    for start in range(0, len(patterns), _CHARACTERS_PER_TEXT):
        yield "".join(patterns[start : start + _CHARACTERS_PER_TEXT])


def _run_texts() -> Iterator[str]:
    for blank in (" ", "\t", "\n", "\r\n", "\u00a0", "\u3000"):
        runs = [blank * length for length in (*range(1, 40), 64, 100, 129, 256, 600)]
        yield "".join(f"{run}x{run}.{run}1" for run in runs)
        yield blank * 300
    for character in ("a", "A", "0", "=", "-", "_", "\u00e9", "\u4e2d", "\U0001f600", "\u0301"):
        yield f"x {character * 1000} {character * 33}"
    chance = random.Random(2)
    yield "".join(chance.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", k=_LONG))
    yield "".join(chance.choices("0123456789abcdef", k=_LONG))
    yield "".join(chance.choices("!#$%&()*+,-./:;<=>?@[]^_`{|}~\\\"'", k=_LONG // 4))
    yield ", ".join(str(chance.randrange(1 << 32)) for _ in range(_LONG // 10))


def _chance_texts(added_tokens: Sequence[str]) -> Iterator[str]:
    chance = random.Random(1)
    few = added_tokens if len(added_tokens) < 20 else chance.sample(list(added_tokens), 20)
    crumbs = [*_CRUMBS, *few]
    for _ in range(_NUM_CHANCE_TEXTS):
        yield "".join(chance.choices(crumbs, k=_CRUMBS_PER_TEXT))


def _added_token_texts(added_tokens: Sequence[str]) -> Iterator[str]:
    for token in added_tokens:
        half = token[: len(token) // 2]
        yield (
            f"{token}a{token} b {token}\n{token}{token}  {token}  x{half} "
            f"{token[1:]}{token.upper()} "
            f"{token.title()}\t{token}1\u00e9{token}\u00e9{token}"
        )


@functools.lru_cache(maxsize=1)
def _fixed_texts() -> tuple[str, ...]:
    return (*_TEXTS, *_run_texts(), *_character_texts())


def hostile_texts(added_tokens: Sequence[str]) -> list[bytes]:
    """Returns the texts.

    Args:
      added_tokens: Those of the tokenizer, special ones among them.

    Returns:
      UTF-8, some 470 texts of 300 KB in all.
    """
    tokens = sorted(set(filter(None, added_tokens)))
    texts = (*_fixed_texts(), *_added_token_texts(tokens), *_chance_texts(tokens))
    return [text.encode("utf-8") for text in texts]
