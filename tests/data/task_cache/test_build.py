from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from cached_examples import read_examples, small_cache_config
from small_build import tree_bytes

from code_t5 import errors
from code_t5.data.task_cache import build, layout, shard_writer
from code_t5.encoding import token_model
from code_t5.storage import atomic, fingerprints, tfrecords
from code_t5.token_cache import reader


def _source(data_dir, split):
    folder = data_dir / "flcc/small/2.0.0"
    return [
        tfrecords.decode_example(data)
        for path in sorted(folder.glob(f"flcc-{split}.tfrecord-*"))
        for data in tfrecords.read_records(path)
    ]


def _wanted_examples(data_dir, split):
    model = token_model.load_token_model(data_dir / "vocabularies/default")
    return [
        (source["repository"], source["path"], tuple(model.encode(source["text"].decode())))
        for source in _source(data_dir, split)
    ]


def test_examples_are_the_ids_of_each_file_in_the_order_of_the_data_set(sharded_data_dir, tmp_path):
    (outcome,) = build.cache_tasks(small_cache_config(sharded_data_dir, tmp_path / "out"))
    assert outcome.how == "written"
    for split in ("train", "validation", "test"):
        wanted = _wanted_examples(sharded_data_dir, split)
        assert read_examples(tmp_path / "out/small", split) == wanted
        assert outcome.num_examples[split] == len(wanted)
        lengths = [len(ids) for _, _, ids in wanted]
        stats = json.loads((tmp_path / f"out/small/stats.{split}.json").read_text())
        assert stats == {
            "examples": len(wanted),
            "targets_tokens": sum(lengths),
            "targets_max_tokens": max(lengths),
        }
    assert outcome.num_shards == {"train": 4, "validation": 3, "test": 3}


def test_the_token_cache_holds_the_same_documents(sharded_data_dir, tmp_path):
    build.cache_tasks(small_cache_config(sharded_data_dir, tmp_path / "out"))
    tokens = reader.TokenCacheReader(tmp_path / "out/small/tokens")
    tokens.verify()
    for split in ("train", "validation", "test"):
        opened = tokens.split(split)
        sources = _source(sharded_data_dir, split)
        assert opened.sizes.tolist() == [len(source["text"]) for source in sources]
        for i, (repository, path, ids) in enumerate(_wanted_examples(sharded_data_dir, split)):
            assert opened.names(i) == (repository.decode(), path.decode())
            assert opened.tokens[slice(*opened.offsets[i : i + 2])].tolist() == list(ids)
    fields = layout.read_task_manifest(tmp_path / "out/small")
    assert tokens.fingerprint == fields["fingerprint"]


def test_the_manifest_has_size_and_hash_of_every_file_that_seqio_reads(small_data_dir, tmp_path):
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path / "out"))
    fields = layout.read_task_manifest(tmp_path / "out/small")
    folder = tmp_path / "out/small"
    files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    assert set(fields["sha256"]) == set(files) - {"manifest.json", "COMPLETED"}
    assert {"tokens/manifest.json", "tokens/COMPLETED", "tokens/train.npy"} <= set(fields["sha256"])
    for name, sha256 in fields["sha256"].items():
        assert fingerprints.hash_file(files[name]) == sha256
        assert fields["sizes"][name] == files[name].stat().st_size
    assert set(fields["fingerprint_parts"]) == {
        "vocabulary", "tokenizer library", "data set", "data set version", "code version",
    }  # fmt: skip


@pytest.mark.parametrize("num_workers", [2, 3])
def test_the_number_of_workers_changes_no_byte(sharded_data_dir, tmp_path, num_workers):
    build.cache_tasks(small_cache_config(sharded_data_dir, tmp_path / "one"))
    build.cache_tasks(
        small_cache_config(sharded_data_dir, tmp_path / "many", num_workers=num_workers)
    )
    assert tree_bytes(tmp_path / "one/small") == tree_bytes(tmp_path / "many/small")


