"""Tests of near-duplicate clusters against all pairs compared by plain sets."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
import pytest

from preprocessing.dedup import buckets, cluster, minhash, near, ngram_sets


def _edited(source: random.Random, words: list[bytes], share: float) -> list[bytes]:
    """Replaces a share of the words by new ones."""
    return [b"n%d" % source.randrange(10**9) if source.random() < share else w for w in words]


def _families(seed: int, count: int) -> list[bytes]:
    """Texts in families, each edited from an earlier one, some hardly and some much."""
    source = random.Random(seed)
    texts = []
    for family in range(count):
        members = [[b"w%d_%d" % (family, source.randrange(300)) for _ in range(200)]]
        for _ in range(source.randrange(8)):
            members.append(_edited(source, source.choice(members), source.random() * 0.08))
        texts.extend(b" ".join(words) for words in members)
    source.shuffle(texts)
    return [*texts, b"", b"too few words", b"too few words"]


def _true_similarity(first: bytes, second: bytes) -> float:
    sets = []
    for text in (first, second):
        words = re.findall(rb"\w+", text)
        sets.append({tuple(words[place : place + 5]) for place in range(len(words) - 4)})
    return len(sets[0] & sets[1]) / max(1, len(sets[0] | sets[1]))


def _find(texts: list[bytes], **config: object) -> near.NearDuplicates:
    return near.find_clusters(
        minhash.sign(ngram_sets.ngrams_of(texts)),
        config=near.NearDupConfig(**config),  # type: ignore[arg-type]
        read_fn=lambda positions: [texts[position] for position in positions],
    )


def _partition(texts: list[bytes], labels: np.ndarray) -> set[frozenset[bytes]]:
    groups: dict[int, set[bytes]] = {}
    for text, label in zip(texts, labels.tolist()):
        groups.setdefault(label, set()).add(text)
    return {frozenset(group) for group in groups.values()}


@pytest.mark.parametrize("threshold", [0.4, 0.7, 0.9])
def test_clusters_are_those_of_all_pairs(threshold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one row per band hardly a pair escapes the buckets: what is left is exact."""
    monkeypatch.setattr(minhash, "choose_bands", lambda _: minhash.Bands(256, 1))
    monkeypatch.setattr(ngram_sets, "READ_TEXTS", 8)
    monkeypatch.setattr(buckets, "CHUNK_PAIRS", 50)
    monkeypatch.setattr(near, "_MAX_PENDING", 40)
    texts = _families(0, 14)
    edges = [
        (first, second)
        for first, second in itertools.combinations(range(len(texts)), 2)
        if _true_similarity(texts[first], texts[second]) >= threshold
    ]
    wanted = cluster.label_clusters(len(texts), edges)
    found = _find(texts, threshold=threshold)
    assert found.cluster.tolist() == wanted.tolist()
    assert len(set(wanted.tolist())) < len(texts) - 5
    assert found.num_pairs == len(texts) - len(set(wanted.tolist()))


def test_order_makes_no_difference() -> None:
    texts = _families(1, 30)[:-1]
    wanted = _partition(texts, _find(texts).cluster)
    source = random.Random(0)
    for _ in range(4):
        source.shuffle(texts)
        assert _partition(texts, _find(texts).cluster) == wanted
    assert any(len(group) > 2 for group in wanted)


def test_chain_is_one_cluster_though_its_ends_differ() -> None:
    source = random.Random(2)
    chain = [[b"w%d" % place for place in range(400)]]
    for step in range(6):
        words = list(chain[-1])
        for place in range(step * 60, step * 60 + 40):
            words[place] = b"n%d" % source.randrange(10**9)
        chain.append(words)
    texts = [b" ".join(words) for words in chain]
    assert _true_similarity(texts[0], texts[-1]) < 0.5
    assert not _find(texts).cluster.any()


def test_lone_texts_and_texts_without_5_grams_stay_on_their_own() -> None:
    texts = [b"", b"a b c d", b"a b c d", b"a b c d e", b"v w x y z", b"a b c d e"]
    assert _find(texts).cluster.tolist() == [0, 1, 2, 3, 4, 3]
    assert _find([]).cluster.tolist() == []
    assert _find([b"a b c d e"]).num_candidate_pairs == 0


