from __future__ import annotations

import json
import os
import shutil

import pytest
from small_token_source import small_source, store_words

from code_t5 import errors
from code_t5.token_cache.building import build_plan, cache_place
from code_t5.token_cache.building.build import build_cache
from code_t5.token_cache.building.build_config import BuildConfig


@pytest.fixture(scope="module", name="built_dir")
def _built_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    config = BuildConfig(folder / "cache", num_workers=1, encoder="tokenizers")
    build_cache(small_source(), tokenizer=store_words(folder / "tokenizer"), config=config)
    return folder / "cache"


@pytest.fixture(name="cache_dir")
def _cache_dir(built_dir, tmp_path):
    shutil.copytree(built_dir, tmp_path / "cache")
    return tmp_path / "cache"


def test_nothing_an_empty_folder_and_a_cache_may_be_replaced(cache_dir, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (cache_dir, tmp_path / "empty", tmp_path / "nowhere"):
        cache_place.check_replaceable(path)


@pytest.mark.parametrize(
    "name",
    ["embeddings.npy", "train.extra.npy", "notes.txt", "tokenizer/mine.json", "folder.npy/", "a/b"],
)
def test_what_no_cache_wrote_is_never_replaced(cache_dir, name):
    path = cache_dir / name
    if name.endswith("/"):
        path.mkdir()
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text("years of work")
    with pytest.raises(errors.InputError, match=f"holds '{name.rstrip('/')}'"):
        cache_place.check_replaceable(cache_dir)
    assert path.exists()


def _no_manifest(cache_dir):
    (cache_dir / "manifest.json").unlink()


def _empty_manifest(cache_dir):
    (cache_dir / "manifest.json").write_text("")


def _manifest_of_something_else(cache_dir):
    fields = json.loads((cache_dir / "manifest.json").read_text())
    fields["format_name"] = "experiment"
    (cache_dir / "manifest.json").write_text(json.dumps(fields))


@pytest.mark.parametrize("change", [_no_manifest, _empty_manifest, _manifest_of_something_else])
def test_folder_that_is_no_cache_is_never_replaced(cache_dir, change):
    change(cache_dir)
    with pytest.raises(errors.InputError, match="wanted a token cache to replace"):
        cache_place.check_replaceable(cache_dir)


def test_damaged_cache_and_one_of_another_version_may_be_replaced(cache_dir):
    (cache_dir / "train.npy").unlink()
    (cache_dir / "COMPLETED").unlink()
    shutil.rmtree(cache_dir / "tokenizer")
    (cache_dir / "tokenizer").mkdir()
    fields = json.loads((cache_dir / "manifest.json").read_text())
    (cache_dir / "manifest.json").write_text(json.dumps({**fields, "format_version": 2}))
    cache_place.check_replaceable(cache_dir)


def test_overwriting_is_not_advised_where_it_would_be_refused(cache_dir):
    (cache_dir / "train.npy").unlink()
    with pytest.raises(errors.ArtifactError, match=r"train\.npy is missing.*--overwrite"):
        build_plan.open_present(cache_dir, parts=_parts(cache_dir))
    (cache_dir / "mine.npy").touch()
    with pytest.raises(errors.ArtifactError, match=r"train\.npy is missing") as caught:
        build_plan.open_present(cache_dir, parts=_parts(cache_dir))
    assert "--overwrite" not in str(caught.value)


def _parts(cache_dir):
    return json.loads((cache_dir / "manifest.json").read_text())["fingerprint_parts"]


def test_cache_of_archai_may_be_replaced_if_it_holds_nothing_else(tmp_path):
    for name in ("train.npy", "validation.npy", "test.npy", "tokenizer.pkl", "config.json"):
        (tmp_path / name).touch()
    cache_place.check_replaceable(tmp_path)
    (tmp_path / "mine.npy").touch()
    with pytest.raises(errors.InputError, match=r"holds 'mine\.npy'"):
        cache_place.check_replaceable(tmp_path)


def test_arrays_alone_are_no_cache(tmp_path):
    (tmp_path / "train.npy").touch()
    with pytest.raises(errors.InputError, match=r"holds 'train\.npy'"):
        cache_place.check_replaceable(tmp_path)


@pytest.mark.parametrize(
    ("cache_dir", "said"),
    [
        (None, "cache_dir is None; wanted the name of a directory"),
        (7, "cache_dir is 7; wanted the name of a directory"),
        ("", "cache_dir is empty"),
        ("a\0b", r"cache_dir is 'a\\x00b' \(embedded null byte\)"),
        ("x" * 300, r"cache_dir is 'x+\.\.\. \(File name too long\)"),
        # Too long with what is added while it is written.
        ("x" * 250, "File name too long"),
    ],
)
def test_name_that_does_not_do_is_one_line(tmp_path, monkeypatch, cache_dir, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.InputError, match=said) as caught:
        str(BuildConfig(cache_dir).path)
    assert "\n" not in str(caught.value)


def test_longest_name_and_the_root_are_paths(tmp_path):
    name = "x" * 200
    assert cache_place.resolve(tmp_path / name) == tmp_path / name
    assert os.fspath(cache_place.resolve("/")) == "/"
