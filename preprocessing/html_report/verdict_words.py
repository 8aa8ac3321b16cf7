"""The verdicts in words, in the order in which the report lists them."""

from __future__ import annotations

from collections.abc import Mapping

# Verdict -> its title, and what it means.
WORDS: Mapping[str, tuple[str, str]] = {
    "symbolic_link": ("Symbolic link", "Never followed."),
    "not_regular": ("Not a plain file", "A device, a pipe or a folder; never opened."),
    "vanished": ("Vanished", "It was listed, but gone when it was to be read."),
    "unreadable": ("Unreadable", "Reading it failed."),
    "too_large": ("Too large", "Over the limit of bytes per file."),
    "not_utf8": ("Not UTF-8", "Its bytes are no UTF-8 text."),
    "empty": ("Empty", "Nothing but white space."),
    "long_line": ("Long line", "A line over the limit."),
    "long_mean_line": ("Long lines on average", "Characters per line over the limit."),
    "low_alphanumeric": ("Few letters and digits", "Mostly other characters: data, not code."),
    "generated": ("Generated", "The mark of a code generator at its head."),
    "license": ("Licence", "The licence policy leaves it out."),
    "benchmark": ("Benchmark", "It holds a part of a benchmark that models are measured on."),
    "exact_duplicate": ("Exact duplicate", "The same text as a file that was kept."),
    "near_duplicate": ("Near duplicate", "Nearly the text of a file that was kept."),
    "split_leak": ("Split leak", "A copy of it stands in another split."),
}
KEPT = "kept"


def words_of(verdict: str) -> tuple[str, str]:
    """Returns title and meaning; a verdict that this version does not know is its own title.

    >>> words_of("empty")
    ('Empty', 'Nothing but white space.')
    """
    return WORDS.get(verdict, (verdict, ""))


def in_order(verdicts: Mapping[str, int]) -> list[str]:
    """Returns the verdicts that some file got, `kept` aside, in the order of the stages.

    Args:
      verdicts: Number of files by verdict.

    Returns:
      Known ones first, then unknown ones by name.

    >>> in_order({"kept": 3, "odd": 1, "generated": 2, "empty": 1, "too_large": 0})
    ['empty', 'generated', 'odd']
    """
    known = [verdict for verdict in WORDS if verdicts.get(verdict)]
    others = sorted(v for v, files in verdicts.items() if files and v not in WORDS and v != KEPT)
    return known + others
