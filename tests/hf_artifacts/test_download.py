from __future__ import annotations

import hashlib
import os
import pathlib
import random
import signal
import time

import fake_hub
import fetching_children
import pytest

_NAME = "acme/model"
_REQUEST = {"kind": "model", "name": _NAME}
_BIG = random.Random(0).randbytes(24 << 20)
_FILES = {
    "config.json": '{"model_type": "none"}',
    "tokenizer.json": "a" * 30_000,
    "model.safetensors": b"abc" * 20_000,
    "special_tokens_map.json": "{}",
    "added_tokens.json": "{}",
    "tf_model.h5": b"never" * 10,
}


@pytest.fixture
def served():
    """A Hub with one model."""
    with fake_hub.serve() as hub:
        hub.add("model", _NAME, _FILES, aliases=("oldname",))
        yield hub


def _folder(root, name="models--acme--model"):
    return pathlib.Path(root) / "hub" / name


def _snapshot(root, outcome, name="models--acme--model"):
    return _folder(root, name) / "snapshots" / outcome["commit"]


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _wanted():
    wanted = {name: data for name, data in _FILES.items() if name != "tf_model.h5"}
    return {n: d.encode() if isinstance(d, str) else d for n, d in wanted.items()}


def test_what_is_wanted_is_fetched_hashed_and_laid_out_as_the_libraries_do(served, tmp_path):
    (outcome,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    assert "error" not in outcome
    assert outcome["others"] == ["tf_model.h5"]
    assert outcome["missing"] == outcome["size"] == outcome["moved"]
    assert _contents(_snapshot(tmp_path / "root", outcome)) == _wanted()
    for name, data in _wanted().items():
        assert outcome["files"][name] == [len(data), hashlib.sha256(data).hexdigest()]
    links = {
        path.name: os.readlink(path) for path in _snapshot(tmp_path / "root", outcome).iterdir()
    }
    assert all(link.startswith("../../blobs/") for link in links.values())
    # All were hashed as they came.
    assert outcome["reread"] == 0
    # Both are `{}`: fetched once.
    assert links["special_tokens_map.json"] == links["added_tokens.json"]
    assert len(list((_folder(tmp_path / "root") / "blobs").iterdir())) == 4
    assert (_folder(tmp_path / "root") / "refs" / "main").read_text() == outcome["commit"]
    assert os.readlink(tmp_path / "root/transformers/models--acme--model") == (
        "../hub/models--acme--model"
    )


def test_what_is_there_and_right_is_not_asked_for_again(served, tmp_path):
    fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    before = len(served.requests)
    (outcome,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    assert outcome["missing"] == 0
    assert outcome["are_right"]
    assert outcome["reread"] == 4
    # It counts for the bar.
    assert outcome["moved"] == outcome["size"]
    assert [request.path.partition("?")[0] for request in served.requests[before:]] == [
        f"/api/models/{_NAME}"
    ]


def test_a_name_of_the_past_finds_the_same_files(served, tmp_path):
    requests = [{"kind": "model", "name": "oldname"}, _REQUEST]
    old, new = fetching_children.fetch(served, tmp_path / "root", *requests)
    assert old["repository"] == new["repository"] == _NAME
    # The Hub is asked by the old name once.
    assert len(served.paths("oldname")) == 1
    assert new["missing"] == 0
    assert _contents(_snapshot(tmp_path / "root", old, "models--oldname")) == _wanted()
    assert os.readlink(_folder(tmp_path / "root", "models--oldname")) == "models--acme--model"
    assert os.readlink(tmp_path / "root/transformers/models--oldname") == "../hub/models--oldname"


@pytest.mark.parametrize("damage", ["flip", "cut", "copy", "astray"])
def test_what_is_there_and_wrong_is_fetched_anew(served, tmp_path, damage):
    (first,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    pointer = _snapshot(tmp_path / "root", first) / "model.safetensors"
    blob = pointer.resolve()
    if damage == "flip":
        blob.write_bytes(b"x" + blob.read_bytes()[1:])
    elif damage == "cut":
        blob.write_bytes(blob.read_bytes()[:-1])
    elif damage == "copy":
        pointer.unlink()
        pointer.write_bytes(b"another")
    else:
        pointer.unlink()
        pointer.symlink_to("/etc/hostname")
    (second,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    assert second["files"] == first["files"]
    assert second["moved"] == second["size"]
    assert _contents(_snapshot(tmp_path / "root", first)) == _wanted()
    assert pointer.resolve() == blob


def test_a_hub_that_sends_something_else_is_found_out(served, tmp_path):
    file = served.find_repository("model", _NAME).find("main").files["model.safetensors"]
    blob = file.sha256
    # The right length, and another content than the listing says.
    file.__dict__["sha256"] = blob[:-1] + ("0" if blob[-1] != "0" else "1")
    object.__setattr__(file, "content", b"xyz" * 20_000)
    (outcome,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    assert outcome["error"][0] == "ArtifactError"
    assert "sent model.safetensors of acme/model twice with another content" in outcome["error"][1]
    assert list(_folder(tmp_path / "root").glob(f"blobs/{file.sha256}*")) == []


def test_errors_of_the_moment_are_waited_for(served, tmp_path):
    served.fail("/api/models", status=503)
    served.fail("tokenizer.json", status=429, headers={"Retry-After": "1"})
    served.fail("config.json", status=500)
    served.cut("/lfs/", after_bytes=1000)
    (outcome,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    assert "error" not in outcome
    assert _contents(_snapshot(tmp_path / "root", outcome)) == _wanted()
    said = "\n".join(outcome["said"])
    assert "the model acme/model: the Hub answers 503; trying again in" in said
    assert "acme/model/model.safetensors: the connection was cut; trying again in" in said
    assert "acme/model/tokenizer.json: the Hub has been asked too often (429); trying" in said


def test_a_big_file_goes_on_where_it_was_cut_and_is_hashed_on_its_way(served, tmp_path):
    served.find_repository("model", _NAME).commit({"model.safetensors": _BIG})
    served.cut("/lfs/", after_bytes=10 << 20)
    served.cut("/lfs/", after_bytes=1 << 20)
    (outcome,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    stored = outcome["files"]["model.safetensors"]
    assert stored == [len(_BIG), hashlib.sha256(_BIG).hexdigest()]
    assert outcome["moved"] == outcome["size"]
    ranges = [r.headers.get("Range") for r in served.requests if "/lfs/" in r.path]
    assert ranges[0] is None
    assert all(int(found.removeprefix("bytes=").rstrip("-")) > 0 for found in ranges[1:])


def test_a_killed_job_goes_on_where_it_stopped(served, tmp_path):
    served.find_repository("model", _NAME).commit({"model.safetensors": _BIG})
    served.cut("/lfs/", after_bytes=16 << 20)
    served.delay("/lfs/", seconds=60)
    killed = fetching_children.start(served, tmp_path / "root", _REQUEST)
    blobs = _folder(tmp_path / "root") / "blobs"
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size >= 9 << 20 for p in blobs.glob("*.incomplete")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    killed.stderr.close()
    served.forget_faults()
    half = max(path.stat().st_size for path in blobs.glob("*.incomplete"))
    before = len(served.requests)
    (outcome,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    assert outcome["missing"] <= outcome["size"] - half
    assert outcome["files"]["model.safetensors"][1] == hashlib.sha256(_BIG).hexdigest()
    assert outcome["reread"] < 4
    ranges = [r.headers.get("Range") for r in served.requests[before:] if "/lfs/" in r.path]
    assert ranges == [f"bytes={half}-"]


def test_half_a_file_that_is_too_long_or_wrong_does_no_harm(served, tmp_path):
    (first,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
    blob = (_snapshot(tmp_path / "root", first) / "model.safetensors").resolve()
    half = blob.with_name(f"{blob.name}.incomplete")
    for content in (b"x" * 100_000, b"wrong" * 50):
        blob.unlink()
        half.write_bytes(content)
        (outcome,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST)
        assert outcome["files"] == first["files"]
        assert blob.read_bytes() == _wanted()["model.safetensors"]


@pytest.mark.parametrize("error", ["ENOLCK", "EIO", "ENOSYS"])
def test_a_file_system_without_locks_is_good_enough(served, tmp_path, error):
    (outcome,) = fetching_children.fetch(
        served, tmp_path / "root", _REQUEST, terms=f"flock={error}"
    )
    assert "error" not in outcome
    assert _contents(_snapshot(tmp_path / "root", outcome)) == _wanted()


def test_a_gated_repository_says_where_to_ask_and_shows_no_token(tmp_path):
    with fake_hub.serve() as hub:
        hub.add("model", _NAME, _FILES, token="hf_TheRightOne1234")
        hub.admit("hf_NotLetIn12345678")
        outcomes = [
            fetching_children.fetch(hub, tmp_path / "root", _REQUEST, **environment)[0]
            for environment in (
                {},
                {"HF_TOKEN": "hf_NotLetIn12345678"},
                {"HF_TOKEN": "hf_OfNobody123456"},
                {"HF_TOKEN": "hf_TheRightOne1234"},
            )
        ]
        page = f"{hub.url}/{_NAME}"
    kinds = [outcome.get("error", [""])[0] for outcome in outcomes]
    assert kinds == ["GatedError", "GatedError", "GatedError", ""]
    none, other, wrong = (outcome["error"][1] for outcome in outcomes[:3])
    assert f"ask for it at {page}, then log in with `hf auth login`" in none
    assert "the owner of the token that is set is not let in" in other
    assert page in other
    assert "wanted a token that is valid" in wrong
    assert all("hf_" not in text and "\n" not in text for text in (none, other, wrong))


def test_a_hub_that_is_not_there_is_said_so(tmp_path):
    with fake_hub.serve() as hub:
        pass
    (outcome,) = fetching_children.fetch(hub, tmp_path / "root", _REQUEST)
    kind, text = outcome["error"]
    assert kind == "HubUnreachableError"
    assert f"{hub.url} does not answer (Connection refused)" in text
    assert "trying again in" in outcome["said"][0]
    assert not (tmp_path / "root").exists()


def test_what_huggingface_hub_says_of_its_settings_is_told(served, tmp_path):
    (outcome,) = fetching_children.fetch(
        served, tmp_path / "root", _REQUEST, HF_HUB_ENABLE_HF_TRANSFER="1"
    )
    kind, text = outcome["error"]
    assert kind == "CodeT5Error"
    assert "'hf_transfer' package is not available" in text
    assert "\n" not in text


def test_an_offline_flag_is_told_by_its_name(served, tmp_path):
    (outcome,) = fetching_children.fetch(served, tmp_path / "root", _REQUEST, HF_HUB_OFFLINE="1")
    assert outcome["error"][0] == "HubUnreachableError"
    assert "HF_HUB_OFFLINE is set" in outcome["error"][1]
    assert outcome["said"] == []
    assert served.requests == []
