"""Checks all of a root and says, for each artefact, whether it is whole and whether it loads.

*Whole*: every content is what its record and its name say. *Loads*: the libraries read it with no
network. What has no record was fetched by other programs; it is checked as far as names tell.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from code_t5 import errors, progress
from code_t5.hf_artifacts import cache_root, records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import cache_naming, hashes, load_checks, load_target
from code_t5.hf_artifacts.checking.cache_naming import HubContents, Snapshot
from code_t5.hf_artifacts.checking.findings import Finding
from code_t5.hf_artifacts.checking.load_target import NO, NOTHING, YES, LoadTarget, Proof
from code_t5.hf_artifacts.records import ArtefactRecord
from code_t5.hf_artifacts.requests import REPOSITORY_TYPES, ArtefactRequest

_KINDS = {repository_type: kind for kind, repository_type in REPOSITORY_TYPES.items()}


@dataclasses.dataclass(frozen=True)
class CheckConfig:
    """What is checked.

    Attributes:
      is_hashing: Whether every content is read and hashed.
      is_loading: Whether every artefact is loaded.
      names: Only these; none for all.
      is_plain: Whether `datasets` itself must load every data set too.
      run_metrics: Whether metrics' scripts are run; None for those that the user fetched.
      seconds: The longest that loading one may take.
    """

    is_hashing: bool = True
    is_loading: bool = True
    names: tuple[str, ...] = ()
    is_plain: bool = False
    run_metrics: bool | None = None
    seconds: float = load_target.DEFAULT_SECONDS


@dataclasses.dataclass(frozen=True)
class CheckRow:
    """One artefact.

    Attributes:
      key: Its name as an owner of files (`findings`).
      request: What was asked for.
      repository: What it is called on the Hub now; of what is not recorded, here.
      commit: Of the repository.
      is_recorded: Whether precache fetched it.
      is_proved: Whether its record says that it was loaded without a network since.
      size_bytes: Of its files in `hub/`.
      prepared_bytes: Of the Arrow files that were prepared of them.
      whole: `yes`, `no` or `-` (not looked at).
      loads: Likewise.
      parts: The verdict on each part that was loaded.
      reason: What there is to say, in one line.
    """

    key: str
    request: ArtefactRequest
    repository: str
    commit: str
    is_recorded: bool
    size_bytes: int
    is_proved: bool = False
    prepared_bytes: int = 0
    whole: str = NOTHING
    loads: str = NOTHING
    parts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with it."""
        return NO not in (self.whole, self.loads)


@dataclasses.dataclass(frozen=True)
class RootReport:
    """All of a root.

    Attributes:
      root: Which.
      rows: The artefacts.
      findings: What is not as it should be.
      fence: What kept the network away while they were loaded; empty if nothing was loaded.
      config: What was checked.
    """

    root: CacheRoot
    rows: tuple[CheckRow, ...]
    findings: tuple[Finding, ...]
    fence: str
    config: CheckConfig

    @property
    def is_good(self) -> bool:
        """Whether there is something, all of it is whole and loads, and nothing is damaged."""
        damaged = any(finding.is_damage for finding in self.findings)
        return bool(self.rows) and not damaged and all(row.is_good for row in self.rows)


def check_root(root: CacheRoot, config: CheckConfig | None = None) -> RootReport:
    """Checks every artefact that was fetched, and whatever else lies in `hub/`.

    Args:
      root: Which.
      config: What is checked.

    Returns:
      What was found.

    Raises:
      InputError: There is no such root, it may not be read, or holds nothing of that name.
    """
    asked = config or CheckConfig()
    _refuse_unreadable(root)
    hub = cache_naming.read_hub(root)
    entries = list(_entries(root, hub, asked))
    _refuse_unknown(root, asked.names, entries)
    findings = _find(root, hub, asked)
    proofs = _load(root, [target for _, target in entries], asked) if asked.is_loading else []
    rows = []
    for number, (row, _) in enumerate(entries):
        proof = proofs[number] if proofs else None
        rows.append(_judge(row, findings, proof=proof, config=asked))
    fence = next((proof.fence for proof in proofs if proof.fence), "")
    return RootReport(root, tuple(rows), tuple(findings), fence, asked)


def _refuse_unreadable(root: CacheRoot) -> None:
    """Refuses what is no directory, or not to be read.

    Raises:
      InputError: It is so.
    """
    cache_root.check_place(root.path)
    if not root.path.is_dir():
        raise errors.InputError(
            f"there is no directory {root.path}; wanted a cache that scripts/precache.py filled; "
            "give its place with --cache_dir"
        )
    if not os.access(root.path, os.R_OK | os.X_OK):
        raise errors.InputError(
            f"{root.path} may not be read; wanted a cache of your own, or one whose owner lets you "
            "read it; ask its owner for `chmod -R a+rX`"
        )


