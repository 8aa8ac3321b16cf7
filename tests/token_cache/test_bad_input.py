"""Every kind of bad input to `FastHfDatasetProvider`: one clear line, and the cache as it was."""

from __future__ import annotations

import json
import re
import shutil

import datasets
import pytest
import small_tokenizer
from refusals import assert_refused, content

from code_t5.token_cache import FastHfDatasetProvider

_TEXTS = ["one two", "three", "four five six"]


# A column that is not there, or holds other than text.


@pytest.fixture
def rows(tmp_path):
    """A data set on the disk with columns of many kinds."""
    columns = {
        "text": _TEXTS,
        "title": ["x", "y", "z"],
        "label": [0, 1, 0],
        "score": [0.5, 1.0, 2.0],
        "words": [["a"], ["b", "c"], []],
        "raw": [b"a", b"b", b"c"],
        "nested": [{"text": "a"}, {"text": "b"}, {"text": "c"}],
    }
    splits = {"train": datasets.Dataset.from_dict(columns)}
    splits["empty"] = splits["train"].filter(lambda row: False)
    splits["blank"] = datasets.Dataset.from_dict({**columns, "text": ["", "", ""]})
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "rows")
    return tmp_path / "rows"


def _from_disk(folder, tokenizer, cache_dir, **options):
    options = {"mapping_column_name": "text", "split": "train", **options}
    return lambda: FastHfDatasetProvider.from_disk(
        folder, tokenizer=tokenizer, cache_dir=cache_dir, num_workers=1, **options
    )


@pytest.mark.parametrize("columns", ["sentence", ["text", "sentence"], ["sentence", "label"]])
@pytest.mark.parametrize("overwrite", [False, True])
def test_column_that_is_not_there_lists_the_columns(rows, tokenizer, cache_dir, columns, overwrite):
    target = cache_dir if overwrite else cache_dir.with_name("new")
    assert_refused(
        _from_disk(rows, tokenizer, target, mapping_column_name=columns, overwrite=overwrite),
        match="no column 'sentence'; wanted one of text, title, label, score, words, raw, nested",
        unchanged=cache_dir.parent,
    )


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("label", "int64"),
        ("score", "double"),
        ("words", "list"),
        ("raw", "binary"),
        ("nested", "struct"),
    ],
)
def test_column_of_other_than_text_says_what_it_is(rows, tokenizer, cache_dir, column, kind):
    assert_refused(
        _from_disk(rows, tokenizer, cache_dir, mapping_column_name=column, overwrite=True),
        match=f"column '{column}' of .* is {kind}.*; wanted text, as in text, title",
        unchanged=cache_dir.parent,
    )


def test_several_columns_of_text_and_none_named_lists_them(tmp_path, tokenizer):
    folder = tmp_path / "rows"
    datasets.Dataset.from_dict({"one": _TEXTS, "two": _TEXTS}).save_to_disk(folder)
    assert_refused(
        _from_disk(folder, tokenizer, tmp_path / "cache", mapping_column_name=None),
        match="columns of text one, two; wanted to know which",
        unchanged=tmp_path,
    )


def test_column_with_bytes_that_are_no_text_is_refused(tmp_path, tokenizer):
    import pyarrow

    folder, cache_dir = tmp_path / "rows", tmp_path / "cache"
    # Arrow does not look at what it is told is text.
    values = pyarrow.array([b"a", b"\xff\xfe", b"c"])
    text = pyarrow.Array.from_buffers(pyarrow.string(), 3, values.buffers())
    datasets.Dataset(pyarrow.table({"text": text})).save_to_disk(folder)
    assert_refused(
        _from_disk(folder, tokenizer, cache_dir), match="'text' of .* holds what is not UTF-8"
    )
    assert not cache_dir.exists()


# Splits that are empty or not there.


@pytest.mark.parametrize("split", ["empty", "train[:0]", {"train": "train", "test": "empty"}])
def test_empty_split_is_refused(rows, tokenizer, cache_dir, split):
    assert_refused(
        _from_disk(rows, tokenizer, cache_dir, split=split, overwrite=True),
        match="split '(train|test)' .*(is empty|has no documents)",
        unchanged=cache_dir.parent,
    )


