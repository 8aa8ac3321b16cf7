from __future__ import annotations

import json
import os
import pathlib
import resource
import shutil

import listed_token_cache
import numpy as np
import pytest
import small_token_cache
import sparse_token_cache

from code_t5 import errors
from code_t5.storage import fingerprints
from code_t5.token_cache import layout, memory_maps, reader, token_split


@pytest.fixture
def cache_dir(tmp_path):
    return small_token_cache.write_cache(tmp_path)


def _assert_one_line(caught):
    assert "\n" not in str(caught.value)


def _ids(split, index):
    return split.tokens[split.offsets[index] : split.offsets[index + 1]]


def test_documents_come_back_with_their_names(cache_dir):
    opened = reader.TokenCacheReader(cache_dir)
    train = opened.split("train")
    assert [_ids(train, index).tolist() for index in range(3)] == [[5, 6, 7], [], [65_535]]
    assert [train.names(index) for index in range(3)] == [
        ("org/one", "a.py"),
        ("org/one", "sub/b.py"),
        ("org/two", "é\n.py"),
    ]
    assert train.sizes.tolist() == [11, 0, 4]
    assert (train.num_documents, train.num_tokens) == (3, 4)
    assert opened.split("test").num_documents == 0


def test_manifest_says_what_made_the_cache(cache_dir):
    opened = reader.TokenCacheReader(cache_dir)
    assert opened.fingerprint_parts == small_token_cache.FINGERPRINT_PARTS
    assert opened.fingerprint == fingerprints.hash_json(small_token_cache.FINGERPRINT_PARTS)
    assert opened.splits["train"] == {"num_documents": 3, "num_tokens": 4, "num_bytes": 15}


def test_arrays_are_read_only(cache_dir):
    train = reader.TokenCacheReader(cache_dir).split("train")
    for array in (train.tokens, train.offsets, train.sizes, train.name_bytes, train.name_offsets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_missing_cache_is_not_built(tmp_path):
    with pytest.raises(errors.NotBuiltError, match="there is no token cache") as caught:
        reader.TokenCacheReader(tmp_path / "none")
    _assert_one_line(caught)


def test_unknown_split_lists_those_there_are(cache_dir):
    with pytest.raises(errors.InputError, match="no split 'dev'.*test, train, validation"):
        reader.TokenCacheReader(cache_dir).split("dev")


def test_half_written_cache_is_refused(cache_dir):
    (cache_dir / "COMPLETED").unlink()
    with pytest.raises(errors.ArtifactError, match="wanted a finished code_t5_token_cache"):
        reader.TokenCacheReader(cache_dir)


def _change(cache_dir, **fields):
    path = cache_dir / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize("change", [{"format_version": 2}, {"format_name": "other"}])
def test_other_format_is_refused(cache_dir, change):
    _change(cache_dir, **change)
    with pytest.raises(errors.ArtifactError, match="build it again with this version"):
        reader.TokenCacheReader(cache_dir)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "abc"},
        {"fingerprint_parts": {"vocabulary": "other"}},
        {"fingerprint_parts": None},
        {"dtype": "int32"},
        {"dtype": None},
        {"splits": ["train"]},
        {"splits": {"train": {"num_documents": 1, "num_tokens": -1, "num_bytes": 0}}},
        {"splits": {"train": {"num_documents": 1}}},
        {"splits": {"\x1b[2J": {"num_documents": 1, "num_tokens": 1, "num_bytes": 0}}},
        {"sha256": []},
        {"end_of_text_id": -1},
        {"end_of_text_id": 2**32},
        {"end_of_text_id": "0"},
        {"encoder": "gigatoken"},
        {"tokenizer": []},
        {"tokenizer": {"kind": "hugging_face", "vocab_size": 9, "files": {"../x": "abc"}}},
        {"tokenizer": {"kind": "hugging_face", "vocab_size": 9, "files": {"/x": "abc"}}},
        {"tokenizer": {"kind": "hugging_face", "files": {}}},
        {"splits": {"train": {"num_documents": True, "num_tokens": 0, "num_bytes": 0}}},
        {"splits": {"train": dict(num_documents=0, num_tokens=0, num_bytes=0, largest_id="9")}},
    ],
)
def test_manifest_that_was_changed_is_refused(cache_dir, change):
    _change(cache_dir, **change)
    with pytest.raises(errors.ArtifactError, match=r"has no usable .*run the command") as caught:
        reader.TokenCacheReader(cache_dir)
    _assert_one_line(caught)


