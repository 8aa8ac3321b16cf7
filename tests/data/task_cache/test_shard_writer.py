"""One shard, and the records that it is made of."""

from __future__ import annotations

import json

import pytest
from cached_examples import small_cache_config
from small_build import tree_bytes

from code_t5 import errors
from code_t5.data.task_cache import build, shard_writer
from code_t5.encoding.ragged import Ragged
from code_t5.storage import tfrecords


def test_golden_bytes_of_a_shard(tmp_path):
    ids = Ragged.from_rows([[3, 300], []])
    found = shard_writer.frame_examples(ids, repositories=[b"o/r", b""], paths=[b"a.py", b"b"])
    assert [record.hex() for record in _unframed(found, tmp_path)] == [
        "0a3d0a100a047061746812080a060a04612e70790a150a0a7265706f7369746f727912070a050a036f2f72"
        "0a120a077461726765747312071a050a0303ac02",
        "0a340a0d0a047061746812050a030a01620a120a0a7265706f7369746f727912040a020a00"
        "0a0f0a077461726765747312041a020a00",
    ]


def _unframed(data, tmp_path):
    (tmp_path / "records").write_bytes(data)
    return list(tfrecords.read_records(tmp_path / "records"))


def test_batches_change_no_byte(sharded_data_dir, tmp_path, monkeypatch):
    build.cache_tasks(small_cache_config(sharded_data_dir, tmp_path / "one"))
    monkeypatch.setattr(shard_writer, "_BATCH_BYTES", 1)
    build.cache_tasks(small_cache_config(sharded_data_dir, tmp_path / "many"))
    assert tree_bytes(tmp_path / "one/small") == tree_bytes(tmp_path / "many/small")


def _write_source(data_dir, records):
    """Puts other records in the place of the test split's."""
    folder = data_dir / "flcc/small/2.0.0"
    (path,) = folder.glob("flcc-test.tfrecord-*")
    path.write_bytes(b"".join(map(tfrecords.frame_record, records)))
    info = json.loads((folder / "dataset_info.json").read_text())
    for split in info["splits"]:
        if split["name"] == "test":
            split["shardLengths"] = [str(len(records))]
    (folder / "dataset_info.json").write_text(json.dumps(info))


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (tfrecords.encode_example({"repository": b"o/r", "path": b"a.py"}), "has no text"),
        (tfrecords.encode_example({"text": 5, "path": b"a.py"}), "has a number as text"),
        (b"\xffno message", "is no tf.train.Example"),
    ],
)
def test_a_record_that_is_no_source_file_is_refused(copied_data_dir, tmp_path, record, found):
    _write_source(copied_data_dir, [record])
    with pytest.raises(errors.ArtifactError, match=f"flcc-test.tfrecord.* {found}.*wanted the tex"):
        build.cache_tasks(small_cache_config(copied_data_dir, tmp_path / "out"))
    assert not (tmp_path / "out/small").exists()