def test_disabled_finds_nothing_and_reads_nothing() -> None:
    texts = [b"a b c d e"] * 3 + [b"too short"] * 2
    signatures = minhash.sign(ngram_sets.ngrams_of(texts))

    def read_fn(positions: np.ndarray) -> list[bytes]:
        raise AssertionError(positions)

    found = near.find_clusters(
        signatures, config=near.NearDupConfig(enabled=False), read_fn=read_fn
    )
    assert found.cluster.tolist() == [0, 1, 2, 3, 4] and found.num_candidate_pairs == 0
    found = near.find_clusters(signatures, config=near.NearDupConfig(verify=False), read_fn=read_fn)
    assert found.cluster.tolist() == [0, 0, 0, 3, 4]


def test_contents_decide_where_signatures_lie() -> None:
    """Equal signatures of unlike texts: linked by the estimate, told apart by verification."""
    texts = [b"a b c d e f", b"u v w x y z"]
    signatures = np.repeat(minhash.sign(ngram_sets.ngrams_of(texts[:1])), 2, axis=0)
    for verify, wanted in ((True, [0, 1]), (False, [0, 0])):
        found = near.find_clusters(
            signatures,
            config=near.NearDupConfig(verify=verify),
            read_fn=lambda positions: [texts[position] for position in positions],
        )
        assert found.cluster.tolist() == wanted
        assert found.num_compared_pairs == 1


def test_pair_that_shares_many_buckets_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minhash, "choose_bands", lambda _: minhash.Bands(256, 1))
    words = [b"w%d" % place for place in range(1000)]
    texts = [b" ".join(words), b" ".join(words[:650]), b" ".join(words[350:])]
    found = _find(texts)
    assert found.num_candidate_pairs > 300
    assert (found.num_compared_pairs, found.num_pairs) == (2, 0)


def test_large_bucket_of_one_kind_is_linked_along_its_star() -> None:
    """4,000 alike texts make eight million pairs; none but the star's is compared."""
    words = b" ".join(b"w%d" % place for place in range(100))
    texts = [words + b" end%d" % number for number in range(4000)]
    found = _find(texts)
    assert not found.cluster.any()
    assert found.num_candidate_pairs > 8_000_000
    assert found.num_compared_pairs == 3999
    assert found.counts() == {
        "enabled": True, "threshold": 0.7, "verify": True, "num_permutations": 256,
        "num_bands": 42, "rows_per_band": 6, "num_pairs": 3999, "num_compared_pairs": 3999,
        "num_candidate_pairs": found.num_candidate_pairs,
    }  # fmt: skip


def test_few_texts_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_sets, "READ_TEXTS", 10)
    monkeypatch.setattr(ngram_sets, "_CACHE_BYTES", 0)
    texts = _families(4, 30)
    num_read = []

    def read_fn(positions: np.ndarray) -> list[bytes]:
        assert np.array_equal(positions, np.unique(positions))
        num_read.append(len(positions))
        return [texts[position] for position in positions]

    found = near.find_clusters(
        minhash.sign(ngram_sets.ngrams_of(texts)), config=near.NearDupConfig(), read_fn=read_fn
    )
    assert len(num_read) > 3 and max(num_read) in (10, 11)
    assert found.cluster.tolist() == _find(texts).cluster.tolist()


def test_large_bucket_of_unlike_texts_is_not_read() -> None:
    """A million candidates that share one band and little else fall to their signatures."""
    signatures = np.random.default_rng(0).integers(0, 2**32 - 1, (1500, 256), dtype=np.uint32)
    signatures[:, :6] = 1

    def read_fn(positions: np.ndarray) -> list[bytes]:
        raise AssertionError(positions)

    found = near.find_clusters(signatures, config=near.NearDupConfig(), read_fn=read_fn)
    assert found.num_candidate_pairs == 1500 * 1499 // 2
    assert found.cluster.tolist() == list(range(1500))


def test_one_bucket_on_its_own_gives_links_of_the_whole() -> None:
    """What a distributed pipeline does: cluster each bucket alone, then join the links."""
    texts = _families(3, 4)
    signatures = minhash.sign(ngram_sets.ngrams_of(texts))
    bands = minhash.choose_bands(0.7)
    edges = []
    for band in range(bands.num_bands):
        hashes = minhash.hash_band(signatures, bands=bands, band=band)
        values, counts = np.unique(hashes, return_counts=True)
        for value in values[counts > 1]:
            members = np.flatnonzero(hashes == value)
            labels = _find([texts[member] for member in members]).cluster
            edges.extend(zip(members.tolist(), members[labels].tolist()))
    assert cluster.label_clusters(len(texts), edges).tolist() == _find(texts).cluster.tolist()