def _add_tokenizer(cache_dir):
    config, merges = b'{"seed": 42}', b"#version"
    (cache_dir / "config.json").write_bytes(config)
    (cache_dir / "tokenizer").mkdir()
    (cache_dir / "tokenizer" / "merges.txt").write_bytes(merges)
    fields = json.loads((cache_dir / "manifest.json").read_text())
    _change(
        cache_dir,
        sha256={**fields["sha256"], "config.json": fingerprints.hash_bytes(config)},
        tokenizer={
            "kind": "hugging_face",
            "vocab_size": 9,
            "files": {"merges.txt": fingerprints.hash_bytes(merges)},
        },
        end_of_text_id=8,
        encoder={"engine": "tokenizers"},
    )


def test_newer_fields_are_read(cache_dir):
    _add_tokenizer(cache_dir)
    opened = reader.TokenCacheReader(cache_dir)
    assert opened.config == {"seed": 42}
    assert opened.end_of_text_id == 8
    assert opened.tokenizer["kind"] == "hugging_face"
    assert opened.encoder == {"engine": "tokenizers"}
    opened.verify()


def test_caches_without_the_newer_fields_are_read(cache_dir):
    opened = reader.TokenCacheReader(cache_dir)
    assert opened.config == {}
    assert (opened.end_of_text_id, opened.tokenizer, opened.encoder) == (None, None, None)
    assert opened.dtype == np.uint16


@pytest.mark.parametrize("name", ["config.json", "tokenizer/merges.txt"])
def test_verification_covers_config_and_tokenizer(cache_dir, name):
    _add_tokenizer(cache_dir)
    (cache_dir / name).write_bytes(b"{}")
    opened = reader.TokenCacheReader(cache_dir)
    with pytest.raises(errors.ArtifactError, match=rf"{name} has SHA-256"):
        opened.verify()
    if name == "config.json":
        with pytest.raises(errors.ArtifactError, match=r"config.json has SHA-256"):
            opened.config  # noqa: B018
    (cache_dir / name).unlink()
    with pytest.raises(errors.ArtifactError, match=rf"{name} is missing"):
        opened.verify()


def test_verification_finds_documents_out_of_order(cache_dir):
    path = cache_dir / "train.offsets.npy"
    np.save(path, np.array([0, 3, 2, 4]))
    fields = json.loads((cache_dir / "manifest.json").read_text())
    hashes = {**fields["sha256"], path.name: fingerprints.hash_file(path)}
    _change(cache_dir, sha256=hashes)
    with pytest.raises(errors.ArtifactError, match="falls from 3 to 2"):
        reader.TokenCacheReader(cache_dir).verify()


def test_opening_reads_neither_tokens_nor_offsets(tmp_path):
    # A file of 40 GB and one of 8 GB: what reads them cannot be quick.
    num_tokens, num_documents = 20 * 10**9, 10**9
    folder = sparse_token_cache.write_cache(
        tmp_path, num_tokens=num_tokens, ends=[num_tokens], pieces={}
    )
    for name, tail in (("offsets", num_tokens), ("names_offsets", 3)):
        sparse_token_cache.write_sparse(
            folder / f"train.{name}.npy",
            dtype="<i8",
            length=num_documents + 1,
            pieces={num_documents: [tail]},
        )
    sparse_token_cache.write_sparse(
        folder / "train.sizes.npy", dtype="<i8", length=num_documents, pieces={}
    )
    counts = {"num_documents": num_documents, "num_tokens": num_tokens, "num_bytes": 0}
    _change(folder, splits={"train": counts})
    before = resource.getrusage(resource.RUSAGE_SELF)
    train = reader.TokenCacheReader(folder).split("train")
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert train.num_documents == num_documents
    # Pages, of which 8 GB has two million.
    assert after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt < 5000