def test_tasks_of_one_data_set_are_encoded_once_and_share_their_files(
    small_data_dir, tmp_path, encoded
):
    names = ("small", "small_prefix_lm", "small")
    outcomes = build.cache_tasks(small_cache_config(small_data_dir, tmp_path, tasks=names))
    assert [(o.task, o.how) for o in outcomes] == [
        ("small", "written"), ("small_prefix_lm", "linked"),
    ]  # fmt: skip
    assert len(encoded) == 9
    again = build.cache_tasks(
        small_cache_config(small_data_dir, tmp_path, tasks=("small_span_corruption", "small"))
    )
    assert [(o.task, o.how) for o in again] == [
        ("small_span_corruption", "linked"), ("small", "was there"),
    ]  # fmt: skip
    assert len(encoded) == 9
    wanted = tree_bytes(tmp_path / "small")
    for name in ("small_prefix_lm", "small_span_corruption"):
        assert tree_bytes(tmp_path / name) == wanted
        shard = "train.tfrecord-00000-of-00003"
        assert os.path.samefile(tmp_path / name / shard, tmp_path / "small" / shard)


def test_files_are_copied_where_they_cannot_be_linked(small_data_dir, tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    build.cache_tasks(
        small_cache_config(small_data_dir, tmp_path, tasks=("small", "small_prefix_lm"))
    )
    assert tree_bytes(tmp_path / "small_prefix_lm") == tree_bytes(tmp_path / "small")


def test_nothing_but_caches_and_a_lock_is_left(small_data_dir, tmp_path):
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path / "out"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".caching", "small"}
    assert [path.name for path in (tmp_path / "out/.caching").iterdir()] == ["small.lock"]


_KILLED = """
import functools, importlib, os, signal, sys
from code_t5.data.task_cache import build
count, where = int(sys.argv[3]), sys.argv[4]
module_name, name = where.split(":")
module = importlib.import_module(module_name)
original = getattr(module, name)
@functools.wraps(original)
def dying(*args, **kwargs):
    global count
    count -= 1
    if count < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)
setattr(module, name, dying)
build.cache_tasks(build.CacheConfig(
    tasks=("small",), output_cache_dir=sys.argv[2], data_dir=sys.argv[1], num_workers=1,
    min_shards=3))
"""

# In the order in which a run comes to them, so that each gets further than the one before.
_DEATHS = [
    (0, "code_t5.data.task_cache.shard_writer:frame_examples"),
    (2, "code_t5.data.task_cache.shard_writer:frame_examples"),
    (1, "code_t5.data.task_cache.shard_writer:_write_marker"),
    (0, "code_t5.token_cache.writer:join_parts"),
    (0, "code_t5.token_cache.writer:_write_manifest"),
    (0, "code_t5.storage.manifest:write_manifest"),
    (1, "code_t5.storage.manifest:write_manifest"),
    (1, "code_t5.storage.atomic:publish_directory"),
]


def test_a_run_killed_at_eight_points_ends_with_the_same_bytes(sharded_data_dir, tmp_path):
    command = [sys.executable, "-c", _KILLED, str(sharded_data_dir), str(tmp_path / "killed")]
    for count, where in _DEATHS:
        done = subprocess.run([*command, str(count), where], check=False, capture_output=True)
        assert done.returncode == -signal.SIGKILL, (where, done.stderr)
        assert not (tmp_path / "killed/small").exists()
    build.cache_tasks(small_cache_config(sharded_data_dir, tmp_path / "killed"))
    build.cache_tasks(small_cache_config(sharded_data_dir, tmp_path / "whole"))
    assert tree_bytes(tmp_path / "killed") == tree_bytes(tmp_path / "whole")


