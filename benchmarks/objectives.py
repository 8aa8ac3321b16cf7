"""Prints what the objectives make of real code and how fast: what `docs/objectives.md` shows.

    python -m benchmarks.objectives --data_dir=data --name=dev_python

First each objective's examples of one of the project's own files,
`code_t5/training/event_files.py`, with short lengths and the data set's vocabulary. Then the speed
of each with 512 tokens of inputs and of targets, 1,024 examples at a time in shuffled order, from a
memory map of the first `--max_mb` of the train split: million tokens of examples per CPU second on
one thread, and the average lengths. Beside them two of t5's own preprocessors, fed with the same
documents from memory; they may use all cores, and CPU time is what is counted there too.
"""

from __future__ import annotations

import pathlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from absl import flags

from code_t5 import command_line
from code_t5.data.objectives import OBJECTIVES, Documents, Objective, Requests, mix_keys
from code_t5.encoding import ragged, token_model, unit_encoder
from code_t5.storage import prepared, tfrecords
from code_t5.training import event_files

_DATA_DIR = flags.DEFINE_string("data_dir", None, "The data directory.", required=True)
_NAME = flags.DEFINE_string("name", "dev_python", "A data set in it.")
_MAX_MB = flags.DEFINE_float("max_mb", 30, "Read so much text.", lower_bound=0.1)
_SECONDS = flags.DEFINE_float("seconds", 2, "Measure each objective so long.", lower_bound=0)

_BATCH = 1024
_LENGTHS = {"inputs": 512, "targets": 512}
_INFILLING = {"inputs": 256, "targets": 256}
# Objective, settings, lengths, and the seed and the number of each example.
_SHOWN: list[tuple[str, dict[str, Any], dict[str, int], list[tuple[int, int]]]] = [
    ("prefix_lm", {}, {"inputs": 96, "targets": 96}, [(1, 5)]),
    ("prefix_lm", {"with_path": True}, {"inputs": 160, "targets": 96}, [(1, 5)]),
    ("span_corruption", {}, {"inputs": 96, "targets": 96}, [(1, 5)]),
    ("causal_lm", {}, {"inputs": 16, "targets": 96}, [(1, 5)]),
    ("infilling", {"rate": 1.0}, _INFILLING, [(1, 4), (1, 0)]),
    ("infilling", {"unit": "lines", "rate": 1.0}, _INFILLING, [(2, 4)]),
    ("infilling", {"unit": "ast", "rate": 1.0}, _INFILLING, [(2, 3), (2, 4)]),
    (
        "line_completion",
        {"bytes_per_cursor": 200},
        {"inputs": 64, "targets": 32},
        [(1, 7), (1, 10)],
    ),
]
_TIMED: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in OBJECTIVES),
    ("infilling", {"unit": "lines"}),
    ("infilling", {"unit": "ast"}),
]


def _title(name: str, settings: Mapping[str, Any]) -> str:
    return ", ".join([name, *(f"{key}={value}" for key, value in settings.items())])


def _show(model: token_model.TokenModel) -> None:
    """Prints examples of one file."""
    path = pathlib.Path(event_files.__file__)
    ids = np.array(model.encode(path.read_text(encoding="utf-8")), dtype=np.int32)
    documents = Documents(
        ids,
        np.array([0, len(ids)]),
        np.array([path.stat().st_size]),
        lambda index: ("code_t5", f"code_t5/training/{path.name}"),
    )
    print(f"{len(ids)} tokens, {path.stat().st_size} bytes\n")
    for name, settings, lengths, shown in _SHOWN:
        objective = OBJECTIVES[name](lengths, model=model, **settings)
        count = int(objective.num_examples(documents)[0])
        seeds, numbers = np.array(shown, dtype=np.int64).T
        numbers %= count
        requests = Requests(np.zeros_like(numbers), numbers, mix_keys(seeds, numbers))
        examples = objective.make_examples(documents, requests)
        for index, number in enumerate(numbers.tolist()):
            print(f"### {_title(name, settings)}: example {number} of {count}\n")
            for kind, rows in (("inputs", examples.inputs), ("targets", examples.targets)):
                row = rows.row(index).tolist()
                print(f"{kind}, {len(row)} tokens:\n\n```\n{model.decode(row)}\n```\n")


