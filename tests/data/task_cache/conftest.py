from __future__ import annotations

import json
import pathlib
import shutil

import pytest

from code_t5.data.task_cache import shard_writer
from code_t5.encoding import token_model
from code_t5.storage import fingerprints, shards, tfrecords
from fakes import write_code_repositories
from preprocessing import build as dataset_build
from preprocessing import build_config


def _lay_out_again(folder: pathlib.Path, *, split: str, num_shards: int) -> list[str]:
    """Spreads a split's only shard over several, the last of them empty; returns their lengths."""
    (path,) = folder.glob(f"flcc-{split}.tfrecord-*")
    records = list(tfrecords.read_records(path))
    path.unlink()
    lengths = []
    for index in range(num_shards):
        size = len(records) // (num_shards - 1)
        members = records[index * size : (index + 1) * size]
        if index == num_shards - 2:
            members = records[index * size :]
        if index == num_shards - 1:
            members = []
        name = shards.shard_name("flcc", split=split, shard_index=index, num_shards=num_shards)
        (folder / name).write_bytes(b"".join(map(tfrecords.frame_record, members)))
        lengths.append(str(len(members)))
    return lengths


@pytest.fixture
def copied_data_dir(small_data_dir, tmp_path):
    """A data directory that the test may damage."""
    return pathlib.Path(shutil.copytree(small_data_dir, tmp_path / "copy"))


@pytest.fixture(scope="session")
def byte_level_data_dir(tmp_path_factory):
    """The data set `small` with a byte-level vocabulary."""
    folder = tmp_path_factory.mktemp("byte_level")
    config = build_config.BuildConfig(
        input_dir=str(write_code_repositories(folder / "in", num_repositories=30)),
        data_dir=str(folder / "data"),
        name="small",
        num_workers=1,
        vocabulary=build_config.VocabularyConfig(vocab_size=400, kind=token_model.BYTE_BPE),
    )
    dataset_build.build_dataset(config, clock=dataset_build.StageClock())
    return folder / "data"


@pytest.fixture
def sharded_data_dir(copied_data_dir):
    """The same with four shards of training records."""
    folder = copied_data_dir / "flcc/small/2.0.0"
    info = json.loads((folder / "dataset_info.json").read_text())
    for split in info["splits"]:
        if split["name"] == "train":
            split["shardLengths"] = _lay_out_again(folder, split="train", num_shards=4)
    (folder / "dataset_info.json").write_text(json.dumps(info))
    fields = json.loads((folder / "manifest.json").read_text())
    fields["fingerprint"] = fingerprints.hash_json("sharded")
    (folder / "manifest.json").write_text(json.dumps(fields))
    return copied_data_dir


@pytest.fixture
def encoded(monkeypatch):
    """Names of the shards that are really written."""
    names = []
    original = shard_writer._write_shard
    monkeypatch.setattr(
        shard_writer,
        "_write_shard",
        lambda job, **kwargs: (names.append(job.name), original(job, **kwargs))[1],
    )
    return names
