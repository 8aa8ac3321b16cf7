from __future__ import annotations

import json

import numpy as np
import pytest
import small_token_cache
from small_token_source import small_source, store_words

from code_t5 import errors
from code_t5.storage import fingerprints
from code_t5.token_cache import verify
from code_t5.token_cache.building.build import BuildConfig, build_cache


@pytest.fixture(name="cache_dir")
def _cache_dir(tmp_path):
    config = BuildConfig(tmp_path / "cache", num_workers=1, encoder="tokenizers")
    build_cache(small_source(), tokenizer=store_words(tmp_path / "tokenizer"), config=config)
    return tmp_path / "cache"


def _change_fields(cache_dir, change):
    path = cache_dir / "manifest.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def _change_array(cache_dir, name, place, value):
    """Changes an array and its checksum, as a writer with a fault would."""
    array = np.load(cache_dir / name)
    array[place] = value
    np.save(cache_dir / name, array)
    sha256 = fingerprints.hash_file(cache_dir / name)
    _change_fields(cache_dir, lambda fields: fields["sha256"].update({name: sha256}))


def test_whole_cache_shows_text_of_each_split(cache_dir):
    samples = verify.verify_cache(cache_dir)
    assert [(sample.split, sample.number, sample.name) for sample in samples] == [
        ("train", 3, ("", "3")),
        ("validation", 1, ("", "1")),
    ]
    assert samples[1].text == "c b a <end>"
    assert verify.describe(samples[1]) == "validation document 1 ('1'): 'c b a <end>'"


def test_cache_without_a_tokenizer_is_checked_too(tmp_path):
    assert verify.verify_cache(small_token_cache.write_cache(tmp_path)) == []


@pytest.mark.parametrize(
    "name", ["train.npy", "train.names.npy", "config.json", "tokenizer/tokenizer.json"]
)
def test_flipped_bit_is_found(cache_dir, name):
    data = bytearray((cache_dir / name).read_bytes())
    data[-2] ^= 1
    (cache_dir / name).write_bytes(data)
    with pytest.raises(errors.ArtifactError, match=name) as caught:
        verify.verify_cache(cache_dir)
    assert "\n" not in str(caught.value)


def test_documents_out_of_order_are_found(cache_dir):
    _change_array(cache_dir, "train.offsets.npy", 1, 6)
    with pytest.raises(errors.ArtifactError, match="falls from 6 to 5 at 2"):
        verify.verify_cache(cache_dir)


def test_document_without_its_end_is_found(cache_dir):
    _change_array(cache_dir, "train.npy", 6, 2)
    with pytest.raises(errors.ArtifactError, match="a document without its end: 2 of train"):
        verify.verify_cache(cache_dir)


def test_id_that_is_no_token_is_found(cache_dir):
    _change_array(cache_dir, "train.npy", 0, 6)
    with pytest.raises(errors.ArtifactError, match="6 for the largest id of train, not 5"):
        verify.verify_cache(cache_dir)
    _change_fields(cache_dir, lambda fields: fields["splits"]["train"].update(largest_id=6))
    with pytest.raises(errors.ArtifactError, match="id 6 in train, and 6 tokens to read it"):
        verify.verify_cache(cache_dir)


def test_terminal_is_not_commanded_by_a_name():
    sample = verify.DecodedSample("train", 0, ("a", "b\x1b[2J"), "\x1b[31m")
    assert "\x1b" not in verify.describe(sample)