def test_saved_data_set_without_a_file_says_which_split_is_empty(tmp_path, tokenizer, cache_dir):
    # Where nothing is left at all, `datasets` saves no file, and cannot load what it saved.
    kinds = datasets.Features({"text": datasets.Value("string")})
    nothing = datasets.Dataset.from_dict({"text": []}, features=kinds)
    splits = {"train": datasets.Dataset.from_dict({"text": _TEXTS}), "test": nothing}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "rows")
    assert_refused(
        _from_disk(tmp_path / "rows", tokenizer, cache_dir, split=None, overwrite=True),
        match="split 'test' .*(is empty|has no documents)",
        unchanged=cache_dir.parent,
    )
    nothing.save_to_disk(tmp_path / "nothing")
    assert_refused(
        _from_disk(tmp_path / "nothing", tokenizer, cache_dir, overwrite=True),
        match="split 'train' .*(is empty|has no documents)",
        unchanged=cache_dir.parent,
    )


def test_split_whose_documents_are_all_empty_is_refused(rows, tokenizer, tmp_path):
    cache_dir = tmp_path / "cache"
    options = {"split": "blank", "use_eos_token": False}
    assert_refused(_from_disk(rows, tokenizer, cache_dir, **options), match="'train' has no tokens")
    assert not cache_dir.exists()
    provider = _from_disk(rows, tokenizer, cache_dir, split="blank")()
    assert provider.cache.split("train").num_tokens == 3


def test_split_that_is_not_there_lists_those_that_are(rows, tokenizer, cache_dir):
    assert_refused(
        _from_disk(rows, tokenizer, cache_dir, split="dev", overwrite=True),
        match="no split 'dev'; wanted one of train, empty, blank",
        unchanged=cache_dir.parent,
    )


@pytest.mark.parametrize(
    ("split", "match"),
    [
        ("train[:10", r"split expression 'train\[:10' cannot be read"),
        ("train[a:b]", r"split expression 'train\[a:b\]' cannot be read"),
        ("train[:500%]", r"split expression 'train\[:500%\]' cannot be read"),
        ("", "split expression '' names no split"),
        ("train[5:2]", "split 'train' .* is empty"),
    ],
)
def test_split_that_cannot_be_read_is_refused(rows, tokenizer, cache_dir, split, match):
    assert_refused(
        _from_disk(rows, tokenizer, cache_dir, split=split, overwrite=True),
        match=match,
        unchanged=cache_dir.parent,
    )


@pytest.mark.parametrize(
    ("documents", "match"),
    [
        ([], "split 'train' has no documents"),
        ({}, "no split"),
        ({"train": ["a"], "test": []}, "split 'test' has no documents"),
        ({"train": ["a"], "a/b": ["c"]}, "'a/b'.*letters, digits"),
        ("one text", "documents of 'train' are a str; wanted an iterable"),
        (b"one text", "documents of 'train' are a bytes; wanted an iterable"),
        ([1, 2], "document 0 is a int; wanted str or bytes"),
        (["a", None], "document 1 is a NoneType; wanted str or bytes"),
        ([b"\xff"], r"document 0 is no valid Unicode \(invalid start byte\)"),
        (["\ud800"], r"document 0 is no valid Unicode \(surrogates not allowed\)"),
        (iter([]), "split 'train' has no documents"),
        (7, "documents of 'train' are a int; wanted an iterable"),
        ({"train": 7}, "documents of 'train' are a int; wanted an iterable"),
    ],
)
def test_documents_that_are_none_are_refused(tokenizer, cache_dir, documents, match):
    assert_refused(
        lambda: FastHfDatasetProvider.from_documents(
            documents, tokenizer=tokenizer, cache_dir=cache_dir, num_workers=1, overwrite=True
        ),
        match=match,
        unchanged=cache_dir.parent,
    )


