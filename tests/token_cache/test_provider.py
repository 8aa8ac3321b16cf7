"""The provider: from what a user asks for to windows."""

from __future__ import annotations

import contextlib
import functools
import http.server
import inspect
import json
import os
import pathlib
import subprocess
import sys
import threading

import datasets
import numpy as np
import pytest
import small_token_cache
import small_tokenizer

import code_t5.token_cache
from code_t5 import errors
from code_t5.token_cache import FastHfDatasetProvider, provider_build, verify

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = [f"row {number} of {'many ' * (number % 5)}" for number in range(50)]


@pytest.fixture(scope="module", name="tokenizer")
def _tokenizer():
    return small_tokenizer.hugging_face_tokenizer()


def _ids(tokenizer, texts):
    ids = []
    for text in texts:
        ids += [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
    return ids


def _from_documents(tokenizer, folder, **options):
    options = {"documents": TEXTS, "num_workers": 1, **options}
    documents = options.pop("documents")
    return FastHfDatasetProvider.from_documents(
        documents, tokenizer=tokenizer, cache_dir=folder / "cache", **options
    )


@pytest.fixture(scope="module", name="provider")
def _provider(tokenizer, tmp_path_factory):
    return _from_documents(tokenizer, tmp_path_factory.mktemp("provider"), validation_split=10)


def test_documents_are_encoded_as_hugging_face_does(provider, tokenizer):
    for split, num_documents in (("train", 40), ("validation", 10)):
        found = provider.cache.split(split)
        rows = [int(found.names(number)[1]) for number in range(found.num_documents)]
        assert len(rows) == num_documents
        assert found.tokens.tolist() == _ids(tokenizer, [TEXTS[row] for row in rows])


def test_datasets_of_torch_have_inputs_and_labels_moved_by_one(provider):
    import torch

    tokens = provider.cache.split("train").tokens
    train = provider.get_train_dataset(seq_len=16)
    assert isinstance(train, torch.utils.data.Dataset)
    assert len(train) == (len(tokens) - 1) // 16
    inputs, labels = train[3]
    assert inputs.tolist() == tokens[48:64].tolist()
    assert labels.tolist() == tokens[49:65].tolist()
    assert (
        len(provider.get_val_dataset(seq_len=8))
        == (provider.cache.split("validation").num_tokens - 1) // 8
    )
    assert len(provider.get_train_dataset(16, overlap=8)) > len(train)


def test_every_reader_reads_the_same_windows(provider):
    options = {"seq_len": 16, "batch_size": 4, "seed": 7, "overlap": 3}
    wanted = [[field.tolist() for field in batch] for batch in provider.batches("train", **options)]
    assert len(wanted) > 3
    stream = provider.torch_stream("train", **options)
    assert [[field.tolist() for field in batch] for batch in stream] == wanted
    pipeline = provider.tf_dataset("train", **options)
    assert [[field.numpy().tolist() for field in batch] for batch in pipeline] == wanted
    counted = provider.tf_batches("train", **options)
    assert len(counted) == len(wanted)


def test_windows_need_no_framework(provider):
    windows = provider.windows("validation", seq_len=8, cross_documents=False, pad_id=5)
    found = windows.read(np.arange(2))
    split = provider.cache.split("validation")
    assert found.tokens[0].tolist() == split.tokens[:9].tolist()


def test_split_that_is_not_there_says_how_to_get_it(tokenizer, tmp_path):
    provider = _from_documents(tokenizer, tmp_path)
    with pytest.raises(errors.InputError, match=r"no split 'validation'.*validation_split=0.1"):
        provider.get_val_dataset(seq_len=8)
    with pytest.raises(errors.InputError, match="no split 'test'; wanted one of train; name"):
        provider.get_test_dataset(seq_len=8)


def test_second_call_opens_the_cache_and_reads_no_document(tokenizer, tmp_path, monkeypatch):
    first = _from_documents(tokenizer, tmp_path)
    before = (tmp_path / "cache/manifest.json").stat()

    def fail(*arguments, **options):
        raise RuntimeError("built again")

    monkeypatch.setattr(provider_build.build, "build_cache", fail)
    second = _from_documents(tokenizer, tmp_path, num_workers=2)
    assert second.cache.fingerprint == first.cache.fingerprint
    assert (tmp_path / "cache/manifest.json").stat() == before


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"documents": TEXTS[1:]}, "documents_sha256"),
        ({"validation_split": 0.1}, "validation_split is None, wanted 0.1"),
        ({"use_eos_token": False}, "use_eos_token is True, wanted False"),
        ({"documents": {"test": TEXTS}}, "documents_sha256.train is .*, wanted absent"),
    ],
)
def test_other_request_is_refused_by_name_and_overwrite_builds_it(
    tokenizer, tmp_path, changes, match
):
    _from_documents(tokenizer, tmp_path)
    before = (tmp_path / "cache/manifest.json").read_bytes()
    with pytest.raises(errors.ArtifactError, match=match):
        _from_documents(tokenizer, tmp_path, **changes)
    assert (tmp_path / "cache/manifest.json").read_bytes() == before
    _from_documents(tokenizer, tmp_path, **changes, overwrite=True)
    assert (tmp_path / "cache/manifest.json").read_bytes() != before
    assert _from_documents(tokenizer, tmp_path, **changes)


