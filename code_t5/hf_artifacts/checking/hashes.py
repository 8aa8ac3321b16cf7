"""Hashes every content of a root anew: against its record, and against the name that it lies under.

What has no record is checked by its name alone. Nothing is written, and no network is needed: a
content of huggingface_hub's cache is named by its hash.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Callable

from code_t5 import parallel
from code_t5.hf_artifacts import content_hashes
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import cache_naming
from code_t5.hf_artifacts.checking.cache_naming import HubContents, Snapshot
from code_t5.hf_artifacts.checking.findings import Finding
from code_t5.hf_artifacts.content_hashes import FileHashes
from code_t5.hf_artifacts.loading import prepared_snapshots
from code_t5.hf_artifacts.records import ArtefactRecord, StoredFile, list_records

# A finding's problem: the content cannot be checked.
UNKNOWN = "nothing says what its content should be: no record, and its name is no hash"
_FETCH = "fetch it again with precache"
_REMOVE = f"remove it and {_FETCH}"
_PREPARE = "remove its folder: load_dataset prepares it again"
_NEWEST = "main"


@dataclasses.dataclass
class _Check:
    """What is wanted of one content, and by whom."""

    path: pathlib.Path
    advice: str = _REMOVE
    owners: set[str] = dataclasses.field(default_factory=set)
    wanted: dict[tuple[int, str], set[str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(set)
    )


def verify_root(
    root: CacheRoot,
    *,
    contents: HubContents | None = None,
    names: Iterable[str] = (),
    is_hashing: bool = True,
    num_workers: int | None = None,
    advance_fn: Callable[[int, int], object] = lambda size_bytes, total: None,
) -> list[Finding]:
    """Checks all that lies in a root, or the artefacts of some names.

    Args:
      root: Which.
      contents: What `cache_naming.read_hub` said of it, if that is known.
      names: Only these repositories; none for all.
      is_hashing: Whether contents are read; if not, only names and sizes are looked at.
      num_workers: Threads; None for one for each processor.
      advance_fn: Called after each piece with its bytes, and the bytes of all.

    Returns:
      What is not as it should be, by path; worth knowing or damage.
    """
    hub = contents or cache_naming.read_hub(root)
    survey = _Survey(root, hub, names=frozenset(names))
    checks = survey.checks()
    findings = [*survey.hub_findings(), *survey.findings]
    findings += [] if names else _find_unfinished(root)
    total = sum(cache_naming.size_of(check.path) for check in checks)
    runner = _Runner(root, is_hashing=is_hashing, tick_fn=lambda count: advance_fn(count, total))
    workers = num_workers or parallel.default_num_workers()
    with concurrent.futures.ThreadPoolExecutor(workers) as executor:
        try:
            for found in executor.map(runner.run, checks):
                findings += found
        finally:
            runner.is_stopped.set()
            executor.shutdown(wait=True, cancel_futures=True)
    return sorted(set(findings), key=lambda finding: (finding.path, finding.problem))


def _find_unfinished(root: CacheRoot) -> Iterator[Finding]:
    """Yields what `datasets` began to prepare and did not finish, or prepares now."""
    for folder, names, _ in os.walk(root.datasets_dir):
        for name in sorted(names):
            if name.endswith(cache_naming.UNFINISHED):
                shown = cache_naming.shown_path(root, pathlib.Path(folder, name))
                yield Finding(
                    shown, "half prepared: it was broken off, or goes on", is_damage=False
                )
        names[:] = [name for name in names if not name.endswith(cache_naming.UNFINISHED)]


def record_key(folder: pathlib.Path) -> str:
    """Returns a record's name as an owner of files.

    Args:
      folder: The record's.
    """
    return folder.name


class _Survey:
    """Who wants what of which content."""

    def __init__(self, root: CacheRoot, hub: HubContents, *, names: frozenset[str]) -> None:
        self._root = root
        self._names = names
        self._hub = hub
        self._checks: dict[pathlib.Path, _Check] = {}
        self._files = {snapshot.key: snapshot.files for snapshot in hub.snapshots}
        self._hub_path = root.hub_dir.resolve()
        self._root_path = root.path.resolve()
        self._recorded: dict[str, set[str]] = collections.defaultdict(set)
        self.findings: list[Finding] = []

    def checks(self) -> list[_Check]:
        """Returns all checks, and notes what is wrong already without reading."""
        for folder, record in list_records(self._root):
            if isinstance(record, str):
                if not self._names:
                    self._find(folder, record, owner=record_key(folder))
            elif not self._names or self._names & {record.request.name, record.repository}:
                self._take_record(record_key(folder), record)
        for snapshot in self._hub.snapshots:
            if not self._names or self._is_wanted(snapshot):
                for path in snapshot.files.values():
                    self._check(path).owners.update(self._owners(snapshot.key))
        if not self._names:
            for path in self._hub.blobs:
                self._check(path)
        self._take_prepared()
        return list(self._checks.values())

    def _take_prepared(self) -> None:
        """Takes in what `load_dataset` prepared of snapshots."""
        for folder, found in prepared_snapshots.list_prepared(self._root.datasets_dir):
            if isinstance(found, str):
                self._note(folder, found, owners=())
                continue
            name = f"datasets/{found.repository}".replace("/", "--")
            key = f"{(_real(self._root.hub_dir / name) or folder).name}@{found.commit}"
            if self._names and key not in self._recorded and found.repository not in self._names:
                continue
            owners = self._owners(key) if key in self._files else set[str]()
            for path, stored in found.files.items():
                place = folder / prepared_snapshots.ARROW / path
                self._want_prepared(place, stored=stored, owners=owners, advice=_PREPARE)

    def _is_wanted(self, snapshot: Snapshot) -> bool:
        return snapshot.name in self._names or snapshot.key in self._recorded

    def hub_findings(self) -> Iterator[Finding]:
        """Yields what the walk through `hub/` found, with the records that depend on it."""
        recorded = {key.partition("@")[0] for key in self._recorded}
        folders = recorded | {name.replace("/", "--") for name in self._names}
        for finding in self._hub.findings:
            folder = (*pathlib.PurePosixPath(finding.path).parts, "")[1]
            if self._names and not {folder, folder.partition("--")[2]} & folders:
                continue
            owners = {owner for key in finding.owners for owner in self._owners(key)}
            is_damage = finding.is_damage
            if finding.path.endswith(cache_naming.UNFINISHED):
                # A record is written when all is there; of the rest nobody knows what is lacking.
                is_damage = folder not in recorded
            yield dataclasses.replace(finding, owners=tuple(sorted(owners)), is_damage=is_damage)

    def _owners(self, key: str) -> set[str]:
        """Returns a snapshot's records; itself where it has none."""
        return self._recorded.get(key) or {key}

    def _find(self, path: pathlib.Path, problem: str, *, owner: str) -> None:
        self._note(path, problem, owners=(owner,))

    def _note(self, path: pathlib.Path, problem: str, *, owners: Iterable[str]) -> None:
        shown = cache_naming.shown_path(self._root, path)
        self.findings.append(Finding(shown, problem, owners=tuple(sorted(owners))))

    def _check(self, path: pathlib.Path) -> _Check:
        return self._checks.setdefault(path, _Check(path))

    def _take_record(self, key: str, record: ArtefactRecord) -> None:
        snapshot = record.snapshot_dir(self._root)
        real = _real(snapshot)
        if not cache_naming.COMMIT.fullmatch(record.commit) or (
            real and not cache_naming.is_below(real, self._hub_path)
        ):
            self._find(snapshot, f"leads out of hub/; wanted a folder in it; {_FETCH}", owner=key)
            return
        files: Mapping[str, pathlib.Path] = {}
        if real is not None:
            snapshot_key = f"{real.parent.parent.name}@{real.name}"
            self._recorded[snapshot_key].add(key)
            self._check_ref(key, record)
            files = self._files.get(snapshot_key, {})
        for name, stored in record.files.items():
            target = files.get(name)
            if target is None:
                self._find(
                    snapshot / name, f"is not there; the record lists it; {_FETCH}", owner=key
                )
                continue
            self._want(target, stored=stored, owners={key})
            if stored.blob and cache_naming.name_hash(target):
                if target.name != stored.blob:
                    problem = f"is the content {target.name}; the record says {stored.blob}"
                    self._find(snapshot / name, f"{problem}; {_FETCH}", owner=key)
        for config in record.prepared:
            folder = self._root.path / config.arrow_dir
            for name, stored in config.files.items():
                self._want_prepared(folder / name, stored=stored, owners={key}, advice=_REMOVE)

    def _check_ref(self, key: str, record: ArtefactRecord) -> None:
        """Finds branches that stand for another commit than when the record was written."""
        revision = record.request.revision or _NEWEST
        if cache_naming.COMMIT.fullmatch(revision):
            return
        refs = cache_naming.read_refs(record.repository_dir(self._root))
        if refs.get(revision) != record.commit:
            found = f"stands for {refs[revision]!a}" if revision in refs else "is not there"
            path = record.repository_dir(self._root) / "refs" / revision
            self._find(path, f"{found}; the record says {record.commit}; {_FETCH}", owner=key)

    def _want_prepared(
        self, path: pathlib.Path, *, stored: StoredFile, owners: set[str], advice: str
    ) -> None:
        target = _real(path)
        if target is None or not cache_naming.is_file(target):
            advice = _FETCH if advice == _REMOVE else advice
            self._note(path, f"is not there; the record lists it; {advice}", owners=owners)
        elif not cache_naming.is_below(target, self._root_path):
            self._note(path, f"leads to {target}, elsewhere; {advice}", owners=owners)
        else:
            self._want(target, stored=stored, owners=owners)
            self._check(target).advice = advice

    def _want(self, path: pathlib.Path, *, stored: StoredFile, owners: set[str]) -> None:
        """Asks for a content of this size and hash."""
        check = self._check(path)
        check.owners |= owners
        check.wanted[stored.size_bytes, stored.sha256] |= owners


