from __future__ import annotations

import collections

import numpy as np
import objective_requests
import pytest
import token_documents

from code_t5 import errors
from code_t5.data.objectives import Requests, SpanCorruption, mix_keys
from code_t5.data.objectives.span_corruption import choose_subsets

_VOCAB_SIZE = 65_000


class _Model:
    vocab_size = _VOCAB_SIZE


def _objective(inputs=512, targets=512, **settings):
    return SpanCorruption({"inputs": inputs, "targets": targets}, model=_Model(), **settings)


def _restore(inputs, targets):
    """Puts the spans back where their sentinels stand."""
    spans, number = {}, None
    for token in targets:
        if token >= _VOCAB_SIZE - 100:
            number, spans[token] = token, []
        else:
            spans[number].append(token)
    return sum((spans.get(token, [token]) for token in inputs), [])


def test_spans_put_back_give_the_window_and_sentinels_count_down():
    documents = token_documents.drawn_documents(1, longest=1500)
    rows = objective_requests.make_all(_objective(), documents)
    assert sum((_restore(*row) for row in rows), []) == documents.tokens.tolist()
    for inputs, targets in rows:
        found = [token for token in targets if token >= _VOCAB_SIZE - 100]
        assert found == [_VOCAB_SIZE - 1 - number for number in range(len(found))]
        assert [token for token in inputs if token >= _VOCAB_SIZE - 100] == found


def test_a_window_of_one_token_is_hidden():
    documents = token_documents.documents_of([1])
    assert objective_requests.make_all(_objective(), documents) == [
        ([_VOCAB_SIZE - 1], [_VOCAB_SIZE - 1, 10])
    ]


def test_one_span_ends_its_window():
    documents = token_documents.documents_of([20])
    (row,) = objective_requests.make_all(_objective(), documents)
    # 15 % of 20 tokens in one span, which ends the window.
    assert row == ([*range(10, 27), _VOCAB_SIZE - 1], [_VOCAB_SIZE - 1, 27, 28, 29])


def test_subsets_are_alike_likely():
    rows = 20_000
    chosen = choose_subsets(
        mix_keys(0, np.arange(rows)), sizes=np.full(rows, 5), counts=np.full(rows, 2)
    )
    assert (chosen.sum(axis=1) == 2).all()
    counts = collections.Counter(tuple(np.flatnonzero(row)) for row in chosen)
    assert len(counts) == 10
    spread = 5 * np.sqrt(rows * 0.1 * 0.9)
    assert all(abs(count - rows / 10) < spread for count in counts.values())


def test_subsets_of_rows_of_different_sizes_do_not_mix():
    sizes, counts = np.array([3, 0, 6, 4]), np.array([3, 0, 1, 0])
    chosen = choose_subsets(mix_keys(1, np.arange(4)), sizes=sizes, counts=counts)
    assert chosen.sum(axis=1).tolist() == counts.tolist()
    assert not chosen[0, 3:].any()
    assert not chosen[3].any()


def _rows_of_t5(lengths, inputs_length):
    import seqio
    import tensorflow as tf
    from t5.data import preprocessors

    dataset = tf.data.Dataset.from_tensor_slices(np.array(lengths, dtype=np.int32)).map(
        lambda length: {"targets": tf.range(10, 10 + length)}
    )
    features = {
        name: seqio.Feature(seqio.PassThroughVocabulary(_VOCAB_SIZE))
        for name in ("inputs", "targets")
    }
    dataset = preprocessors.split_tokens(dataset, max_tokens_per_segment=inputs_length)
    with seqio.utils.map_seed_manager(3):
        dataset = preprocessors.denoise(
            dataset,
            features,
            noise_density=0.15,
            noise_mask_fn=preprocessors.random_spans_noise_mask,
            inputs_fn=preprocessors.noise_span_to_unique_sentinel,
            targets_fn=preprocessors.nonnoise_span_to_unique_sentinel,
        )
    return [
        (example["inputs"].tolist(), example["targets"].tolist())
        for example in dataset.as_numpy_iterator()
    ]


