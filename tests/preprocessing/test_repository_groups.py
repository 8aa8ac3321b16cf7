from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from code_t5 import errors
from preprocessing import repository_groups, splits
from preprocessing.repository_groups import RepositoryGroups


def _members(clusters: Sequence[Sequence[int]]) -> repository_groups.ClusterMembers:
    """Clusters as lists of repositories, one file each; the first file of each is kept."""
    rows = [(i, r, n == 0) for i, cluster in enumerate(clusters) for n, r in enumerate(cluster)]
    cluster_id, repository, is_kept = np.array(rows or np.empty((0, 3)), dtype=np.int64).T
    sizes = np.full(len(repository), 100, dtype=np.int64)
    return repository_groups.ClusterMembers(cluster_id, repository, sizes, is_kept.astype(bool))


def _find(
    clusters: Sequence[Sequence[int]], files: Mapping[str, int], **options: float
) -> RepositoryGroups:
    return repository_groups.find_repository_groups(
        _members(clusters),
        names=list(files),
        num_files=np.array(list(files.values()), dtype=np.int64),
        **options,
    )


def _plain(count: int, num_files: int = 10) -> dict[str, int]:
    return {f"org{number:03d}/name{number:03d}": num_files for number in range(count)}


def test_repositories_without_shared_files_stand_alone():
    found = _find([[2, 2]], _plain(4))
    assert found.group.tolist() == [0, 1, 2, 3]
    assert found.as_json() == {
        "num_repositories": 4,
        "num_groups": 4,
        "num_linked_repositories": 0,
        "largest_group": {"num_repositories": 1, "num_files": 10, "name": "org000/name000"},
        "num_fork_pairs": 0,
        "cut": {"num_clusters": 0, "num_copies": 0, "size_bytes": 0},
    }


def test_group_is_the_member_whose_name_sorts_first():
    files = {"b/one": 5, "c/two": 5, "a/three": 5, "d/four": 5}
    assert _find([[0, 2], [1, 0]], files, max_fraction=1).group.tolist() == [2, 2, 2, 3]


def test_a_chain_of_shared_files_is_one_group():
    found = _find([[i, i + 1] for i in range(5)], _plain(100))
    assert found.group.tolist() == [0] * 6 + list(range(6, 100))
    assert found.as_json()["num_linked_repositories"] == 6
    assert found.largest == repository_groups.LargestGroup(6, 60, "org000/name000")


def test_a_vendored_file_does_not_swallow_the_corpus():
    vendored = list(range(50))
    found = _find([vendored, [3, 7], [20, 4]], _plain(50))
    expected = list(range(50))
    expected[7], expected[20] = 3, 4
    assert found.group.tolist() == expected
    assert found.cut_clusters.tolist() == [0]
    # Kept in repository 0; all 49 others are in other groups.
    assert (found.num_cut_copies, found.cut_size_bytes) == (49, 4900)


def test_only_copies_outside_the_kept_files_group_count_as_cut():
    found = _find([list(range(50)), [0, 1], [0, 0]], _plain(50))
    assert found.group[1] == 0
    assert found.num_cut_copies == 48


def test_clusters_of_largest_spread_are_cut_first():
    # 30 repositories of equal size: three fit. Spread 3 holds within {0..2}, spread 4 joins more.
    found = _find([[0, 1, 2], [2, 3, 4, 5], [8, 9]], _plain(30))
    assert found.group[:10].tolist() == [0, 0, 0, 3, 4, 5, 6, 7, 8, 8]
    assert found.cut_clusters.tolist() == [1]


def test_what_was_joined_at_a_smaller_spread_counts():
    # Four repositories of ten files are over a tenth of 300.
    found = _find([[0, 1], [1, 4, 5]], _plain(30))
    assert found.group[:6].tolist() == [0, 0, 2, 3, 4, 5]
    assert found.cut_clusters.tolist() == [1]


def test_what_was_too_large_stays_apart_at_larger_spread():
    # At spread 2 the four are too large, so that spread 3 must not join a part of them either.
    chain = [[0, 1], [1, 2], [2, 3]]
    found = _find([*chain, [3, 8, 9]], _plain(30))
    assert found.group.tolist() == list(range(30))
    assert found.cut_clusters.tolist() == [0, 1, 2, 3]


def test_namesakes_that_share_a_file_are_forks():
    files = {**_plain(20), "ann/tool": 10, "bob/tool": 10, "cid/tool": 10}
    found = _find([list(range(23))[:22]], files)
    assert found.group[20:].tolist() == [20, 20, 22]
    assert found.num_fork_pairs == 1


def test_forks_are_never_cut():
    files = {f"org{number:02d}/tool": 10 for number in range(12)}
    found = _find([list(range(12))], files)
    assert found.group.tolist() == [0] * 12
    assert found.num_fork_pairs == 66
    assert found.cut_clusters.tolist() == []


@pytest.mark.parametrize(("num_shared", "is_fork"), [(4, False), (5, True)])
def test_sharing_half_of_the_smaller_ones_files_makes_a_fork(num_shared, is_fork):
    # Joined weakly with all others the two would be too large; a strong link is not cut.
    files = {**_plain(20), "ann/tool": 10, "bob/renamed": 40}
    clusters = [[20, 21]] * num_shared + [[20, 21, 0], [20, 21, 1, 2]]
    shared_by_two = num_shared
    found = _find(clusters[:shared_by_two], files, max_fraction=0.01, min_groups=22 - is_fork)
    assert found.num_fork_pairs == int(is_fork)
    assert found.group[21] == (20 if is_fork else 21)


