from __future__ import annotations

import pytest

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
    assert len(path.read_bytes().splitlines()) == 600


def test_a_model_is_not_even_loaded_where_nothing_is_missing(tmp_path):
    path = tmp_path / "answers.jsonl"
    wanted = _answer(_Model(), path)

    def fail():
        raise AssertionError

    assert answers.answer_cursors(_CURSORS, load_fn=fail, path=path, name="x") == wanted


@pytest.mark.parametrize("end", [b'{"key": "0001", "te', b"[1]\n", b'{"key": 1}\n', b"\xff\n"])
def test_what_a_killed_writer_left_is_not_taken_for_an_answer(tmp_path, end):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"key": "0000", "text": "a\\n\\u00e9"}\n' + end)
    assert answers.read_answers(path) == {"0000": "a\né"}
    assert _answer(_Model(), path)[:2] == ["a\né", "PROMPT 1"]