_ARRAY_FILES = [layout.array_name("train", array) for array in layout.ARRAYS]


@pytest.mark.parametrize("name", _ARRAY_FILES)
@pytest.mark.parametrize("size", [0, 5, 100, 128, -1])
def test_file_that_was_cut_short_is_refused(cache_dir, name, size):
    path = cache_dir / name
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(errors.ArtifactError, match=rf"{name}.*run the command that") as caught:
        reader.TokenCacheReader(cache_dir).split("train")
    _assert_one_line(caught)


@pytest.mark.parametrize("name", _ARRAY_FILES)
def test_file_that_is_too_long_is_refused(cache_dir, name):
    with open(cache_dir / name, "ab") as file:
        file.write(b"\0")
    with pytest.raises(errors.ArtifactError, match="has 1 bytes too many"):
        reader.TokenCacheReader(cache_dir).split("train")


@pytest.mark.parametrize("name", _ARRAY_FILES)
def test_missing_file_is_refused(cache_dir, name):
    (cache_dir / name).unlink()
    with pytest.raises(errors.ArtifactError, match=rf"{name} is missing"):
        reader.TokenCacheReader(cache_dir).split("train")
    with pytest.raises(errors.ArtifactError, match=rf"{name} is missing"):
        reader.TokenCacheReader(cache_dir).verify()


@pytest.mark.parametrize(
    "array",
    [np.arange(4, dtype=np.uint32), np.arange(5, dtype=np.uint16), np.arange(4, dtype=np.int64)],
)
def test_array_of_other_dtype_or_length_is_refused(cache_dir, array):
    np.save(cache_dir / "train.npy", array)
    with pytest.raises(errors.ArtifactError, match=r"where the manifest says uint16 \[4\]"):
        reader.TokenCacheReader(cache_dir).split("train")


def test_pickled_objects_are_not_loaded(cache_dir):
    class Bomb:
        def __reduce__(self):
            return pathlib.Path.touch, (cache_dir / "went_off",)

    array = np.empty(4, dtype=object)
    array[:] = Bomb()
    np.save(cache_dir / "train.npy", array)
    with pytest.raises(errors.ArtifactError, match=r"train.npy cannot be opened"):
        reader.TokenCacheReader(cache_dir).split("train")
    assert not (cache_dir / "went_off").exists()


def test_offsets_of_other_documents_are_refused(cache_dir):
    np.save(cache_dir / "train.offsets.npy", np.array([0, 3, 3, 5]))
    with pytest.raises(errors.ArtifactError, match=r"train.offsets.npy goes from 0 to 5"):
        reader.TokenCacheReader(cache_dir).split("train")


@pytest.mark.parametrize(
    ("array", "ends"), [("offsets", [0, -5, 3, 4]), ("names_offsets", [0, 30, 12, 35])]
)
def test_offsets_that_fall_are_refused(cache_dir, array, ends):
    path = cache_dir / f"train.{array}.npy"
    ends[-1] = int(np.load(path)[-1])
    np.save(path, np.array(ends))
    train = reader.TokenCacheReader(cache_dir).split("train")
    with pytest.raises(errors.ArtifactError, match=rf"train.{array}.npy falls from") as caught:
        train.check_offsets()
    _assert_one_line(caught)


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_falls_are_found_wherever_checking_is_cut(cache_dir, monkeypatch, chunk):
    monkeypatch.setattr(token_split, "_CHUNK_DOCUMENTS", chunk)
    reader.TokenCacheReader(cache_dir).split("train").check_offsets()
    np.save(cache_dir / "train.offsets.npy", np.array([0, 3, 2, 4]))
    train = reader.TokenCacheReader(cache_dir).split("train")
    with pytest.raises(errors.ArtifactError, match="falls from 3 to 2 at 2"):
        train.check_offsets()
    np.save(cache_dir / "train.offsets.npy", np.array([0, 3, 5, 4]))
    train = reader.TokenCacheReader(cache_dir).split("train")
    with pytest.raises(errors.ArtifactError, match=r"(falls|goes) from \d to [45] at"):
        train.check_offsets()


