from __future__ import annotations

import listed_token_cache
import numpy as np
import pytest

from code_t5 import errors
from code_t5.token_cache.cache_readers import CacheReaders
from code_t5.token_cache.reader import TokenCacheReader

_WITHIN = {"seq_len": 16, "cross_documents": False, "pad_id": 9}
_ROW = [116, 117, 118, 119] + [9] * 12


@pytest.fixture
def readers(tmp_path):
    return CacheReaders(TokenCacheReader(listed_token_cache.write_cache(tmp_path / "made")))


def test_what_fills_up_windows_comes_through_every_reader(readers):
    assert readers.windows("train", **_WITHIN).read(np.array([1])).inputs.tolist() == [_ROW]
    assert readers.get_train_dataset(**_WITHIN)[1][0].tolist() == _ROW
    options = {**_WITHIN, "batch_size": 3, "shuffle": False}
    for made in (
        readers.batches("train", **options),
        readers.torch_stream("train", **options),
        readers.tf_batches("train", **options),
        readers.tf_dataset("train", **options),
    ):
        inputs, _ = next(iter(made))
        assert np.asarray(inputs)[1].tolist() == _ROW


@pytest.mark.parametrize("name", ["batches", "torch_stream", "tf_batches", "tf_dataset"])
def test_options_of_order_come_through_every_reader(readers, name):
    options = {"seq_len": 4, "batch_size": 2, "seed": 7, "rank": 1, "world_size": 2}
    options |= {"drop_last": False, "fields": ["labels"], "overlap": 1}
    made = list(getattr(readers, name)("train", **options))
    wanted = list(readers.batches("train", **options))
    assert [np.asarray(labels).tolist() for (labels,) in made] == [
        labels.tolist() for (labels,) in wanted
    ]
    assert len(made) == 3


@pytest.mark.parametrize("name", ["batches", "torch_stream", "tf_batches", "tf_dataset"])
def test_an_option_that_is_none_is_refused_with_those_that_are(readers, name):
    with pytest.raises(errors.InputError, match="no option 'shufle'; wanted .*overlap.*did you me"):
        getattr(readers, name)("train", seq_len=4, batch_size=2, shufle=False)


@pytest.mark.parametrize("name", ["windows", "get_dataset", "source"])
def test_an_option_of_windows_that_is_none_is_refused(readers, name):
    match = "no option 'overlapp'; wanted some of overlap, cross_documents, pad_id; did you mean"
    with pytest.raises(errors.InputError, match=match) as caught:
        getattr(readers, name)("train", seq_len=4, overlapp=1)
    assert "\n" not in str(caught.value)
    with pytest.raises(errors.InputError, match="no option 'shuffle'.* leave it out"):
        getattr(readers, name)("train", seq_len=4, shuffle=True)