def test_one_shared_file_makes_no_fork_of_a_tiny_repository():
    found = _find([[0, 1]], {"a/x": 1, "b/y": 50})
    assert found.num_fork_pairs == 0
    assert found.group.tolist() == [0, 0]


def test_files_that_everybody_copies_make_no_fork():
    # Tiny repositories made of nothing but two vendored files do not tie their owners together.
    files = {**_plain(60, num_files=2)}
    found = _find([list(range(60))] * 2, files)
    assert found.num_fork_pairs == 0
    assert found.group.tolist() == list(range(60))


def test_two_repositories_that_share_a_file_still_make_two_splits():
    files = {"a/x": 10, "b/y": 10}
    assert _find([[0, 1]], files).group.tolist() == [0, 0]
    assert _find([[0, 1]], files, min_groups=2).group.tolist() == [0, 1]


def test_groups_joined_at_a_smaller_spread_are_not_counted_twice():
    found = _find([[0, 1], [2, 3], [0, 1, 2]], _plain(5), min_groups=3, max_fraction=1)
    assert found.group.tolist() == [0, 0, 2, 2, 4]


def test_two_of_five_repositories_may_be_one_group():
    assert _find([[1, 4]], _plain(5), min_groups=3).group.tolist() == [0, 1, 2, 3, 1]


def test_no_repository_is_no_group():
    found = _find([], {})
    assert found.group.tolist() == []
    assert found.as_json()["largest_group"] == {"num_repositories": 0, "num_files": 0, "name": ""}


def test_a_fraction_of_nothing_is_refused():
    with pytest.raises(errors.InputError, match="max_fraction is 0; wanted a number above 0"):
        _find([], {}, max_fraction=0)


def _random_case(seed: int) -> tuple[list[str], np.ndarray, repository_groups.ClusterMembers]:
    rng = np.random.default_rng(seed)
    names = [f"org{i % 37}/name{i // 3:03d}" for i in range(300)]
    spreads = np.minimum(rng.zipf(1.7, size=250) + 1, 300)
    clusters = [rng.integers(0, 300, size=spread).tolist() for spread in spreads]
    members = _members(clusters)
    num_files = np.bincount(members.repository, minlength=300) + rng.integers(10, 40, size=300)
    return names, num_files, members


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_input_gives_the_same_groups(seed):
    names, num_files, members = _random_case(seed)
    found = repository_groups.find_repository_groups(members, names=names, num_files=num_files)
    rng = np.random.default_rng(seed + 100)
    moved, rows = rng.permutation(len(names)), rng.permutation(len(members.repository))
    back = np.argsort(moved)
    again = repository_groups.find_repository_groups(
        repository_groups.ClusterMembers(
            members.cluster_id[rows],
            back[members.repository[rows]],
            members.size_bytes[rows],
            members.is_kept[rows],
        ),
        names=[names[i] for i in moved],
        num_files=num_files[moved],
    )
    assert moved[again.group].tolist() == found.group[moved].tolist()
    assert again.as_json() == found.as_json()


@pytest.mark.parametrize("seed", range(5))
def test_no_weakly_linked_group_is_too_large(seed):
    names, num_files, members = _random_case(seed)
    found = repository_groups.find_repository_groups(
        members, names=names, num_files=num_files, max_fraction=0.05
    )
    files = np.bincount(found.group, weights=num_files)
    assert len(set(found.group.tolist())) < 300
    assert files.max() <= 0.05 * num_files.sum()
    # A cluster that was not cut lies in one group.
    for cluster_id in set(members.cluster_id.tolist()) - set(found.cut_clusters.tolist()):
        repositories = members.repository[members.cluster_id == cluster_id]
        assert len(set(found.group[repositories].tolist())) == 1


def test_adding_repositories_moves_no_group_that_they_are_not_linked_to():
    names, num_files, members = _random_case(3)
    before = repository_groups.find_repository_groups(members, names=names, num_files=num_files)
    more = [*names, *(f"zorg{i}/new{i}" for i in range(40))]
    after = repository_groups.find_repository_groups(
        members, names=more, num_files=np.concatenate([num_files, np.full(40, 1)])
    )
    assert after.group[:300].tolist() == before.group.tolist()
    keys = [splits.split_key(more[first]) for first in after.group.tolist()]
    assert keys[:300] == [splits.split_key(names[first]) for first in before.group.tolist()]


def test_a_file_in_very_many_repositories_is_quick():
    # All pairs of this one cluster would be 5 billion.
    count = 100_000
    names = [f"org{i}/tool" if i % 2 else f"org{i}/other{i}" for i in range(count)]
    start = time.process_time()
    found = repository_groups.find_repository_groups(
        _members([list(range(count))]), names=names, num_files=np.full(count, 3)
    )
    assert time.process_time() - start < 10
    assert found.largest.num_repositories == count // 2
    assert found.num_cut_copies == count - 1
