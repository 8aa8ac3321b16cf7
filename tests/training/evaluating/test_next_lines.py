from __future__ import annotations

from code_t5.training.evaluating import next_lines

_FILES = [
    "import os\nimport sys\n\ndef main():\n    return 0\n",
    "import os\nimport sys\nimport re\n",
    "import os\nimport re\n",
    "def main():\n    pass\ndef main():\n    return 0\nx = 1\n",
]


def _complete(prompt):
    return next_lines.NextLines(next_lines.count_lines(_FILES)).complete(prompt)


def test_the_line_that_most_often_stood_below_is_taken():
    assert _complete("a\nimport os\n") == "import sys"
    assert _complete("def main():\n\n   \n    ") == "return 0"
    assert _complete("") == "import os"


def test_it_must_begin_as_the_cursors_line_does():
    assert _complete("import os\nimport r") == "e"
    assert _complete("def main():\n    p") == "ass"


def test_where_nothing_stood_below_the_most_frequent_line_is_taken():
    # Not below `x = 1`, but seen three times in all.
    assert _complete("x = 1\n") == "def main():"
    assert _complete("never seen\nimp") == "ort os"
    assert _complete("never seen\nnever seen either") == ""


def test_a_line_is_not_its_own_continuation():
    assert _complete("import os\nimport sys") == ""


def test_counts_are_those_of_the_files():
    seen = next_lines.count_lines(_FILES)
    assert seen.lines == sorted(seen.lines)
    by_line = dict(zip(seen.lines, seen.counts.tolist()))
    assert by_line[b"import os"] == by_line[b"def main():"] == 3
    assert sum(by_line.values()) == sum(
        len(text.split()) > 0 for f in _FILES for text in f.split("\n")
    )
    number = seen.lines.index(b"import os")
    below = {seen.lines[b]: n for a, b, n in seen.pairs.tolist() if a == number}
    assert below == {b"import sys": 2, b"import re": 1}


def test_no_files_give_nothing():
    assert next_lines.NextLines(next_lines.count_lines([])).complete("a\nb") == ""


def test_a_line_is_cut_behind_so_many_tokens():
    class Model:
        """A token for each character."""

        def encode(self, text):
            return [ord(character) for character in text]

        def decode(self, token_ids):
            return "".join(map(chr, token_ids))

    seen = next_lines.count_lines(["return values\n"])
    for max_new_tokens, wanted in ((3, "val"), (6, "values"), (60, "values")):
        lines = next_lines.NextLines(seen, model=Model(), max_new_tokens=max_new_tokens)
        assert lines.complete("return ") == wanted
