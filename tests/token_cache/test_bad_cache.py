"""A damaged cache, windows that cannot be, no room: one clear line, and the cache as it was."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest
from refusals import assert_refused, content

from code_t5.token_cache import FastHfDatasetProvider, layout, verify
from code_t5.token_cache.sharing import free_memory

# Files of the cache that were cut short or changed.


def _use(cache_dir, **options):
    """Reads what a user would: windows of each split, names and the tokenizer."""
    provider = FastHfDatasetProvider.from_cache(cache_dir, **options)
    for dataset in (provider.get_train_dataset(seq_len=8), provider.get_val_dataset(seq_len=4)):
        for inputs, labels in (dataset[index] for index in range(len(dataset))):
            assert inputs[1:].tolist() == labels[:-1].tolist()
    names = [provider.cache.split("train").names(index) for index in range(3)]
    return names, provider.tokenizer.decode([5])


_FILES = [layout.array_name("train", array) for array in layout.ARRAYS]
_FILES += ["manifest.json", "tokenizer/tokenizer.json"]


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("change", ["empty", "half", "one byte", "longer", "missing"])
def test_file_of_another_length_is_refused(cache_dir, name, change):
    path = cache_dir / name
    content = path.read_bytes()
    sizes = {"empty": 0, "half": len(content) // 2, "one byte": len(content) - 1}
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: sizes.get(change, len(content))])
        if change == "longer":
            path.write_bytes(content + b"\0")
    if name == "manifest.json" and change in ("one byte", "longer"):
        # A line end more or less: the JSON is the same, or none.
        if change == "one byte":
            assert _use(cache_dir)[0][0] == ("", "0")
            return
    assert_refused(lambda: _use(cache_dir), match=re.escape(os.path.basename(name)))


@pytest.mark.parametrize("name", [*_FILES[:-2], "tokenizer/tokenizer.json", "config.json"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.999])
def test_flipped_bit_never_passes_verification(cache_dir, name, place):
    path = cache_dir / name
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    assert_refused(lambda: verify.verify_cache(cache_dir), match=re.escape(os.path.basename(name)))


@pytest.mark.parametrize("name", _FILES[:-2])
def test_flipped_bit_never_gets_into_shared_memory(cache_dir, name):
    path = cache_dir / name
    content = bytearray(path.read_bytes())
    # Of the header's padding: the array is the same.
    content[120] ^= ord(" ") ^ ord("\t")
    path.write_bytes(content)
    assert _use(cache_dir)[0][0] == ("", "0")
    assert_refused(
        lambda: _use(cache_dir, use_shared_memory=True), match=rf"{re.escape(name)} has SHA-256"
    )


def test_offsets_that_fall_are_refused_where_documents_are_read(cache_dir):
    path = cache_dir / "train.offsets.npy"
    offsets = np.load(path)
    offsets[5] = offsets[9]
    np.save(path, offsets)
    provider = FastHfDatasetProvider.from_cache(cache_dir)
    assert_refused(
        lambda: provider.windows("train", seq_len=4, cross_documents=False),
        match=r"train\.offsets\.npy falls from",
    )


def test_cache_without_its_marker_is_refused(cache_dir):
    (cache_dir / "COMPLETED").unlink()
    assert_refused(lambda: _use(cache_dir), match="COMPLETED marker; wanted a finished")


def _change_manifest(cache_dir, **fields):
    path = cache_dir / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_cache_of_a_newer_format_says_so(cache_dir, tokenizer, small_documents):
    _change_manifest(cache_dir, format_version=2)
    assert_refused(lambda: _use(cache_dir), match="version 2.*version 1")
    assert_refused(
        lambda: FastHfDatasetProvider.from_documents(
            small_documents, tokenizer=tokenizer, cache_dir=cache_dir
        ),
        match="version 2",
        unchanged=cache_dir.parent,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"end_of_text_id": "x"},
        {"end_of_text_id": -1},
        {"tokenizer": {"kind": "pickle"}},
        {"tokenizer": 7},
        {"encoder": 7},
        {"dtype": "float64"},
        {"splits": {}},
        {"splits": {"../train": {"num_documents": 1, "num_tokens": 1, "num_bytes": 1}}},
    ],
)
def test_manifest_with_a_field_of_another_kind_is_refused(cache_dir, fields):
    _change_manifest(cache_dir, **fields)
    assert_refused(lambda: _use(cache_dir), match="manifest|split|tokenizer")


@pytest.mark.parametrize("name", ["nowhere", "file", "empty", "other"])
def test_path_that_is_no_cache_is_refused(tmp_path, tokenizer, name):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    assert_refused(lambda: FastHfDatasetProvider.from_cache(tmp_path / name), match=name)
    if name in ("file", "other"):
        for overwrite in (False, True):
            assert_refused(
                lambda overwrite=overwrite: FastHfDatasetProvider.from_documents(
                    ["a"], tokenizer=tokenizer, cache_dir=tmp_path / name, overwrite=overwrite
                ),
                match=name,
                unchanged=tmp_path,
            )


def test_pickles_are_read_for_nobody_who_does_not_say_so(tmp_path):
    folder = tmp_path / "archai"
    folder.mkdir()
    np.save(folder / "train.npy", np.arange(9, dtype=np.uint16))
    (folder / "tokenizer.pkl").write_bytes(b"cos\nsystem\n(S'touch went_off'\ntR.")
    (folder / "config.json").write_text("{}")
    assert_refused(lambda: FastHfDatasetProvider.from_cache(folder), match="trust_pickle")


def test_other_cache_is_not_written_over(cache_dir, tokenizer):
    assert_refused(
        lambda: FastHfDatasetProvider.from_documents(
            ["other"], tokenizer=tokenizer, cache_dir=cache_dir, num_workers=1
        ),
        match=r"is not the cache that was asked for.*overwrite=True",
        unchanged=cache_dir.parent,
    )


# Windows that cannot be.


@pytest.mark.parametrize("seq_len", [100_000, 2**40, 0, -1, 2.5, "8", None])
def test_length_of_windows_that_does_not_do_is_refused(cache_dir, seq_len):
    provider = FastHfDatasetProvider.from_cache(cache_dir)
    for function in (
        lambda: provider.get_train_dataset(seq_len=seq_len),
        lambda: provider.windows("train", seq_len=seq_len),
        lambda: provider.torch_stream("train", seq_len=seq_len, batch_size=1),
        lambda: provider.batches("train", seq_len=seq_len, batch_size=1),
    ):
        assert_refused(function, match="seq_len")


def test_split_without_tokens_for_a_window_says_how_many_there_are(cache_dir):
    provider = FastHfDatasetProvider.from_cache(cache_dir)
    num_tokens = provider.cache.split("validation").num_tokens
    assert_refused(
        lambda: provider.get_val_dataset(seq_len=num_tokens),
        match=f"'validation' holds {num_tokens} tokens in 2 documents; wanted {num_tokens + 1}",
    )
    assert len(provider.get_val_dataset(seq_len=num_tokens - 1)) == 1


def test_split_that_the_cache_has_not_lists_those_that_it_has(cache_dir):
    provider = FastHfDatasetProvider.from_cache(cache_dir)
    assert_refused(
        lambda: provider.get_test_dataset(seq_len=4), match="no split 'test'.*train, validation"
    )


@pytest.mark.parametrize(
    "options",
    [{"overlap": 4}, {"overlap": -1}, {"pad_id": 65_536}, {"pad_id": -1}],
)
def test_window_options_that_do_not_do_are_refused(cache_dir, options):
    provider = FastHfDatasetProvider.from_cache(cache_dir)
    assert_refused(
        lambda: provider.windows("train", seq_len=4, **options), match=next(iter(options))
    )


# No room.


def test_cache_that_does_not_fit_into_shared_memory_is_refused(cache_dir, monkeypatch):
    monkeypatch.setattr(free_memory, "available_bytes", lambda: 1000)
    before = content(cache_dir)
    assert_refused(
        lambda: _use(cache_dir, use_shared_memory=True),
        match=r"shared memory and 0\.0 MB are free.*without use_shared_memory",
    )
    assert content(cache_dir) == before
    assert _use(cache_dir)[0][0] == ("", "0")


# Batches that cannot be, and states of other runs.


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": -1}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"batch_size": "4"}, "batch_size"),
        ({"batch_size": 10**9}, "batch"),
        ({"world_size": 0}, "world_size"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"rank": -1}, "rank"),
        ({"rank": "0"}, "rank"),
        ({"seed": "x"}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"fields": ["tokens"]}, "fields"),
        ({"fields": []}, "fields"),
    ],
)
def test_batches_that_cannot_be_are_refused(cache_dir, options, match):
    provider = FastHfDatasetProvider.from_cache(cache_dir)
    options = {"seq_len": 4, "batch_size": 2, **options}
    for function in (provider.batches, provider.torch_stream):
        assert_refused(lambda function=function: function("train", **options), match=match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"seed": 1}, "seed"),
        ({"shuffle": False}, "shuffle"),
        ({"seq_len": 8}, "seq_len"),
        ({"overlap": 1}, "overlap"),
        ({"cross_documents": False}, "cross_documents"),
    ],
)
def test_state_of_other_windows_is_refused_by_name(cache_dir, change, match):
    provider = FastHfDatasetProvider.from_cache(cache_dir)
    options = {"seq_len": 4, "batch_size": 2}
    state = provider.batches("train", **options).state_dict()
    other = provider.batches("train", **{**options, **change})
    before = other.state_dict()
    assert_refused(lambda: other.load_state_dict(state), match=match)
    assert other.state_dict() == before


@pytest.mark.parametrize(
    "state",
    [{}, None, [], "x", 7, {"version": 2}, "negative", "beyond", "no number", "float", "missing"],
)
def test_state_that_is_none_is_refused(cache_dir, state):
    batches = FastHfDatasetProvider.from_cache(cache_dir).batches("train", seq_len=4, batch_size=2)
    good = batches.state_dict()
    changed = {
        "negative": {**good, "position": -1},
        "beyond": {**good, "position": 10**12},
        "no number": {**good, "epoch": "x"},
        "float": {**good, "position": 1.5},
        "missing": {name: value for name, value in good.items() if name != "position"},
    }
    if isinstance(state, str):
        state = changed.get(state, state)
    assert_refused(lambda: batches.load_state_dict(state), match="state|position|epoch|version")
    assert batches.state_dict() == good