def _texts(dataset: prepared.PreparedDataset) -> Iterator[tuple[bytes, tuple[str, str]]]:
    """Yields the first texts of the train split, and where they come from."""
    size = 0
    for path in sorted(dataset.dataset_dir.glob("flcc-train.tfrecord-*")):
        for text, *names in tfrecords.read_features(path, ["text", "repository", "path"]):
            yield text, tuple(name.decode("utf-8") for name in names)
            size += len(text)
            if size >= _MAX_MB.value * 1e6:
                return


def _encode(
    dataset: prepared.PreparedDataset, model: token_model.TokenModel, *, folder: pathlib.Path
) -> Documents:
    """Encodes texts into a memory map."""
    texts, names = zip(*_texts(dataset))
    rows = unit_encoder.UnitEncoder(model).encode(texts)
    np.save(folder / "tokens.npy", rows.values.astype(np.uint16))
    return Documents(
        np.load(folder / "tokens.npy", mmap_mode="r"),
        rows.offsets,
        np.array(list(map(len, texts)), dtype=np.int64),
        names.__getitem__,
    )


def _time_ours(objective: Objective, documents: Documents) -> str:
    """Makes examples for some seconds, and says how many tokens a second they have."""
    counts = objective.num_examples(documents)
    positions = np.repeat(np.arange(len(counts)), counts)
    numbers = ragged.positions_in_ranges(np.zeros(len(counts), dtype=np.int64), counts)
    order = np.random.default_rng(0).permutation(len(numbers))
    made = np.zeros(3, dtype=np.int64)
    start = time.process_time()
    while time.process_time() < start + _SECONDS.value or not made[0]:
        chosen = order[made[0] % len(order) :][:_BATCH]
        requests = Requests(positions[chosen], numbers[chosen], mix_keys(0, chosen))
        examples = objective.make_examples(documents, requests)
        made += len(chosen), len(examples.inputs.values), len(examples.targets.values)
    return _figures(made, time.process_time() - start)


def _figures(made: np.ndarray, seconds: float) -> str:
    num, inputs, targets = made.tolist()
    rate = (inputs + targets) / 1e6 / seconds
    return f"{rate:8.1f} {inputs / num:8.1f} {targets / num:8.1f}"


def _time_t5(name: str, documents: Documents) -> str:
    """Does the same with t5's preprocessor."""
    import seqio
    import tensorflow as tf
    from t5.data import preprocessors

    rows = tf.RaggedTensor.from_row_splits(
        np.asarray(documents.tokens).astype(np.int32), documents.offsets
    )
    dataset = tf.data.Dataset.from_tensor_slices({"targets": rows})
    dataset = dataset.map(lambda x: {"targets": tf.ensure_shape(x["targets"], [None])}).repeat()
    vocabulary = seqio.PassThroughVocabulary(1 << 16)
    features = {feature: seqio.Feature(vocabulary) for feature in _LENGTHS}
    found = getattr(preprocessors, name)(dataset, _LENGTHS, features)
    made = np.zeros(3, dtype=np.int64)
    examples = found.as_numpy_iterator()
    next(examples)
    start = time.process_time()
    while time.process_time() < start + _SECONDS.value or not made[0]:
        example = next(examples)
        made += 1, len(example["inputs"]), len(example["targets"])
    return _figures(made, time.process_time() - start)


def main(argv: list[str]) -> None:
    """Prints the examples and the speeds."""
    del argv
    dataset = prepared.PreparedDataset(_NAME.value, _DATA_DIR.value)
    model = token_model.load_token_model(dataset.vocabulary_dir)
    _show(model)
    with tempfile.TemporaryDirectory() as folder:
        documents = _encode(dataset, model, folder=pathlib.Path(folder))
        num, size = len(documents.sizes), documents.sizes.sum() / 1e6
        print(f"{size:.1f} MB, {num:,} files, {len(documents.tokens):,} tokens\n")
        print(f"{'objective':30} {'M tok/s':>8} {'inputs':>8} {'targets':>8}")
        for name, settings in _TIMED:
            objective = OBJECTIVES[name](_LENGTHS, model=model, **settings)
            print(f"{_title(name, settings):30} {_time_ours(objective, documents)}", flush=True)
        for name in ("prefix_lm", "span_corruption"):
            print(f"{name + ' of t5':30} {_time_t5(name, documents)}", flush=True)


if __name__ == "__main__":
    command_line.run(main)
