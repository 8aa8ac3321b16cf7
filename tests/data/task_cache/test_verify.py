"""Every byte of a cache is compared with its manifest."""

from __future__ import annotations

import json
import shutil

import pytest

from code_t5 import errors
from code_t5.data.task_cache import build


@pytest.fixture(scope="module")
def config(small_data_dir, tmp_path_factory):
    """Of two caches that share their files."""
    config = build.CacheConfig(
        tasks=("small", "small_prefix_lm"),
        output_cache_dir=str(tmp_path_factory.mktemp("cache")),
        data_dir=str(small_data_dir),
        num_workers=1,
        min_shards=2,
    )
    build.cache_tasks(config)
    return config


@pytest.fixture
def copied(config, tmp_path):
    """Configuration of one cache that the test may damage, and where it lies."""
    shutil.copytree(f"{config.output_cache_dir}/small", tmp_path / "small")
    changes = {"tasks": ("small",), "output_cache_dir": str(tmp_path)}
    return build.CacheConfig(**{**vars(config), **changes}), tmp_path / "small"


def test_caches_as_written_pass(config):
    outcomes = build.verify_tasks(config)
    assert [(o.task, o.how) for o in outcomes] == [
        ("small", "verified"), ("small_prefix_lm", "verified"),
    ]  # fmt: skip
    assert outcomes[0].num_examples["train"] == 45


def test_a_flipped_byte_of_any_file_is_found_and_the_command_is_named(copied):
    config, folder = copied
    files = [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size]
    files.remove(folder / "manifest.json")
    assert len(files) > 20
    for path in files:
        data = path.read_bytes()
        flipped = bytearray(data)
        flipped[len(data) // 2] ^= 2
        path.write_bytes(flipped)
        with pytest.raises(errors.ArtifactError) as caught:
            build.verify_tasks(config)
        message = str(caught.value)
        assert path.name in message
        assert message.endswith(
            f"python scripts/cache_tasks.py --tasks small --data_dir={config.data_dir} "
            f"--output_cache_dir={folder.parent} --overwrite"
        )
        assert "\n" not in message
        path.write_bytes(data)
    build.verify_tasks(config)


@pytest.mark.parametrize("sha256", [None, {}, {"train.tfrecord-00000-of-00002": "0" * 64}])
def test_a_manifest_without_all_hashes_is_refused(copied, sha256):
    config, folder = copied
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": sha256}))
    with pytest.raises(errors.ArtifactError, match="does not give the SHA-256 of each file"):
        build.verify_tasks(config)


def test_a_task_that_is_not_cached_names_the_command(copied):
    config, folder = copied
    shutil.rmtree(folder)
    with pytest.raises(errors.NotBuiltError, match="there is no task cache .*--tasks small --data"):
        build.verify_tasks(config)
