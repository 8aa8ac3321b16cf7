"""What every preprocessor that makes examples of documents must do: one checker for all."""

from __future__ import annotations

import numpy as np
import seqio
import tensorflow as tf

_SIGNATURE = {
    "targets": tf.TensorSpec([None], tf.int32),
    "repository": tf.TensorSpec([], tf.string),
    "path": tf.TensorSpec([], tf.string),
}


def documents_dataset(documents, *, with_names=True):
    """A data set as it comes out of the cache: ids, repository and path of each document."""
    signature = _SIGNATURE if with_names else {"targets": _SIGNATURE["targets"]}

    def generate():
        for index, ids in enumerate(documents):
            example = {"targets": ids, "repository": "org/repository", "path": f"{index}.py"}
            yield {name: example[name] for name in signature}

    return tf.data.Dataset.from_generator(generate, output_signature=signature)


def run(preprocessor, dataset, *, vocabulary, lengths, seed):
    """Runs a preprocessor as seqio does; returns inputs and targets as lists."""
    features = {
        "inputs": seqio.Feature(vocabulary, add_eos=True, required=False),
        "targets": seqio.Feature(vocabulary, add_eos=True),
    }
    with seqio.utils.map_seed_manager(seed):
        found = preprocessor(dataset, sequence_length=lengths, output_features=features)
    for spec in found.element_spec.values():
        assert spec.dtype == tf.int32
        assert spec.shape.rank == 1
    assert set(found.element_spec) == {"inputs", "targets"}
    # What every Task does next.
    found = seqio.preprocessors.append_eos_after_trim(
        found, output_features=features, sequence_length=lengths
    )
    rows = [
        (example["inputs"].tolist(), example["targets"].tolist())
        for example in found.as_numpy_iterator()
    ]
    for inputs, targets in rows:
        assert inputs[-1] == targets[-1] == vocabulary.eos_id
    return [(inputs[:-1], targets[:-1]) for inputs, targets in rows]


def check_preprocessor(preprocessor, *, vocabulary, is_random):
    """Checks contract, determinism under a seed, an empty data set and an over-long document."""
    lengths = {"inputs": 32, "targets": 32}
    text = "def f(x):\n    return x + 1\n"
    # More documents than are worked on at once; some empty, one as long as hundreds of examples.
    documents = [vocabulary.encode(text * count) for count in (*(3, 0, 1) * 22, 900)]
    documents = [np.array(ids, dtype=np.int32) for ids in documents]

    def made(dataset, seed):
        return run(preprocessor, dataset, vocabulary=vocabulary, lengths=lengths, seed=seed)

    rows = made(documents_dataset(documents), 1)
    assert max(len(inputs) for inputs, _ in rows) <= lengths["inputs"] - 1
    assert max(len(targets) for _, targets in rows) <= lengths["targets"] - 1
    assert min(len(targets) for _, targets in rows) >= 1
    assert made(documents_dataset(documents), 1) == rows
    assert (made(documents_dataset(documents), 2) != rows) == is_random
    assert made(documents_dataset([]), 1) == []
    assert made(documents_dataset([documents[1]] * 3), 1) == []
    # Where documents come from may be unknown.
    assert made(documents_dataset(documents, with_names=False), 1) == rows
    return documents, rows
