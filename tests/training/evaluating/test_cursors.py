from __future__ import annotations

import collections

import pytest

from code_t5 import errors
from code_t5.data import line_metrics
from code_t5.encoding import token_model
from code_t5.storage import prepared
from code_t5.training.evaluating import cursors
from code_t5.training.evaluating.cursors import SourceFile

_TEXT = "import os\n\n\ndef walk(top):\n\tfor name in os.listdir(top):\n        yield 'é' + name\n"


@pytest.fixture
def dataset(small_data_dir):
    return prepared.list_datasets(str(small_data_dir))[0]


@pytest.fixture
def model(dataset):
    return token_model.load_token_model(dataset.vocabulary_dir)


def test_prompt_and_answer_are_the_text_on_both_sides_of_the_cursor(dataset, model):
    files = list(cursors.read_files(dataset, "train"))
    texts = {(file.repository, file.path): file.text for file in files}
    found = cursors.draw_cursors(files, model=model)
    assert len(found) >= len(files)
    for cursor in found:
        text = texts[cursor.repository, cursor.path]
        assert text.startswith(cursor.prompt)
        assert text[len(cursor.prompt) :].partition("\n")[0] == cursor.answer
        assert line_metrics.rest_of_line(cursor.answer)
        assert cursor.is_line_start == (not cursor.prompt.rpartition("\n")[2].strip())
    kinds = collections.Counter(cursor.is_line_start for cursor in found)
    assert min(kinds.values()) > len(found) / 4


def test_cursors_do_not_follow_from_the_vocabulary(model):
    class Bytes:
        """A vocabulary of single bytes behind three special ids."""

        vocab_size, num_pieces = 259, 259
        special_characters = ()
        token_bytes = model.token_bytes.from_rows(
            [[], [], [], *([byte] for byte in range(256))], dtype="uint8"
        )

        def encode(self, text):
            return [byte + 3 for byte in text.encode()]

        def encode_units(self, units):
            return [self.encode(unit) for unit in units]

        def decode(self, ids):
            return bytes(number - 3 for number in ids).decode()

    files = [SourceFile("a", "b.py", _TEXT * 30)]
    found = cursors.draw_cursors(files, model=Bytes())
    assert found == cursors.draw_cursors(files, model=model)
    assert len(found) == len((_TEXT * 30).encode()) // cursors.BYTES_PER_CURSOR


def test_fewer_cursors_are_a_part_of_all_and_equal_files_ask_once(dataset, model):
    files = list(cursors.read_files(dataset, "train"))
    every = cursors.draw_cursors(files, model=model)
    some = cursors.draw_cursors([*files, *files], model=model, num_cursors=7)
    assert some == every[:7]
    assert [cursor.key for cursor in every] == sorted({cursor.key for cursor in every})


def test_files_of_blank_lines_ask_nothing(model):
    assert (
        cursors.draw_cursors([SourceFile("a", "b", "\n \n"), SourceFile("a", "c", "")], model=model)
        == []
    )


def test_missing_split_is_named(dataset):
    with pytest.raises(
        errors.InputError, match="the split nothing of small; wanted one of .*train"
    ):
        list(cursors.read_files(dataset, "nothing"))
