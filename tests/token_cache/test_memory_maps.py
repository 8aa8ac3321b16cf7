from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import sparse_token_cache

from code_t5 import errors
from code_t5.token_cache import layout, memory_maps, reader
from code_t5.token_cache.reading import windows


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(1000, dtype=np.uint16))
    return tmp_path / "a.npy"


@pytest.fixture
def large_path(path, monkeypatch):
    monkeypatch.setattr(memory_maps, "RESIDENT_BYTES", 100)
    return path


def test_small_files_are_mapped(path):
    mapped = memory_maps.MappedArray(path)
    assert (mapped.is_large, mapped.extra_bytes) == (False, 0)
    assert mapped.array.tolist() == list(range(1000))
    with pytest.raises(ValueError, match="read-only"):
        mapped.array[0] = 1


def test_rows_of_large_files_are_the_mapped_ones(large_path, monkeypatch):
    mapped = memory_maps.MappedArray(large_path)
    starts = np.array([0, 997, 500])
    expected = [[0, 1, 2], [997, 998, 999], [500, 501, 502]]
    rows = mapped.read_rows(starts, width=3)
    assert rows.tolist() == expected and rows.dtype == np.uint16
    rows[:] = 0
    monkeypatch.setattr(memory_maps, "_MAX_PREAD_BYTES", 5)
    assert mapped.read_rows(starts, width=3).tolist() == expected


def test_what_was_given_back_is_read_again(large_path):
    mapped = memory_maps.MappedArray(large_path)
    assert mapped.array.sum() == 499_500
    mapped.give_back()
    assert mapped.array.sum() == 499_500


def test_array_outlives_the_file_that_it_was_opened_by(large_path):
    descriptors = len(os.listdir("/proc/self/fd"))
    array = memory_maps.MappedArray(large_path).array
    large_path.unlink()
    assert array[999] == 999
    del array
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_versions_1_and_2_of_the_format_are_read(tmp_path):
    for version in ((1, 0), (2, 0)):
        with open(tmp_path / "a.npy", "wb") as file:
            np.lib.format.write_array(file, np.arange(5), version=version)
        assert memory_maps.MappedArray(tmp_path / "a.npy").array.tolist() == [0, 1, 2, 3, 4]
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array(file, np.arange(5), version=(3, 0))
    with pytest.raises(ValueError, match=r"version \(3, 0\)"):
        memory_maps.MappedArray(tmp_path / "a.npy")


def test_empty_array_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(0, dtype=np.uint16))
    assert memory_maps.MappedArray(tmp_path / "a.npy").array.shape == (0,)


def test_file_that_is_cut_short_while_it_is_read_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_maps, "RESIDENT_BYTES", 100)
    folder = sparse_token_cache.write_cache(
        tmp_path, num_tokens=5000, ends=[5000], pieces={0: range(1, 5001)}
    )
    found = windows.WindowReader(reader.TokenCacheReader(folder).split("train"), seq_len=10)
    os.truncate(folder / "train.npy", 6000)
    assert found.read(np.array([0])).tokens.tolist() == [list(range(1, 12))]
    with pytest.raises(errors.ArtifactError, match=r"train.npy cannot be read \(it was cut short"):
        found.read(np.array([400]))


# Reads at random places and prints by how many MB resident memory grew.
_RESIDENT = """
    import numpy as np
    from code_t5.token_cache import memory_maps, reader
    from code_t5.token_cache.reading import windows

    def resident():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    memory_maps.RESIDENT_BYTES = {limit}
    split = reader.TokenCacheReader({folder!r}).split("train")
    found = windows.WindowReader(split, seq_len=4096, cross_documents={cross_documents})
    rng = np.random.default_rng(0)
    indexes = rng.permutation(found.num_windows)[: {num_bytes} // 8192]
    found.read(indexes[:64]), found.segments(indexes[:64])
    before = resident()
    for start in range(0, len(indexes), 64):
        found.read(indexes[start : start + 64])
        found.segments(indexes[start : start + 64])
    print((resident() - before) / 1000)
"""


def _resident_growth(folder, *, num_bytes, cross_documents=True, limit=512 << 20):
    program = textwrap.dedent(_RESIDENT).format(
        folder=str(folder), num_bytes=num_bytes, cross_documents=cross_documents, limit=limit
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return float(ran.stdout)


def _write_documents(folder, *, num_tokens, num_documents):
    ends = np.linspace(0, num_tokens, num_documents + 1).astype(np.int64)[1:]
    return sparse_token_cache.write_cache(
        folder, num_tokens=num_tokens, ends=ends.tolist(), pieces={num_tokens - 1: [7]}
    )


def test_resident_memory_does_not_grow_while_reading(tmp_path):
    folder = _write_documents(tmp_path, num_tokens=100 * 10**6, num_documents=100_000)
    for cross_documents in (True, False):
        options = {"num_bytes": 200 * 10**6, "cross_documents": cross_documents}
        assert _resident_growth(folder, limit=16 << 20, **options) < 20
    # The same with everything mapped, to show that the figure can grow.
    assert _resident_growth(folder, num_bytes=200 * 10**6) > 100


@pytest.mark.slow
def test_resident_memory_does_not_grow_over_10_gigabytes(tmp_path):
    folder = _write_documents(tmp_path, num_tokens=5 * 10**9, num_documents=1_000_000)
    assert _resident_growth(folder, num_bytes=10 * 10**9) < 20


def test_offsets_of_large_files_are_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_maps, "RESIDENT_BYTES", 1000)
    folder = _write_documents(tmp_path, num_tokens=100_000, num_documents=1000)
    split = reader.TokenCacheReader(folder).split("train")
    found = windows.WindowReader(split, seq_len=10)
    given_back = []
    monkeypatch.setattr(split.maps[layout.OFFSETS], "give_back", lambda: given_back.append(1))
    found.segments(np.array([5, 6]))
    assert given_back == [1]


def test_any_flipped_byte_of_a_header_is_a_value_error(path, tmp_path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in range(128):
        for value in {0, ord("'"), ord("("), ord("["), ord("-"), *rng.integers(256, size=8)}:
            changed = bytearray(content)
            changed[place] = value
            (tmp_path / "b.npy").write_bytes(changed)
            try:
                memory_maps.MappedArray(tmp_path / "b.npy")
            except ValueError as error:
                assert "\n" not in str(error)
                refused += 1
    assert refused > 500


def test_what_is_no_regular_file_is_refused_at_once(path, tmp_path):
    (tmp_path / "link.npy").symlink_to(path)
    with pytest.raises(ValueError, match="it is a symbolic link"):
        memory_maps.MappedArray(tmp_path / "link.npy")
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(ValueError, match="it is no regular file"):
        memory_maps.MappedArray(tmp_path / "pipe.npy")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(ValueError, match="it is no regular file"):
        memory_maps.MappedArray(tmp_path / "folder.npy")
    with pytest.raises(ValueError, match="it is no regular file"):
        memory_maps.MappedArray("/dev/zero")
