"""The program `scripts/complete.py`: its flags, its output and its errors."""

from __future__ import annotations

import io
import json
import pathlib
import subprocess
import sys
import types

import pytest
from absl import flags
from training.completing import stand_in_completer as stand_in

from code_t5 import errors
from code_t5.training.completing import complete_flags
from code_t5.training.completing.shown import shown_lines
from code_t5.training.decoding_options import Candidate, DecodingOptions
from code_t5.training.prompts import Gap

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("x = 1\ny = 2\n")
    return path


def _run(monkeypatch, places, *arguments, objective="prefix_lm"):
    completer = stand_in.StandInCompleter(objective)
    monkeypatch.setattr(complete_flags, "_completer", lambda values: completer)
    # Flags of its own: other programs' may be in this process.
    values = flags.FlagValues()
    complete_flags.define(values)
    values(["complete", *arguments])
    return list(complete_flags.run(places, values=values)), completer


def test_cursor_is_completed_from_what_stands_before_it(monkeypatch, code):
    lines, completer = _run(monkeypatch, [f"{code}:1:4"])
    assert completer.asked == ["x ="]
    assert lines == ["[1] score -0.500 (61 %), 2 tokens", "X =", ""]


def test_infilling_model_reads_what_stands_behind_it_too(monkeypatch, code):
    _, completer = _run(monkeypatch, [f"{code}:2:5"], objective="infilling")
    assert completer.asked == [Gap("x = 1\ny = ", "2\n")]


def test_standard_input_is_read_and_json_written(monkeypatch):
    stdin = types.SimpleNamespace(buffer=io.BytesIO(b"a\r\nb"))
    monkeypatch.setattr(complete_flags.sys, "stdin", stdin)
    lines, completer = _run(monkeypatch, [], "--json")
    assert completer.asked == ["a\nb"]
    assert json.loads(lines[0]) == [
        {"text": "A\nB", "score": -0.5, "num_tokens": 2, "is_finished": True}
    ]


def test_file_of_prompts_goes_to_the_output(monkeypatch, tmp_path):
    (tmp_path / "prompts.jsonl").write_text('"a"\n"b"\n')
    output = tmp_path / "out.jsonl"
    arguments = [f"--prompts={tmp_path}/prompts.jsonl", f"--output={output}"]
    lines, _ = _run(monkeypatch, [], *arguments)
    assert lines == [f"2 prompts completed: {output}"]
    assert len(output.read_text().splitlines()) == 2
    with pytest.raises(errors.InputError, match="--prompts was given with a cursor"):
        _run(monkeypatch, ["a.py:1:1"], *arguments)
    with pytest.raises(errors.InputError, match="--output was given without --prompts"):
        _run(monkeypatch, ["a.py:1:1"], arguments[1])
    with pytest.raises(errors.InputError, match="is the prompt file"):
        _run(monkeypatch, [], arguments[0], f"--output={tmp_path}/prompts.jsonl")


def test_import_alone_defines_no_flags():
    # Another program's, in the same process, have the same names.
    assert complete_flags.__name__ not in flags.FLAGS.flags_by_module_dict()


def test_options_are_those_of_the_flags():
    values = flags.FlagValues()
    complete_flags.define(values)
    values(
        [
            *("complete", "--max_tokens=5", "--num_candidates=3", "--temperature=0.5", "--top_k=7"),
            *("--top_p=0.9", "--lines=one", "--seed=4"),
        ]
    )
    assert complete_flags._options(values) == DecodingOptions(
        *(5, 3, 1, 0.5, 7, 0.9, True, 4),
    )


def test_step_of_an_export_is_refused(tmp_path):
    values = flags.FlagValues()
    complete_flags.define(values)
    values(["complete", f"--model_dir={tmp_path}", "--step=3"])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(errors.InputError, match="--step was given with the export"):
        complete_flags._completer(values)


def test_help_lists_the_flags():
    found = subprocess.run(
        [sys.executable, "scripts/complete.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    for name in ("num_beams", "model_dir", "step", "prompts", "lines"):
        assert f"  --{name}:" in found.stdout


def test_candidates_are_shown_without_what_a_terminal_obeys():
    assert next(shown_lines([Candidate("x", -1.0, 1, True)])).endswith(", 1 token")
    text = "\x1b[31m\tred\x07\n"
    assert list(shown_lines([Candidate(text, -1.0, 5, False)])) == [
        "[1] score -1.000 (37 %), 5 tokens, cut off",
        "␛[31m→   red␇",
        "",
    ]


def test_errors_are_one_line_and_quick(code):
    for arguments, message in (
        ((f"{code}:9:1", "--model_dir", "m"), "has 3 lines"),
        ((f"{code}:1:1",), "no --model_dir was given"),
        (("a", "b"), "found 2 places"),
        (("--temperature", "0.5", "--num_beams", "3"), "a beam or drawing"),
        (("--max_tokens", "0"), "give --max_tokens another value"),
        ((f"{code}:1:1", "--model-dir", str(code.parent)), "train"),
    ):
        found = subprocess.run(
            [sys.executable, "scripts/complete.py", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (found.returncode, found.stderr.count("\n")) == (1, 1), found.stderr
        assert message in found.stderr