def test_lengths_are_those_of_t5_for_every_length_of_a_window():
    lengths = list(range(2, 569, 3))
    theirs = _rows_of_t5(lengths, 568)
    ours = objective_requests.make_all(_objective(), token_documents.documents_of(lengths))
    sizes = [[(len(inputs), len(targets)) for inputs, targets in rows] for rows in (ours, theirs)]
    assert sizes[0] == sizes[1]


def test_places_are_hidden_as_often_as_by_t5():
    rows, length = 3000, 40
    documents = token_documents.documents_of([length])
    requests = Requests(np.zeros(rows, int), np.zeros(rows, int), mix_keys(0, np.arange(rows)))
    ours = objective_requests.rows_of(_objective().make_examples(documents, requests))
    theirs = _rows_of_t5([length] * rows, 568)
    hidden = np.zeros((2, length))
    spans = [collections.Counter(), collections.Counter()]
    for which, made in enumerate((ours, theirs)):
        for _, targets in made:
            places = [token - 10 for token in targets if token < _VOCAB_SIZE - 100]
            hidden[which][places] += 1
            starts = [i for i, token in enumerate(targets) if token >= _VOCAB_SIZE - 100]
            spans[which][tuple(np.diff([*starts, len(targets)]) - 1)] += 1
    assert hidden.sum(axis=1).tolist() == [6 * rows] * 2
    # The last token is always hidden, the first never.
    assert hidden[:, -1].tolist() == [rows] * 2
    assert hidden[:, 0].tolist() == [0] * 2
    spread = 5 * np.sqrt(2 * np.maximum(hidden.mean(axis=0), 10))
    assert (abs(hidden[0] - hidden[1]) < spread).all()
    assert set(spans[0]) == set(spans[1]) == {(a, 6 - a) for a in range(1, 6)}
    assert all(abs(spans[0][key] - spans[1][key]) < 5 * np.sqrt(2 * rows / 5) for key in spans[0])


@pytest.mark.parametrize("inputs", [16, 64, 128, 256, 512, 1024])
def test_the_window_is_the_longest_as_in_t5(inputs):
    from t5.data import preprocessors

    tokens, targets = preprocessors.random_spans_helper(
        inputs_length=inputs,
        noise_density=0.15,
        mean_noise_span_length=3.0,
        extra_tokens_per_span_inputs=1,
        extra_tokens_per_span_targets=1,
    )
    assert _objective(inputs, targets).window == tokens
    documents = token_documents.documents_of([tokens])
    ((made_inputs, made_targets),) = objective_requests.make_all(
        _objective(inputs, targets), documents
    )
    assert (len(made_inputs) + 1, len(made_targets) + 1) == (inputs, targets)


def test_short_targets_make_the_window_shorter():
    objective = _objective(512, 30)
    documents = token_documents.documents_of([5000])
    rows = objective_requests.make_all(objective, documents)
    assert max(len(targets) for _, targets in rows) == 29
    assert sum((_restore(*row) for row in rows), []) == documents.tokens.tolist()


def test_more_spans_than_sentinels_are_refused():
    with pytest.raises(errors.InputError, match="114 hidden spans; wanted 1 to 100"):
        _objective(2048, 2048)
    assert _objective(2048, 2048, mean_noise_span_length=5.0).window > 2200


@pytest.mark.parametrize(
    "settings", [{"noise_density": 0.0}, {"noise_density": 1.0}, {"mean_noise_span_length": 0.5}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(errors.InputError, match="SpanCorruption.noise_density"):
        _objective(**settings)


def test_high_densities_leave_a_kept_token_before_every_span():
    documents = token_documents.documents_of([2, 3, 10, 50])
    objective = _objective(inputs=64, noise_density=0.8, mean_noise_span_length=1.0)
    for inputs, targets in objective_requests.make_all(objective, documents):
        assert inputs[0] < _VOCAB_SIZE - 100
        assert targets[0] == _VOCAB_SIZE - 1
        pairs = zip(inputs, inputs[1:])
        assert not any(min(pair) >= _VOCAB_SIZE - 100 for pair in pairs)
