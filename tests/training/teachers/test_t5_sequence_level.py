"""T5 teachers at the level of sequences: continuations, the best first, with their scores."""

from __future__ import annotations

import numpy as np
import pytest

from code_t5.encoding.piece_model import EOS_ID
from code_t5.training.teachers import registry, t5_sequence_level
from code_t5.training.teachers.batching import BatchRunner


@pytest.fixture(name="teacher")
def _teacher(t5_settings):
    settings = {**t5_settings, "targets_length": 8, "num_beams": 3}
    return registry.open_teacher("t5_dev_nbest4", settings=settings)


def _run(teacher, *, batch_size=4):
    runner = BatchRunner(teacher, batch_size=batch_size)
    return runner.run_window(range(4), seed=1, split="train")


def test_columns_are_as_the_schema_says(teacher):
    columns = _run(teacher)
    assert tuple(columns) == teacher.schema.names == teacher.order
    assert columns["sequence_lengths"].dtype == np.int32
    assert columns["scores"].dtype == np.float32
    assert columns["scores"].shape == columns["sequence_lengths"].shape == (4, 3)
    assert columns["sequences"].values.dtype == np.uint16
    lengths = columns["sequence_lengths"].sum(axis=1)
    assert columns["sequences"].lengths.tolist() == lengths.tolist()
    inputs = teacher.draw(range(4), seed=1, split="train")
    assert columns["targets"].row(2).tolist() == inputs[2].targets.tolist()


def test_continuations_end_once_and_the_best_come_first(teacher):
    columns = _run(teacher)
    for rows, scores in zip(t5_sequence_level.sequences_of(columns), columns["scores"]):
        assert len(rows) == 3 and (np.diff(scores) <= 0).all() and scores[0] < 0
        for row in rows:
            assert 1 <= len(row) <= 8 and EOS_ID not in row[:-1]
            assert row[-1] == EOS_ID or len(row) == 8
            # Neither padding nor what no text has.
            assert 1 <= row.min() and row.max() < 500


def test_a_continuation_ends_with_the_end_of_text(teacher, monkeypatch):
    def generate(**given):
        import torch

        rows = [[0, 7, EOS_ID, 0], [0, 7, 8, 9], [0, EOS_ID, 0, 0]]
        return torch.tensor(rows * len(given["attention_mask"]))

    monkeypatch.setattr(teacher.network.model, "generate", generate)
    columns = _run(teacher)
    found = t5_sequence_level.sequences_of(columns)[1]
    assert sorted(row.tolist() for row in found) == [[EOS_ID], [7, EOS_ID], [7, 8, 9]]
    assert (np.diff(columns["scores"]) <= 0).all()


def test_options_say_how_continuations_are_found(teacher):
    wanted = {"num_beams": 3, "max_new_tokens": 8, "length_penalty": 0.0, "vocab_size": 512}
    assert teacher.options.items() >= wanted.items()
    assert teacher.options["suppressed"] == "0, and 12 ids behind the vocabulary's"


def test_ranges_are_of_tokens_and_scores(teacher):
    columns = _run(teacher)
    found = teacher.describe_values({name: columns[name] for name in teacher.described_fields})
    assert found["tokens of a continuation"].max() <= 8
    assert found["score of the best (nats)"].tolist() == columns["scores"][:, 0].tolist()


def test_comparison_finds_what_is_the_same_and_what_is_not(teacher):
    columns = _run(teacher)
    same = teacher.compare(columns, _run(teacher, batch_size=1))
    assert [one.is_close for one in same] == [True] * 3
    assert same[1].value < 1e-3 and same[2].value == 1
    worse = {**columns, "scores": columns["scores"] - 1}
    _, error, share = teacher.compare(worse, columns)
    assert error.value == pytest.approx(1, abs=1e-3) and not error.is_close
    sequences = columns["sequences"].values.copy()
    sequences += 1
    others = {
        **columns,
        "sequences": type(columns["sequences"])(sequences, columns["sequences"].offsets),
    }
    _, error, share = teacher.compare(others, columns)
    assert not share.is_close and share.value == 0 and not error.is_close
