"""Documents out of Arrow files."""

from __future__ import annotations

import pathlib
import pickle

import pyarrow
import pytest
from arrow_files import read_units, write_arrow

from code_t5 import errors
from code_t5.token_cache.sources import arrow_rows, documents
from code_t5.token_cache.sources.arrow_rows import ArrowUnit, Stretch
from code_t5.token_cache.sources.row_choice import RowChoice

TEXTS = ["one", "zwei", "", "trois é", "cuatro", "五", "six"]


@pytest.fixture(name="path")
def _path(tmp_path):
    return write_arrow(
        tmp_path / "rows.arrow", {"text": TEXTS, "n": list(range(7)), "more": ["x"] * 7}
    )


def _unit(path, start=0, stop=7, *, columns=("text",), choice=None, first_row=0):
    return ArrowUnit("key", Stretch(path, start, stop, first_row + start, start), columns, choice)


def test_rows_are_read_in_order_with_their_numbers(path):
    texts, names = read_units([_unit(path)])
    assert texts == [text.encode() for text in TEXTS]
    assert names == [("", str(row)) for row in range(7)]


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (2, 5), (3, 6), (6, 7)])
def test_stretch_begins_and_ends_within_record_batches(path, start, stop):
    texts, names = read_units([_unit(path, start, stop, first_row=100)])
    assert texts == [text.encode() for text in TEXTS[start:stop]]
    assert names == [("", str(100 + row)) for row in range(start, stop)]


def test_only_chosen_rows_are_read(path):
    choice = RowChoice(7, 3, 1, True)
    chosen = [row for row in range(7) if choice.mask(0, 7)[row]]
    units = [_unit(path, start, start + 1, choice=choice) for start in range(7)]
    texts, names = read_units(units)
    assert texts == [TEXTS[row].encode() for row in chosen]
    assert [int(name) for _, name in names] == chosen


def test_columns_are_joined_by_a_line_end(path):
    texts, _ = read_units([_unit(path, 0, 2, columns=("text", "more", "text"))])
    assert texts == [b"one\nx\none", b"zwei\nx\nzwei"]


def test_null_is_empty_text_and_is_counted(tmp_path):
    path = write_arrow(tmp_path / "a", {"a": [None, "b", None], "b": ["x", None, "z"]})
    assert arrow_rows.scan_file(path, columns=["a", "b"]).num_nulls == (2, 1)
    assert read_units([_unit(path, 0, 3, columns=("a",))])[0] == [b"", b"b", b""]
    assert read_units([_unit(path, 0, 3, columns=("a", "b"))])[0] == [b"\nx", b"b\n", b"\nz"]


@pytest.mark.parametrize(
    "kind", [pyarrow.large_string(), pyarrow.dictionary(pyarrow.int8(), pyarrow.string())]
)
def test_other_kinds_of_text_are_read_too(tmp_path, kind):
    table = pyarrow.table({"text": pyarrow.array(["a", None, "é", "a"]).cast(kind)})
    path = write_arrow(tmp_path / "a", table, rows_per_batch=4)
    assert arrow_rows.find_columns(table.schema, wanted=None, where="it") == ["text"]
    assert read_units([_unit(path, 1, 4)])[0] == [b"", "é".encode(), b"a"]


def test_batches_are_bounded_by_their_text(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "BATCH_BYTES", 10)
    path = write_arrow(tmp_path / "a", {"text": ["abcdef"] * 20}, rows_per_batch=20)
    sizes = [sum(map(len, batch.texts)) for batch in _unit(path, 0, 20).read()]
    assert sum(sizes) == 120
    assert max(sizes) <= 10 + 2 * 6
    path = write_arrow(tmp_path / "b", {"text": ["a"] * 20}, rows_per_batch=1)
    assert [len(batch.texts) for batch in _unit(path, 0, 20).read()] == [10, 10]


def test_cuts_hold_about_as_much_text_each(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_rows, "UNIT_BYTES", 1000)
    texts = ["a" * (10 * row) for row in range(100)]
    path = write_arrow(tmp_path / "a", {"text": texts}, rows_per_batch=2)
    file = arrow_rows.scan_file(path, columns=["text"])
    whole = Stretch(path, 0, 100, 5, 7)
    pieces = list(arrow_rows.cut_stretch(whole, file=file))
    assert pieces[0].start == 0
    assert pieces[-1].stop == 100
    assert [piece.start for piece in pieces[1:]] == [piece.stop for piece in pieces[:-1]]
    assert all(piece.first_row == piece.start + 5 for piece in pieces)
    assert all(piece.first_place == piece.start + 7 for piece in pieces)
    sizes = [sum(map(len, texts[piece.start : piece.stop])) for piece in pieces]
    assert 30 < len(pieces) < 60
    assert max(sizes) < 3000


def test_rows_without_text_are_cut_as_well(tmp_path, monkeypatch):
    path = write_arrow(tmp_path / "a", {"text": [""] * 100}, rows_per_batch=10)
    file = arrow_rows.scan_file(path, columns=["text"])
    monkeypatch.setattr(arrow_rows, "UNIT_BYTES", 100)
    pieces = list(arrow_rows.cut_stretch(Stretch(path, 0, 100, 0, 0), file=file))
    assert len(pieces) > 3
    assert max(piece.stop - piece.start for piece in pieces) < 40


def test_short_stretch_is_left_whole(tmp_path):
    path = write_arrow(tmp_path / "a", {"text": [""] * 5})
    file = arrow_rows.scan_file(path, columns=["text"])
    assert list(arrow_rows.cut_stretch(Stretch(path, 1, 4, 1, 1), file=file)) == [
        Stretch(path, 1, 4, 1, 1)
    ]


def test_unit_is_sent_to_workers_by_name_alone(path):
    sent = pickle.dumps(_unit(path))
    assert len(sent) < 1000
    assert read_units([pickle.loads(sent)])[0] == [text.encode() for text in TEXTS]  # noqa: S301


@pytest.mark.parametrize("kept", [0, 10, 300, -20])
def test_file_that_was_cut_short_is_refused(path, kept):
    content = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(content[:kept])
    with pytest.raises(errors.ArtifactError, match="cannot be read as an Arrow file"):
        arrow_rows.read_schema(path)
        arrow_rows.scan_file(path, columns=["text"])
        list(_unit(path).read())


def test_file_that_lost_rows_since_it_was_planned_is_refused(path, tmp_path):
    write_arrow(pathlib.Path(path), {"text": ["a"]})
    with pytest.raises(errors.ArtifactError, match="ends after 1 rows"):
        list(_unit(path).read())


def test_column_named_text_comes_before_others():
    schema = pyarrow.schema({"title": pyarrow.string(), "text": pyarrow.string()})
    assert arrow_rows.find_columns(schema, wanted=None, where="it") == ["text"]


@pytest.mark.parametrize(
    ("names", "wanted", "match"),
    [
        ({"a": "string", "b": "string"}, None, "columns of text a, b; wanted to know which"),
        ({"n": "int64"}, None, r"columns of text \(none\)"),
        ({"a": "string"}, ["b"], "it has no column 'b'; wanted one of a"),
        ({"a": "string", "n": "int64"}, ["n"], "column 'n' of it is int64; wanted text, as in a"),
        ({"a": "binary"}, ["a"], "is binary; wanted text"),
    ],
)
def test_columns_that_do_not_do_are_refused(names, wanted, match):
    schema = pyarrow.schema({name: getattr(pyarrow, kind)() for name, kind in names.items()})
    with pytest.raises(errors.InputError, match=match):
        arrow_rows.find_columns(schema, wanted=wanted, where="it")
