"""Streams of examples that can be read from anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import token_documents

from code_t5 import errors
from code_t5.data.example_stream import ROUND_EXAMPLES, MixedStream, TaskStream


def rows_of(examples):
    sides = (examples.inputs, examples.targets)
    return [tuple(tuple(side.row(i).tolist()) for side in sides) for i in range(sides[0].num_rows)]


def task_stream(seed=0, *, documents=None, **kwargs):
    documents = documents or token_documents.drawn_documents(0)
    return TaskStream(documents, objective=token_documents.prefix_lm(), seed=seed, **kwargs)


def windows_of(examples):
    """First token of each window: it tells windows of numbered tokens apart."""
    return [(inputs + targets)[0] for inputs, targets in rows_of(examples)]


def test_an_epoch_holds_each_example_once_and_the_next_one_in_another_order():
    stream = task_stream()
    num = stream.num_examples
    epochs = [windows_of(stream.at(np.arange(i * num, (i + 1) * num))) for i in range(3)]
    assert num > 100
    assert len(set(epochs[0])) == num
    for epoch in epochs[1:]:
        assert set(epoch) == set(epochs[0])
        assert epoch != epochs[0]
    assert epochs[1] != epochs[2]


def test_each_epoch_cuts_its_windows_anew():
    stream = task_stream()
    num = stream.num_examples
    first, second = (
        dict(zip(windows_of(epoch), rows_of(epoch)))
        for epoch in (stream.at(np.arange(num)), stream.at(np.arange(num, 2 * num)))
    )
    cut_anew = sum(first[window] != second[window] for window in first)
    assert cut_anew > num / 2


def test_any_piece_read_alone_is_the_piece_of_the_whole():
    stream = task_stream()
    whole = rows_of(stream.at(np.arange(500)))
    for start, stop in ((0, 1), (499, 500), (137, 402)):
        assert rows_of(task_stream().at(np.arange(start, stop))) == whole[start:stop]
    assert rows_of(stream.at(np.array([400, 3, 3]))) == [whole[400], whole[3], whole[3]]


def test_another_seed_gives_another_order_and_other_cuts():
    numbers = np.arange(task_stream().num_examples)
    first, second = (task_stream(seed).at(numbers) for seed in (0, 1))
    assert windows_of(first) != windows_of(second)
    assert sorted(windows_of(first)) == sorted(windows_of(second))


def test_without_shuffling_documents_come_as_they_stand():
    documents = token_documents.documents_of([20, 0, 5])
    stream = task_stream(documents=documents, shuffle=False)
    assert stream.num_examples == 3
    assert windows_of(stream.at(np.arange(4))) == [10, 25, 30, 10]


def test_documents_without_examples_are_refused():
    with pytest.raises(errors.InputError, match="2 documents hold no example .* prefix_lm"):
        task_stream(documents=token_documents.documents_of([0, 0]))


def test_a_place_far_on_is_read_at_once():
    stream = task_stream()
    far = 10**12
    assert len(rows_of(stream.at(np.arange(far, far + 5)))) == 5


def mixed_stream(rates, *, seed=0):
    members = [
        TaskStream(
            token_documents.drawn_documents(number, first_token=10_000 * (number + 1)),
            objective=token_documents.prefix_lm(),
        )
        for number in range(len(rates))
    ]
    return MixedStream(members, rates=rates, seed=seed), members


@pytest.mark.parametrize(
    "rates",
    [[1.0], [1, 1], [3, 1], [0.2, 0.3, 0.5], [1e6, 1, 7, 1e3, 2.5], [1e-9, 1.0], [8e307, 8e307]],
)
def test_members_have_their_shares_after_any_number_of_rounds(rates):
    stream, _ = mixed_stream(rates)
    owners, places = stream.locate(np.arange(200 * ROUND_EXAMPLES))
    shares = np.array(rates) / sum(rates)
    counts = np.stack([owners == member for member in range(len(rates))])
    counts = counts.cumsum(axis=1)[:, ROUND_EXAMPLES - 1 :: ROUND_EXAMPLES]
    wanted = shares[:, None] * np.arange(1, 201) * ROUND_EXAMPLES
    assert np.abs(counts - wanted).max() <= len(rates)
    # No example of a member is left out or comes twice.
    for member in range(len(rates)):
        mine = places[owners == member]
        assert sorted(mine.tolist()) == list(range(len(mine)))


def test_a_far_place_of_a_mixture_has_the_right_shares():
    stream, _ = mixed_stream([0.3, 0.7])
    start = 10**14 // ROUND_EXAMPLES * ROUND_EXAMPLES
    owners, places = stream.locate(np.arange(start, start + 100 * ROUND_EXAMPLES))
    assert abs((owners == 0).sum() - 0.3 * len(owners)) <= 2
    for member, share in ((0, 0.3), (1, 0.7)):
        mine = places[owners == member]
        assert len(set(mine.tolist())) == len(mine)
        assert abs(mine.min() / (start * share) - 1) < 1e-6


def test_members_are_shuffled_within_a_round():
    stream, _ = mixed_stream([1, 1])
    owners, _ = stream.locate(np.arange(4 * ROUND_EXAMPLES))
    changes = (np.diff(owners) != 0).mean()
    assert abs(changes - 0.5) < 0.05
    other, _ = mixed_stream([1, 1], seed=1)[0].locate(np.arange(4 * ROUND_EXAMPLES))
    assert (owners != other).any()


def test_examples_of_a_mixture_are_those_of_its_members():
    stream, members = mixed_stream([0.5, 0.2, 0.3])
    numbers = np.arange(300, 700)
    owners, places = stream.locate(numbers)
    found = rows_of(stream.at(numbers))
    for number, owner, place in zip(range(len(numbers)), owners, places):
        assert [found[number]] == rows_of(members[owner].at(np.array([place])))
    assert set(owners.tolist()) == {0, 1, 2}


def test_any_piece_of_a_mixture_is_the_piece_of_the_whole():
    stream, _ = mixed_stream([0.5, 0.5])
    whole = rows_of(stream.at(np.arange(3000)))
    assert rows_of(stream.at(np.arange(1000, 1100))) == whole[1000:1100]


@pytest.mark.parametrize("rates", [[1, 0], [1, -1], [float("nan"), 1], [float("inf"), 1]])
def test_rates_that_are_not_positive_are_refused(rates):
    with pytest.raises(errors.InputError, match="wanted a positive number for each"):
        mixed_stream(rates)
