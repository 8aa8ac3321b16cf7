from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.training.evaluating import answers
from code_t5.training.evaluating.cursors import Cursor

_CURSORS = [Cursor(f"{i:04x}", "repository", "path", f"prompt {i}", "answer") for i in range(600)]


class _Model:
    """Writes its prompts in capitals, and dies after some batches."""

    def __init__(self, lives=100):
        self.asked = []
        self._lives = lives

    def __call__(self, prompts):
        if len(self.asked) == self._lives:
            raise KeyboardInterrupt
        self.asked.append(list(prompts))
        return [prompt.upper() for prompt in prompts]


def _answer(model, path):
    return answers.answer_cursors(_CURSORS, load_fn=lambda: model, path=path, name="step 1")


def test_an_interrupted_evaluation_asks_only_for_what_is_missing(tmp_path):
    path = tmp_path / "answers.jsonl"
    first = _Model(lives=2)
    with pytest.raises(KeyboardInterrupt):
        _answer(first, path)
    second = _Model()
    assert _answer(second, path) == [cursor.prompt.upper() for cursor in _CURSORS]
    assert sum(map(len, first.asked)) == 512 and sum(map(len, second.asked)) == 88
    assert len(path.read_bytes().splitlines()) == 2 + 1


def test_a_model_is_not_even_loaded_where_nothing_is_missing(tmp_path):
    path = tmp_path / "answers.jsonl"
    wanted = _answer(_Model(), path)

    def fail():
        raise AssertionError

    assert answers.answer_cursors(_CURSORS, load_fn=fail, path=path, name="x") == wanted


def _interrupt(**_):
    raise KeyboardInterrupt


def test_what_was_answered_survives_every_interruption(tmp_path, monkeypatch):
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        _answer(_Model(lives=1), path)
    kept = path.read_bytes()
    # The next one dies as soon as it can, and the one after that within a line.
    with monkeypatch.context() as patch:
        patch.setattr(answers.progress, "progress_bar", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            _answer(_Model(), path)
    assert path.read_bytes() == kept
    path.write_bytes(kept + b'{"answers": {"00')
    last = _Model()
    assert _answer(last, path)[:300] == [cursor.prompt.upper() for cursor in _CURSORS[:300]]
    assert sum(map(len, last.asked)) == 600 - 256
    assert path.read_bytes().startswith(kept)


@pytest.mark.parametrize("line", [b"[1]\n", b'{"key": 1}\n', b'{"answers": {"0": 1}}\n', b"\xff\n"])
def test_a_file_of_something_else_is_one_line_and_stays(tmp_path, line):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(line)
    with pytest.raises(errors.ArtifactError, match="line 1 .*; remove the file") as found:
        _answer(_Model(), path)
    assert "\n" not in str(found.value) and path.read_bytes() == line
