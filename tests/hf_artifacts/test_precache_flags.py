from __future__ import annotations

import pathlib

import pytest
from absl import flags
from refusals import assert_refused

from code_t5 import command_line
from code_t5.hf_artifacts import precache_flags
from code_t5.hf_artifacts.requests import ArtefactRequest

_CONLL = ArtefactRequest("dataset", "conll2003", revision="refs/convert/parquet")
_ENGLISH = ArtefactRequest("dataset", "wikiann", configs=("en",))
_MINI_LM = ArtefactRequest("model", "sentence-transformers/all-MiniLM-L6-v2")


def _read(*arguments: str):
    values = flags.FlagValues()
    precache_flags.define_flags(values)
    joined = command_line.join_arguments(
        ["precache.py", *arguments], list_flags=precache_flags.LIST_FLAGS, values=values
    )
    assert values(joined) == ["precache.py"]
    return precache_flags.read_flags(values)


def test_by_default_all_three_kinds_are_fetched_and_proved():
    config = _read()
    assert config.requests == (_CONLL, _ENGLISH, _MINI_LM)
    assert (config.verifies, config.is_dry_run) == (True, False)
    assert (config.num_workers, config.wait_seconds) == (8, 3600)


def test_flags_are_read_with_hyphens_and_several_words():
    config = _read(
        "--cache-dir", "/a b", "--wikiann-langs", "en", "de", "--models", "x", "org/y",
        "--no-verify", "--dry-run", "--num-workers=2", "--wait-minutes", "0.5",
        "--revision", "main",
    )  # fmt: skip
    assert config.requests == (
        ArtefactRequest("dataset", "conll2003", revision="main"),
        _ENGLISH,
        ArtefactRequest("dataset", "wikiann", configs=("de",)),
        ArtefactRequest("model", "x"),
        ArtefactRequest("model", "org/y"),
    )
    assert (config.verifies, config.is_dry_run) == (False, True)
    assert (config.num_workers, config.wait_seconds) == (2, 30)
    assert config.root.path == pathlib.Path("/a b")


def test_each_kind_can_be_left_out():
    assert _read("--no_conll2003", "--no-models").requests == (_ENGLISH,)
    assert _read("--no_wikiann").requests == (_CONLL, _MINI_LM)


def test_a_spec_stands_alone_unless_more_is_named(tmp_path):
    file = tmp_path / "artefacts.yaml"
    file.write_text("models: [own/model]\ndatasets: [{name: wikiann, configs: en}]")
    own = ArtefactRequest("model", "own/model")
    assert _read("--spec", str(file)).requests == (own, _ENGLISH)
    # What both ask for is fetched once.
    found = _read("--spec", str(file), "--models", "own/model", "b", "--wikiann_langs", "en", "fr")
    assert found.requests == (
        own,
        _ENGLISH,
        ArtefactRequest("dataset", "wikiann", configs=("fr",)),
        ArtefactRequest("model", "b"),
    )
    assert _CONLL in _read("--spec", str(file), "--revision=refs/convert/parquet").requests


def test_the_default_root_is_an_existing_home_or_one_below_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert _read().root.path == tmp_path / "hf-cache"
    (tmp_path / "hf").mkdir()
    assert _read().root.path == tmp_path / "hf"
    assert _read("--cache_dir=~/own").root.path == tmp_path / "own"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--no_models", "--models", "a"], "--models was given with --no_models"),
        (["--no_wikiann", "--wikiann_langs=de"], "--wikiann_langs was given with --no_wikiann"),
        (["--no_conll2003", "--revision=main"], "--revision was given with --no_conll2003"),
        (["--no_conll2003", "--no_wikiann", "--no_models"], "nothing is left to fetch"),
        (["--models", "../x"], r"--models: its name is '\.\./x'"),
        (["--models", "./local/model"], "--models: its name is"),
        (["--revision", "../../x"], r"--revision: its revision is '\.\./\.\./x'"),
        (["--wikiann_langs", "../x"], r"--wikiann_langs: it names the path '\.\./x'"),
        (["--spec", "no/such.yaml"], "cannot read no/such.yaml"),
        (["--cache_dir="], "--cache_dir is empty"),
    ],
)
def test_flags_that_do_not_fit_are_refused(arguments, match):
    assert_refused(lambda: _read(*arguments), match=match)
