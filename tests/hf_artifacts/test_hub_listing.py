from __future__ import annotations

import fake_hub
import fetching_children
import pytest

from code_t5 import errors
from code_t5.hf_artifacts.fetching import hub_errors, hub_listing
from code_t5.hf_artifacts.requests import ArtefactRequest

_CARD = """---
configs:
- config_name: en
  data_files: en/*
- config_name: de
  data_files: de/*
---
"""
_FILES = {"README.md": _CARD, "en/a.csv": "a\n1\n", "de/a.csv": "a\n2\n"}


@pytest.fixture(scope="module")
def served():
    """A Hub with a data set of several revisions."""
    with fake_hub.serve() as hub:
        data = hub.add("dataset", "acme/data", _FILES, aliases=("heap",))
        data.tag("v1")
        data.commit({"en/b.csv": "a\n3\n"})
        data.commit({"x/0.csv": "a\n4\n"}, branch="refs/convert/parquet")
        yield hub


def _ask(hub, root, **fields):
    (outcome,) = fetching_children.fetch(hub, root, {"kind": "dataset", "name": "heap", **fields})
    return outcome


def test_each_revision_has_its_commit_and_files(served, tmp_path):
    refs = served.find_repository("dataset", "acme/data").refs
    main = _ask(served, tmp_path / "r")
    assert main["commit"] == refs["refs/heads/main"]
    assert main["wanted"] == ["README.md", "de/a.csv", "en/a.csv", "en/b.csv"]
    tagged = _ask(served, tmp_path / "r", revision="v1", configs=["en"])
    assert tagged["commit"] == refs["refs/tags/v1"]
    assert (tagged["wanted"], tagged["others"]) == (["README.md", "en/a.csv"], ["de/a.csv"])
    converted = _ask(served, tmp_path / "r", revision="refs/convert/parquet", data_dir="x")
    assert converted["wanted"] == ["README.md", "x/0.csv"]
    pinned = _ask(served, tmp_path / "r", revision=refs["refs/tags/v1"])
    assert pinned["commit"] == refs["refs/tags/v1"]
    folder = tmp_path / "r/hub/datasets--heap/refs"
    found = {
        p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()
    }
    assert found == {
        "main": main["commit"], "v1": tagged["commit"],
        "refs/convert/parquet": converted["commit"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "kind", "said"),
    [
        ({"name": "nothing"}, "NotFoundError", "shows no dataset nothing"),
        ({"revision": "v9"}, "NotFoundError", "heap has no revision 'v9' at"),
        ({"configs": ["eng"]}, "InputError", "no configuration 'eng'; wanted one of de, en"),
    ],
)
def test_what_the_hub_does_not_have_is_said(served, tmp_path, fields, kind, said):
    outcome = _ask(served, tmp_path / "r", **fields)
    assert outcome["error"][0] == kind
    assert said in outcome["error"][1]
    assert "\n" not in outcome["error"][1]
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "../data"}, "'../data' cannot be the name of a dataset"),
        ({"name": "a/b/c"}, "cannot be the name"),
        ({"name": "a--b"}, "cannot be the name"),
        ({"revision": "../../x"}, "'../../x' cannot be a revision of heap"),
        ({"revision": "a\0b"}, "cannot be a revision of heap"),
    ],
)
def test_names_that_cannot_be_are_refused_before_anybody_is_asked(fields, said):
    with pytest.raises(errors.InputError) as caught:
        hub_listing.check_name(ArtefactRequest("dataset", **{"name": "heap", **fields}))
    assert said in str(caught.value)


def test_a_private_repository_is_not_shown_to_others(tmp_path):
    with fake_hub.serve() as hub:
        hub.add(
            "model", "acme/own", {"config.json": "{}"}, token="hf_Mine12345678", is_private=True
        )
        request = {"kind": "model", "name": "acme/own"}
        (without,) = fetching_children.fetch(hub, tmp_path / "r", request)
        (with_token,) = fetching_children.fetch(
            hub, tmp_path / "r", request, HF_TOKEN="hf_Mine12345678"
        )
    assert without["error"][0] == "NotFoundError"
    assert "log in with `hf auth login` (or set HF_TOKEN) if it is private" in without["error"][1]
    assert with_token["wanted"] == ["config.json"]


_FILE = hub_listing.HubFile(1, "a" * 40, False)


@pytest.mark.parametrize(
    "listing",
    [
        hub_listing.HubListing("a/b", "c" * 40, {"../x": _FILE}),
        hub_listing.HubListing("a/b", "c" * 40, {"/etc/x": _FILE}),
        hub_listing.HubListing("a/b", "c" * 40, {"a/../../x": _FILE}),
        hub_listing.HubListing("a/b", "c" * 40, {"a\0b": _FILE}),
        hub_listing.HubListing("a/b", "c" * 40, {"a\\..\\b": _FILE}),
        hub_listing.HubListing("a/b", "../../c", {"x": _FILE}),
        hub_listing.HubListing("../b", "c" * 40, {"x": _FILE}),
        hub_listing.HubListing("a/b", "c" * 40, {"x": _FILE._replace(blob="../../../x")}),
        hub_listing.HubListing("a/b", "c" * 40, {"x": _FILE._replace(is_lfs=True)}),
    ],
)
def test_a_listing_that_leads_out_of_the_cache_is_refused(listing):
    with pytest.raises(errors.InputError, match="stay inside of the cache"):
        hub_listing._checked(listing, request=ArtefactRequest("model", "a/b"))


def test_tokens_are_cut_out_of_messages(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "of-another-form")
    (tmp_path / "token").write_text("kept-in-a-file\n")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    text = "hf_abcdefghijklmnop1234 of-another-form\nkept-in-a-file Bearer xyz "
    text += "https://u:p@h/x?token=1 \x1b"
    assert hub_errors.without_tokens(text) == "*** *** *** *** https://h/x ␛"
