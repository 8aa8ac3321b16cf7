from __future__ import annotations

import errno
import json

import numpy as np
import pytest
import small_token_cache

from code_t5 import errors
from code_t5.storage import fingerprints
from code_t5.token_cache import layout, parts, reader, writer


def _content(cache_dir):
    return {path.name: path.read_bytes() for path in cache_dir.iterdir()}


def test_numpy_alone_opens_every_array(tmp_path):
    cache_dir = small_token_cache.write_cache(tmp_path)
    found = {path.name: np.load(path, mmap_mode="r") for path in cache_dir.glob("*.npy")}
    assert len(found) == 15
    assert found["train.npy"].dtype == np.uint16
    assert {
        name: array.tolist() for name, array in found.items() if not name.startswith("test")
    } == {
        "train.npy": [5, 6, 7, 65_535],
        "train.offsets.npy": [0, 3, 3, 4],
        "train.sizes.npy": [11, 0, 4],
        "train.names.npy": list("org/one\na.pyorg/one\nsub/b.pyorg/two\né\n.py".encode()),
        "train.names_offsets.npy": [0, 12, 28, 42],
        "validation.npy": [9, 9],
        "validation.offsets.npy": [0, 2],
        "validation.sizes.npy": [2],
        "validation.names.npy": list(b"org/three\nc.py"),
        "validation.names_offsets.npy": [0, 14],
    }
    assert found["test.npy"].tolist() == found["test.names.npy"].tolist() == []
    assert found["test.offsets.npy"].tolist() == [0]


def test_golden_manifest_and_bytes(tmp_path):
    cache_dir = small_token_cache.write_cache(tmp_path)
    fields = json.loads((cache_dir / "manifest.json").read_text())
    assert fields.pop("sha256")["train.npy"] == (
        "19a359f3875e4f0359c6568af5f880fcd27d606dcada95a4158703b810a47727"
    )
    assert fields == {
        "format_name": "code_t5_token_cache",
        "format_version": 1,
        "dtype": "uint16",
        "fingerprint": "9c8cd2e7b1ce2b5cc2bfb618e03743a50113f466fa47f47c34e1841ec0b9728c",
        "fingerprint_parts": {"format": 1, "vocabulary": "abc"},
        "splits": {
            "train": {"num_documents": 3, "num_tokens": 4, "num_bytes": 15},
            "validation": {"num_documents": 1, "num_tokens": 2, "num_bytes": 2},
            "test": {"num_documents": 0, "num_tokens": 0, "num_bytes": 0},
        },
    }
    header = b"{'descr': '<u2', 'fortran_order': False, 'shape': (4,), }"
    npy = b"\x93NUMPY\x01\x00v\x00" + header.ljust(117) + b"\n" + b"\x05\0\x06\0\x07\0\xff\xff"
    assert (cache_dir / "train.npy").read_bytes() == npy
    marker = fingerprints.hash_file(cache_dir / "manifest.json") + "\n"
    assert (cache_dir / "COMPLETED").read_text() == marker


def test_same_parts_give_the_same_bytes(tmp_path):
    first = small_token_cache.write_cache(tmp_path / "1")
    assert _content(first) == _content(small_token_cache.write_cache(tmp_path / "2"))


def test_how_documents_are_spread_over_parts_does_not_matter(tmp_path):
    together = {
        split: [[document for part in of_split for document in part]]
        for split, of_split in small_token_cache.PARTS.items()
    }
    first = small_token_cache.write_cache(tmp_path / "1")
    assert _content(first) == _content(small_token_cache.write_cache(tmp_path / "2", together))


def test_small_chunks_give_the_same_bytes(tmp_path, monkeypatch):
    first = small_token_cache.write_cache(tmp_path / "1")
    monkeypatch.setattr(parts, "CHUNK_BYTES", 8)
    assert _content(first) == _content(small_token_cache.write_cache(tmp_path / "2"))


