"""Repositories as the Hugging Face Hub keeps them: files, commits, branches and tags.

A *commit* is all files of a repository at one time; its `sha` is made of what it
holds, so the same steps give the same ids. A *revision* is what a user may ask
for: a branch, a tag, `refs/...` or a commit's id. *LFS* files are those that the
Hub keeps apart: a request for one is sent on to where its content lies.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Union

DATE = "2026-01-02T03:04:05.000Z"
_LFS_SUFFIXES = (
    ".parquet", ".safetensors", ".bin", ".arrow", ".msgpack", ".h5", ".gz", ".zip", ".onnx", ".ot",
    ".model", ".pt", ".gguf", ".png", ".jpg",
)  # fmt: skip
# A file that is given by its path is never held in memory whole.
Content = Union[bytes, str, pathlib.Path]
_BLOCK_BYTES = 1 << 22
_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"


def _git_id(kind: str, data: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


@dataclasses.dataclass(frozen=True)
class HubFile:
    """One file: its bytes or where they lie, and whether the Hub keeps it apart."""

    content: bytes | pathlib.Path
    is_lfs: bool

    @property
    def data(self) -> bytes:
        """The content, read if it lies in a file."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()

    @functools.cached_property
    def size(self) -> int:
        """Bytes of the content."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return self.content.stat().st_size

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of the content: the name of an LFS file."""
        if isinstance(self.content, bytes):
            return hashlib.sha256(self.content).hexdigest()
        digest = hashlib.sha256()
        with open(self.content, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    @functools.cached_property
    def blob_id(self) -> str:
        """Git's id of what lies in the repository: of an LFS file, of its pointer."""
        return _git_id("blob", self.pointer if self.is_lfs else self.data)

    @property
    def pointer(self) -> bytes:
        """What git holds in place of an LFS file."""
        return _POINTER.format(oid=self.sha256, size=self.size).encode()

    @property
    def etag(self) -> str:
        """The name under which huggingface_hub keeps the content."""
        return self.sha256 if self.is_lfs else self.blob_id


@dataclasses.dataclass(frozen=True)
class HubCommit:
    """All files of a repository at one time."""

    sha: str
    title: str
    files: dict[str, HubFile]

    def folders(self) -> set[str]:
        """Returns every folder, without the root."""
        found = set()
        for path in self.files:
            parts = path.split("/")[:-1]
            found.update("/".join(parts[: end + 1]) for end in range(len(parts)))
        return found


class HubRepository:
    """A data set, a model or a space.

    Attributes:
      kind: "dataset", "model" or "space".
      name: As `org/name`, or `name`.
      commits: By id, in the order in which they were made.
      refs: Full name of a branch or tag -> the commit's id.
      token: Contents go only to requests with this token; none is needed if it is None.
      is_private: Whether requests without the token hear that there is no such repository.
      viewer: What the data set viewer answers: the path (`parquet`, `info`) -> its JSON.
      viewed: The commit that `viewer` tells of.
    """

    def __init__(
        self, kind: str, name: str, *, token: str | None = None, is_private: bool = False
    ) -> None:
        self.kind = kind
        self.name = name
        self.commits: dict[str, HubCommit] = {}
        self.refs: dict[str, str] = {}
        self.token = token
        self.is_private = is_private
        self.viewer: dict[str, dict[str, Any]] = {}
        self.viewed = ""

    def commit(
        self,
        files: Mapping[str, Content],
        *,
        remove: Iterable[str] = (),
        title: str = "Change files",
        branch: str = "main",
        is_orphan: bool = False,
    ) -> str:
        """Adds files to those of the branch, and returns the new commit's id.

        Args:
          files: Path -> content.
          remove: Paths that the branch held.
          title: Of the commit.
          branch: One that is not there begins at `main`; or `refs/...`.
          is_orphan: Whether the commit holds nothing but `files`, as those of
            `refs/convert/parquet` do.
        """
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        parent = self.refs.get(ref, self.refs.get("refs/heads/main", ""))
        parent = "" if is_orphan else parent
        held = dict(self.commits[parent].files) if parent else {}
        for path in remove:
            del held[path]
        for path, content in files.items():
            kept = content.encode() if isinstance(content, str) else content
            held[path] = HubFile(kept, path.endswith(_LFS_SUFFIXES))
        lines = [f"{path} {file.etag}" for path, file in sorted(held.items())]
        content = "\n".join([self.kind, self.name, parent, title, *lines])
        sha = _git_id("commit", content.encode())
        self.commits[sha] = HubCommit(sha, title, held)
        self.refs[ref] = sha
        return sha

    def tag(self, name: str, revision: str = "main") -> None:
        """Names the commit of a revision."""
        self.refs[f"refs/tags/{name}"] = self.find(revision).sha

    def find(self, revision: str) -> HubCommit:
        """Returns the commit of a revision; KeyError if there is none."""
        for name in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if name in self.refs:
                return self.commits[self.refs[name]]
        return self.commits[revision]


def describe_file(path: str, file: HubFile) -> dict[str, Any]:
    """Returns what the Hub's listings say of a file."""
    described = {"type": "file", "oid": file.blob_id, "size": file.size, "path": path}
    if file.is_lfs:
        size, pointer_size = file.size, len(file.pointer)
        described["lfs"] = {"oid": file.sha256, "size": size, "pointerSize": pointer_size}
    return described


def describe_folder(path: str, commit: HubCommit) -> dict[str, Any]:
    """Returns what the Hub's listings say of a folder."""
    below = [f"{name} {file.etag}" for name, file in sorted(commit.files.items())]
    oid = _git_id("tree", "\n".join([path, *below]).encode())
    return {"type": "directory", "oid": oid, "size": 0, "path": path}


def describe_repository(repository: HubRepository, commit: HubCommit, *, blobs: bool) -> dict:
    """Returns the answer of `api/<kind>s/<name>`."""
    siblings = []
    for path, file in sorted(commit.files.items()):
        sibling: dict[str, Any] = {"rfilename": path}
        if blobs:
            sibling.update(size=file.size, blobId=file.blob_id)
            if file.is_lfs:
                pointer_size = len(file.pointer)
                sibling["lfs"] = {
                    "sha256": file.sha256, "size": file.size, "pointerSize": pointer_size,
                }  # fmt: skip
        siblings.append(sibling)
    described = {
        "_id": commit.sha[:24], "id": repository.name, "sha": commit.sha, "siblings": siblings,
        "author": repository.name.partition("/")[0], "private": repository.is_private,
        "gated": "auto" if repository.token and not repository.is_private else False,
        "disabled": False, "tags": [], "likes": 0, "downloads": 0, "createdAt": DATE,
        "lastModified": DATE, "cardData": card_data(commit),
    }  # fmt: skip
    return {**described, "modelId": repository.name} if repository.kind == "model" else described


def card_data(commit: HubCommit) -> dict[str, Any]:
    """Returns the YAML at the head of the repository's README."""
    import yaml

    readme = commit.files.get("README.md")
    parts = readme.data.decode().split("---\n") if readme else []
    return yaml.safe_load(parts[1]) if len(parts) > 2 and not parts[0] else {}


def list_tree(commit: HubCommit, folder: str, *, recursive: bool) -> list[dict[str, Any]] | None:
    """Returns files and folders below a folder, by path; None where there is no such folder."""
    if folder and folder not in commit.folders():
        return None
    prefix = f"{folder}/" if folder else ""

    def is_listed(path: str) -> bool:
        return path.startswith(prefix) and (recursive or "/" not in path[len(prefix) :])

    entries = [describe_file(path, file) for path, file in commit.files.items() if is_listed(path)]
    entries += [describe_folder(path, commit) for path in commit.folders() if is_listed(path)]
    return sorted(entries, key=lambda entry: entry["path"])


def add_last_commit(entry: dict[str, Any], commit: HubCommit) -> dict[str, Any]:
    """Adds what the listings say when they are asked to `expand`."""
    entry["lastCommit"] = {"id": commit.sha, "title": commit.title, "date": DATE}
    if entry["type"] == "file":
        entry["securityFileStatus"] = {
            "status": "safe", "avScan": None, "pickleImportScan": None,
        }  # fmt: skip
    return entry