def _interrupt(data_dir, output, *, jobs: int) -> pathlib.Path:
    """Leaves what a run leaves that was killed after some jobs; returns where."""
    where = "code_t5.data.task_cache.shard_writer:frame_examples"
    command = [sys.executable, "-c", _KILLED, str(data_dir), str(output), str(jobs), where]
    done = subprocess.run(command, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return output / ".caching/small"


def test_shards_that_a_killed_run_finished_are_not_written_again(small_data_dir, tmp_path, encoded):
    _interrupt(small_data_dir, tmp_path, jobs=4)
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path))
    assert len(encoded) == 9 - 4


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "no part", "cut part", "marker"])
def test_a_half_written_shard_or_part_is_written_again(small_data_dir, tmp_path, encoded, damage):
    staging = _interrupt(small_data_dir, tmp_path / "out", jobs=4)
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path / "whole"))
    encoded.clear()
    name = sorted(path.stem for path in (staging / "markers").iterdir())[1]
    shard, part = staging / "cache" / name, staging / "parts" / name
    path = part if "part" in damage else shard
    if damage.startswith("cut"):
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "flip":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    elif damage == "marker":
        (staging / "markers" / f"{name}.json").write_bytes(b"")
    else:
        path.unlink()
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path / "out"))
    assert name in encoded
    assert len(encoded) == 9 - 3
    assert tree_bytes(tmp_path / "out") == tree_bytes(tmp_path / "whole")


def test_what_another_plan_left_is_thrown_away(copied_data_dir, tmp_path, encoded):
    staging = _interrupt(copied_data_dir, tmp_path, jobs=4)
    (staging / "cache/stray").write_text("of the other plan")
    build.cache_tasks(small_cache_config(copied_data_dir, tmp_path, min_shards=2))
    assert len(encoded) == 6
    assert not (tmp_path / "small/stray").exists()
    assert not (tmp_path / "small/train.tfrecord-00000-of-00003").exists()


def test_a_link_in_the_place_of_unfinished_work_is_not_followed(small_data_dir, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/.kept.tmp").write_text("kept")
    (tmp_path / "out/.caching").mkdir(parents=True)
    (tmp_path / "out/.caching/small").symlink_to(tmp_path / "elsewhere")
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path / "out"))
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == [".kept.tmp"]
    assert (tmp_path / "out/small/COMPLETED").is_file()


def test_a_second_run_is_refused_while_one_writes(small_data_dir, tmp_path):
    with atomic.lock(tmp_path / ".caching/small.lock", purpose="caching small"):
        with pytest.raises(errors.BusyError, match="another process holds .*caching small"):
            build.cache_tasks(small_cache_config(small_data_dir, tmp_path))


def _spoil(folder: pathlib.Path, **changes) -> None:
    fields = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**fields, **changes}))


@pytest.mark.parametrize("output", ["file/sub", "file/sub/deeper", "/proc/nope"])
def test_an_output_where_no_directory_can_be_is_refused(small_data_dir, tmp_path, output):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(errors.InputError, match="where no directory can be made") as caught:
        build.cache_tasks(small_cache_config(small_data_dir, tmp_path / output))
    assert "\n" not in str(caught.value)


def test_names_that_are_no_task_list_near_ones(small_data_dir, tmp_path):
    for name, near in (("smal_prefix_lm", "small_prefix_lm"), ("smalll", "small")):
        with pytest.raises(errors.InputError) as caught:
            build.cache_tasks(small_cache_config(small_data_dir, tmp_path, tasks=("small", name)))
        message = str(caught.value)
        assert message.startswith(f"{name!r} is no Task; wanted one of the data sets under ")
        assert "(small), alone or followed by one of _prefix_lm, " in message
        assert f"another --data_dir; did you mean {near}" in message
        assert "\n" not in message
    with pytest.raises(errors.InputError, match="no Task was given"):
        build.cache_tasks(small_cache_config(small_data_dir, tmp_path, tasks=()))
    assert not (tmp_path / "small").exists()


