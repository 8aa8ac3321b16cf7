"""Tests of preprocessing.decontamination and its index: what is found in which file, and where."""

from __future__ import annotations

import random
import re

import fake_benchmarks
import numpy as np
import pytest

from code_t5 import errors
from preprocessing import decontamination
from preprocessing.decontamination import benchmark_files, benchmark_index
from preprocessing.dedup import tokens

_CLEAN = b"def read(path):\n    with open(path) as file:\n        return file.read()\n"


def _index(tmp_path, entries, *, allow=None, **options):
    path = fake_benchmarks.write_jsonl(tmp_path / "own.jsonl", entries)
    if allow is not None:
        (tmp_path / "allow.txt").write_text(allow)
        options["allow_list_paths"] = (str(tmp_path / "allow.txt"),)
    config = decontamination.DecontaminationConfig(benchmark_paths=(path,), **options)
    return decontamination.load_benchmarks(config)


def _found(index, *contents):
    return index.find(contents, tokens=tokens.hash_tokens(contents))


def _short(matches):
    return [(match.entry, match.field, match.kind) for match in matches]


def _reformatted(code: bytes) -> bytes:
    """Indents with tabs and ends lines as on another system, with blank lines between."""
    return code.replace(b"    ", b"\t").replace(b"\n", b" \r\n\r\n")


def test_a_whole_problem_is_found_under_other_white_space_and_where_it_begins(tmp_path):
    entries = [fake_benchmarks.human_eval_entry(number) for number in range(5)]
    index = _index(tmp_path, entries)
    prompt, solution = (entries[3][name].encode() for name in ("prompt", "canonical_solution"))
    before = "# Über alles\r\n".encode()
    content = before + _reformatted(prompt) + _CLEAN + _reformatted(solution)

    (clean, found) = _found(index, _CLEAN, content)

    assert clean == ()
    assert _short(found) == [
        ("own.jsonl:4", "prompt", "exact"),
        ("own.jsonl:4", "prompt docstring", "exact"),
        ("own.jsonl:4", "canonical_solution", "exact"),
    ]
    assert [match.start for match in found] == [
        len(before),
        content.index(b"Given"),
        content.index(b"total_drums"),
    ]
    assert decontamination.describe(found).startswith("own.jsonl:4 prompt exact; own.jsonl:4 ")


def test_mbpp_texts_and_tests_are_found_as_well(tmp_path):
    entries = [fake_benchmarks.mbpp_entry(number) for number in range(4)]
    index = _index(tmp_path, entries)
    found = _found(
        index,
        b'"""' + entries[1]["text"].replace(" ", "\n").encode() + b'"""',
        entries[2]["test_list"][0].encode(),
        entries[0]["code"].encode(),
    )
    assert [_short(matches) for matches in found] == [
        [("own.jsonl:2", "text", "exact")],
        [("own.jsonl:3", "test_list", "exact")],
        [("own.jsonl:1", "code", "exact")],
    ]


def test_a_run_of_13_tokens_is_found_and_one_of_12_is_not(tmp_path):
    words = [f"word{number}" for number in range(30)]
    index = _index(tmp_path, [{"prompt": " ".join(words)}])
    # Operators and line ends between the tokens do not count.
    shared = "+(\n".join(words[4:17]).encode()
    fewer = "+(\n".join(words[4:16]).encode()

    found, none = _found(index, b"x = y\n" + shared + b"\nz", b"x = y\n" + fewer + b"\nz")

    assert found == (decontamination.Match("own.jsonl:1", "prompt", "ngram", 6),)
    assert none == ()


def test_a_text_may_begin_and_end_inside_of_the_files_words(tmp_path):
    text = "alpha beta gamma delta epsilon zeta eta theta"
    index = _index(tmp_path, [{"prompt": text}])
    inside, punctuated, other = _found(
        index,
        b"x = prealpha beta gamma\n delta epsilon zeta eta thetapost",
        b"alpha, beta gamma delta epsilon zeta eta theta",
        b"alpha beta gamma delta epsilon zeta eta thet",
    )
    assert inside == (decontamination.Match("own.jsonl:1", "prompt", "exact", 7),)
    assert (punctuated, other) == ((), ())


def test_short_texts_are_counted_and_not_searched(tmp_path):
    entries = [
        {"prompt": "one two three four five six seven", "code": "return 1"},
        {"prompt": "one two three four five six seven eight", "code": None},
    ]
    index = _index(tmp_path, entries)
    found = _found(index, b"return 1", b"one two three four five six seven eight")
    assert [_short(matches) for matches in found] == [
        [],
        [("own.jsonl:2", "prompt", "exact")],
    ]
    assert index.counts() == [
        {
            "file": "own.jsonl",
            "num_entries": 2,
            "num_searched": 1,
            "num_too_short": 2,
            "num_allowed": 0,
            "too_short": ["own.jsonl:1 prompt", "own.jsonl:1 code"],
        }
    ]


