from __future__ import annotations

import json
import pathlib

import numpy as np

from code_t5.storage import tfrecords
from preprocessing import decisions, records, scan, splits
from preprocessing.dedup import exact


def _index(hashes: list[bytes], *, key: int = 5, length: int = 100) -> np.ndarray:
    rows = np.zeros(len(hashes), dtype=scan.INDEX_DTYPE)
    rows["hash"] = hashes
    rows["file_id"] = rows["row"] = np.arange(len(hashes))
    rows["split_key"], rows["length"], rows["size"] = key, length, 60
    rows["offset"] = length * np.arange(len(hashes))
    return rows


def _hash(first: int, last: int = 1) -> bytes:
    return bytes([first]) + bytes(30) + bytes([last])


def _save(work_dir: pathlib.Path, *units: np.ndarray) -> str:
    for number, unit in enumerate(units):
        np.save(work_dir / f"unit-{number:06d}.npy", unit)
    return str(work_dir)


def _find(work_dir: str, num_units: int, num_files: int):
    decided = decisions.create(work_dir, num_files)
    paths = exact.find_exact_duplicates(
        work_dir, num_units=num_units, num_candidates=num_files, decided=decided
    )
    return paths, decided


def test_the_first_of_equal_files_is_kept_across_units(tmp_path):
    first = _index([_hash(200), _hash(3), _hash(200)])
    second = _index([_hash(3), _hash(7)])
    second["file_id"] += 3
    (path,), decided = _find(_save(tmp_path, first, second), 2, 5)
    assert decided.duplicate_of.tolist() == [-1, -1, 0, 1, -1]
    assert np.load(path)["file_id"].tolist() == [1, 4, 0]


def test_hashes_that_end_in_zero_bytes_stay_apart(tmp_path):
    _, decided = _find(_save(tmp_path, _index([_hash(3, 0), _hash(3, 1), _hash(3, 0)])), 1, 3)
    assert decided.duplicate_of.tolist() == [-1, -1, 0]


def test_ranges_change_nothing_but_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    hashes = [rng.bytes(32) for _ in range(200)]
    work_dir = _save(tmp_path, _index(hashes + hashes[:50]))
    (path,), decided = _find(work_dir, 1, 250)
    rows, copies = np.load(path), decided.duplicate_of.tolist()
    monkeypatch.setattr(exact, "_MAX_RANGE_ROWS", 40)
    paths, decided = _find(work_dir, 1, 250)
    assert len(paths) == 7
    assert decided.duplicate_of.tolist() == copies
    joined = np.concatenate([np.load(path) for path in paths])
    assert joined.tobytes() == rows.tobytes()


def test_shards_are_about_equal_and_hold_every_kept_row_once(tmp_path):
    rng = np.random.default_rng(0)
    paths, decided = _find(_save(tmp_path, _index([rng.bytes(32) for _ in range(104)])), 1, 104)
    decided.reason[100:] = decisions.NEAR

    def rows_fn(split: str):
        return exact.kept_rows_of_split(
            paths, decided=decided, assigned={5: splits.TRAIN}, split=split
        )

    plans = list(records.plan_shards(rows_fn, shard_bytes=2500))
    assert [plan.name for plan in plans] == [
        f"flcc-train.tfrecord-{n:05d}-of-00004" for n in range(4)
    ]
    assert sum(len(plan.rows) for plan in plans) == 100
    assert max(len(plan.rows) for plan in plans) == 25
    ids = sorted(i for plan in plans for i in plan.rows["file_id"].tolist())
    assert ids == list(range(100))


def test_metadata_is_what_tfds_writes_itself(tmp_path):
    import tensorflow_datasets as tfds

    from preprocessing.flcc import flcc_dataset_builder

    example = {"text": b"x = 1\n", "size": 6, "path": b"p", "repository": b"o/r"}
    example.update(branch=b"m", language=b"Python", content_hash=b"0", license=b"MIT")
    record = tfrecords.frame_record(tfrecords.encode_example(example))
    ours = tmp_path / "flcc/dev/2.0.0"
    ours.mkdir(parents=True)
    written = []
    for split, count in (("train", 3), ("validation", 1)):
        name = f"flcc-{split}.tfrecord-00000-of-00001"
        (ours / name).write_bytes(record * count)
        num_bytes = count * (len(record) - tfrecords.FRAME_BYTES)
        written.append(records.Shard(split, name, count, num_bytes, ""))
    records.write_tfds_metadata(ours, name="dev", written=written)

    config = flcc_dataset_builder.FlccConfig(name="dev")
    theirs = flcc_dataset_builder.Builder(config=config, data_dir=str(tmp_path / "theirs"))
    theirs.info.set_splits(
        tfds.core.splits.SplitDict(
            [
                tfds.core.SplitInfo(
                    name=shard.split,
                    shard_lengths=[shard.num_examples],
                    num_bytes=shard.num_bytes,
                    filename_template=tfds.core.ShardedFileTemplate(
                        data_dir=ours, dataset_name="flcc", filetype_suffix="tfrecord"
                    ),
                )
                for shard in written
            ]
        )
    )
    (tmp_path / "out").mkdir()
    theirs.info.set_file_format("tfrecord")
    theirs.info.write_to_directory(tmp_path / "out")
    for name in ("dataset_info.json", "features.json"):
        wanted = json.loads((tmp_path / "out" / name).read_text())
        assert json.loads((ours / name).read_text()) == wanted

    builder = tfds.builder("flcc/dev", data_dir=str(tmp_path))
    assert builder.info.splits["train"].num_examples == 3
    (row,) = tfds.as_numpy(builder.as_dataset(split="validation"))
    assert row == example
