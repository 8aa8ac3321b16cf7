"""Data sets by name; `test_from_hub` asks a Hub for them."""

from __future__ import annotations

import dataclasses
import gzip
import json
import pathlib
import shutil
import types

import datasets
import huggingface_hub
import pytest
import requests
from arrow_files import read_units
from huggingface_hub import errors as hub_errors

from code_t5 import errors
from code_t5.token_cache.sources import hub_source, row_options
from code_t5.token_cache.sources.hub_source import HubRequest, HubUnreachableError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OPTIONS = row_options.read_options(
    mapping_column_name="text", split=None, validation_split=None, seed=42
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))


def _write_json(path, texts):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return str(path)


def _texts(source, split):
    return [text.decode() for text in read_units(source.units(split))[0]]


def _open(*arguments, **options):
    return hub_source.open_hub_source(HubRequest(*arguments, **options), options=OPTIONS)


def test_files_are_read_by_a_reader_of_datasets(tmp_path):
    files = {
        "train": [_write_json(tmp_path / name, [name, "b"]) for name in ("0.jsonl", "1.jsonl")],
        "validation": _write_json(tmp_path / "val.jsonl", ["c"]),
    }
    source = _open("json", data_files=files)
    assert source.splits == ("train", "validation")
    assert _texts(source, "train") == ["0.jsonl", "b", "1.jsonl", "b"]
    assert _texts(source, "validation") == ["c"]


def test_folder_is_read_like_a_data_set(tmp_path):
    _write_json(tmp_path / "files/train.jsonl", ["a", "b"])
    _write_json(tmp_path / "files/test.jsonl", ["c"])
    source = _open(str(tmp_path / "files"))
    assert {split: _texts(source, split) for split in source.splits} == {
        "train": ["a", "b"],
        "test": ["c"],
    }


def test_files_have_the_fingerprint_of_their_content(tmp_path):
    _write_json(tmp_path / "one/train.jsonl", ["a", "b"])
    parts = _open(str(tmp_path / "one")).fingerprint_parts
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert _open(str(tmp_path / "two")).fingerprint_parts == parts
    _write_json(tmp_path / "two/train.jsonl", ["a", "c"])
    assert _open(str(tmp_path / "two")).fingerprint_parts != parts


def _rewrite(folder, *, sep, columns="[text, other]"):
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: train.csv\n"
        f"  sep: '{sep}'\n  names: {columns}\n---\n"
    )


def test_how_files_are_read_is_part_of_their_fingerprint(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "train.txt").write_text("a,b;c\nd,e;f\n")
    found = [_open(str(folder)).fingerprint_parts]
    (folder / "train.txt").rename(folder / "train.csv")
    found.append(_open(str(folder)).fingerprint_parts)
    texts = []
    for sep in ",;":
        _rewrite(folder, sep=sep)
        source = _open(str(folder))
        found.append(source.fingerprint_parts)
        texts.append(_texts(source, "train"))
    assert texts == [["a", "d"], ["a,b", "d,e"]]
    _rewrite(folder, sep=";", columns="[other, text]")
    found.append(_open(str(folder)).fingerprint_parts)
    assert len({json.dumps(parts) for parts in found}) == 5
    # All of the same bytes, so that nothing else tells them apart.
    assert len({parts["data_files_sha256"] for parts in found}) == 1
    folder.rename(tmp_path / "moved")
    assert _open(str(tmp_path / "moved")).fingerprint_parts == found[-1]


def test_names_of_files_are_not_part_of_their_fingerprint(tmp_path):
    path = pathlib.Path(_write_json(tmp_path / "one/train.1.jsonl", ["a"]))
    parts = _open("json", data_files=str(path)).fingerprint_parts
    renamed = str(path.rename(path.with_name("train.2.jsonl")))
    assert _open("json", data_files=renamed).fingerprint_parts == parts
    packed = path.with_name("a.jsonl.gz")
    packed.write_bytes(gzip.compress(pathlib.Path(renamed).read_bytes()))
    described = _open("json", data_files=str(packed)).fingerprint_parts["reader"]
    assert described == {**parts["reader"], "suffixes": [".jsonl.gz"]}


def test_secrets_of_addresses_are_recorded_nowhere():
    address = "https://me:SECRET@host/{}.json?token=SECRET"
    request = HubRequest(
        "a/b", data_files={"train": [address.format(1)], "test": address.format(2)},
        data_dir=address.format(3), revision=COMMIT,
    )  # fmt: skip
    source = hub_source.open_hub_source(request, options=OPTIONS)
    for found in (source.fingerprint_parts, source.config, request.config):
        assert "SECRET" not in json.dumps(found)
        assert "https://host/1.json?hidden=" in json.dumps(found)
    other = dataclasses.replace(request, data_dir=address.format(3) + "2")
    assert other.config != request.config
    assert "SECRET" not in HubRequest(address).where


def test_secrets_of_addresses_are_not_in_messages(monkeypatch):
    def load_dataset_builder(*arguments, **options):
        assert options["data_files"] == "https://me:SECRET@host/x?SECRET"
        raise ValueError("cannot read https://me:SECRET@host/x?SECRET")

    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    with pytest.raises(errors.InputError, match="cannot read https://host/x; wanted"):
        _open("json", data_files="https://me:SECRET@host/x?SECRET")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://me:SECRET@hub:9")
    _answer(monkeypatch, requests.ConnectionError("no route"))
    with pytest.raises(HubUnreachableError, match=r"ConnectionError at http://hub:9\)"):
        hub_source.resolve_revision(HubRequest("glue", revision="v1"))


