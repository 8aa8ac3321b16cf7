"""What the tests of bad input share: a small cache that they may damage."""

from __future__ import annotations

import shutil

import pytest
import small_tokenizer

from code_t5.token_cache import FastHfDatasetProvider


@pytest.fixture(scope="session", name="tokenizer")
def _tokenizer():
    return small_tokenizer.hugging_face_tokenizer()


@pytest.fixture(scope="session", name="small_documents")
def _documents():
    return {
        "train": [f"a warm film about number {number}" for number in range(40)],
        "validation": ["the plot is thin", "the jokes are tired"],
    }


@pytest.fixture(scope="session", name="built_dir")
def _built_dir(tmp_path_factory, small_documents, tokenizer):
    cache_dir = tmp_path_factory.mktemp("built") / "cache"
    FastHfDatasetProvider.from_documents(
        small_documents, tokenizer=tokenizer, cache_dir=cache_dir, num_workers=1
    )
    return cache_dir


@pytest.fixture(name="cache_dir")
def _cache_dir(built_dir, tmp_path):
    """A finished cache that a test may damage."""
    shutil.copytree(built_dir, tmp_path / "cache")
    return tmp_path / "cache"
