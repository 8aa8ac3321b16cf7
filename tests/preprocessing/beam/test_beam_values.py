"""Values that go to Beam workers come back as they were, and name nothing outside the project."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import random
import subprocess

import numpy as np
import pytest

from code_t5 import errors
from preprocessing import filters, flcc_layout
from preprocessing.beam import beam_values


def test_every_value_comes_back_as_it_was(tmp_path):
    mapped = np.lib.format.open_memmap(
        tmp_path / "m.npy", mode="w+", dtype=[("a", "<u4"), ("b", "S3")], shape=(3,)
    )
    mapped["a"] = [1, 2, 3]
    value = {
        "plain": [1, 2.5, None, True, "\udc80é"],
        "tuple": (1, (b"\xff", {})),
        7: pathlib.Path("a/b"),
        "named": flcc_layout.FileEntry("a.py", 1, 2, 3),
        "data": filters.FilterConfig(max_line_length=7),
        "number": np.int64(5),
    }
    beam_values.write_value(tmp_path / "v.npz", value)
    assert beam_values.read_value(tmp_path / "v.npz") == value
    arrays = (mapped, mapped[1:], np.arange(6).reshape(2, 3))
    beam_values.write_value(tmp_path / "a.npz", arrays)
    whole, part, table = beam_values.read_value(tmp_path / "a.npz")
    assert isinstance(whole, np.memmap) and not isinstance(part, np.memmap)
    assert whole["a"].tolist() == [1, 2, 3] and part["a"].tolist() == [2, 3]
    assert table.tolist() == [[0, 1, 2], [3, 4, 5]]
    bound = functools.partial(filters.decide, config=filters.FilterConfig(max_file_bytes=1))
    beam_values.write_value(tmp_path / "f.npz", bound)
    assert beam_values.read_value(tmp_path / "f.npz")(b"ab") == (filters.TOO_LARGE, b"")


@pytest.mark.parametrize(
    "value",
    [object(), lambda: 0, os.system, subprocess.Popen, random.Random(1), {1, 2}],
    ids=["object", "lambda", "builtin", "class", "foreign", "set"],
)
def test_what_no_file_can_carry_is_refused(tmp_path, value):
    with pytest.raises(errors.InputError, match="cannot be sent to a Beam worker"):
        beam_values.write_value(tmp_path / "v.npz", value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "node",
    [
        {"~": "function", "name": "os:system"},
        {"~": "function", "name": "json:dumps"},
        {"~": "function", "name": "preprocessing.build:shutil.rmtree"},
        {"~": "function", "name": "preprocessing.build:os.system"},
        {"~": "data", "name": "preprocessing.build:pathlib.Path", "fields": {}},
        {"~": "named", "name": "preprocessing.build:shutil", "items": []},
        {"~": "nothing"},
    ],
)
def test_a_file_can_name_nothing_outside_of_the_project(tmp_path, node):
    tree = np.frombuffer(json.dumps(node).encode(), np.uint8)
    np.savez(tmp_path / "v.npz", tree=tree)
    with pytest.raises(errors.ArtifactError):
        beam_values.read_value(tmp_path / "v.npz")


@pytest.mark.parametrize("damage", ["cut", "missing", "text"])
def test_a_damaged_value_is_refused(tmp_path, damage):
    path = tmp_path / "v.npz"
    beam_values.write_value(path, [1, 2, 3])
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"[1]")
    with pytest.raises(errors.ArtifactError, match="build again"):
        beam_values.read_value(path)