def test_a_commit_that_was_not_asked_for_is_not_read(monkeypatch):
    # What `datasets` gives where the Hub breaks off and an older one was fetched.
    builder = types.SimpleNamespace(hash=COMMIT[::-1])
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: builder)
    with pytest.raises(hub_source.HubBrokenOffError, match="run the same command again"):
        _ = _open("a/b", revision=COMMIT).splits


@pytest.mark.parametrize("name", ["../../b", "a//b", "a/b/c", "", "a b"])
def test_names_that_cannot_be_are_one_line_without_the_hub(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.CodeT5Error) as caught:
        hub_source.open_hub_source(HubRequest(name), options=OPTIONS, is_reachable=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("version", "asked"), [("3.6.0", False), ("4.0.0", None)])
def test_no_version_of_datasets_runs_code_of_a_data_set(monkeypatch, tmp_path, version, asked):
    seen = {}

    def load_dataset_builder(*arguments, **options):
        seen.update(options)
        raise RuntimeError("seen")

    monkeypatch.setattr(datasets, "__version__", version)
    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    with pytest.raises(errors.InputError, match="seen"):
        _open("json", data_dir=str(tmp_path))
    assert seen.get("trust_remote_code") is asked


def test_files_have_no_revision(tmp_path):
    with pytest.raises(errors.InputError, match="'v1' for .*, which is not on the Hub"):
        _open(str(tmp_path), revision="v1")


@pytest.mark.parametrize(
    ("name", "files", "match"),
    [
        ("json", None, "name them with data_files"),
        ("json", "missing.jsonl", "missing.jsonl"),
        ("no/such/folder", None, "no/such/folder"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_line(tmp_path, monkeypatch, name, files, match):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub_source, "resolve_revision", lambda request: COMMIT)
    with pytest.raises(errors.InputError, match=match) as caught:
        _ = _open(name, data_files=files).splits
    assert "\n" not in str(caught.value)


def test_commit_is_a_revision_that_nobody_is_asked_for():
    assert hub_source.resolve_revision(HubRequest("glue", revision=COMMIT)) == COMMIT


def test_offline_mode_asks_nobody():
    with pytest.raises(HubUnreachableError, match="offline mode is on"):
        hub_source.resolve_revision(HubRequest("glue"))


def _answer(monkeypatch, found):
    def dataset_info(self, name, *, revision, timeout):
        assert (name, revision) == ("glue", "v1")
        if isinstance(found, Exception):
            raise found
        return types.SimpleNamespace(sha=found)

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)


def _http_error(kind, status):
    response = requests.Response()
    response.status_code = status
    return kind(f"status\n{status}", response=response)


def test_hub_says_which_commit_a_revision_is(monkeypatch):
    _answer(monkeypatch, COMMIT)
    assert hub_source.resolve_revision(HubRequest("glue", revision="v1")) == COMMIT


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("no route"),
        requests.Timeout("slow"),
        _http_error(hub_errors.HfHubHTTPError, 500),
        _http_error(hub_errors.HfHubHTTPError, 503),
        _http_error(hub_errors.HfHubHTTPError, 429),
    ],
)
def test_hub_out_of_order_is_told_from_a_refusal(monkeypatch, error):
    _answer(monkeypatch, error)
    with pytest.raises(HubUnreachableError, match="cannot be asked"):
        hub_source.resolve_revision(HubRequest("glue", revision="v1"))


@pytest.mark.parametrize(
    "error",
    [
        _http_error(hub_errors.RepositoryNotFoundError, 404),
        _http_error(hub_errors.RevisionNotFoundError, 404),
        _http_error(hub_errors.GatedRepoError, 403),
        _http_error(hub_errors.HfHubHTTPError, 401),
        hub_errors.HFValidationError("a//b"),
    ],
)
def test_what_the_hub_refuses_is_one_line(monkeypatch, error):
    _answer(monkeypatch, error)
    with pytest.raises(errors.InputError, match="Hub does not give .* at v1") as caught:
        hub_source.resolve_revision(HubRequest("glue", revision="v1"))
    assert "\n" not in str(caught.value)


def test_request_is_recorded_as_json(tmp_path):
    request = HubRequest("a/b", data_files={"train": (tmp_path / "x", "y")}, revision=COMMIT)
    assert request.config == {
        "source": "hub",
        "dataset_name": "a/b",
        "dataset_config_name": None,
        "data_dir": None,
        "data_files": {"train": [str(tmp_path / "x"), "y"]},
        "revision": COMMIT,
    }


def test_other_revision_has_another_fingerprint():
    parts = [
        _open("a/b", revision=revision).fingerprint_parts for revision in (COMMIT, COMMIT[::-1])
    ]
    assert {name for name in parts[0] if parts[0][name] != parts[1][name]} == {"revision"}


def test_nothing_that_was_fetched_is_one_line(tmp_path):
    with pytest.raises(HubUnreachableError, match="fetched before with the same arguments"):
        hub_source.open_hub_source(
            HubRequest("nobody/nothing"), options=OPTIONS, is_reachable=False
        )
    assert datasets.config.HF_HUB_OFFLINE
