from __future__ import annotations

import json

import pytest
from small_token_source import ListSource, small_source, store_words

from code_t5.token_cache.building import staging
from code_t5.token_cache.building.build_config import BuildConfig
from code_t5.token_cache.building.disk_room import Room

_PART_BYTES = 3_000_000


def _room(folder, source):
    config = BuildConfig(folder / "cache", encoder="tokenizers")
    return Room(source, tokenizer=store_words(folder / "tokenizer"), config=config)


def _fail(folder, room):
    """Fails as on a full disk, two documents of the first split being written."""
    with staging.staging_of(folder / "cache") as work:
        work.prepare("plan")
        with open(work.parts_dir / "train-000000", "wb") as file:
            file.truncate(_PART_BYTES)
        (work.markers_dir / "train-000000.json").write_text(json.dumps({"num_documents": 2}))
        (work.markers_dir / "train-000001.json").write_text("cut sh")
        with pytest.raises(OSError), room.counted(work):
            raise OSError


def test_rest_is_reckoned_by_what_is_written(tmp_path):
    room = _room(tmp_path, small_source())
    _fail(tmp_path, room)
    # 3 MB for 2 documents of 8: 12 MB, twice.
    assert room.describe() == "about 24.0 MB, twice the size of the cache"


def test_documents_that_nobody_counted_want_more_than_is_written(tmp_path):
    room = _room(tmp_path, small_source(knows_counts=False))
    _fail(tmp_path, room)
    assert room.describe() == "more than 6.0 MB, twice the size of the cache"


def test_before_anything_is_written_a_sample_tells(tmp_path):
    room = _room(tmp_path, ListSource({"train": ["a"] * 2000, "test": ["b c"] * 500}))
    # 5,500 tokens with ends, and 64 bytes more for each of 2,500 documents; twice.
    assert room.describe() == "about 0.3 MB, twice the size of the cache"