def test_other_tokenizer_is_refused_by_name(tokenizer, tmp_path):
    _from_documents(tokenizer, tmp_path)
    other = small_tokenizer.hugging_face_tokenizer(num_unused=1)
    with pytest.raises(errors.ArtifactError, match="tokenizer.tokenizer is"):
        _from_documents(other, tmp_path)


def test_tokenizer_comes_back_from_the_cache_alone(provider, tokenizer):
    again = FastHfDatasetProvider.from_cache(provider.cache.cache_dir)
    assert again.tokenizer.encode(TEXTS[3]) == tokenizer.encode(TEXTS[3])
    assert again.stored_tokenizer.decode(again.cache.split("train").tokens[:5]).startswith("row")
    assert again.config["source"] == "documents"


def test_from_disk_reads_saved_rows(tokenizer, tmp_path):
    rows = datasets.Dataset.from_dict({"text": TEXTS})
    datasets.DatasetDict({"train": rows, "test": rows.select([4])}).save_to_disk(tmp_path / "rows")
    provider = FastHfDatasetProvider.from_disk(
        tmp_path / "rows",
        tokenizer=tokenizer,
        mapping_column_name="text",
        validation_split=0.1,
        num_workers=2,
        cache_dir=tmp_path / "cache",
    )
    assert sorted(provider.splits) == ["test", "train", "validation"]
    assert provider.cache.split("validation").num_documents == 5
    assert provider.cache.split("test").tokens.tolist() == _ids(tokenizer, [TEXTS[4]])
    verify.verify_cache(tmp_path / "cache")
    assert json.loads((tmp_path / "cache/config.json").read_text())["validation_split"] == 0.1


