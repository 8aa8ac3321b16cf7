"""What the fake Hub answers: listings, contents, refusals, and what the data set viewer says.

`answer(asked)` is all of it; `fake_hub.py` takes requests apart and sends answers.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import urllib.parse
from typing import TYPE_CHECKING, Any, NamedTuple

from fake_hub_store import (
    DATE,
    HubCommit,
    HubFile,
    HubRepository,
    add_last_commit,
    describe_file,
    describe_folder,
    describe_repository,
    list_tree,
)

if TYPE_CHECKING:
    from fake_hub import FakeHub

_KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
_API_WORDS = ("revision", "tree", "paths-info", "refs", "commits", "auth-check")
_USER = {"type": "user", "name": "somebody", "auth": {"accessToken": {"role": "read"}}}


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Bytes that lie in a file: what is sent without being read."""

    path: pathlib.Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def cut(self, start: int, stop: int) -> Stretch:
        """Returns a part of it."""
        return Stretch(self.path, self.start + start, min(self.start + stop, self.stop))


class Answer(NamedTuple):
    """A status, headers and a body."""

    status: int
    headers: dict[str, str]
    body: bytes | Stretch = b""

    def cut(self, start: int, stop: int) -> bytes | Stretch:
        """Returns a part of the body."""
        body = self.body
        return body.cut(start, stop) if isinstance(body, Stretch) else body[start:stop]

    def shorten(self, size: int) -> Answer:
        """Returns it with no more of its body than so many bytes."""
        return self._replace(body=self.cut(0, size))


def to_json(content: Any, status: int = 200, **headers: str) -> Answer:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(content).encode()
    return Answer(status, {"Content-Type": "application/json", **told}, body)


def error(status: int, message: str, *, code: str = "", **headers: str) -> Answer:
    told = {"X_Error_Message": message, **({"X_Error_Code": code} if code else {}), **headers}
    return to_json({"error": message}, status, **told)


class Asked(NamedTuple):
    """A request, taken apart."""

    hub: FakeHub
    path: str
    query: dict[str, list[str]]
    token: str
    form: dict[str, Any]

    def is_set(self, name: str) -> bool:
        given = self.query.get(name) or self.form.get(name) or ["false"]
        return str(given if isinstance(given, bool) else given[0]).lower() in ("true", "1")


def answer(asked: Asked) -> Answer:
    """Returns what the Hub says to a request."""
    parts = [urllib.parse.unquote(part) for part in asked.path.strip("/").split("/")]
    if parts[0] == "lfs" and len(parts) == 2:
        file = asked.hub.find_file(parts[1])
        return error(404, "Not found") if file is None else _content(file, f'"{parts[1]}"')
    if asked.token and asked.token not in asked.hub.tokens():
        return error(401, "Invalid credentials in Authorization header")
    if parts[:2] == ["api", "whoami-v2"]:
        return to_json(_USER) if asked.token else error(401, "Invalid username or password.")
    if parts[0] == "api" and len(parts) > 2 and parts[1] in _KINDS:
        rest = parts[2:]
        length = 1 if len(rest) == 1 or rest[1] in _API_WORDS else 2
        return _of_repository(asked, parts[1], "/".join(rest[:length]), ["api", *rest[length:]])
    kind, rest = (parts[0], parts[1:]) if parts[0] in _KINDS else ("models", parts)
    for length in (1, 2):
        if len(rest) > length + 2 and rest[length] in ("resolve", "raw"):
            return _of_repository(asked, kind, "/".join(rest[:length]), rest[length:])
    return error(404, "Sorry, we can't find the page you are looking for.")


def view(asked: Asked) -> Answer:
    """Returns what the data set viewer says to a request: another host, on the real Hub."""
    name = asked.query.get("dataset", [""])[0]
    repository = asked.hub.find_repository("dataset", asked.hub.present_name("dataset", name))
    word = asked.path.strip("/")
    if repository is None or _refusal(asked, repository) or word not in repository.viewer:
        return error(404, f"The dataset {name} is not in the viewer.", code="ResponseNotFound")
    return to_json(repository.viewer[word], X_Revision=repository.viewed)


def _refusal(asked: Asked, repository: HubRepository) -> Answer | None:
    """Returns what whoever may not read a gated repository hears."""
    if repository.token in (None, asked.token):
        return None
    what = f"Access to {repository.kind} {repository.name} is restricted"
    if asked.token:
        message = (
            f"{what} and you are not in the authorized list. Visit its page to ask for access."
        )
        return error(403, message, code="GatedRepo")
    message = (
        f"{what}. You must have access to it and be authenticated to access it. Please log in."
    )
    return error(401, message, code="GatedRepo")