def test_an_output_that_is_a_file_is_refused(small_data_dir, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(errors.InputError, match="file, which is a file; wanted a directory"):
        build.cache_tasks(small_cache_config(small_data_dir, tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_published_data_set_that_is_not_built_names_the_command(small_data_dir, tmp_path):
    config = small_cache_config(small_data_dir, tmp_path, tasks=("small", "fl_py_10stars_2019"))
    with pytest.raises(errors.NotBuiltError, match="build it with: python -m preprocessing.build"):
        build.cache_tasks(config)
    assert not (tmp_path / "small").exists()


def test_a_damaged_source_is_refused_and_nothing_is_published(copied_data_dir, tmp_path):
    (path,) = (copied_data_dir / "flcc/small/2.0.0").glob("flcc-train*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(errors.ArtifactError, match="is damaged at byte"):
        build.cache_tasks(small_cache_config(copied_data_dir, tmp_path / "out"))
    assert not (tmp_path / "out/small").exists()


def test_a_data_set_and_another_vocabulary_are_refused(copied_data_dir, tmp_path):
    path = copied_data_dir / "flcc/small/2.0.0/manifest.json"
    _spoil(path.parent, vocabulary_fingerprint="0" * 64)
    with pytest.raises(errors.VocabularyMismatchError, match="was checked with the vocabulary 00"):
        build.cache_tasks(small_cache_config(copied_data_dir, tmp_path / "out"))


_FULL_DISK = r"""
set -e
mount -t tmpfs -o size=200k tmpfs "$2"
"$1" scripts/cache_tasks.py --tasks=small --data_dir="$3" --output_cache_dir="$2" || status=$?
test ! -e "$2/small"
test -e "$2/.caching/small/markers"
mount -o remount,size=20m "$2"
"$1" scripts/cache_tasks.py --tasks=small --data_dir="$3" --output_cache_dir="$2"
test -e "$2/small/COMPLETED"
exit ${status:-0}
"""


def test_a_full_disk_ends_in_one_line_and_the_same_command_goes_on(small_data_dir, tmp_path):
    mounts = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*mounts, "true"], capture_output=True, check=False).returncode:
        mounts = ["unshare", "--mount"]
    done = subprocess.run(
        [*mounts, "bash", "-c", _FULL_DISK, "bash", sys.executable, str(tmp_path),
         str(small_data_dir)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "error: no space left on the device" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("small: written: ")


def test_ids_above_uint16_are_cached(small_data_dir, tmp_path, monkeypatch):
    class Shifted:
        def __init__(self, encoder):
            self._encoder = encoder

        def encode(self, contents):
            ids = self._encoder.encode(contents)
            return type(ids)((ids.values + 70_000).astype(np.int32), ids.offsets)

    original = shard_writer._encoder
    monkeypatch.setattr(shard_writer, "_encoder", lambda *args: Shifted(original(*args)))
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path))
    wanted = _wanted_examples(small_data_dir, "test")
    found = read_examples(tmp_path / "small", "test")
    assert [ids for _, _, ids in found] == [tuple(i + 70_000 for i in ids) for _, _, ids in wanted]
    tokens = reader.TokenCacheReader(tmp_path / "small/tokens").split("test")
    assert tokens.tokens.dtype == np.uint32
    assert tokens.tokens.tolist() == [i for _, _, ids in found for i in ids]


def test_a_byte_level_vocabulary_is_cached_too(byte_level_data_dir, tmp_path):
    build.cache_tasks(small_cache_config(byte_level_data_dir, tmp_path / "out"))
    wanted = _wanted_examples(byte_level_data_dir, "train")
    assert len(wanted) > 20
    assert read_examples(tmp_path / "out/small", "train") == wanted
    parts = layout.read_task_manifest(tmp_path / "out/small")["fingerprint_parts"]
    assert parts["tokenizer library"].startswith("tokenizers 0.")
