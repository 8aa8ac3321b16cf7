"""Streams of packed rows, read from anywhere and in several runs."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest
import token_documents

from code_t5.data import packing
from code_t5.data.example_stream import MixedStream, TaskStream
from code_t5.data.row_memo import RowMemo
from code_t5.data.row_stream import BLOCK_EXAMPLES, RowStream

BATCH = 24


def examples(*, seed=0):
    members = [
        TaskStream(
            token_documents.drawn_documents(1), objective=token_documents.prefix_lm(), seed=seed
        ),
        TaskStream(
            token_documents.drawn_documents(2), objective=token_documents.causal_lm(), seed=seed
        ),
    ]
    return MixedStream(members, rates=[0.4, 0.6], seed=seed)


def row_stream(**kwargs):
    return RowStream(examples(), lengths=token_documents.LENGTHS, **kwargs)


def blocks(stream, first_row=0):
    """Yields rows from one on, a block at a time."""
    index, skipped = stream.locate(first_row) if first_row else (0, 0)
    while stream.num_blocks is None or index < stream.num_blocks:
        yield {key: array[skipped:] for key, array in stream.block(index).items()}
        index, skipped = index + 1, 0


def batches(stream, *, first_batch, num_batches):
    """Hashes of batches, as a trainer reads them that goes on from a step."""
    hashes, waiting = [], None
    for rows in blocks(stream, first_batch * BATCH):
        if waiting is not None:
            rows = {key: np.concatenate([waiting[key], rows[key]]) for key in rows}
        while len(rows["inputs"]) >= BATCH:
            digest = hashlib.sha256()
            for key in sorted(rows):
                digest.update(rows[key][:BATCH].tobytes())
            hashes.append(digest.hexdigest())
            if len(hashes) == num_batches:
                return hashes
            rows = {key: array[BATCH:] for key, array in rows.items()}
        waiting = rows
    return hashes


def test_a_run_that_was_stopped_three_times_sees_the_batches_of_one_that_was_not(tmp_path):
    whole = batches(row_stream(), first_batch=0, num_batches=200)
    assert len(set(whole)) == 200
    seen = []
    # Each run is killed some batches after its last checkpoint, and the next goes on from there.
    for checkpoint, killed_at in ((0, 45), (40, 97), (80, 170), (160, 200)):
        stream = row_stream(memo=RowMemo(tmp_path / "memo", parts={"seed": 0}))
        del seen[checkpoint:]
        seen += batches(stream, first_batch=checkpoint, num_batches=killed_at - checkpoint)
    assert seen == whole


@pytest.mark.parametrize("lost", ["all", "half"])
def test_a_lost_memo_is_computed_again(tmp_path, lost):
    path = tmp_path / "memo"
    whole = batches(row_stream(memo=RowMemo(path)), first_batch=0, num_batches=160)
    written = path.read_bytes()
    lines = written.splitlines(keepends=True)
    path.unlink() if lost == "all" else path.write_bytes(b"".join(lines[: len(lines) // 2]))
    stream = row_stream(memo=RowMemo(path))
    assert batches(stream, first_batch=120, num_batches=40) == whole[120:]
    assert path.read_bytes() == written


def test_a_row_that_the_memo_knows_is_found_without_making_an_example(tmp_path):
    memo = RowMemo(tmp_path / "memo")
    for block in range(3):
        memo.record(block, 700)
    stream = RowStream(None, lengths=token_documents.LENGTHS, memo=memo)
    assert stream.locate(0) == (0, 0)
    assert stream.locate(1399) == (1, 699)
    assert stream.locate(2099) == (2, 699)


def test_rows_are_those_of_each_blocks_examples_packed():
    stream = row_stream()
    for index in range(2):
        numbers = np.arange(index * BLOCK_EXAMPLES, (index + 1) * BLOCK_EXAMPLES)
        wanted = packing.pack(examples().at(numbers), token_documents.LENGTHS)
        for key, array in stream.block(index).items():
            np.testing.assert_array_equal(array, wanted[key])
            assert array.shape[1] == stream.row_length(key)


def test_a_finite_stream_ends_with_its_last_example():
    documents = token_documents.drawn_documents(3, num_documents=600)
    task = TaskStream(documents, objective=token_documents.causal_lm(), shuffle=False)
    for pack in (False, True):
        stream = RowStream(
            task, lengths=token_documents.LENGTHS, pack=pack, num_examples=task.num_examples
        )
        assert stream.num_blocks == -(-task.num_examples // BLOCK_EXAMPLES) > 1
        targets = np.concatenate([rows["targets"] for rows in blocks(stream)])
        found = targets[targets > 1]
        np.testing.assert_array_equal(found, documents.tokens)
        assert (targets == 1).sum() == task.num_examples


def test_unpacked_rows_are_one_example_each_and_found_without_a_memo():
    stream = row_stream(pack=False)
    assert stream.locate(5 * BLOCK_EXAMPLES + 3) == (5, 3)
    rows = next(blocks(stream, 5 * BLOCK_EXAMPLES + 3))
    assert set(rows) == set(stream.keys) == {"inputs", "targets"}
    wanted = packing.pad(
        examples().at(np.arange(5 * BLOCK_EXAMPLES + 3, 6 * BLOCK_EXAMPLES)),
        token_documents.LENGTHS,
    )
    np.testing.assert_array_equal(rows["targets"], wanted["targets"])


def test_most_of_a_row_is_filled():
    rows = list(itertools.islice(blocks(row_stream()), 3))
    targets = np.concatenate([block["targets"] for block in rows])
    assert (targets > 0).mean() > 0.5
