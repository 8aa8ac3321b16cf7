"""Groups of repositories that must stand on one side of the split.

Files that are copies of each other, exact or near, form a *cluster* (`preprocessing.decisions`).
Two repositories that share a cluster are *linked*, and a *group* is a set of repositories that
links connect: the unit of splitting, so that neither a repository nor an edited copy of it stands
on both sides.

A link is *strong* when one repository looks like a fork of the other. The input does not say what
is a fork, so the content decides: both have the same name under different organisations and share a
cluster; or they share two clusters or more, which hold at least half of the files of the smaller
one. For the latter only clusters of at most 16 repositories count: a file that everybody copies is
no sign of a fork. Every other link is *weak*.

Links through files that everybody copies would join most of a corpus. The *spread* of a cluster is
the number of repositories that it touches. A group that is too large (over `max_fraction` of all
files, and over three repositories) loses the weak links of its clusters of largest spread, all of
them at once, and what it falls into is looked at again. Strong links stay. A cluster that then
stands in several groups is *cut*: deduplication keeps one file of it, so that its content is on one
side all the same; `RepositoryGroups` counts the copies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from code_t5 import errors
from preprocessing.dedup import cluster

MAX_FRACTION = 0.1
# So few repositories are no corpus swallowed, however small the data set is.
_SMALL_GROUP = 3
_MAX_FORK_SPREAD = 16
_MIN_FORK_CLUSTERS = 2


@dataclasses.dataclass(frozen=True)
class ClusterMembers:
    """The files that have a copy, in any order.

    Attributes:
      cluster_id: int64 `[num_members]`; which cluster each is in.
      repository: int64 `[num_members]`; position of its repository.
      size_bytes: int64 `[num_members]`.
      is_kept: bool `[num_members]`; whether it is the one of its cluster that deduplication keeps.
    """

    cluster_id: np.ndarray
    repository: np.ndarray
    size_bytes: np.ndarray
    is_kept: np.ndarray


@dataclasses.dataclass(frozen=True)
class LargestGroup:
    """The group with most files, or nothing where there is no repository.

    Attributes:
      num_repositories: In it.
      num_files: In them, dropped copies included.
      name: Of its first repository.
    """

    num_repositories: int = 0
    num_files: int = 0
    name: str = ""


@dataclasses.dataclass(frozen=True)
class RepositoryGroups:
    """The groups, and what making them cost.

    Attributes:
      group: int64 `[num_repositories]`; the member of the own group whose name sorts first by
        bytes.
      num_fork_pairs: Strong links. Of more than 16 namesakes that share a cluster, only those with
        the first are counted.
      largest: The group with most files.
      cut_clusters: int64 `[num_cut]`; the clusters that stand in several groups, sorted.
      num_cut_copies: Their dropped files outside the group of the kept one.
      cut_size_bytes: Of these files.
    """

    group: np.ndarray
    num_fork_pairs: int
    largest: LargestGroup
    cut_clusters: np.ndarray
    num_cut_copies: int
    cut_size_bytes: int

    def as_json(self) -> dict[str, Any]:
        """Returns what the report says under `repository_groups`."""
        _, sizes = np.unique(self.group, return_counts=True)
        return {
            "num_repositories": len(self.group),
            "num_groups": len(sizes),
            "num_linked_repositories": int(sizes[sizes > 1].sum()),
            "largest_group": dataclasses.asdict(self.largest),
            "num_fork_pairs": self.num_fork_pairs,
            "cut": {
                "num_clusters": len(self.cut_clusters),
                "num_copies": self.num_cut_copies,
                "size_bytes": self.cut_size_bytes,
            },
        }


@dataclasses.dataclass(frozen=True)
class _Shared:
    """The clusters of two repositories or more, by spread and then by cluster.

    Attributes:
      starts: int64 `[num_clusters + 1]`; the rows of cluster `i` are `starts[i]:starts[i + 1]`.
      repository: int64 `[num_rows]`; ascending within a cluster.
      num_files: int64 `[num_rows]`; of the repository in the cluster.
    """

    starts: np.ndarray
    repository: np.ndarray
    num_files: np.ndarray

    @property
    def cluster_of_row(self) -> np.ndarray:
        """The position of each row's cluster, int64 `[num_rows]`."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def _run_starts(*columns: np.ndarray) -> np.ndarray:
    """Returns where runs of equal rows of sorted columns begin, and the number of rows."""
    is_first = np.ones(len(columns[0]) + 1, dtype=bool)
    if len(columns[0]):
        is_first[1:-1] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.flatnonzero(is_first) if len(columns[0]) else np.zeros(1, dtype=np.int64)