def test_names_that_lie_nowhere_are_refused(cache_dir):
    ends = np.load(cache_dir / "train.names_offsets.npy")
    ends[1:3] = ends[3] + 5, 2
    np.save(cache_dir / "train.names_offsets.npy", ends)
    train = reader.TokenCacheReader(cache_dir).split("train")
    for index in range(2):
        with pytest.raises(errors.ArtifactError, match=r"train.names_offsets.npy goes from"):
            train.names(index)


def test_negative_sizes_are_refused(cache_dir):
    np.save(cache_dir / "train.sizes.npy", np.array([11, -1, 4]))
    with pytest.raises(errors.ArtifactError, match=r"train.sizes.npy holds the size -1"):
        reader.TokenCacheReader(cache_dir).split("train").check_offsets()


def test_whole_cache_passes_verification(cache_dir):
    reader.TokenCacheReader(cache_dir).verify()


def test_every_flipped_byte_is_found_by_verification(cache_dir):
    for name in _ARRAY_FILES:
        data = (cache_dir / name).read_bytes()
        for place in range(0, len(data), 9):
            damaged = bytearray(data)
            damaged[place] ^= 4
            (cache_dir / name).write_bytes(damaged)
            with pytest.raises(errors.ArtifactError, match=rf"{name} has SHA-256") as caught:
                reader.TokenCacheReader(cache_dir).verify()
        _assert_one_line(caught)
        (cache_dir / name).write_bytes(data)


def test_tokens_beyond_32_bits_are_read(tmp_path):
    num_tokens = 2**32 + 3
    sparse_token_cache.write_cache(
        tmp_path,
        num_tokens=num_tokens,
        ends=[2**31 + 1, 2**32, num_tokens],
        pieces={2**32: [7, 8, 9]},
    )
    assert (tmp_path / "train.npy").stat().st_blocks < 1000
    train = reader.TokenCacheReader(tmp_path).split("train")
    assert train.num_tokens == num_tokens
    assert _ids(train, 2).tolist() == [7, 8, 9]
    assert len(_ids(train, 1)) == 2**31 - 1
    assert train.names(2) == ("r", "2")


def _replace(cache_dir, other):
    """Puts another cache in the place of one, as a build does."""
    cache_dir.rename(cache_dir.with_name("old"))
    other.rename(cache_dir)


def test_splits_of_a_cache_that_was_made_anew_are_refused(tmp_path):
    made = listed_token_cache.write_cache(tmp_path / "a")
    other = listed_token_cache.write_cache(tmp_path / "b", [[1, 2], [3]], made_from="other")
    opened = reader.TokenCacheReader(made)
    before = opened.split("train")
    _replace(made, other)
    with pytest.raises(errors.ArtifactError, match="made anew since .*; open it again") as caught:
        opened.split("train")
    _assert_one_line(caught)
    # What was open stays whole.
    assert before.tokens[before.offsets[0]] == 100
    assert reader.TokenCacheReader(made).split("train").tokens.tolist() == [1, 2, 3]
    shutil.rmtree(made)
    with pytest.raises(errors.ArtifactError, match="was removed or made anew"):
        opened.split("train")


def test_same_cache_made_anew_is_opened_still(tmp_path):
    made = listed_token_cache.write_cache(tmp_path / "a")
    opened = reader.TokenCacheReader(made)
    _replace(made, listed_token_cache.write_cache(tmp_path / "b"))
    assert opened.split("train").tokens[0] == 100


