from __future__ import annotations

import pytest

from code_t5.training.devices import gin_sources

NAME = "get_variable_dtype.activation_dtype"


def find(*gin_files, params=(), prefixes=("",)):
    found = gin_sources.find_statements(
        [NAME], gin_files=gin_files, gin_params=params, prefixes=prefixes
    )
    return [(one.source, one.value) for one in found]


def test_settings_are_found_in_the_order_in_which_gin_reads_them(tmp_path):
    (tmp_path / "inner.gin").write_text("# a\nutils.get_variable_dtype.activation_dtype = 'b'\n")
    outer = tmp_path / "outer.gin"
    outer.write_text(
        "get_variable_dtype.activation_dtype = 'a'  # why\n"
        "# get_variable_dtype.activation_dtype = 'not this'\n"
        "include 'inner.gin'\n"
        "train/get_variable_dtype.activation_dtype='c'\n"
        "get_variable_dtype.master_dtype = 'not this'\n"
        "my_get_variable_dtype.activation_dtype = 'not this'\n"
    )
    found = find(
        "outer.gin",
        params=["x = 1\nget_variable_dtype.activation_dtype = 'd'"],
        prefixes=["/none", str(tmp_path)],
    )
    assert found == [
        *(("outer.gin:1", "'a'"), ("inner.gin:2", "'b'"), ("outer.gin:4", "'c'")),
        ("--gin_param", "'d'"),
    ]


def test_first_folder_that_has_the_file_counts(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.gin").write_text(f"{NAME} = {name!r}")
    prefixes = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert find("a.gin", prefixes=prefixes) == [("a.gin:1", "'one'")]


@pytest.mark.parametrize("text", [None, "include 'a.gin'\n", "include 'none.gin'\n"])
def test_files_that_are_missing_or_include_themselves_end(tmp_path, text):
    if text is not None:
        (tmp_path / "a.gin").write_text(text)
    assert find("a.gin", prefixes=[str(tmp_path)]) == []
