from __future__ import annotations

import collections
import itertools

import numpy as np
import pytest

from code_t5.training.evaluating import ngram_model

_VOCAB_SIZE = 7


def _documents(seed=0, num=12):
    generator = np.random.default_rng(seed)
    return [generator.integers(1, _VOCAB_SIZE, generator.integers(1, 40)) for _ in range(num)]


def _windows(documents, order):
    for ids in documents:
        text = (0, *ids.tolist())
        for i in range(len(text) - order + 1):
            yield text[i : i + order]


class _Plain:
    """Interpolated modified Kneser-Ney by the book, over dictionaries of tuples."""

    def __init__(self, documents, max_order):
        seen = [collections.Counter(_windows(documents, n)) for n in range(1, max_order + 1)]
        self.counts = []
        for n, counter in enumerate(seen):
            if n + 1 < max_order:
                before = collections.Counter(gram[1:] for gram in seen[n + 1])
                counter = {gram: before.get(gram) or count for gram, count in counter.items()}
            self.counts.append(dict(counter))
        self.discounts = [ngram_model._estimate_discounts(self._array(n)) for n in range(max_order)]

    def _array(self, n):
        grams = itertools.product(range(_VOCAB_SIZE)) if n == 0 else self.counts[n]
        return np.array([self.counts[n].get(gram, 0) for gram in grams])

    def probability(self, context, token):
        n = len(context)
        if n == 0:
            counts = {g: c for g, c in self.counts[0].items() if g != (0,)}
            shorter = 1 / (_VOCAB_SIZE - 1)
        else:
            counts = {g: c for g, c in self.counts[n].items() if g[:-1] == context}
            shorter = self.probability(context[1:], token)
        total = sum(counts.values())
        if not total:
            return shorter
        taken = {g: self.discounts[n][min(c, 3) - 1] for g, c in counts.items()}
        gram = (*context, token)
        own = (counts[gram] - taken[gram]) / total if gram in counts else 0.0
        return own + sum(taken.values()) / total * shorter


@pytest.mark.parametrize("max_order", [2, 4])
def test_probabilities_are_those_of_the_textbook_and_sum_to_one(max_order):
    documents = _documents()
    orders = ngram_model.count_orders(documents, vocab_size=_VOCAB_SIZE, max_order=max_order)
    model = ngram_model.NgramModel(orders, vocab_size=_VOCAB_SIZE)
    plain = _Plain(documents, max_order)
    contexts = {window[:-1] for window in _windows(_documents(seed=1), max_order)}
    assert any(context[0] == 0 for context in contexts)
    for context in contexts:
        found = model.probabilities(context)
        assert found.sum() == pytest.approx(1)
        assert found[ngram_model.BOUNDARY] == 0
        # A context that was never seen is as good as a shorter one.
        wanted = [plain.probability(context, token) for token in range(1, _VOCAB_SIZE)]
        np.testing.assert_allclose(found[1:], wanted, rtol=1e-9)


def test_only_the_last_tokens_of_a_context_count():
    orders = ngram_model.count_orders(_documents(), vocab_size=_VOCAB_SIZE, max_order=3)
    model = ngram_model.NgramModel(orders, vocab_size=_VOCAB_SIZE)
    np.testing.assert_array_equal(model.probabilities([5, 6, 1, 2]), model.probabilities([1, 2]))


def test_no_ngram_reaches_from_one_document_into_the_next():
    documents = [np.array([1, 2]), np.array([3, 4])]
    orders = ngram_model.count_orders(documents, vocab_size=_VOCAB_SIZE, max_order=3)
    assert (orders[1].keys % _VOCAB_SIZE != 0).all()
    # 0 1 2 and 0 3 4.
    assert len(orders[2].keys) == 2
    assert orders[1].keys.tolist() == [1, 3, 1 * _VOCAB_SIZE + 2, 3 * _VOCAB_SIZE + 4]


def test_discounts_are_chens_and_goodmans():
    counts = np.repeat([1, 2, 3, 4, 9], [40, 20, 10, 5, 3])
    share = 40 / (40 + 2 * 20)
    wanted = [1 - 2 * share * 20 / 40, 2 - 3 * share * 10 / 20, 3 - 4 * share * 5 / 10]
    np.testing.assert_allclose(ngram_model._estimate_discounts(counts), wanted)
    np.testing.assert_allclose(ngram_model._estimate_discounts(np.array([1, 1])), 0.75)