@pytest.mark.parametrize("num_opened", range(6))
def test_arrays_of_two_builds_are_never_mixed(tmp_path, monkeypatch, num_opened):
    made = listed_token_cache.write_cache(tmp_path / "a")
    # As many documents and tokens, so that no size gives it away.
    documents = [[7] * len(document) for document in listed_token_cache.DOCUMENTS]
    other = listed_token_cache.write_cache(tmp_path / "b", documents, made_from="other")
    opened = reader.TokenCacheReader(made)
    original, calls = memory_maps.MappedArray, []

    def open_and_replace(path):
        if len(calls) == num_opened:
            _replace(made, other)
        calls.append(path)
        return original(path)

    monkeypatch.setattr(memory_maps, "MappedArray", open_and_replace)
    if num_opened == 5:
        assert opened.split("train").tokens[0] == 100
        return
    with pytest.raises(errors.ArtifactError, match="made anew since"):
        opened.split("train")


def test_what_is_missing_because_the_cache_was_replaced_says_so(tmp_path, monkeypatch):
    made = listed_token_cache.write_cache(tmp_path / "a")
    opened = reader.TokenCacheReader(made)

    def lose(path):
        shutil.rmtree(made)
        raise FileNotFoundError(path)

    monkeypatch.setattr(memory_maps, "MappedArray", lose)
    with pytest.raises(errors.ArtifactError, match="was removed or made anew"):
        opened.split("train")


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("../outside", "0" * 64),
        ("/dev/zero", "0" * 64),
        ("other.npy", "0" * 64),
        ("tokenizer/tokenizer.json", "0" * 64),
        ("train.npy", 5),
        ("train.npy", None),
    ],
)
def test_checksums_are_of_files_of_the_cache_alone(cache_dir, name, sha256):
    path = cache_dir / "manifest.json"
    fields = json.loads(path.read_text())
    fields["sha256"][name] = sha256
    path.write_text(json.dumps(fields))
    with pytest.raises(errors.ArtifactError, match="has no usable sha256") as caught:
        reader.TokenCacheReader(cache_dir)
    _assert_one_line(caught)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_arrays_that_are_no_files_are_refused_at_once(cache_dir, tmp_path, kind):
    path = cache_dir / "train.offsets.npy"
    path.rename(tmp_path / "moved.npy")
    if kind == "link":
        path.symlink_to(tmp_path / "moved.npy")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    opened = reader.TokenCacheReader(cache_dir)
    with pytest.raises(errors.ArtifactError, match=r"train.offsets.npy cannot be opened \(it is"):
        opened.split("train")
    with pytest.raises(errors.ArtifactError, match="train.offsets.npy"):
        opened.verify()


def test_configuration_that_is_a_pipe_is_refused_at_once(tmp_path):
    made = small_token_cache.write_cache(tmp_path)
    fields = json.loads((made / "manifest.json").read_text())
    fields["sha256"]["config.json"] = "0" * 64
    (made / "manifest.json").write_text(json.dumps(fields))
    os.mkfifo(made / "config.json")
    opened = reader.TokenCacheReader(made)
    with pytest.raises(errors.ArtifactError, match="config.json is no file"):
        _ = opened.config
    with pytest.raises(errors.ArtifactError, match="config.json is missing or no file"):
        opened.verify()


@pytest.mark.parametrize("name", ["", ".", "../a", "a/../../b", "/etc/hostname", "a\0b"])
def test_files_of_a_tokenizer_stay_in_their_folder(cache_dir, name):
    path = cache_dir / "manifest.json"
    fields = json.loads(path.read_text())
    fields["tokenizer"] = {"kind": "hugging_face", "vocab_size": 5, "files": {name: "0" * 64}}
    path.write_text(json.dumps(fields))
    with pytest.raises(errors.ArtifactError, match="has no usable tokenizer"):
        reader.TokenCacheReader(cache_dir)