class _Runner:
    """Reads contents, in several threads."""

    def __init__(
        self, root: CacheRoot, *, is_hashing: bool, tick_fn: Callable[[int], object]
    ) -> None:
        self._root = root
        self._is_hashing = is_hashing
        self._tick_fn = tick_fn
        self.is_stopped = threading.Event()

    def _advance(self, count: int) -> None:
        """Counts bytes.

        Raises:
          InterruptedError: The work was given up.
        """
        if self.is_stopped.is_set():
            raise InterruptedError
        self._tick_fn(count)

    def run(self, check: _Check) -> list[Finding]:
        """Returns what is wrong with one content."""
        named = cache_naming.name_hash(check.path)
        with_sha256 = bool(check.wanted) or named == "sha256"
        try:
            if self._is_hashing and (named or check.wanted):
                hashes = content_hashes.hash_content(
                    check.path,
                    with_sha256=with_sha256,
                    with_git=named == "git",
                    advance_fn=self._advance,
                )
            else:
                hashes = FileHashes(check.path.stat().st_size, "", "")
        except InterruptedError:
            return []
        except OSError as error:
            reason = error.strerror or str(error)
            return [self._found(check, f"cannot be read: {reason}", owners=check.owners)]
        return list(self._compare(check, hashes, named=named))

    def _compare(self, check: _Check, hashes: FileHashes, *, named: str) -> Iterator[Finding]:
        found_name = {"sha256": hashes.sha256, "git": hashes.git}.get(named, "")
        if found_name and found_name != check.path.name:
            problem = (
                f"its content has the hash {found_name}; wanted that of its name; {check.advice}"
            )
            yield self._found(check, problem, owners=check.owners)
        for (size_bytes, sha256), owners in check.wanted.items():
            if size_bytes != hashes.size_bytes:
                problem = f"{hashes.size_bytes} bytes; the record says {size_bytes}; {check.advice}"
                yield self._found(check, problem, owners=owners)
            elif hashes.sha256 not in ("", sha256):
                problem = f"SHA-256 {hashes.sha256}; the record says {sha256}; {check.advice}"
                yield self._found(check, problem, owners=owners)
        if not check.wanted and not named:
            yield self._found(check, UNKNOWN, owners=check.owners, is_damage=False)

    def _found(
        self, check: _Check, problem: str, *, owners: Iterable[str], is_damage: bool = True
    ) -> Finding:
        shown = cache_naming.shown_path(self._root, check.path)
        return Finding(shown, problem, owners=tuple(sorted(owners)), is_damage=is_damage)


def _real(path: pathlib.Path) -> pathlib.Path | None:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None