def test_from_hub_reads_files_by_a_reader(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    provider = FastHfDatasetProvider.from_hub(
        "text",
        data_files=str(tmp_path / "lines.txt"),
        tokenizer=tokenizer,
        num_workers=1,
        cache_dir=tmp_path / "cache",
    )
    assert provider.cache.split("train").tokens.tolist() == _ids(tokenizer, ["one", "two"])


@contextlib.contextmanager
def _served(folder):
    """Yields where a web server on loopback gives the files of a folder, with a version of each."""

    class _Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def end_headers(self):
            self.send_header("ETag", '"1"')
            super().end_headers()

    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_secrets_of_addresses_are_not_kept_in_the_cache(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", tmp_path / "downloads")
    (tmp_path / "www").mkdir()
    (tmp_path / "www/x.json").write_text('{"text": "abc"}\n')
    with _served(tmp_path / "www") as host:
        provider = FastHfDatasetProvider.from_hub(
            "json",
            data_files=f"http://{host}/x.json?token=SECRET",
            tokenizer=tokenizer,
            num_workers=1,
            cache_dir=tmp_path / "cache",
        )
    assert provider.cache.split("train").tokens.tolist() == _ids(tokenizer, ["abc"])
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not [path.name for path in files if b"SECRET" in path.read_bytes()]
    assert f"http://{host}/x.json?hidden=" in provider.cache.config["data_files"]


def test_from_flcc_encodes_with_the_data_sets_own_vocabulary(small_data_dir, tmp_path):
    from code_t5.encoding import token_model

    provider = FastHfDatasetProvider.from_flcc(
        small_data_dir, "small", num_workers=1, cache_dir=tmp_path / "cache"
    )
    model = token_model.load_token_model(small_data_dir / "vocabularies/default")
    split = provider.cache.split("validation")
    ids = split.tokens[split.offsets[0] : split.offsets[1]].tolist()
    assert ids[-1] == 1 == provider.cache.end_of_text_id
    assert model.encode(model.decode(ids)) == ids[:-1]
    assert provider.tokenizer.decode(ids) == model.decode(ids)
    assert provider.config["vocabulary"] == "default"
    assert split.names(0)[1].endswith(".py")


def test_from_flcc_encodes_with_a_tokenizer_too(small_data_dir, tokenizer, tmp_path):
    provider = FastHfDatasetProvider.from_flcc(
        small_data_dir, "small", tokenizer=tokenizer, num_workers=1, cache_dir=tmp_path / "cache"
    )
    assert provider.cache.end_of_text_id == tokenizer.eos_token_id == 0
    with pytest.raises(errors.InputError, match="no vocabulary .*; wanted one of default"):
        FastHfDatasetProvider.from_flcc(
            small_data_dir, "small", vocabulary="other", cache_dir=tmp_path / "cache"
        )


def test_shared_memory_gives_the_same_windows(provider):
    shared = FastHfDatasetProvider.from_cache(provider.cache.cache_dir, use_shared_memory=True)
    mine, theirs = (p.get_train_dataset(seq_len=16) for p in (provider, shared))
    assert len(mine) == len(theirs)
    assert mine[5][0].tolist() == theirs[5][0].tolist()
    assert theirs.windows.split.maps is None


def test_cache_without_a_tokenizer_says_so(tmp_path):
    provider = FastHfDatasetProvider.from_cache(small_token_cache.write_cache(tmp_path))
    assert provider.windows("train", seq_len=2).num_windows == 1
    with pytest.raises(errors.InputError, match="no tokenizer's files"):
        _ = provider.tokenizer


def test_missing_cache_is_one_line(tmp_path):
    with pytest.raises(errors.NotBuiltError, match="no token cache"):
        FastHfDatasetProvider.from_cache(tmp_path / "none")


_UNGUARDED = """
import sys
import threading
from small_tokenizer import hugging_face_tokenizer
from code_t5.token_cache import FastHfDatasetProvider

print("run")
provider = FastHfDatasetProvider.from_documents(
    {"train": ["a b"] * 9, "validation": ["c"], "test": ["d"]},
    tokenizer=hugging_face_tokenizer(), num_workers=2, cache_dir=sys.argv[1])
print(provider.cache.splits["train"]["num_tokens"], __file__.endswith("unguarded.py"), __spec__)
"""


def test_workers_do_not_run_the_users_program_again(tmp_path):
    path = tmp_path / "unguarded.py"
    path.write_text(_UNGUARDED)
    done = subprocess.run(
        [sys.executable, str(path), str(tmp_path / "cache")],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["run", "36 True None"]


@pytest.mark.parametrize("method", ["from_hub", "from_disk", "from_flcc", "from_documents"])
def test_each_argument_reaches_the_build(method, monkeypatch):
    seen = {}

    class _StopError(Exception):
        pass

    def read_request(name, arguments):
        seen.update(arguments, method=name)
        raise _StopError

    monkeypatch.setattr(provider_build, "read_request", read_request)
    function = getattr(FastHfDatasetProvider, method)
    names = [name for name in inspect.signature(function).parameters]
    values = {name: f"value of {name}" for name in names}
    positional = [values.pop(name) for name in names[: 2 if method == "from_flcc" else 1]]
    with pytest.raises(_StopError):
        function(*positional, **values)
    del seen["cls"]
    assert seen == {"method": method, **{name: f"value of {name}" for name in names}}


def test_package_offers_the_provider_and_nothing_that_is_not_there():
    assert code_t5.token_cache.FastHfDatasetProvider is FastHfDatasetProvider
    with pytest.raises(AttributeError, match="Other"):
        _ = code_t5.token_cache.Other
