"""Which cache is opened or built where the Hub answers, and where it does not."""

from __future__ import annotations

import logging

import pytest
import small_tokenizer
from arrow_files import write_arrow

from code_t5 import errors
from code_t5.token_cache import provider_build
from code_t5.token_cache.sources import arrow_source, hub_source
from code_t5.token_cache.sources.hub_source import HubUnreachableError

COMMIT, NEWER = "a" * 40, "b" * 40


class _Hub:
    """Stands for `hub_source.open_hub_source`."""

    def __init__(self, folder):
        self.revision = COMMIT
        self.fetched = None
        self.is_up = True
        self.reads = 0
        self._path = write_arrow(folder / "rows.arrow", {"text": ["one", "two"]})

    def open(self, request, *, options, is_reachable=True):
        revision = self.revision
        if not (self.is_up and is_reachable):
            revision = None if is_reachable else self.fetched
        if revision is None:
            raise HubUnreachableError("the Hub cannot be asked (gone); wanted it; connect")
        parts = {"revision": revision}
        return arrow_source.ArrowSource(
            self._read,
            options=options,
            where="it",
            fingerprint_parts=parts,
            config={**request.config, **parts, "requested_revision": request.revision},
        )

    def _read(self):
        self.reads += 1
        return {"train": [self._path]}


@pytest.fixture(name="hub")
def _hub(tmp_path, monkeypatch):
    hub = _Hub(tmp_path)
    monkeypatch.setattr(hub_source, "open_hub_source", hub.open)
    return hub


@pytest.fixture(scope="module", name="tokenizer")
def _tokenizer():
    return small_tokenizer.hugging_face_tokenizer()


@pytest.fixture(name="ask")
def _ask(tmp_path, tokenizer):
    def ask(**changes):
        arguments = {
            "dataset_name": "a/b",
            "tokenizer": tokenizer,
            "num_workers": 1,
            "cache_dir": tmp_path / "cache",
        }
        request = provider_build.read_request("from_hub", {**arguments, **changes})
        return provider_build.open_or_build(request)

    return ask


def test_cache_of_the_same_revision_is_opened_without_the_data(hub, ask):
    first = ask()
    assert hub.reads == 1
    assert ask().fingerprint == first.fingerprint
    assert hub.reads == 1
    assert first.config["revision"] == COMMIT


def test_newer_revision_is_refused_by_name(hub, ask):
    ask()
    hub.revision = NEWER
    with pytest.raises(errors.ArtifactError, match="data.revision is 'a.*', wanted 'b"):
        ask()
    assert ask(overwrite=True).config["revision"] == NEWER


def test_without_the_hub_the_cache_of_the_same_arguments_is_read(hub, ask, caplog):
    ask()
    hub.is_up = False
    with caplog.at_level(logging.WARNING):
        assert ask(seed=7).config["revision"] == COMMIT
    assert caplog.text.count("was not checked") == 1
    assert f"revision {COMMIT}" in caplog.text
    assert hub.reads == 1


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"dataset_name": "a/c"}, "dataset_name is 'a/b', wanted 'a/c'"),
        ({"revision": "v1"}, "requested_revision is None, wanted 'v1'"),
        ({"split": "train[:1]"}, "split.* wanted"),
        ({"use_eos_token": False}, "use_eos_token is True, wanted False"),
        ({"validation_split": 1}, "validation_split is None, wanted 1"),
        ({"tokenizer": small_tokenizer.hugging_face_tokenizer(num_unused=2)}, "tokenizer is '"),
    ],
)
def test_without_the_hub_other_arguments_are_refused_by_name(hub, ask, changes, match):
    ask()
    hub.is_up = False
    with pytest.raises(errors.ArtifactError, match=match):
        ask(**changes)


def test_without_hub_and_cache_what_was_fetched_before_is_read(hub, ask, caplog):
    hub.is_up, hub.fetched = False, COMMIT
    with caplog.at_level(logging.WARNING):
        assert ask().config["revision"] == COMMIT
    assert "fetched before" in caplog.text
    hub.fetched = NEWER
    assert ask(overwrite=True).config["revision"] == NEWER


def test_the_cache_comes_before_what_was_fetched(hub, ask):
    ask()
    hub.is_up, hub.fetched = False, NEWER
    assert ask().config["revision"] == COMMIT
    assert hub.reads == 1


def test_without_anything_it_is_one_line(hub, ask, tmp_path):
    hub.is_up = False
    with pytest.raises(HubUnreachableError, match="cannot be asked"):
        ask()
    assert not (tmp_path / "cache").exists()


def test_damaged_cache_is_refused_without_the_hub_too(hub, ask, tmp_path):
    ask()
    hub.is_up = False
    path = tmp_path / "cache/train.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(errors.ArtifactError, match="train.npy"):
        ask()


def test_both_or_neither_tokenizer_is_refused(hub, ask):
    with pytest.raises(errors.InputError, match="got no tokenizer"):
        ask(tokenizer=None)
    with pytest.raises(errors.InputError, match="got tokenizer and tokenizer_name"):
        ask(tokenizer_name="gpt2")
    assert not hub.reads