def test_allowed_snippets_are_neither_found_whole_nor_in_part(tmp_path):
    generic = "for row in rows:\n    for cell in row:\n        cells.append(cell.strip().lower())"
    own = " ".join(f"own{number}" for number in range(12))
    entries = [{"code": generic}, {"code": f"{generic}\n{own}"}]
    content = generic.encode()

    assert _found(_index(tmp_path, entries), content)[0] != ()
    allow = '"for row in rows: for cell in row:"\ncells.append(cell.strip().lower())\n'
    index = _index(tmp_path, entries, allow=allow)

    assert _found(index, content) == [()]
    assert [c["num_allowed"] for c in index.counts()] == [1]
    # What the entry has of its own is still found.
    assert _short(_found(index, f"x\nlower {own} y".encode())[0]) == [
        ("own.jsonl:2", "code", "ngram")
    ]


def test_our_own_list_allows_what_everyone_writes(tmp_path):
    text = "from typing import Dict, List, Optional, Tuple\nimport os\nimport re\nimport sys\n"
    index = _index(tmp_path, [{"prompt": text}])
    assert _found(index, text.encode()) == [()]
    assert index.counts()[0]["num_allowed"] == 1


def test_a_text_that_two_entries_hold_is_named_after_the_first(tmp_path):
    entry = {"prompt": "one two three four five six seven eight nine"}
    index = _index(tmp_path, [entry, entry])
    (found,) = _found(index, entry["prompt"].encode())
    assert _short(found) == [("own.jsonl:1", "prompt", "exact")]
    assert index.counts()[0]["num_searched"] == 2


def test_without_benchmarks_nothing_is_found():
    index = decontamination.load_benchmarks(decontamination.DecontaminationConfig())
    assert _found(index, _CLEAN, b"") == [(), ()]
    assert index.counts() == []
    assert index.find([], tokens=tokens.hash_tokens([])) == []


def test_ngrams_may_be_handed_in(tmp_path):
    entries = [fake_benchmarks.human_eval_entry(1)]
    index = _index(tmp_path, entries)
    contents = [_CLEAN, entries[0]["prompt"].encode()]
    batch = tokens.hash_tokens(contents)
    ngrams = tokens.ngram_hashes(batch, benchmark_index.NGRAM_SIZE)
    assert index.find(contents, tokens=batch, ngrams=ngrams) == _found(index, *contents)


def _plain_search(texts, content):
    """Finds matches as the definition says, with no index: `{(entry, field, kind, start)}`."""
    word = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")
    size = benchmark_index.OVERLAP_SIZE
    words = list(word.finditer(content))
    found = set()
    for text in texts:
        own = word.findall(text.text)
        if len(own) < benchmark_index.MIN_TOKENS:
            continue
        wanted = b" ".join(text.text.split())
        starts = [i for i in range(len(content)) if content[i : i + 1].strip()]
        whole = [i for i in starts if b" ".join(content[i:].split()).startswith(wanted)]
        runs = {tuple(own[i : i + size]) for i in range(len(own) - size + 1)}
        shared = [
            words[i].start()
            for i in range(len(words) - size + 1)
            if tuple(match.group() for match in words[i : i + size]) in runs
        ]
        found.update((text.entry, text.field, "exact", start) for start in whole[:1])
        if shared and (not whole or shared[0] < whole[0]):
            found.add((text.entry, text.field, "ngram", shared[0]))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_index_finds_what_a_plain_search_finds(seed):
    chooser = random.Random(seed)

    def text(num_words):
        words = chooser.choices(["a", "bb", "ccc", "x1", "y_2", "long_word_of_sorts"], k=num_words)
        glue = chooser.choices([" ", "  ", "\n", " + ", ".", "\t"], k=num_words)
        return "".join(part for pair in zip(words, glue) for part in pair).encode()

    texts = tuple(
        benchmark_files.BenchmarkText(f"b:{number}", "f", text(chooser.randint(3, 40)))
        for number in range(25)
    )
    file = benchmark_files.BenchmarkFile("b", "", 25, texts)
    contents = []
    for _ in range(60):
        parts = [text(chooser.randint(0, 30))]
        chosen = chooser.choice(texts).text
        start = chooser.randint(0, len(chosen) // 2)
        parts.append(chosen if chooser.random() < 0.4 else chosen[start:])
        contents.append(b"".join([*parts, text(5)]))
    index = benchmark_index.BenchmarkIndex([file], snippets=[])

    num_found = {"exact": 0, "ngram": 0}
    for content, matches in zip(contents, _found(index, *contents)):
        found = {(match.entry, match.field, match.kind, match.start) for match in matches}
        assert found == _plain_search(texts, content)
        for match in matches:
            num_found[match.kind] += 1
    assert min(num_found.values()) > 5


def test_a_part_that_stands_before_the_whole_is_found_as_well(tmp_path):
    text = " ".join(f"word{number}" for number in range(20))
    index = _index(tmp_path, [{"prompt": text}])
    content = f"# {text[:90]}\n\nx = 1\n{text}\n{text}\n".encode()
    (found,) = _found(index, content)
    assert found == (
        decontamination.Match("own.jsonl:1", "prompt", "ngram", 2),
        decontamination.Match("own.jsonl:1", "prompt", "exact", content.index(b"\nword0") + 1),
    )
    assert _found(index, content[: found[0].start]) == [()]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\x00\xff" * 500,
        b"word " * 5000,
        b"\t" * 100_000 + b"one two three four five six seven eight" + b" " * 100_000,
        "\u3000".encode() * 99,
    ],
)
def test_odd_contents_do_no_harm(tmp_path, content):
    index = _index(tmp_path, [{"prompt": "one two three four five six seven eight"}])
    (found,) = _found(index, content)
    assert len(found) == content.count(b"eight")
    if found:
        assert found[0].start == 100_000