def test_error_of_the_callers_documents_leaves_the_cache_as_it_was(tokenizer, cache_dir):
    def some():
        yield "a"
        raise ZeroDivisionError("mine")

    before = content(cache_dir.parent)
    with pytest.raises(ZeroDivisionError, match="mine"):
        FastHfDatasetProvider.from_documents(
            some(), tokenizer=tokenizer, cache_dir=cache_dir, num_workers=1, overwrite=True
        )
    assert content(cache_dir.parent) == before


# Ids that do not fit.


def test_ids_beyond_16_bits_get_32(tmp_path):
    tokenizer = small_tokenizer.hugging_face_tokenizer(num_unused=70_000)
    provider = FastHfDatasetProvider.from_documents(
        ["ab"], tokenizer=tokenizer, cache_dir=tmp_path / "cache", num_workers=1
    )
    tokens = provider.cache.split("train").tokens
    assert tokens.dtype == "uint32"
    assert tokens.tolist() == [*tokenizer.encode("ab"), tokenizer.eos_token_id]
    assert tokens[0] > 70_000


@pytest.mark.parametrize(
    ("token_id", "match"),
    [
        # The library itself loses what it saves of this one.
        (2**32 - 1, "saves give other ids than it does"),
        (2**32, "4294967296.*u32"),
        (2**40, "1099511627776.*u32"),
        (-1, "-1.*u32"),
    ],
)
def test_tokenizer_with_an_id_beyond_32_bits_is_refused(tmp_path, cache_dir, token_id, match):
    folder = tmp_path / "tokenizer"
    small_tokenizer.hugging_face_tokenizer().save_pretrained(folder)
    path = folder / "tokenizer.json"
    fields = json.loads(path.read_text())
    fields["model"]["vocab"]["a"] = token_id
    path.write_text(json.dumps(fields))
    assert_refused(
        lambda: FastHfDatasetProvider.from_documents(
            ["ab"], tokenizer_name=str(folder), cache_dir=cache_dir, overwrite=True
        ),
        match=match,
        unchanged=tmp_path,
    )


# What else can be asked for wrongly.


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"validation_split": 1.5}, "validation_split is 1.5"),
        ({"validation_split": -3}, "validation_split is -3"),
        ({"validation_split": "some"}, "validation_split is 'some'"),
        ({"validation_split": float("nan")}, "validation_split is nan"),
        ({"validation_split": True}, "validation_split is True"),
        ({"validation_split": 3}, "validation_split is 3, 3 of the 3 documents of train"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"num_workers": -1}, "num_workers is -1"),
        ({"tokenizer": None}, "no tokenizer"),
        ({"tokenizer_name": "gpt2"}, "tokenizer and tokenizer_name"),
        ({"tokenizer": "gpt2"}, "the tokenizer is a str"),
        ({"tokenizer": None, "tokenizer_name": "no/such-tokenizer"}, "no/such-tokenizer"),
        ({"tokenizer": None, "tokenizer_name": "/no/such/folder"}, "/no/such/folder"),
        ({"mapping_column_name": []}, "mapping_column_name"),
        ({"mapping_column_name": [3]}, "mapping_column_name"),
    ],
)
def test_argument_that_does_not_do_is_named(rows, tokenizer, cache_dir, options, match):
    options = {"tokenizer": tokenizer, "mapping_column_name": "text", "split": "train", **options}
    assert_refused(
        lambda: FastHfDatasetProvider.from_disk(
            rows, cache_dir=cache_dir, overwrite=True, **options
        ),
        match=re.escape(match),
        unchanged=cache_dir.parent,
    )