def _of_repository(asked: Asked, kinds: str, name: str, rest: list[str]) -> Answer:
    kind = _KINDS[kinds]
    present = asked.hub.present_name(kind, name)
    repository = asked.hub.find_repository(kind, present)
    is_hidden = repository and repository.is_private and repository.token != asked.token
    if repository is None or is_hidden:
        # What the Hub answers whoever is not logged in, also of private repositories.
        if asked.token:
            return error(404, "Repository not found", code="RepoNotFound")
        return error(401, "Invalid username or password.", code="RepoNotFound")
    if present != name:
        query = urllib.parse.urlencode(asked.query, doseq=True)
        # A name may be one of the words before it (`data`, `models`).
        heads = (f"/api/{kinds}/", f"/{kinds}/", "/")
        head = next(head for head in heads if asked.path.startswith(head + name))
        place = head + present + asked.path[len(head + name) :] + (f"?{query}" if query else "")
        return to_json(f"Temporary Redirect. Redirecting to {place}", 307, Location=place)
    word = rest[1] if len(rest) > 1 else "revision"
    # The listings of a gated repository are open to everybody.
    if rest[0] != "api" or word == "auth-check":
        refusal = _refusal(asked, repository)
        if refusal:
            return refusal
    if rest[0] != "api":
        return _with_commit(asked, repository, rest[1], "/".join(rest[2:]), answer=_resolve)
    if word == "auth-check":
        return to_json({})
    if word == "refs":
        return to_json(_refs(repository))
    by_word = {"revision": _info, "tree": _tree, "paths-info": _paths_info, "commits": _commits}
    return _with_commit(asked, repository, _second(rest), "/".join(rest[3:]), answer=by_word[word])


def _second(rest: list[str]) -> str:
    return rest[2] if len(rest) > 2 else "main"


def _with_commit(asked: Asked, repository: HubRepository, revision: str, path: str, *, answer):
    try:
        commit = repository.find(revision)
    except KeyError:
        return error(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
    return answer(asked, repository, commit, path)


def _missing(commit: HubCommit, path: str) -> Answer:
    message = f"{path} does not exist on {commit.sha}" if path else "Entry not found"
    return error(404, message, code="EntryNotFound", X_Repo_Commit=commit.sha)


def _content(file: HubFile, etag: str, **headers: str) -> Answer:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    content = file.content
    body = content if isinstance(content, bytes) else Stretch(content, 0, file.size)
    fixed = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "ETag": etag}
    return Answer(200, {**fixed, **told}, body)


def _resolve(asked: Asked, repository: HubRepository, commit: HubCommit, path: str) -> Answer:
    file: HubFile | None = commit.files.get(path)
    if file is None:
        return _missing(commit, "")
    if not file.is_lfs:
        return _content(file, f'"{file.blob_id}"', X_Repo_Commit=commit.sha)
    headers = {
        "X-Repo-Commit": commit.sha, "ETag": f'"{file.blob_id}"',
        "X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.sha256}"',
        "Location": f"{asked.hub.url}/lfs/{file.sha256}",
    }  # fmt: skip
    return Answer(302, headers, b"Found. Redirecting")


def _info(asked: Asked, repository: HubRepository, commit: HubCommit, _: str) -> Answer:
    return to_json(describe_repository(repository, commit, blobs=asked.is_set("blobs")))


def _tree(asked: Asked, repository: HubRepository, commit: HubCommit, path: str) -> Answer:
    entries = list_tree(commit, path, recursive=asked.is_set("recursive"))
    if entries is None:
        return _missing(commit, path)
    if asked.is_set("expand"):
        entries = [add_last_commit(entry, commit) for entry in entries]
    start, size = int(asked.query.get("cursor", ["0"])[0]), asked.hub.page_size
    if start + size >= len(entries):
        return to_json(entries[start:])
    query = urllib.parse.urlencode({**asked.query, "cursor": start + size}, doseq=True)
    link = f'<{asked.hub.url}{asked.path}?{query}>; rel="next"'
    return to_json(entries[start : start + size], Link=link)


def _paths_info(asked: Asked, repository: HubRepository, commit: HubCommit, _: str) -> Answer:
    folders, entries = commit.folders(), []
    for path in asked.form.get("paths", []):
        if path in commit.files:
            entries.append(describe_file(path, commit.files[path]))
        elif path in folders:
            entries.append(describe_folder(path, commit))
    if asked.is_set("expand"):
        entries = [add_last_commit(entry, commit) for entry in entries]
    return to_json(entries)


def _commits(asked: Asked, repository: HubRepository, commit: HubCommit, _: str) -> Answer:
    known = list(repository.commits.values())
    until = known[: known.index(commit) + 1]
    return to_json(
        [
            {"id": held.sha, "title": held.title, "message": "", "authors": [], "date": DATE}
            for held in reversed(until)
        ]
    )


def _refs(repository: HubRepository) -> dict[str, list[dict[str, str]]]:
    listed: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": []}
    folders = {"heads": "branches", "convert": "converts", "tags": "tags"}
    for ref, sha in repository.refs.items():
        _, folder, name = ref.split("/", 2)
        if folder in folders:
            listed[folders[folder]].append({"name": name, "ref": ref, "targetCommit": sha})
    return listed
