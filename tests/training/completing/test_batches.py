"""Files of prompts: what comes out, and that an interrupted run goes on."""

from __future__ import annotations

import fcntl
import json

import pytest
from training.completing import stand_in_completer as stand_in

from code_t5 import errors
from code_t5.training.completing import batches
from code_t5.training.decoding_options import DecodingOptions
from code_t5.training.prompts import Gap


def _complete(tmp_path, completer, **options):
    return batches.complete_file(
        batches.read_prompts(tmp_path / "prompts.jsonl"),
        output_path=tmp_path / "out.jsonl",
        completer=completer,
        options=DecodingOptions(**options),
    )


def _write(tmp_path, *rows):
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _output(tmp_path):
    return [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]


def test_each_prompt_gets_its_candidates_in_order(tmp_path):
    _write(tmp_path, "a\n", {"prompt": "b", "id": 7}, {"prompt": "c", "suffix": "d"})
    completer = stand_in.StandInCompleter()
    _complete(tmp_path, completer)
    assert completer.asked == ["a\n", "b", Gap("c", "d")]
    found = _output(tmp_path)
    assert found[0] == {
        "prompt": "a\n",
        "candidates": [{"text": "A\n", "score": -0.5, "num_tokens": 2, "is_finished": True}],
    }
    assert found[1]["id"] == 7
    assert found[2]["candidates"][0]["text"] == "D"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(".out.jsonl.lock", "out.jsonl", "prompts.jsonl")
    ]


def test_interrupted_run_goes_on_as_if_it_had_not_stopped(tmp_path):
    _write(tmp_path, *(f"p{number}" for number in range(70)))
    whole = stand_in.StandInCompleter()
    _complete(tmp_path, whole, seed=5)
    wanted = (tmp_path / "out.jsonl").read_bytes()
    (tmp_path / "out.jsonl").unlink()

    with pytest.raises(KeyboardInterrupt):
        _complete(tmp_path, stand_in.StandInCompleter(stop_after=2), seed=5)
    assert not (tmp_path / "out.jsonl").exists()
    part = tmp_path / ".out.jsonl.part"
    # As a writer that is killed leaves it, in the middle of a line.
    part.write_bytes(part.read_bytes()[:-20])
    again = stand_in.StandInCompleter()
    _complete(tmp_path, again, seed=5)
    assert (tmp_path / "out.jsonl").read_bytes() == wanted
    # From where the chunk began that had not been written whole.
    assert again.seeds == whole.seeds[1:]


def test_rest_of_another_run_is_refused(tmp_path):
    _write(tmp_path, "a", *"bcdefgh" * 10)
    with pytest.raises(KeyboardInterrupt):
        _complete(tmp_path, stand_in.StandInCompleter(stop_after=1))
    with pytest.raises(errors.InputError, match="other prompts, options or another model"):
        _complete(tmp_path, stand_in.StandInCompleter(), seed=1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no prompt"),
        ([5], "line 1 is of type int"),
        ([{"text": "a"}], "no field 'prompt'"),
        ([{"prompt": "a", "suffix": 1}], "a field 'suffix' of type int"),
        (["a", "b\ud800"], "line 2 has half a character .* field 'prompt'"),
    ],
)
def test_other_rows_are_refused(tmp_path, rows, message):
    _write(tmp_path, *rows)
    with pytest.raises(errors.InputError, match=message):
        batches.read_prompts(tmp_path / "prompts.jsonl")


def test_damaged_record_is_refused(tmp_path):
    _write(tmp_path, "a")
    (tmp_path / ".out.jsonl.part").write_bytes(b"not json\n")
    with pytest.raises(errors.ArtifactError, match="line 1 is not a record"):
        _complete(tmp_path, stand_in.StandInCompleter())


def test_lock_holds_for_who_waited_for_an_earlier_run(tmp_path):
    _write(tmp_path, "a")
    _complete(tmp_path, stand_in.StandInCompleter())
    # A process that opened the lock while that run was going on, and gets it now.
    with open(tmp_path / ".out.jsonl.lock", "rb") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        completer = stand_in.StandInCompleter()
        with pytest.raises(errors.BusyError, match="completes prompts there"):
            _complete(tmp_path, completer)
    assert completer.asked == []


def test_output_that_cannot_be_written_is_refused(tmp_path):
    _write(tmp_path, "a")
    prompts_path = tmp_path / "prompts.jsonl"
    (tmp_path / "link").symlink_to(prompts_path)
    for output, message in ((tmp_path / "link", "the prompt file"), (tmp_path, "is no file")):
        with pytest.raises(errors.InputError, match=message):
            batches.check_output(output, prompts_path=prompts_path)
    (tmp_path / "old.jsonl").write_text("")
    for name in ("old.jsonl", "new.jsonl"):
        batches.check_output(tmp_path / name, prompts_path=prompts_path)
