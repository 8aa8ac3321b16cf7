"""Benchmark files: what is read, and what is refused in one line."""

from __future__ import annotations

import gzip
import hashlib
import json
import os

import fake_benchmarks
import pytest

from code_t5 import errors
from preprocessing.decontamination import allow_list, benchmark_files
from preprocessing.dedup import tokens


def test_prompts_docstrings_solutions_and_tests_are_taken(tmp_path):
    entry = fake_benchmarks.human_eval_entry(3)
    path = fake_benchmarks.write_jsonl(tmp_path / "own.jsonl", [entry])

    found = benchmark_files.read_benchmark(path)

    docstring = fake_benchmarks.problem(3)["docstring"] + "\n    "
    assert (found.name, found.num_entries) == ("own.jsonl", 1)
    assert found.texts == (
        ("own.jsonl:1", "prompt", entry["prompt"].encode()),
        ("own.jsonl:1", "prompt docstring", docstring.encode()),
        ("own.jsonl:1", "canonical_solution", entry["canonical_solution"].encode()),
    )
    assert found.sha256 == hashlib.sha256((tmp_path / "own.jsonl").read_bytes()).hexdigest()


def test_mbpp_entries_and_blank_lines_and_gzip(tmp_path):
    entries = [fake_benchmarks.mbpp_entry(number) for number in (1, 2)]
    data = ("\n\n" + json.dumps(entries[0]) + "\n \n" + json.dumps(entries[1])).encode()
    (tmp_path / "plain.jsonl").write_bytes(data)
    # Its name does not say that it is compressed.
    (tmp_path / "packed").write_bytes(gzip.compress(data))

    plain = benchmark_files.read_benchmark(str(tmp_path / "plain.jsonl"))
    packed = benchmark_files.read_benchmark(str(tmp_path / "packed"))

    fields = [(text.entry, text.field) for text in plain.texts]
    assert fields == [
        (f"plain.jsonl:{line}", field) for line in (3, 5) for field in ("text", "code", "test_list")
    ]
    assert [text.text for text in packed.texts] == [text.text for text in plain.texts]
    assert packed.texts[0].entry == "packed:3"
    assert packed.sha256 == hashlib.sha256((tmp_path / "packed").read_bytes()).hexdigest()


def test_fields_may_be_named(tmp_path):
    path = fake_benchmarks.write_jsonl(
        tmp_path / "a.jsonl", [{"task": "one", "prompt": "no"}, {"task": ["two", None, "three"]}]
    )
    texts = benchmark_files.read_benchmark(path, fields=("task",)).texts
    assert [text.text for text in texts] == [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    ("text", "docstrings"),
    [
        ('def f():\n    """One."""\n    x = """Two."""\n', ["One.", "Two."]),
        ('\'\'\'One.\'\'\' and """Two "quoted"."""', ["One.", 'Two "quoted".']),
        ('"""Never closed.', []),
        ('"""Same.""" """Same."""', ["Same."]),
        ("none", []),
        ("'''" * 1001, [""]),
    ],
)
def test_docstrings_stand_between_triple_quotes(text, docstrings):
    assert benchmark_files.find_docstrings(text) == docstrings


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds no entry"),
        (b"\n\n  \n", "holds no entry"),
        (b'{"prompt": "a"}\n{"prompt": \n', "bad.jsonl:2 is no JSON"),
        (b'{"prompt": "a"}\n["prompt"]\n', "bad.jsonl:2 holds a JSON list"),
        (b'{"prompt": "a"}\n\n{"question_id": 4}\n', "bad.jsonl:3 has the fields question_id"),
        (b'{"prompt": null}\n', "bad.jsonl:1 has the fields prompt"),
        (b'{"prompt": 7}\n', "bad.jsonl:1 holds a int in the field prompt"),
        (b'{"test_list": ["a", {"b": 1}]}\n', "bad.jsonl:1 holds a dict in the field test_list"),
        (b'{"prompt": "caf\xe9"}\n', "bad.jsonl:1 is no UTF-8"),
        (bytes(range(128, 256)) * 40, "bad.jsonl:1 is no UTF-8"),
        (b"\x7fELF\x00\x00\n", "bad.jsonl:1 is no JSON"),
        (b"[" * 100_000, "bad.jsonl:1 is no JSON"),
        (b"\x1f\x8b\x08\x00broken", "bad.jsonl:1 cannot be read"),
        (gzip.compress(b'{"prompt": "a"}\n' * 999, mtime=0)[:-9], "cannot be read"),
    ],
)
def test_bad_files_are_refused_in_one_line_with_file_and_line(tmp_path, data, words):
    (tmp_path / "bad.jsonl").write_bytes(data)
    with pytest.raises(errors.InputError) as info:
        benchmark_files.read_benchmark(str(tmp_path / "bad.jsonl"))
    assert words in str(info.value)
    assert "\n" not in str(info.value)
    assert "wanted" in str(info.value)


