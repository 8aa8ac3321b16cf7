from __future__ import annotations

import numpy as np
import objective_requests
import token_documents

from code_t5.data.objectives import PrefixLm


def test_windows_of_a_file_tile_it_and_are_cut_between_two_tokens():
    documents = token_documents.documents_of([40, 0, 1, 15, 16])
    objective = token_documents.prefix_lm({"inputs": 16, "targets": 16})
    assert objective.num_examples(documents).tolist() == [3, 0, 1, 1, 2]
    rows = objective_requests.make_all(objective, documents)
    windows = [inputs + targets for inputs, targets in rows]
    assert list(map(len, windows)) == [15, 15, 10, 1, 15, 15, 1]
    assert sum(windows, []) == documents.tokens.tolist()
    assert all(inputs for inputs, targets in rows if len(inputs + targets) > 1)
    assert all(targets for _, targets in rows)
    # A window of one token has nothing to give.
    assert rows[3] == ([], [50])


def test_another_key_cuts_elsewhere_and_the_same_key_at_the_same_place():
    documents = token_documents.documents_of([15] * 30)
    objective = token_documents.prefix_lm({"inputs": 16, "targets": 16})
    first = objective_requests.make_all(objective, documents, seed=1)
    assert first == objective_requests.make_all(objective, documents, seed=1)
    assert first != objective_requests.make_all(objective, documents, seed=2)


def test_shorter_targets_lose_no_token():
    documents = token_documents.documents_of([15] * 50)
    objective = token_documents.prefix_lm({"inputs": 16, "targets": 5})
    lengths = {len(targets) for _, targets in objective_requests.make_all(objective, documents)}
    assert lengths == {1, 2, 3, 4}


def _lengths_of_t5(lengths, sequence_length):
    """What t5 cuts, from a data set of documents of these lengths."""
    import seqio
    import tensorflow as tf
    from t5.data import preprocessors

    dataset = tf.data.Dataset.from_tensor_slices(lengths).map(
        lambda length: {"targets": tf.range(3, 3 + length)}
    )
    vocabulary = seqio.PassThroughVocabulary(4000)
    features = {name: seqio.Feature(vocabulary) for name in ("inputs", "targets")}
    with seqio.utils.map_seed_manager(11):
        found = preprocessors.prefix_lm(dataset, sequence_length, features)
    return np.array(
        [(len(example["inputs"]), len(example["targets"])) for example in found.as_numpy_iterator()]
    )


def test_inputs_are_as_long_as_those_of_t5():
    lengths = np.array([12] * 4000, dtype=np.int32)
    theirs = _lengths_of_t5(lengths, {"inputs": 13, "targets": 13})
    documents = token_documents.documents_of(lengths)
    objective = PrefixLm({"inputs": 13, "targets": 13}, model=None)
    ours = objective_requests.make_all(objective, documents)
    counts = np.bincount([len(inputs) for inputs, _ in ours], minlength=13)
    their_counts = np.bincount(theirs[:, 0], minlength=13)
    assert len(ours) == len(theirs) == 4000
    assert (counts > 0).tolist() == (their_counts > 0).tolist()
    # Both are uniform over 11 places: a difference of counts has a variance of 2 n p (1 - p).
    assert abs(counts - their_counts).max() < 5 * np.sqrt(2 * 4000 * (1 / 11) * (10 / 11))


def test_windows_are_those_of_t5():
    lengths = np.array([1, 2, 3, 12, 13, 24, 25, 100], dtype=np.int32)
    theirs = _lengths_of_t5(lengths, {"inputs": 13, "targets": 13})
    documents = token_documents.documents_of(lengths)
    ours = objective_requests.make_all(
        PrefixLm({"inputs": 13, "targets": 13}, model=None), documents
    )
    assert [len(inputs + targets) for inputs, targets in ours] == theirs.sum(axis=1).tolist()


def test_all_of_a_long_file_is_used():
    documents = token_documents.documents_of([65_000])
    objective = token_documents.prefix_lm({"inputs": 512, "targets": 512})
    rows = objective_requests.make_all(objective, documents)
    assert sum((inputs + targets for inputs, targets in rows), []) == documents.tokens.tolist()
