"""A T5 of the dev size with weights by chance, and settings that make a teacher of it."""

from __future__ import annotations

import pathlib
import shutil

import pytest
from made_once import made_once, session_folder
from small_t5_directory import write_t5

from code_t5.training.teachers import generating, t5_network

TASK = "small_prefix_lm"


@pytest.fixture(scope="session")
def dev_t5(small_data_dir, tmp_path_factory):
    """A directory of Hugging Face that code_t5 has not exported; only to be read."""
    vocabulary_dir = small_data_dir / "vocabularies" / "default"
    folder = made_once(
        session_folder(tmp_path_factory),
        "dev_t5",
        lambda folder: write_t5(folder / "t5", vocabulary_dir=vocabulary_dir),
    )
    return folder / "t5"


@pytest.fixture(scope="session")
def small_task_caches(small_data_dir, tmp_path_factory):
    """Holds the cache of the Task; only to be read."""
    from code_t5.data.task_cache import build

    folder = made_once(
        session_folder(tmp_path_factory),
        "small_task_caches",
        lambda folder: build.cache_tasks(
            build.CacheConfig(
                tasks=(TASK,),
                output_cache_dir=str(folder / "caches"),
                data_dir=str(small_data_dir),
                num_workers=1,
                min_shards=1,
            )
        ),
    )
    return folder / "caches"


@pytest.fixture
def t5_settings(dev_t5, small_data_dir, small_task_caches):
    """What a user gives for a teacher that is this T5; torch has one thread, as in generation."""
    t5_network.import_libraries()
    with generating.one_thread():
        yield {
            **{"hf_dir": str(dev_t5), "data_dir": str(small_data_dir), "task": TASK},
            **{"task_cache_dir": str(small_task_caches), "inputs_length": 24},
            "targets_length": 24,
        }


@pytest.fixture
def own_t5(dev_t5, tmp_path):
    """A copy of the T5 of one's own."""
    return pathlib.Path(shutil.copytree(dev_t5, tmp_path / "own_t5"))
