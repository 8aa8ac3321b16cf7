from __future__ import annotations

import resource
import subprocess
import sys

import numpy as np
import pytest

from code_t5 import errors
from code_t5.encoding.ragged import Ragged
from code_t5.token_cache import parts

_ROWS = Ragged.from_rows([[1, 2, 3], [], [400]])
_SIZES = [7, 0, 2]
_NAMES = [("o/r", "a.py"), ("o/r", "b.py"), ("o/s", "ü.py")]


def _write(path, documents=_ROWS):
    with parts.PartWriter(path) as writer:
        writer.append(documents, sizes=_SIZES, names=_NAMES)


def _sections(path):
    found = [b""] * 5
    for section, data in parts.read_sections(path):
        found[section] += data
    return found


def test_part_holds_what_was_appended(tmp_path):
    _write(tmp_path / "p")
    assert parts.read_part_counts(tmp_path / "p") == (3, 4, 25, 2)
    tokens, lengths, sizes, name_lengths, names = _sections(tmp_path / "p")
    assert np.frombuffer(tokens, "<u2").tolist() == [1, 2, 3, 400]
    assert np.frombuffer(lengths, "<i8").tolist() == [3, 0, 1]
    assert np.frombuffer(sizes, "<i8").tolist() == [7, 0, 2]
    assert np.frombuffer(name_lengths, "<i8").tolist() == [8, 8, 9]
    assert names.decode() == "o/r\na.pyo/r\nb.pyo/s\nü.py"


def test_golden_bytes(tmp_path):
    with parts.PartWriter(tmp_path / "p") as writer:
        writer.append(Ragged.from_rows([[258]]), sizes=[3], names=[("r", "p")])
    eight = [number.to_bytes(8, "little") for number in (1, 3, 3, 1, 1, 3, 2)]
    body = b"\x02\x01" + b"".join(eight[:3]) + b"r\np"
    crc = (0xFD74156C).to_bytes(4, "little")
    assert (tmp_path / "p").read_bytes() == body + b"T5PART01" + b"".join(eight[3:]) + crc


def test_documents_may_be_appended_some_at_a_time(tmp_path):
    _write(tmp_path / "whole")
    with parts.PartWriter(tmp_path / "some") as writer:
        for index in range(3):
            start, stop = _ROWS.offsets[index : index + 2]
            rows = Ragged(_ROWS.values[start:stop], np.array([0, stop - start]))
            writer.append(rows, sizes=_SIZES[index : index + 1], names=_NAMES[index : index + 1])
    assert (tmp_path / "some").read_bytes() == (tmp_path / "whole").read_bytes()


def test_rows_that_begin_in_the_middle_of_their_values_are_written_alone(tmp_path):
    rows = Ragged(np.arange(10, dtype=np.int32), np.array([4, 6, 9]))
    with parts.PartWriter(tmp_path / "p") as writer:
        writer.append(rows, sizes=[1, 1], names=_NAMES[:2])
    assert np.frombuffer(_sections(tmp_path / "p")[0], "<u2").tolist() == [4, 5, 6, 7, 8]


def test_tokens_take_four_bytes_from_the_first_large_id_on(tmp_path):
    with parts.PartWriter(tmp_path / "p") as writer:
        writer.append(_ROWS, sizes=_SIZES, names=_NAMES)
        large = Ragged.from_rows([[65_536], [2**32 - 1], [1]], dtype=np.int64)
        writer.append(large, sizes=_SIZES, names=_NAMES)
    assert parts.read_part_counts(tmp_path / "p").item_bytes == 4
    tokens = np.frombuffer(_sections(tmp_path / "p")[0], "<u4")
    assert tokens.tolist() == [1, 2, 3, 400, 65_536, 2**32 - 1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


@pytest.mark.parametrize("ids", [[-1], [2**32]])
def test_id_out_of_range_is_refused_and_nothing_is_left(tmp_path, ids):
    with pytest.raises(ValueError, match="do not fit uint32"):
        with parts.PartWriter(tmp_path / "p") as writer:
            writer.append(Ragged.from_rows([ids], dtype=np.int64), sizes=[1], names=[("r", "p")])
    assert list(tmp_path.iterdir()) == []


def test_as_many_sizes_and_names_as_documents_are_wanted(tmp_path):
    with pytest.raises(ValueError, match="3 documents, 2 sizes, 3 names"):
        with parts.PartWriter(tmp_path / "p") as writer:
            writer.append(_ROWS, sizes=[1, 2], names=_NAMES)


def test_line_end_in_the_name_of_a_repository_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match=r"'a\\nb' has a line end.*rename it"):
        with parts.PartWriter(tmp_path / "p") as writer:
            writer.append(Ragged.from_rows([[1]]), sizes=[1], names=[("a\nb", "p")])


