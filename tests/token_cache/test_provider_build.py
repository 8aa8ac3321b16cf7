"""Which cache is opened or built where the Hub answers, and where it does not."""

from __future__ import annotations

import contextlib
import logging

import numpy as np
import pytest
import small_tokenizer
from arrow_files import write_arrow

from code_t5 import errors
from code_t5.token_cache import provider_build
from code_t5.token_cache.building import build
from code_t5.token_cache.sources import arrow_source, hub_source, row_options
from code_t5.token_cache.sources.hub_source import HubUnreachableError
from code_t5.token_cache.tokenizer_choice import TokenizerChoice

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


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"use_eos_token": "no"}, "use_eos_token is 'no'; wanted True or False"),
        ({"use_eos_token": 0}, "use_eos_token is 0; wanted True or False"),
        ({"overwrite": "yes"}, "overwrite is 'yes'; wanted True or False"),
        ({"num_workers": -1}, "num_workers is -1; wanted a whole number of 0 or more"),
        ({"num_workers": True}, "num_workers is True; wanted a whole number"),
        ({"num_workers": 1.5}, "num_workers is 1.5; wanted a whole number"),
    ],
)
def test_arguments_of_another_kind_are_refused(hub, ask, changes, match):
    with pytest.raises(errors.InputError, match=match):
        ask(**changes)
    assert not hub.reads


def test_arguments_of_numpy_ask_for_the_same(hub, ask):
    first = ask(seed=3, validation_split=0.5)
    changed = ask(
        seed=np.int64(3),
        validation_split=np.float32(0.5),
        use_eos_token=np.bool_(True),
        overwrite=np.bool_(False),
        num_workers=np.int64(1),
    )
    assert changed.fingerprint == first.fingerprint
    assert hub.reads == 1


def test_a_source_is_left_as_it_is(hub, tokenizer, tmp_path):
    made = []

    def open_source():
        request = hub_source.HubRequest("a/b")
        options = row_options.read_options(
            mapping_column_name=None, split=None, validation_split=None, seed=1
        )
        made.append(hub.open(request, options=options))
        return contextlib.nullcontext(made[0])

    request = provider_build.BuildRequest(
        TokenizerChoice(tokenizer), build.BuildConfig(tmp_path / "cache"), open_source
    )
    with request.opened() as (source, _):
        assert source.config == {**made[0].config, "tokenizer_name": None}
        assert source.fingerprint_parts == made[0].fingerprint_parts
    assert "tokenizer_name" not in made[0].config


def test_what_the_hub_answered_is_said_if_nothing_was_fetched(hub, ask, monkeypatch):
    def refuse(request, *, options, is_reachable=True):
        raise HubUnreachableError("status 503" if is_reachable else "nothing was fetched")

    monkeypatch.setattr(hub_source, "open_hub_source", refuse)
    with pytest.raises(HubUnreachableError, match="status 503"):
        ask()