@pytest.mark.parametrize(
    ("name", "match"),
    [
        (None, "cache_dir is None"),
        ("", "cache_dir is empty"),
        ("a\0b", r"cache_dir is '.*x00b' \(embedded null byte\)"),
        ("x" * 300, "File name too long"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_cache_dir_that_cannot_be_is_refused(
    tmp_path, monkeypatch, tokenizer, name, match, overwrite
):
    monkeypatch.chdir(tmp_path)
    assert_refused(
        lambda: FastHfDatasetProvider.from_documents(
            ["ab"], tokenizer=tokenizer, cache_dir=name, overwrite=overwrite, num_workers=1
        ),
        match=match,
        unchanged=tmp_path,
    )


@pytest.mark.parametrize("name", ["embeddings.npy", "tokenizer/mine.json", "notes/mine.txt"])
def test_overwriting_never_removes_what_no_cache_wrote(cache_dir, tokenizer, name):
    path = cache_dir / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("years of work")
    assert_refused(
        lambda: FastHfDatasetProvider.from_documents(
            ["ab"], tokenizer=tokenizer, cache_dir=cache_dir, overwrite=True, num_workers=1
        ),
        match=f"holds '{name}'",
        unchanged=cache_dir.parent,
    )


def test_tokenizer_without_an_end_of_text_is_refused(rows, cache_dir):
    assert_refused(
        _from_disk(rows, small_tokenizer.hugging_face_tokenizer(eos_token=None), cache_dir),
        match="no end-of-text token .*pass use_eos_token=False",
        unchanged=cache_dir.parent,
    )


@pytest.mark.parametrize("name", ["missing", "file", "folder"])
def test_data_set_that_is_none_is_refused(tmp_path, tokenizer, name):
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x.txt").write_text("not a data set")
    assert_refused(
        _from_disk(tmp_path / name, tokenizer, tmp_path / "cache"),
        match=f"{name}.*save_to_disk",
        unchanged=tmp_path,
    )


def test_data_set_whose_file_was_cut_short_is_refused(rows, tokenizer, tmp_path):
    path = next((rows / "train").glob("*.arrow"))
    path.write_bytes(path.read_bytes()[:-400])
    assert_refused(
        _from_disk(rows, tokenizer, tmp_path / "cache"),
        match="rows cannot be loaded .*; wanted the whole folder",
        unchanged=tmp_path,
    )


def _from_hub(name, tokenizer, cache_dir, **options):
    return lambda: FastHfDatasetProvider.from_hub(
        name, tokenizer=tokenizer, cache_dir=cache_dir, num_workers=1, **options
    )


@pytest.mark.parametrize(
    ("content", "options", "match"),
    [
        ('{"text": "a"}\n{"text": "b"}\n', {"mapping_column_name": "body"}, "no column 'body'"),
        ('{"text": 1}\n', {"mapping_column_name": "text"}, "is int64.*wanted text"),
        ('{"text": "a"\n', {"mapping_column_name": "text"}, "cannot be loaded"),
        ("", {"mapping_column_name": "text"}, "json cannot be loaded"),
        ('{"text": "a"}\n', {"split": "dev", "mapping_column_name": "text"}, "no split 'dev'"),
    ],
)
def test_files_that_do_not_do_are_refused(tmp_path, tokenizer, content, options, match):
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    cache_dir = tmp_path / "cache"
    options = {"data_files": str(path), **options}
    assert_refused(
        _from_hub("json", tokenizer, cache_dir, **options), match=match, unchanged=tmp_path
    )


@pytest.mark.parametrize("data_files", ["nowhere.jsonl", {"train": "nowhere.jsonl"}])
def test_files_that_are_missing_are_refused(tmp_path, tokenizer, data_files):
    assert_refused(
        _from_hub("json", tokenizer, tmp_path / "cache", data_files=data_files),
        match="nowhere.jsonl",
        unchanged=tmp_path,
    )


def test_prepared_data_set_that_is_not_there_lists_those_that_are(small_data_dir, tmp_path):
    assert_refused(
        lambda: FastHfDatasetProvider.from_flcc(
            small_data_dir, "none", cache_dir=tmp_path / "cache"
        ),
        match="no prepared data set 'none'; wanted one of small",
        unchanged=tmp_path,
    )


def test_prepared_data_set_with_a_damaged_record_is_refused(small_data_dir, tmp_path):
    data_dir, cache_dir = tmp_path / "data", tmp_path / "cache"
    shutil.copytree(small_data_dir, data_dir)
    path = next(data_dir.rglob("*-train.tfrecord-*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert_refused(
        lambda: FastHfDatasetProvider.from_flcc(
            data_dir, "small", cache_dir=cache_dir, num_workers=1
        ),
        match=re.escape(path.name),
    )
    assert not cache_dir.exists()
