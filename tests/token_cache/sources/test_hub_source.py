"""Data sets by name; `test_from_hub` asks a Hub for them."""

from __future__ import annotations

import json
import shutil
import types

import datasets
import huggingface_hub
import pytest
import requests
from arrow_files import read_units
from huggingface_hub import errors as hub_errors

from code_t5 import errors
from code_t5.token_cache import provider_options
from code_t5.token_cache.sources import hub_source
from code_t5.token_cache.sources.hub_source import HubRequest, HubUnreachableError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OPTIONS = provider_options.read_options(
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