def _refuse_unknown(
    root: CacheRoot, names: Sequence[str], entries: Iterable[tuple[CheckRow, LoadTarget]]
) -> None:
    """Refuses names of which nothing is there.

    Raises:
      InputError: There is such a one.
    """
    known = {name for row, _ in entries for name in (row.request.name, row.repository)}
    for name in names:
        if name not in known:
            rows = [row for row, _ in _entries(root, cache_naming.read_hub(root))]
            there = ", ".join(sorted({row.request.name for row in rows})) or "nothing"
            raise errors.InputError(
                f"{name!a} is not in {root.path}, which has {there}; wanted one of these; change "
                "--only, or fetch it with precache"
            )


def _entries(
    root: CacheRoot, hub: HubContents, config: CheckConfig | None = None
) -> Iterable[tuple[CheckRow, LoadTarget]]:
    """Yields every artefact with how it is loaded: recorded ones, then the others."""
    names = config.names if config else ()
    recorded = set()
    for folder, record in records.list_records(root):
        if isinstance(record, str):
            continue
        real = os.path.realpath(record.snapshot_dir(root))
        recorded.add(real)
        if not names or {record.request.name, record.repository} & set(names):
            may_run = _may_run(folder, config)
            yield _recorded_row(hashes.record_key(folder), record), _target(record, may_run)
    for snapshot in hub.snapshots:
        if str(snapshot.path.resolve()) in recorded or (names and snapshot.name not in names):
            continue
        row = _other_row(snapshot)
        may_run = bool(config and config.run_metrics)
        target = LoadTarget(row.request, commit=row.commit, may_run=may_run, is_recorded=False)
        yield row, target


def _may_run(folder: Any, config: CheckConfig | None) -> bool:
    """Says whether a metric's script may be run: by default, if the user fetched it."""
    if config is not None and config.run_metrics is not None:
        return config.run_metrics
    return os.stat(folder).st_uid == os.geteuid()


def _recorded_row(key: str, record: ArtefactRecord) -> CheckRow:
    size_bytes = sum(file.size_bytes for file in record.files.values())
    return CheckRow(
        key,
        record.request,
        repository=record.repository,
        commit=record.commit,
        is_recorded=True,
        is_proved=record.is_proved,
        size_bytes=size_bytes,
        prepared_bytes=record.size_bytes - size_bytes,
    )


def _target(record: ArtefactRecord, may_run: bool) -> LoadTarget:
    splits = {config.config: dict(config.splits) for config in record.prepared}
    return LoadTarget(record.request, commit=record.commit, splits=splits, may_run=may_run)


def _other_row(snapshot: Snapshot) -> CheckRow:
    refs = snapshot.refs
    revision = snapshot.commit if not refs else None if "main" in refs else refs[0]
    return CheckRow(
        snapshot.key,
        ArtefactRequest(_KINDS[snapshot.repository_type], snapshot.name, revision),
        repository=snapshot.name,
        commit=snapshot.commit,
        is_recorded=False,
        size_bytes=sum(cache_naming.size_of(path) for path in snapshot.files.values()),
    )


def _find(root: CacheRoot, hub: HubContents, config: CheckConfig) -> list[Finding]:
    with progress.progress_bar(description="hashing", unit="B", unit_scale=True) as bar:

        def advance(size_bytes: int, total: int) -> None:
            bar.total = total
            bar.update(size_bytes)

        return hashes.verify_root(
            root,
            contents=hub,
            names=config.names,
            is_hashing=config.is_hashing,
            advance_fn=advance,
        )


def _load(root: CacheRoot, targets: Sequence[LoadTarget], config: CheckConfig) -> list[Proof]:
    timed = [dataclasses.replace(target, seconds=config.seconds) for target in targets]
    found = load_checks.load_targets(root, timed)
    with progress.progress_bar(
        found, description="loading", unit="artefact", total=len(targets)
    ) as bar:
        return list(bar)


def _judge(
    row: CheckRow, findings: Sequence[Finding], *, proof: Proof | None, config: CheckConfig
) -> CheckRow:
    """Returns a row with its verdicts."""
    mine = [finding for finding in findings if row.key in finding.owners and finding.is_damage]
    unknown = [f for f in findings if row.key in f.owners and f.problem == hashes.UNKNOWN]
    whole = NO if mine else YES if config.is_hashing and not unknown else NOTHING
    unsure = "not proved yet" if row.is_recorded else "not recorded: it may be a part"
    reasons = [] if row.is_proved else [unsure]
    if unknown:
        reasons.append(f"{len(unknown)} files cannot be checked, as {unknown[0].path}")
    if mine:
        more = f" (and {len(mine) - 1} more)" if len(mine) > 1 else ""
        reasons.append(f"{mine[0].path}: {mine[0].problem}{more}")
    loads, parts = NOTHING, {}
    if proof is not None:
        is_good = proof.is_plainly_good if config.is_plain else proof.is_good
        loads, parts = proof.loads if is_good else NO, dict(proof.parts)
        reasons += [proof.reason] if proof.reason else []
    return dataclasses.replace(
        row, whole=whole, loads=loads, parts=parts, reason="; ".join(reasons)
    )
