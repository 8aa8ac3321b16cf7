"""The bytes of a shard."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from refusals import assert_refused
from small_teacher_outputs import SCHEMA, small_plan, small_sample, write_small

from code_t5.encoding.ragged import Ragged
from code_t5.storage import fingerprints
from code_t5.teacher_outputs import shard_file
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.shard_file import Shard, ShardCounts

_SCHEMA = OutputSchema(
    (
        ArrayField("level", "uint8"),
        ArrayField("ids", "uint16", (None,), "tokens"),
        ArrayField("x", "float32", (2,)),
    )
)
_COLUMNS = {
    "level": np.array([7, 9], np.uint8),
    "ids": Ragged.from_rows([[258], [1, 2]], np.uint16),
    "x": np.array([[1, 2], [3, 0.5]], np.float32),
}
_GOLDEN_HEADER = (
    '{"__metadata__":{"format":"code_t5_teacher_outputs","version":"1","fingerprint":"abc",'
    '"shard":"5"},"tokens.offsets":{"dtype":"I64","shape":[3],"data_offsets":[0,24]},'
    '"x":{"dtype":"F32","shape":[2,2],"data_offsets":[24,40]},'
    '"ids":{"dtype":"U16","shape":[3],"data_offsets":[40,46]},'
    '"level":{"dtype":"U8","shape":[2],"data_offsets":[46,48]}}'
)
_GOLDEN_DATA = bytes.fromhex(
    "0000000000000000" "0100000000000000" "0300000000000000"  # tokens.offsets
    "0000803f00000040000040400000003f"  # x
    "020101000200"  # ids
    "0709"  # level
)  # fmt: skip


def _open(path, **changes):
    options = {
        "schema": _SCHEMA,
        "fingerprint": "abc",
        "counts": ShardCounts(5, 2, {"tokens": 3}),
        "mend": "make it again",
        **changes,
    }
    return Shard(path, **options)


@pytest.fixture(name="path")
def _path(tmp_path):
    path = tmp_path / "shard"
    shard_file.write_shard(path, columns=_COLUMNS, schema=_SCHEMA, fingerprint="abc", index=5)
    return path


def test_golden_bytes(path):
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    assert (8 + size) % 64 == 0
    assert content[8 : 8 + size].decode() == _GOLDEN_HEADER.ljust(size)
    assert content[8 + size :] == _GOLDEN_DATA


def test_golden_outputs_keep_their_bytes(tmp_path):
    write_small(tmp_path / "outputs")
    hashes = {
        path.name: fingerprints.hash_file(path)[:16]
        for path in sorted((tmp_path / "outputs").iterdir())
    }
    assert hashes == {
        "COMPLETED": "bc44aff7701a16c7",
        "manifest.json": "8e564a6d527a2aa7",
        "shard-00000.safetensors": "b5f608540f660739",
        "shard-00001.safetensors": "f89b473fb729f350",
        "shard-00002.safetensors": "1e3d875e7ed2cb53",
    }


def test_what_is_written_is_counted_and_hashed(path):
    written = shard_file.write_shard(
        path, columns=_COLUMNS, schema=_SCHEMA, fingerprint="abc", index=5
    )
    assert written.lengths == {"tokens": 3}
    assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    counts = ShardCounts(5, 2, {"tokens": 3})
    size = shard_file.shard_bytes(_SCHEMA, fingerprint="abc", counts=counts)
    assert size == path.stat().st_size


def test_shard_is_mapped(path):
    shard = _open(path)
    assert shard.columns["x"].tolist() == [[1, 2], [3, 0.5]]
    assert shard.offsets["tokens"].tolist() == [0, 1, 3]
    assert not shard.columns["x"].flags.writeable
    assert shard.bounds("tokens", [1, 0]) == ([1, 0], [3, 1])


def test_other_programs_read_shards(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    outputs = write_small(tmp_path / "outputs")
    with safetensors.safe_open(outputs.path / shard_file.shard_name(1), framework="np") as file:
        assert file.metadata()["fingerprint"] == small_plan().fingerprint
        assert set(file.keys()) == {*SCHEMA.names, "tokens.offsets", "text.offsets"}
        start, stop = file.get_tensor("tokens.offsets")[1:3]
        assert file.get_tensor("ids")[start:stop].tolist() == small_sample(5)["ids"].tolist()
        assert file.get_tensor("x")[1].tolist() == small_sample(5)["x"].tolist()


def test_other_programs_read_shards_without_rows(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    outputs = write_small(tmp_path / "outputs", num_samples=1)
    with safetensors.safe_open(outputs.path / shard_file.shard_name(0), framework="np") as file:
        assert file.get_tensor("ids").shape == (0, 3)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"fingerprint": "abd"}, "a header that is not its own"),
        ({"counts": ShardCounts(4, 2, {"tokens": 3})}, "a header that is not its own"),
        ({"counts": ShardCounts(5, 2, {"tokens": 4})}, "bytes, not"),
    ],
)
def test_shards_of_others_are_refused(path, changes, match):
    assert_refused(lambda: _open(path, **changes), match=f"{match}.*make it again")


def test_offsets_that_are_out_of_order_are_refused(path):
    content = bytearray(path.read_bytes())
    content[-48 + 8] = 200
    path.write_bytes(content)
    shard = _open(path)
    fields = [("ids", "tokens")]
    for function in (
        shard.check_offsets,
        lambda: shard.bounds("tokens", [0]),
        lambda: shard.sample(1, fields),
    ):
        assert_refused(function, match="tokens that are not in order")
    content[-48] = 1
    path.write_bytes(content)
    assert_refused(lambda: _open(path), match="has tokens from 1 to 3")


def test_links_and_pipes_are_no_shards(tmp_path, path):
    (tmp_path / "link").symlink_to(path)
    assert_refused(lambda: _open(tmp_path / "link"), match="cannot be opened")
    assert_refused(lambda: _open(tmp_path / "gone"), match="is missing")
    assert_refused(lambda: _open(tmp_path), match="cannot be opened|bytes, not")


def test_header_is_json_of_the_counts(path):
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["ids"]["shape"] == [3]
