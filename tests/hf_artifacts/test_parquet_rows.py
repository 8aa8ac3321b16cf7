"""Rows of Parquet files by number: the same as `datasets` reads, without a copy of them."""

from __future__ import annotations

import io

import datasets
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from code_t5.hf_artifacts.checking.parquet_rows import ParquetRows

_FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=["cat", "dog"]),
        "number": datasets.Value("int32"),
    }
)


def _row(number: int) -> dict[str, object]:
    sink = io.BytesIO()
    Image.new("RGB", (number + 1, 2), (number, 0, 0)).save(sink, "PNG")
    image = {"bytes": sink.getvalue(), "path": f"{number}.png"}
    return {"image": image, "label": number % 2, "number": number}


@pytest.fixture
def paths(tmp_path):
    """Two files of 7 and 5 rows, in row groups of three; one between them holds none."""
    table = pyarrow.Table.from_pylist([_row(number) for number in range(12)])
    made = []
    for name, part in (("a", table[:7]), ("b", table[:0]), ("c", table[7:])):
        made.append(str(tmp_path / f"{name}.parquet"))
        parquet.write_table(part, made[-1], row_group_size=3)
    return made


def test_rows_are_those_that_datasets_reads(paths):
    # `datasets` itself cannot read the file without rows.
    rows, paths = ParquetRows(paths, features=_FEATURES), [paths[0], paths[2]]
    stream = datasets.load_dataset(
        "parquet", data_files=paths, features=_FEATURES, streaming=True, split="train"
    )
    expected = list(stream)
    assert len(rows) == len(expected) == 12
    for index, row in enumerate(expected):
        found = rows[index]
        assert (found["number"], found["label"]) == (row["number"], row["label"])
        assert found["image"].tobytes() == row["image"].tobytes()
        assert found["image"].size == (index + 1, 2)


def test_rows_are_found_in_any_order(paths):
    rows = ParquetRows(paths, features=_FEATURES)
    assert [rows[index]["number"] for index in (11, 0, 6, 7, 2, 11)] == [11, 0, 6, 7, 2, 11]
    for index in (-1, 12):
        with pytest.raises(IndexError, match="of 12"):
            rows[index]


def test_features_come_from_the_first_file_where_nobody_names_them(paths):
    rows = ParquetRows(paths)
    assert list(rows.features) == ["image", "label", "number"]
    assert rows[8]["image"]["path"] == "8.png"


def test_a_cut_file_is_an_error_when_it_is_opened(paths):
    with open(paths[2], "rb") as file:
        content = file.read()
    with open(paths[2], "wb") as file:
        file.write(content[:-20])
    with pytest.raises(pyarrow.ArrowInvalid):
        ParquetRows(paths, features=_FEATURES)
