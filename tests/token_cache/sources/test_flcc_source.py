"""Prepared data sets as documents."""

from __future__ import annotations

import json
import pathlib
import shutil

import pytest
from arrow_files import read_units

from code_t5 import errors
from code_t5.storage import prepared, tfrecords
from code_t5.token_cache.sources import flcc_source


def _sources(data_dir):
    """Returns text, repository and path of each source file, by split."""
    folder = prepared.PreparedDataset("small", str(data_dir)).dataset_dir
    names = ["text", "repository", "path"]
    found = {}
    for path in sorted(folder.glob("flcc-*.tfrecord-*")):
        split = path.name.split("-")[1].split(".")[0]
        found.setdefault(split, []).extend(tfrecords.read_features(path, names))
    return found


@pytest.mark.parametrize("unit_bytes", [200, 8 << 20])
def test_documents_are_the_source_files_in_order(small_data_dir, monkeypatch, unit_bytes):
    monkeypatch.setattr(flcc_source, "UNIT_BYTES", unit_bytes)
    source = flcc_source.open_flcc_source(small_data_dir, "small")
    wanted = _sources(small_data_dir)
    assert set(source.splits) == set(wanted)
    for split in source.splits:
        units = list(source.units(split))
        texts, names = read_units(units)
        assert [
            [text, repository.encode(), path.encode()]
            for text, (repository, path) in zip(texts, names)
        ] == wanted[split]
        assert source.num_documents(split) == len(texts)
        assert len({unit.key for unit in units}) == len(units)
    assert (len(list(source.units("train"))) > 10) == (unit_bytes == 200)


def test_fingerprint_is_the_data_sets_own(small_data_dir):
    source = flcc_source.open_flcc_source(small_data_dir, "small")
    built = prepared.PreparedDataset("small", str(small_data_dir)).read_manifest()
    assert source.fingerprint_parts["dataset_fingerprint"] == built["fingerprint"]


def test_sample_comes_from_all_over_the_split(small_data_dir):
    source = flcc_source.open_flcc_source(small_data_dir, "small")
    batches = list(source.sample("train", num_bytes=2000))
    assert len(batches) == 16
    every = [names for unit in source.units("train") for b in unit.read() for names in b.names]
    places = [every.index(name) for batch in batches for name in batch.names]
    assert places == sorted(set(places))
    assert places[0] == 0
    assert places[-1] >= len(every) * 14 // 16


def test_unknown_data_set_lists_those_that_there_are(small_data_dir, tmp_path):
    with pytest.raises(errors.InputError, match="'other'; wanted one of small; .*preprocessing"):
        flcc_source.open_flcc_source(small_data_dir, "other")
    with pytest.raises(errors.InputError, match="none there"):
        flcc_source.open_flcc_source(tmp_path, "small")


@pytest.fixture(name="copied")
def _copied(small_data_dir, tmp_path):
    shutil.copytree(small_data_dir, tmp_path / "data")
    shard = next(
        prepared.PreparedDataset("small", str(tmp_path / "data")).dataset_dir.glob("flcc-train*")
    )
    return tmp_path / "data", shard


def test_damaged_shards_are_refused(copied):
    data_dir, shard = copied
    content = shard.read_bytes()

    def read():
        source = flcc_source.open_flcc_source(data_dir, "small")
        return read_units(source.units("train"))

    for damaged in (content[:-5], content[:100] + b"!" + content[101:], b""):
        shard.write_bytes(damaged)
        with pytest.raises(errors.ArtifactError, match="build .*data set again"):
            read()
    pathlib.Path(shard).unlink()
    with pytest.raises(errors.ArtifactError, match="is missing"):
        read()


def test_shard_with_other_than_the_records_that_were_counted_is_refused(copied):
    data_dir, shard = copied
    info = shard.parent / "dataset_info.json"
    fields = json.loads(info.read_bytes())
    for split in fields["splits"]:
        split["shardLengths"][0] = str(int(split["shardLengths"][0]) + 1)
    info.write_text(json.dumps(fields))
    source = flcc_source.open_flcc_source(data_dir, "small")
    with pytest.raises(errors.ArtifactError, match="records, not"):
        list(source.units("train"))


def test_shard_that_lost_records_since_it_was_planned_is_refused(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(tfrecords.frame_record(tfrecords.encode_example({"text": b"a"})))
    with pytest.raises(errors.ArtifactError, match="ends after 1 of 2 records"):
        list(flcc_source.FlccUnit("key", str(path), 0, 2).read())


@pytest.mark.parametrize(
    ("features", "match"),
    [
        ({"repository": b"a"}, "without text"),
        ({"text": 5}, "with a number in its place"),
        ({"text": b"a", "path": b"\xff"}, "not UTF-8"),
    ],
)
def test_record_of_something_else_is_refused(tmp_path, features, match):
    path = tmp_path / "shard"
    path.write_bytes(tfrecords.frame_record(tfrecords.encode_example(features)))
    unit = flcc_source.FlccUnit("key", str(path), 0, 1)
    with pytest.raises(errors.ArtifactError, match=match):
        list(unit.read())