def test_one_large_id_makes_every_split_uint32(tmp_path):
    more = {**small_token_cache.PARTS, "test": [[([65_536], 1, ("r", "p"))]]}
    cache_dir = small_token_cache.write_cache(tmp_path, more)
    assert json.loads((cache_dir / "manifest.json").read_text())["dtype"] == "uint32"
    train, test = np.load(cache_dir / "train.npy"), np.load(cache_dir / "test.npy")
    assert (train.dtype, train.tolist()) == (np.uint32, [5, 6, 7, 65_535])
    assert (test.dtype, test.tolist()) == (np.uint32, [65_536])


def test_offsets_go_on_beyond_32_bits():
    written = {array: [] for array in layout.ARRAYS}

    class Array:
        def __init__(self, array):
            self.write = lambda data: written[array].extend(np.frombuffer(data, "<i8").tolist())

    joiner = writer._SplitJoiner({array: Array(array) for array in layout.ARRAYS})
    for lengths in ([2**31, 2**32], [5, 2**33]):
        joiner.add(1, np.array(lengths, dtype="<i8").tobytes(), dtype=layout.SMALL_DTYPE)
    ends = np.cumsum([0, 2**31, 2**32, 5, 2**33]).tolist()
    assert written[layout.OFFSETS] == ends


def test_damaged_part_leaves_the_old_cache(tmp_path):
    cache_dir = small_token_cache.write_cache(tmp_path)
    before = _content(cache_dir)
    paths = small_token_cache.write_parts(tmp_path / "parts")
    data = bytearray(paths["train"][0].read_bytes())
    data[0] ^= 1
    paths["train"][0].write_bytes(data)
    with pytest.raises(errors.ArtifactError, match=r"train-0 does not have the checksum"):
        writer.join_parts(cache_dir, parts=paths, fingerprint_parts={})
    assert _content(cache_dir) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "parts"]


def test_full_disk_leaves_the_old_cache(tmp_path, monkeypatch):
    cache_dir = small_token_cache.write_cache(tmp_path)
    before = _content(cache_dir)

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer._ArrayFile, "write", write)
    with pytest.raises(OSError, match="No space left"):
        small_token_cache.write_cache(tmp_path)
    assert _content(cache_dir) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "parts"]


def test_newer_cache_replaces_the_older_as_a_whole(tmp_path):
    small_token_cache.write_cache(tmp_path)
    cache_dir = small_token_cache.write_cache(tmp_path, {"other": [[([1], 1, ("r", "p"))]]})
    assert sorted(reader.TokenCacheReader(cache_dir).splits) == ["other"]
    assert not (cache_dir / "train.npy").exists()


@pytest.mark.parametrize("name", ["", "../train", "a/b", "train.offsets", "a b", "-"])
def test_split_whose_name_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(errors.InputError, match=r"wanted letters, digits, - and _; rename it"):
        writer.join_parts(tmp_path / "cache", parts={name: []}, fingerprint_parts={})
    assert list(tmp_path.iterdir()) == []


def test_extras_are_in_the_cache_and_in_its_manifest(tmp_path):
    (tmp_path / "model").write_bytes(b"model")
    paths = small_token_cache.write_parts(tmp_path / "parts")
    extras = writer.Extras(
        files={"config.json": b"{}", "tokenizer/sub/model": tmp_path / "model"},
        fields={"end_of_text_id": 1},
        split_fields={"train": {"largest_id": 65_535}},
    )
    writer.join_parts(tmp_path / "cache", parts=paths, fingerprint_parts={}, extras=extras)
    cache = reader.TokenCacheReader(tmp_path / "cache")
    fields = json.loads((tmp_path / "cache/manifest.json").read_text())
    assert (tmp_path / "cache/config.json").read_bytes() == b"{}"
    assert (tmp_path / "cache/tokenizer/sub/model").read_bytes() == b"model"
    assert fields["end_of_text_id"] == 1
    assert cache.splits["train"]["largest_id"] == 65_535
    assert "largest_id" not in cache.splits["validation"]
    # SHA-256 of "{}"; the model is vouched for by whoever asked for it to be copied.
    assert cache.sha256["config.json"].startswith("44136fa355b3678a")
    assert not any(name.startswith("tokenizer") for name in cache.sha256)
