from __future__ import annotations

import json

import pytest

from code_t5 import errors, parallel
from code_t5.data.task_cache import shard_jobs
from code_t5.storage import prepared, tfrecords

_POOL = parallel.WorkerPool(1)


def _plan(data_dir, min_shards):
    dataset = prepared.PreparedDataset("small", str(data_dir))
    return shard_jobs.plan_jobs(dataset, min_shards=min_shards, pool=_POOL)


def _source(data_dir, split):
    return [
        data
        for path in sorted((data_dir / "flcc/small/2.0.0").glob(f"flcc-{split}.tfrecord-*"))
        for data in tfrecords.read_records(path)
    ]


def _records(members):
    return [
        [
            data
            for stretch in job.stretches
            for data in tfrecords.read_records(
                stretch.path, start_byte=stretch.start_byte, num_records=stretch.num_records
            )
        ]
        for job in members
    ]


@pytest.mark.parametrize("min_shards", [1, 3, 5, 64, 100])
def test_shard_jobs_hold_every_record_once_and_in_order(sharded_data_dir, min_shards):
    planned = _plan(sharded_data_dir, min_shards)
    assert set(planned) == {"train", "validation", "test"}
    for split, members in planned.items():
        wanted = _source(sharded_data_dir, split)
        num_sources = 4 if split == "train" else 1
        assert [job.shard_index for job in members] == list(range(max(num_sources, min_shards)))
        found = _records(members)
        assert [data for records in found for data in records] == wanted
        assert max(map(len, found)) - min(map(len, found)) <= 1
        assert [job.num_records for job in members] == list(map(len, found))
        assert sum(job.size_bytes for job in members) == sum(len(data) + 16 for data in wanted)


def test_output_shards_have_the_names_that_seqio_looks_for(sharded_data_dir):
    names = [job.name for job in _plan(sharded_data_dir, 2)["test"]]
    assert names == ["test.tfrecord-00000-of-00002", "test.tfrecord-00001-of-00002"]


def test_the_number_of_workers_changes_no_job(sharded_data_dir):
    dataset = prepared.PreparedDataset("small", str(sharded_data_dir))
    with parallel.WorkerPool(2) as pool:
        found = shard_jobs.plan_jobs(dataset, min_shards=7, pool=pool)
    assert found == _plan(sharded_data_dir, 7)


def test_a_missing_shard_and_a_wrong_count_are_refused(sharded_data_dir):
    folder = sharded_data_dir / "flcc/small/2.0.0"
    info = json.loads((folder / "dataset_info.json").read_text())
    train = next(split for split in info["splits"] if split["name"] == "train")
    (folder / "flcc-train.tfrecord-00001-of-00004").rename(folder / "aside")
    with pytest.raises(errors.ArtifactError, match="00001-of-00004 is missing; wanted all 6"):
        _plan(sharded_data_dir, 3)
    (folder / "aside").rename(folder / "flcc-train.tfrecord-00001-of-00004")
    for wrong in (1, -1):
        lengths = [int(length) for length in train["shardLengths"]]
        lengths[1] += wrong
        changed = {**train, "shardLengths": list(map(str, lengths))}
        splits = [changed if split["name"] == "train" else split for split in info["splits"]]
        (folder / "dataset_info.json").write_text(json.dumps({**info, "splits": splits}))
        with pytest.raises(errors.ArtifactError, match=f"records; wanted {lengths[1]}, as the"):
            _plan(sharded_data_dir, 3)


@pytest.mark.parametrize("text", ["", "[]", '{"splits": [{"name": "train"}]}', "{"])
def test_a_description_that_is_none_is_refused(copied_data_dir, text):
    (copied_data_dir / "flcc/small/2.0.0/dataset_info.json").write_text(text)
    with pytest.raises(errors.ArtifactError, match="cannot be read as the description of a data"):
        _plan(copied_data_dir, 3)