def test_a_file_that_holds_everything_is_described_briefly(tmp_path):
    entries = [fake_benchmarks.mbpp_entry(number) for number in range(300)]
    content = "\n".join(entry["text"] + "\n" + entry["code"] for entry in entries).encode()
    (found,) = _found(_index(tmp_path, entries), content)
    assert len(found) == 200
    starts = [match.start for match in found]
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert decontamination.describe(found).endswith("; and 180 more")
    assert decontamination.describe(found).count(";") == 20


def test_a_process_reads_a_file_once_and_again_when_it_has_changed(tmp_path):
    entry = {"prompt": "one two three four five six seven eight"}
    first = _index(tmp_path, [entry])
    config = decontamination.DecontaminationConfig(benchmark_paths=(str(tmp_path / "own.jsonl"),))
    assert decontamination.load_benchmarks(config) is first
    described = decontamination.describe_config(config)

    second = _index(tmp_path, [entry, entry])

    assert second is not first
    assert second.counts()[0]["num_entries"] == 2
    assert decontamination.describe_config(config) != described


def test_the_description_goes_by_contents_and_not_by_places(tmp_path):
    described = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        path = fake_benchmarks.write_jsonl(tmp_path / place / "x.jsonl", [{"prompt": "one"}])
        (tmp_path / place / "allow").write_text("x y z\n")
        config = decontamination.DecontaminationConfig(
            benchmark_paths=(path,), allow_list_paths=(str(tmp_path / place / "allow"),)
        )
        described.append(decontamination.describe_config(config))
    assert described[0] == described[1]
    assert described[0]["benchmarks"][0]["file"] == "x.jsonl"
    (tmp_path / "b/allow").write_text("x y\n")
    assert decontamination.describe_config(config) != described[0]
    other = decontamination.DecontaminationConfig(benchmark_paths=(path,), action="truncate")
    assert decontamination.describe_config(other)["action"] == "truncate"
    assert decontamination.describe_config(decontamination.DecontaminationConfig()) == {
        "benchmarks": []
    }


def test_unknown_action_is_refused():
    config = decontamination.DecontaminationConfig(action="delete")
    with pytest.raises(errors.InputError, match="wanted one of drop, truncate"):
        decontamination.load_benchmarks(config)


def test_squeezing_keeps_places():
    content = b"\r\n a \t\tb\n\nc  "
    squeezed, places = benchmark_index._squeeze_with_places(content)
    assert squeezed == b" a b c "
    assert bytes(np.frombuffer(content, np.uint8)[places[[1, 3, 5]]]) == b"abc"


def test_benchmarks_of_the_same_name_are_told_apart_by_their_folders(tmp_path):
    paths = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        paths.append(str(tmp_path / folder / "b.jsonl"))
        fake_benchmarks.write_jsonl(
            tmp_path / folder / "b.jsonl", [fake_benchmarks.human_eval_entry(1)]
        )
    config = decontamination.DecontaminationConfig(benchmark_paths=tuple(paths))
    names = [counts["file"] for counts in decontamination.load_benchmarks(config).counts()]
    assert names == ["first/b.jsonl", "second/b.jsonl"]
