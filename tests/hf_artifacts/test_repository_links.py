from __future__ import annotations

import os

import pytest

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import repository_links
from code_t5.hf_artifacts.requests import ArtefactRequest

_DATA = ArtefactRequest("dataset", "wikiann")
_PRESENT = "unimelb-nlp/wikiann"


@pytest.fixture
def root(tmp_path):
    """A root with nothing in it."""
    return CacheRoot(tmp_path / "a root")


def _prepare(folder, *, name):
    """Writes what `datasets` does for one configuration."""
    place = folder / "en" / "0.0.0" / "abc"
    place.mkdir(parents=True)
    (place / "dataset_info.json").write_text("{}")
    (place / f"{name}-train.arrow").write_text("rows")
    return place


def test_files_lie_under_the_present_name_and_a_link_leads_there(root):
    repository_links.link_repository(root, request=_DATA, repository=_PRESENT)
    repository_links.link_repository(root, request=_DATA, repository=_PRESENT)
    assert sorted(path.name for path in root.hub_dir.iterdir()) == [
        "datasets--unimelb-nlp--wikiann", "datasets--wikiann",
    ]  # fmt: skip
    assert os.readlink(root.hub_dir / "datasets--wikiann") == "datasets--unimelb-nlp--wikiann"
    assert not root.transformers_dir.exists()
    assert repository_links.present_name(root, _DATA) == _PRESENT


def test_what_was_fetched_before_it_was_renamed_is_found_under_the_new_name(root):
    (root.hub_dir / "datasets--wikiann" / "blobs").mkdir(parents=True)
    repository_links.link_repository(root, request=_DATA, repository=_PRESENT)
    assert os.readlink(root.hub_dir / "datasets--unimelb-nlp--wikiann") == "datasets--wikiann"
    assert repository_links.present_name(root, _DATA) == _PRESENT


def test_a_repository_that_is_renamed_twice_is_found_under_all_names(root):
    repository_links.link_repository(root, request=_DATA, repository=_PRESENT)
    (root.hub_dir / "datasets--wikiann" / "mine").write_text("here")
    repository_links.link_repository(root, request=_DATA, repository="new/wikiann")
    names = ("wikiann", "unimelb-nlp--wikiann", "new--wikiann")
    found = [(root.hub_dir / f"datasets--{name}" / "mine").read_text() for name in names]
    assert found == ["here"] * 3


def test_a_repository_that_was_not_renamed_has_one_name(root):
    request = ArtefactRequest("dataset", "org/one")
    repository_links.link_repository(root, request=request, repository="org/one")
    assert [path.name for path in root.hub_dir.iterdir()] == ["datasets--org--one"]
    assert repository_links.present_name(root, request) == "org/one"


def test_folders_of_their_own_are_left_as_they_are(root):
    for name in ("datasets--wikiann", "datasets--unimelb-nlp--wikiann"):
        (root.hub_dir / name).mkdir(parents=True)
        (root.hub_dir / name / "mine").write_text(name)
    repository_links.link_repository(root, request=_DATA, repository=_PRESENT)
    assert (root.hub_dir / "datasets--wikiann" / "mine").read_text() == "datasets--wikiann"


def test_models_are_linked_for_transformers(root, tmp_path):
    model = ArtefactRequest("model", "gpt2")
    repository_links.link_repository(root, request=model, repository="openai-community/gpt2")
    held = root.hub_dir / "models--openai-community--gpt2"
    for name in ("models--gpt2", "models--openai-community--gpt2"):
        link = root.transformers_dir / name
        assert not os.path.isabs(os.readlink(link))
        assert link.resolve() == held
    moved = root.path.rename(tmp_path / "moved")
    assert (moved / "transformers" / "models--gpt2").resolve() == moved / "hub" / held.name


def test_a_link_that_leads_elsewhere_is_replaced(root, tmp_path):
    root.hub_dir.mkdir(parents=True)
    (root.hub_dir / "datasets--wikiann").symlink_to(tmp_path)
    repository_links.link_repository(root, request=_DATA, repository=_PRESENT)
    assert os.readlink(root.hub_dir / "datasets--wikiann") == "datasets--unimelb-nlp--wikiann"


def test_a_file_in_the_place_of_a_link_is_refused(root):
    root.hub_dir.mkdir(parents=True)
    (root.hub_dir / "datasets--wikiann").write_text("mine")
    with pytest.raises(errors.ArtifactError, match="is a file; wanted a link to"):
        repository_links.link_repository(root, request=_DATA, repository=_PRESENT)
    assert (root.hub_dir / "datasets--wikiann").read_text() == "mine"


def test_what_is_prepared_is_found_under_both_names(root):
    repository_links.link_datasets_folder(root, request=_DATA, repository=_PRESENT)
    _prepare(root.datasets_dir / "wikiann", name="wikiann")
    repository_links.link_prepared(root, request=_DATA, repository=_PRESENT)
    arrow = "en/0.0.0/abc/wikiann-train.arrow"
    assert (root.datasets_dir / "unimelb-nlp___wikiann" / arrow).read_text() == "rows"
    assert os.readlink(root.datasets_dir / "wikiann") == "unimelb-nlp___wikiann"


def test_files_bear_the_new_name_where_the_last_part_changed(root):
    request = ArtefactRequest("dataset", "me/OldName")
    repository_links.link_datasets_folder(root, request=request, repository="me/NewName")
    place = _prepare(root.datasets_dir / "me___old_name", name="old_name")
    repository_links.link_prepared(root, request=request, repository="me/NewName")
    repository_links.link_prepared(root, request=request, repository="me/NewName")
    found = root.datasets_dir / "me___new_name" / "en" / "0.0.0" / "abc"
    assert sorted(path.name for path in found.iterdir()) == [
        "dataset_info.json", "new_name-train.arrow",
    ]  # fmt: skip
    assert (found / "new_name-train.arrow").resolve() == place / "old_name-train.arrow"
    assert not os.path.isabs(os.readlink(found / "new_name-train.arrow"))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("glue", "glue"),
        ("nyu-mll/glue", "nyu-mll___glue"),
        ("ILSVRC/imagenet-1k", "ILSVRC___imagenet-1k"),
        ("me/GlueSet", "me___glue_set"),
        ("me/MNLIMatched", "me___mnli_matched"),
        ("me/a1B2", "me___a1_b2"),
    ],
)
def test_folders_are_named_as_datasets_does(name, folder):
    from datasets.naming import camelcase_to_snakecase

    owner, _, last = name.rpartition("/")
    theirs = "___".join([*([owner] if owner else []), camelcase_to_snakecase(last)])
    assert repository_links.dataset_folder_name(name) == folder == theirs
