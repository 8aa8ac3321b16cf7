"""The fake Hub: what the libraries rely on, and how it misbehaves."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
import types

import fake_hub
import hub_artefacts
import pytest
from small_hub import dataset_files, fill

_DATA = "sst2/test-00000-of-00001.parquet"


@pytest.fixture
def hub():
    with fake_hub.serve() as served:
        fill(served)
        yield served


def _ask(hub, path, *, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection(hub.url.partition("//")[2], timeout=10)
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    try:
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def _json(hub, path, **options):
    return json.loads(_ask(hub, path, **options)[2])


def test_old_name_is_sent_on(hub):
    status, headers, _ = _ask(hub, "/api/datasets/glue/tree/main?recursive=True")
    assert status == 307
    assert headers["Location"] == "/api/datasets/nyu-mll/glue/tree/main?recursive=True"
    status, headers, _ = _ask(hub, "/gpt2/resolve/main/vocab.json", method="HEAD")
    assert headers["Location"] == "/openai-community/gpt2/resolve/main/vocab.json"


def test_an_old_name_that_is_a_word_of_the_path_is_sent_on(hub):
    files = {"README.md": "x"}
    hub.add("dataset", "me/data", files, aliases=("data",))
    hub.add("model", "me/own", files, aliases=("api",))
    for path, place in {
        "/api/datasets/data/tree/main": "/api/datasets/me/data/tree/main",
        "/datasets/data/resolve/main/data/README.md": (
            "/datasets/me/data/resolve/main/data/README.md"
        ),
        "/api/models/api": "/api/models/me/own",
        "/api/resolve/main/README.md": "/me/own/resolve/main/README.md",
    }.items():
        status, headers, _ = _ask(hub, path, method="HEAD")
        assert (status, headers["Location"]) == (307, place)


def test_small_file_carries_commit_and_git_id(hub):
    status, headers, body = _ask(hub, "/datasets/nyu-mll/glue/resolve/main/README.md")
    written = dataset_files()["README.md"].encode()
    git_id = hashlib.sha1(b"blob %d\0" % len(written) + written).hexdigest()
    assert (status, body, headers["ETag"]) == (200, written, f'"{git_id}"')
    assert headers["X-Repo-Commit"] == _json(hub, "/api/datasets/nyu-mll/glue")["sha"]


def test_large_file_lies_elsewhere(hub):
    written = dataset_files()[_DATA]
    status, headers, _ = _ask(hub, f"/datasets/nyu-mll/glue/resolve/main/{_DATA}", method="HEAD")
    digest = hashlib.sha256(written).hexdigest()
    assert (status, headers["X-Linked-ETag"]) == (302, f'"{digest}"')
    assert headers["X-Linked-Size"] == str(len(written))
    assert headers["Location"] == f"{hub.url}/lfs/{digest}"
    assert _ask(hub, f"/lfs/{digest}")[2] == written
    status, headers, body = _ask(hub, f"/lfs/{digest}", Range="bytes=10-19")
    assert (status, body) == (206, written[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(written)}"


def test_listing_comes_in_pages(hub):
    hub.page_size = 3
    path, paths = "/api/datasets/nyu-mll/glue/tree/main?recursive=True", []
    while path:
        _, headers, body = _ask(hub, path)
        paths += [entry["path"] for entry in json.loads(body)]
        path = headers.get("Link", "").partition(">")[0].replace(f"<{hub.url}", "")
    assert paths == sorted([*dataset_files(), "cola", "sst2"])
    below = _json(hub, "/api/datasets/nyu-mll/glue/tree/main/cola")
    assert [entry["path"] for entry in below] == ["cola/train-00000-of-00001.parquet"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/models/nobody/nothing", 401, "RepoNotFound"),
        ("/openai-community/gpt2/resolve/main/nothing.txt", 404, "EntryNotFound"),
        ("/openai-community/gpt2/resolve/v9/vocab.json", 404, "RevisionNotFound"),
        ("/api/datasets/nyu-mll/glue/tree/main/nothing", 404, "EntryNotFound"),
    ],
)
def test_what_is_not_there_is_said_as_the_hub_says_it(hub, path, status, code):
    found, headers, _ = _ask(hub, path)
    assert (found, headers["X-Error-Code"]) == (status, code)


def test_revisions_hold_what_they_held(hub):
    repository = hub.find_repository("dataset", "nyu-mll/glue")
    first = repository.find("main").sha
    repository.tag("v1")
    second = repository.commit({"new.txt": "new"}, remove=["README.md"])
    assert first != second == _json(hub, "/api/datasets/nyu-mll/glue")["sha"]
    for revision in (first, "v1", "refs%2Ftags%2Fv1"):
        assert _json(hub, f"/api/datasets/nyu-mll/glue/revision/{revision}")["sha"] == first
    base = "/datasets/nyu-mll/glue/resolve"
    assert _ask(hub, f"{base}/{second}/README.md")[0] == 404
    assert _ask(hub, f"{base}/main/new.txt")[2] == b"new"
    refs = _json(hub, "/api/datasets/nyu-mll/glue/refs")
    assert [(ref["name"], ref["targetCommit"]) for ref in refs["tags"]] == [("v1", first)]


def test_paths_info_answers_for_what_is_there(hub):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    found = _json(
        hub, "/api/datasets/nyu-mll/glue/paths-info/main",
        method="POST", body=f"paths={_DATA}&paths=sst2&paths=nothing&expand=False", **form,
    )  # fmt: skip
    assert [(entry["path"], entry["type"]) for entry in found] == [
        (_DATA, "file"),
        ("sst2", "directory"),
    ]
    assert found[0]["lfs"]["oid"] == hashlib.sha256(dataset_files()[_DATA]).hexdigest()


def test_gated_repository_shows_its_listing_and_wants_its_token(hub):
    hub.add("model", "org/gated", {"config.json": "{}"}, token="hf_secret")
    hub.admit("hf_other")
    assert _json(hub, "/api/models/org/gated")["gated"] == "auto"
    path = "/org/gated/resolve/main/config.json"
    for token, wanted in (("", (401, "GatedRepo")), ("hf_other", (403, "GatedRepo"))):
        status, headers, _ = _ask(hub, path, Authorization=f"Bearer {token}")
        assert (status, headers["X-Error-Code"]) == wanted
    status, headers, _ = _ask(hub, path, Authorization="Bearer hf_wrong")
    message = "Invalid credentials in Authorization header"
    assert (status, headers["X-Error-Message"]) == (401, message)
    assert _ask(hub, path, Authorization="Bearer hf_secret")[2] == b"{}"


def test_private_repository_is_not_there_for_others(hub):
    hub.add("model", "org/private", {"config.json": "{}"}, token="hf_secret", is_private=True)
    status, headers, _ = _ask(hub, "/api/models/org/private")
    assert (status, headers["X-Error-Code"]) == (401, "RepoNotFound")
    told = _json(hub, "/api/models/org/private", Authorization="Bearer hf_secret")
    assert (told["private"], told["gated"]) == (True, False)


def test_orphan_branch_holds_nothing_of_main(hub):
    hub.find_repository("dataset", "nyu-mll/glue").commit(
        {"sst2/train/0000.parquet": b"x"}, branch="refs/convert/parquet", is_orphan=True
    )
    listed = _json(hub, "/api/datasets/nyu-mll/glue/tree/refs%2Fconvert%2Fparquet?recursive=True")
    files = [entry["path"] for entry in listed if entry["type"] == "file"]
    assert files == ["sst2/train/0000.parquet"]


def test_file_on_the_disk_is_served_as_one_in_memory(hub, tmp_path):
    content = bytes(range(256)) * 9000
    (tmp_path / "large").write_bytes(content)
    hub.add("model", "org/large", {"model.safetensors": tmp_path / "large"})
    digest = hashlib.sha256(content).hexdigest()
    told = _json(hub, "/api/models/org/large?blobs=true")["siblings"][0]["lfs"]
    assert (told["sha256"], told["size"]) == (digest, len(content))
    assert _ask(hub, f"/lfs/{digest}")[2] == content
    assert _ask(hub, f"/lfs/{digest}", Range="bytes=500000-600000")[2] == content[500000:600001]
    hub.cut("/lfs/", after_bytes=70000)
    with pytest.raises(http.client.IncompleteRead) as caught:
        _ask(hub, f"/lfs/{digest}")
    assert caught.value.partial == content[:70000]


def test_too_many_requests_are_told_when_to_come_again(hub):
    hub.limit(2, seconds=60.0)
    path = "/api/models/gpt2"
    answers = [_ask(hub, path)[:2] for _ in range(3)]
    assert [status for status, _ in answers] == [307, 307, 429]
    assert 50 < int(answers[2][1]["Retry-After"]) <= 60
    hub.forget_faults()
    assert _ask(hub, path)[0] == 307


def test_viewer_is_another_host_and_no_other_is_reached(hub):
    hub_artefacts.add_conll2003(hub)
    own = hub.url.replace("://", "://datasets-server.")
    status, headers, body = _ask(hub, f"{own}/info?dataset=conll2003")
    commit = hub.find_repository("dataset", hub_artefacts.CONLL2003).find("main").sha
    assert (status, headers["X-Revision"]) == (200, commit)
    info = json.loads(body)["dataset_info"]["conll2003"]
    assert info["splits"]["train"]["num_examples"] == 40
    assert _ask(hub, f"{own}/info?dataset=glue")[0] == 404
    with pytest.raises(http.client.RemoteDisconnected):
        _ask(hub, "http://elsewhere.example/info?dataset=conll2003")
    assert (len(hub.viewed), hub.requests) == (2, [])


def test_folder_is_served_from_a_process_of_its_own(tmp_path):
    (tmp_path / "models/org/name/onnx").mkdir(parents=True)
    (tmp_path / "models/org/name/onnx/model.onnx").write_bytes(b"12345")
    with fake_hub.serve_elsewhere(tmp_path) as url:
        hub = types.SimpleNamespace(url=url)
        digest = hashlib.sha256(b"12345").hexdigest()
        _, headers, _ = _ask(hub, "/org/name/resolve/main/onnx/model.onnx", method="HEAD")
        assert headers["X-Linked-ETag"] == f'"{digest}"'
        assert _ask(hub, f"/lfs/{digest}")[2] == b"12345"
    with pytest.raises(ConnectionRefusedError):
        _ask(hub, "/api/models/org/name")


def test_faults_come_as_often_as_asked(hub):
    hub.fail("vocab.json", status=503, times=2, headers={"Retry-After": "1"})
    path = "/openai-community/gpt2/resolve/main/vocab.json"
    assert [_ask(hub, path)[0] for _ in range(3)] == [503, 503, 200]
    hub.cut("vocab.json", after_bytes=7)
    with pytest.raises(http.client.IncompleteRead) as caught:
        _ask(hub, path)
    assert len(caught.value.partial) == 7
    assert hub.paths("vocab.json") == [path] * 4
    assert [request.status for request in hub.requests] == [503, 503, 200, 200]


def test_address_answers_nobody_afterwards():
    with fake_hub.serve() as hub:
        pass
    with pytest.raises(ConnectionRefusedError):
        _ask(hub, "/api/models/gpt2")


def test_huggingface_hub_is_served_and_sees_a_download_that_is_cut(hub, tmp_path):
    hub.cut("/lfs/", after_bytes=1000)
    script = f"""
import huggingface_hub, requests
def fetch():
    return huggingface_hub.hf_hub_download("glue", "{_DATA}", repo_type="dataset")
try:
    fetch()
except requests.exceptions.ChunkedEncodingError:
    print(fetch())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=hub.environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with open(done.stdout.strip(), "rb") as file:
        assert file.read() == dataset_files()[_DATA]
    assert len(hub.paths("/lfs/", method="GET")) == 2