def _shared_clusters(cluster_id: np.ndarray, repository: np.ndarray) -> _Shared:
    order = np.lexsort((repository, cluster_id))
    cluster_id, repository = cluster_id[order], repository[order]
    rows = _run_starts(cluster_id, repository)
    num_files = np.diff(rows)
    cluster_id, repository = cluster_id[rows[:-1]], repository[rows[:-1]]
    spreads = np.diff(_run_starts(cluster_id))
    spread = np.repeat(spreads, spreads)
    order = np.argsort(spread, kind="stable")[np.count_nonzero(spread < 2) :]
    starts = np.concatenate([[0], np.cumsum(np.sort(spreads[spreads > 1]))]).astype(np.int64)
    return _Shared(starts, repository[order], num_files[order])


def _row_pairs(starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs the rows within runs: all with all, and in long runs the first with all others.

    Args:
      starts: int64 `[num_runs + 1]`.

    Returns:
      The earlier and the later row of each pair, int64 `[num_pairs]` both; linear in the rows.
    """
    sizes = np.diff(starts)
    size, start = np.repeat(sizes, sizes), np.repeat(starts[:-1], sizes)
    row = np.arange(len(size))
    is_long = size > _MAX_FORK_SPREAD
    others = np.flatnonzero(is_long & (row > start))
    first, second = [start[others]], [others]
    for distance in range(1, _MAX_FORK_SPREAD):
        earlier = np.flatnonzero(~is_long & (row + distance < start + size))
        first.append(earlier)
        second.append(earlier + distance)
    return np.concatenate(first), np.concatenate(second)


def _namesakes(shared: _Shared, name_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs of repositories with the same name that share a cluster."""
    cluster_of_row, name_id = shared.cluster_of_row, name_ids[shared.repository]
    order = np.lexsort((name_id, cluster_of_row))
    first, second = _row_pairs(_run_starts(cluster_of_row[order], name_id[order]))
    repository = shared.repository[order]
    return repository[first], repository[second]


def _lookalikes(shared: _Shared, num_files: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs of repositories that share half of the files of the smaller one."""
    narrow = np.diff(shared.starts) <= _MAX_FORK_SPREAD
    first, second = _row_pairs(shared.starts[: np.count_nonzero(narrow) + 1])
    keys = shared.repository[first] * len(num_files) + shared.repository[second]
    pairs, pair = np.unique(keys, return_inverse=True)
    if not len(pairs):
        return pairs, pairs
    is_fork = np.zeros(len(pairs), dtype=bool)
    ends = pairs // len(num_files), pairs % len(num_files)
    for rows, own, other in ((first, *ends), (second, *ends[::-1])):
        copied = np.bincount(pair, weights=shared.num_files[rows], minlength=len(pairs))
        is_fork |= (num_files[own] <= num_files[other]) & (2 * copied >= num_files[own])
    is_fork &= np.bincount(pair, minlength=len(pairs)) >= _MIN_FORK_CLUSTERS
    return ends[0][is_fork], ends[1][is_fork]


def _join(num_nodes: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the smallest node of each node's set, int64 `[num_nodes]`."""
    return cluster.label_clusters(num_nodes, zip(first.tolist(), second.tolist()))


def _levels(shared: _Shared) -> Iterator[slice]:
    """Yields the rows of the clusters of equal spread, smallest spread first."""
    runs = _run_starts(np.diff(shared.starts))
    for start, stop in zip(runs[:-1].tolist(), runs[1:].tolist()):
        yield slice(int(shared.starts[start]), int(shared.starts[stop]))


class _Forest:
    """Sets of repositories that grow; a set is named by its smallest member, its root."""

    def __init__(self, labels: np.ndarray, num_files: np.ndarray) -> None:
        """Starts with the sets that `labels` says, int64 `[num_repositories]`."""
        self.parents = labels
        self.num_members = np.bincount(labels, minlength=len(labels))
        self.num_files = np.bincount(labels, weights=num_files, minlength=len(labels))
        self.is_full = np.zeros(len(labels), dtype=bool)
        self.num_sets = int(np.count_nonzero(self.num_members))

    def roots(self, repository: np.ndarray) -> np.ndarray:
        """Returns the root of each repository's set."""
        while True:
            further = self.parents[repository]
            if np.array_equal(further, repository):
                return repository
            repository = further

    def join(
        self, first: np.ndarray, second: np.ndarray, *, max_files: float, min_sets: int
    ) -> bool:
        """Joins sets by links of one spread.

        A set that became too large is left in the pieces that it was made of, and none of them
        ever grows again: with links of larger spread it could only be larger.

        Args:
          first: int64 `[num_links]`; repositories.
          second: int64 `[num_links]`; the repositories that they are linked to.
          max_files: In a set of more than `_SMALL_GROUP` repositories.
          min_sets: Nothing at all is joined if fewer would be left.

        Returns:
          Whether at least `min_sets` are left.
        """
        nodes, local = np.unique(self.roots(np.concatenate([first, second])), return_inverse=True)
        piece = _join(len(nodes), local[: len(first)], local[len(first) :])

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(piece, weights=values[nodes], minlength=len(nodes))

        num_files, num_members = total(self.num_files), total(self.num_members)
        too_large = (num_files > max_files) & (num_members > _SMALL_GROUP)
        stays = (too_large | (total(self.is_full) > 0))[piece]
        moves = ~stays & (piece != np.arange(len(nodes)))
        if self.num_sets - np.count_nonzero(moves) < min_sets:
            return False
        self.num_sets -= int(np.count_nonzero(moves))
        self.is_full[nodes[stays]] = True
        self.parents[nodes[moves]] = nodes[piece[moves]]
        self.num_files[nodes[~stays]] = num_files[~stays]
        self.num_members[nodes[~stays]] = num_members[~stays]
        return True


def _join_weak(forest: _Forest, *, shared: _Shared, max_files: float, min_sets: int) -> None:
    """Joins by the links of every cluster, spread by spread, as far as sets may grow."""
    cluster_of_row = shared.cluster_of_row
    for level in _levels(shared):
        repository = shared.repository[level]
        linked = np.flatnonzero(np.diff(cluster_of_row[level]) == 0)
        first, second = repository[linked], repository[linked + 1]
        if not forest.join(first, second, max_files=max_files, min_sets=min_sets):
            return


def _count_cut(members: ClusterMembers, group: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Returns the clusters that stand in several groups, and number and bytes of their copies."""
    order = np.lexsort((~members.is_kept, members.cluster_id))
    cluster_id, groups = members.cluster_id[order], group[members.repository[order]]
    starts = _run_starts(cluster_id)[:-1]
    # The kept file comes first in its cluster.
    home = np.repeat(groups[starts], np.diff(np.append(starts, len(groups))))
    is_outside = groups != home
    size_bytes = members.size_bytes[order][is_outside].sum(dtype=np.int64)
    return np.unique(cluster_id[is_outside]), int(np.count_nonzero(is_outside)), int(size_bytes)


def _largest(group: np.ndarray, *, names: Sequence[str], num_files: np.ndarray) -> LargestGroup:
    if not len(group):
        return LargestGroup()
    files = np.bincount(group, weights=num_files, minlength=len(group))
    # Of equal ones the first by name, whatever the order of the input.
    first = min(np.flatnonzero(files == files.max()).tolist(), key=names.__getitem__)
    return LargestGroup(int(np.count_nonzero(group == first)), int(files[first]), names[first])


def _name_ids(names: Sequence[str], by_name: np.ndarray) -> np.ndarray:
    """Numbers the names without their organisation, in the order `by_name`."""
    known: dict[str, int] = {}
    own = (names[index].partition("/")[2] or names[index] for index in by_name.tolist())
    return np.array([known.setdefault(name, len(known)) for name in own], dtype=np.int64)


def find_repository_groups(
    members: ClusterMembers,
    *,
    names: Sequence[str],
    num_files: np.ndarray,
    max_fraction: float = MAX_FRACTION,
    min_groups: int = 1,
) -> RepositoryGroups:
    """Groups repositories by the files that they share.

    Args:
      members: The files that have a copy.
      names: `<organisation>/<repository>` of each repository, each once.
      num_files: int64 `[num_repositories]`; of each repository, dropped copies included.
      max_fraction: Of all files; a larger group of over three repositories loses weak links.
      min_groups: Weak links that would leave fewer groups are not used. Give the number of splits.

    Returns:
      The groups. The order of repositories and members does not matter.

    Raises:
      InputError: `max_fraction` is not above 0.
    """
    if not max_fraction > 0:
        raise errors.InputError(
            f"max_fraction is {max_fraction}; wanted a number above 0; change it"
        )
    # Inside, a repository is its place by name, so that the smallest of a set is its first. Order
    # by code points is order by bytes of UTF-8.
    by_name = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    places = np.empty_like(by_name)
    places[by_name] = np.arange(len(by_name))
    files = np.asarray(num_files, dtype=np.int64)[by_name]
    shared = _shared_clusters(members.cluster_id, places[members.repository])
    pairs = _namesakes(shared, _name_ids(names, by_name)), _lookalikes(shared, files)
    first, second = (np.concatenate(ends) for ends in zip(*pairs))
    forest = _Forest(_join(len(files), first, second), files)
    max_files = max_fraction * int(files.sum())
    _join_weak(forest, shared=shared, max_files=max_files, min_sets=min_groups)
    group = by_name[forest.roots(np.arange(len(files)))[places]]
    cut_clusters, num_copies, size_bytes = _count_cut(members, group)
    return RepositoryGroups(
        group=group,
        num_fork_pairs=len(np.unique(first * len(files) + second)),
        largest=_largest(group, names=names, num_files=num_files),
        cut_clusters=cut_clusters,
        num_cut_copies=num_copies,
        cut_size_bytes=size_bytes,
    )