def test_failed_writer_keeps_the_old_part(tmp_path):
    _write(tmp_path / "p")
    before = (tmp_path / "p").read_bytes()
    with pytest.raises(KeyboardInterrupt), parts.PartWriter(tmp_path / "p") as writer:
        writer.append(_ROWS, sizes=_SIZES, names=_NAMES)
        raise KeyboardInterrupt
    assert (tmp_path / "p").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_full_disk_leaves_nothing(tmp_path):
    rows = Ragged.from_rows([range(100_000)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError), parts.PartWriter(tmp_path / "p") as writer:
            writer.append(rows, sizes=[1], names=[("r", "p")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


_KILLED = """
import os, signal, sys
from code_t5.encoding.ragged import Ragged
from code_t5.token_cache import parts
with parts.PartWriter(sys.argv[1]) as writer:
    writer.append(Ragged.from_rows([[1]]), sizes=[1], names=[("r", "p")])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_writer_leaves_nothing_readable_and_the_next_one_cleans_up(tmp_path):
    child = [sys.executable, "-c", _KILLED, str(tmp_path / "p")]
    assert subprocess.run(child).returncode == -9
    assert not (tmp_path / "p").exists()
    assert len(list(tmp_path.iterdir())) == 1
    _write(tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


@pytest.mark.parametrize("size", [0, 10, 43, 44, 60, -1])
def test_part_that_was_cut_short_is_refused(tmp_path, size):
    _write(tmp_path / "p")
    data = (tmp_path / "p").read_bytes()
    (tmp_path / "p").write_bytes(data[:size])
    with pytest.raises(errors.ArtifactError, match="wanted a whole part.*remove it"):
        parts.read_part_counts(tmp_path / "p")


def test_every_flipped_byte_is_noticed(tmp_path):
    _write(tmp_path / "p")
    data = (tmp_path / "p").read_bytes()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 4
        (tmp_path / "p").write_bytes(damaged)
        with pytest.raises(errors.ArtifactError, match="wanted a whole part"):
            _sections(tmp_path / "p")


def test_missing_part_is_one_line(tmp_path):
    with pytest.raises(errors.ArtifactError, match="No such file") as caught:
        parts.read_part_counts(tmp_path / "p")
    assert "\n" not in str(caught.value)


def test_writer_counts_what_it_wrote(tmp_path):
    with parts.PartWriter(tmp_path / "p") as writer:
        assert writer.largest_id == -1
        writer.append(_ROWS, sizes=_SIZES, names=_NAMES)
        writer.append(Ragged.from_rows([[70_000]]), sizes=[5], names=[("r", "p")])
    assert (writer.largest_id, writer.num_tokens, writer.num_bytes) == (70_000, 5, 14)


def test_checksum_is_that_of_the_whole_part(tmp_path):
    with parts.PartWriter(tmp_path / "p") as writer:
        writer.append(_ROWS, sizes=_SIZES, names=_NAMES)
    assert parts.read_checksum(tmp_path / "p") == writer.crc
    data = (tmp_path / "p").read_bytes()
    (tmp_path / "p").write_bytes(b"\xff" + data[1:])
    with pytest.raises(errors.ArtifactError, match="checksum"):
        parts.read_checksum(tmp_path / "p")


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.int64])
def test_dtype_of_the_ids_does_not_matter(tmp_path, dtype):
    _write(tmp_path / "p", Ragged.from_rows([[1, 2, 3], [], [400]], dtype=dtype))
    _write(tmp_path / "q")
    assert (tmp_path / "p").read_bytes() == (tmp_path / "q").read_bytes()