def test_huge_lines_and_files_are_refused(tmp_path, monkeypatch):
    path = fake_benchmarks.write_jsonl(tmp_path / "a.jsonl.gz", [{"prompt": "x" * 5000}] * 3)
    monkeypatch.setattr(benchmark_files, "MAX_LINE_BYTES", 1000)
    with pytest.raises(errors.InputError, match="a.jsonl.gz:1 is a line of over 1,000 bytes"):
        benchmark_files.read_benchmark(path)
    monkeypatch.setattr(benchmark_files, "MAX_LINE_BYTES", 6000)
    monkeypatch.setattr(benchmark_files, "MAX_FILE_BYTES", 12_000)
    with pytest.raises(errors.InputError, match="holds over 12,000 bytes"):
        benchmark_files.read_benchmark(path)


def test_a_named_field_that_no_entry_has_is_refused(tmp_path):
    path = fake_benchmarks.write_jsonl(tmp_path / "a.jsonl", [{"prompt": "one"}])
    with pytest.raises(errors.InputError, match="no entry with the field solution"):
        benchmark_files.read_benchmark(path, fields=("prompt", "solution"))


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "zero"])
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    name = f"{path}\0" if kind == "zero" else str(path)
    with pytest.raises(errors.InputError, match="check --benchmark"):
        benchmark_files.read_benchmark(name)


def test_allow_lists_hold_plain_lines_comments_and_json_strings(tmp_path):
    (tmp_path / "allow.txt").write_text('# ours\nfor x in xs:\n\n"a\\nb"\r\n  y = 1  \n')
    assert benchmark_files.read_allow_list(str(tmp_path / "allow.txt")) == [
        b"for x in xs:",
        b"a\nb",
        b"y = 1",
    ]


@pytest.mark.parametrize("data", [b'x\n"never closed\n', b"x\n\xff\xfe\n"])
def test_bad_allow_lists_are_refused_with_file_and_line(tmp_path, data):
    (tmp_path / "allow.txt").write_bytes(data)
    with pytest.raises(errors.InputError, match=r"allow.txt:2 is no JSON string"):
        benchmark_files.read_allow_list(str(tmp_path / "allow.txt"))


def test_huge_allow_lists_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark_files, "MAX_ALLOW_LIST_BYTES", 4)
    (tmp_path / "allow.txt").write_text("too long")
    with pytest.raises(errors.InputError, match="over 4 bytes"):
        benchmark_files.read_allow_list(str(tmp_path / "allow.txt"))


def test_our_own_snippets_are_short_and_no_two_are_the_same():
    snippets = [snippet.encode() for snippet in allow_list.SNIPPETS]
    lengths = [len(tokens.hash_tokens([snippet]).hashes) for snippet in snippets]
    assert min(lengths) >= 4
    assert max(lengths) <= 26
    assert len({tuple(tokens.hash_tokens([s]).hashes.tolist()) for s in snippets}) == len(snippets)
