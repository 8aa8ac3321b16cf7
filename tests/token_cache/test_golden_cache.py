"""A cache that an earlier version wrote is read, whatever this one writes."""

from __future__ import annotations

import pytest
from golden_token_cache import write_golden_cache
from small_token_source import END, small_source, store_words

from code_t5.token_cache import FastHfDatasetProvider, verify
from code_t5.token_cache.building import build_plan, cache_place
from code_t5.token_cache.reader import TokenCacheReader


@pytest.fixture(name="golden_dir")
def _golden_dir(tmp_path):
    write_golden_cache(tmp_path / "cache")
    return tmp_path / "cache"


def test_golden_cache_is_read(golden_dir):
    cache = TokenCacheReader(golden_dir)
    assert list(cache.splits) == ["train", "validation"]
    assert cache.splits["train"]["largest_id"] == 5
    assert cache.end_of_text_id == END
    assert cache.config == {"dataset_name": "small", "revision": "1", "use_eos_token": True}
    train = cache.split("train")
    assert train.tokens.tolist() == [2, 3, 4, 1, 1, 5, 1, 2, 2, 2, 2, 2, 1, 3, 0, 5, 1, 4, 1]
    assert train.offsets.tolist() == [0, 4, 5, 7, 13, 17, 19]
    assert train.sizes.tolist() == [5, 0, 1, 9, 5, 1]
    assert train.names(5) == ("", "5")
    assert cache.split("validation").tokens.tolist() == [5, 5, 1, 4, 3, 2, 1]


def test_golden_cache_passes_verification_and_decodes(golden_dir):
    assert len(verify.verify_cache(golden_dir)) == 2
    provider = FastHfDatasetProvider.from_cache(golden_dir)
    assert provider.tokenizer.decode([2, 3, 4]) == "a b c"
    inputs, labels = provider.get_val_dataset(seq_len=3)[0]
    assert (inputs.tolist(), labels.tolist()) == ([5, 5, 1], [5, 1, 4])


def test_golden_cache_is_the_one_that_is_asked_for_and_may_be_replaced(golden_dir, tmp_path):
    tokenizer = store_words(tmp_path / "tokenizer")
    parts = build_plan.fingerprint_parts(small_source(), tokenizer=tokenizer, use_eos_token=True)
    # The tokenizer's own part is its library's, in whatever version.
    parts["tokenizer"] = TokenCacheReader(golden_dir).fingerprint_parts["tokenizer"]
    present = build_plan.open_present(golden_dir, parts=parts)
    assert present is not None and present.splits["train"]["num_tokens"] == 19
    cache_place.check_replaceable(golden_dir)
