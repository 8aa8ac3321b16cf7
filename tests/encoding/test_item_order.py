from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from code_t5 import errors
from code_t5.encoding import item_order

_IDENTITY = {"fingerprint": "abc", "split": "train", "num_windows": 103}


def _order(num_items=103, **options):
    return item_order.ItemOrder(num_items, **options)


def _ranks(world_size, *, order=None, batch_size=4, **options):
    return [
        item_order.ShardedOrder(
            order or _order(), batch_size=batch_size, rank=rank, world_size=world_size, **options
        )
        for rank in range(world_size)
    ]


def _epoch(ranks):
    """Returns the batches of one epoch, of all ranks, in the order in which they are consumed."""
    walks = [list(rank) for rank in ranks]
    return [walk[k] for k in range(len(walks[0])) for walk in walks]


def test_each_epoch_holds_each_window_once_in_another_order():
    order = _order()
    first, second = (order.at(np.arange(103), epoch=epoch) for epoch in range(2))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(103))
    assert (first != second).sum() > 90
    assert (first != np.arange(103)).sum() > 90


def test_positions_behind_the_end_lie_in_the_next_epoch():
    order = _order()
    assert order.at(np.arange(103, 206)).tolist() == (order.at(np.arange(103), epoch=1).tolist())


def test_order_without_shuffling_is_that_of_the_numbers():
    assert _order(shuffle=False).at(np.array([5, 102, 103]), epoch=3).tolist() == [5, 102, 0]


def test_seeds_give_other_orders():
    orders = [_order(seed=seed).at(np.arange(103)).tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_order_is_the_same_in_another_process():
    program = (
        "import numpy as np; from code_t5.encoding import item_order as o;"
        "print(o.ItemOrder(10**12, seed=7).at(np.arange(5)).tolist())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(ran.stdout) == _order(10**12, seed=7).at(np.arange(5)).tolist()


def test_order_never_changes():
    # What a run that was saved goes on from.
    assert _order(1000, seed=42).at(np.arange(5)).tolist() == [624, 639, 882, 475, 50]
    assert _order(2**40, seed=42).at(np.array([2**39])).tolist() == [81262540717]


def test_any_place_of_2_to_the_40_windows_is_found_at_once():
    order = _order(2**40)
    # A table would take 8 TB.
    found = order.at(np.array([0, 2**40 - 1, 2**39]))
    assert len(set(found.tolist())) == 3 and 0 <= found.min() <= found.max() < 2**40


def test_ranks_walk_one_order_together():
    order = _order()
    for world_size in (1, 2, 3):
        walked = np.concatenate(_epoch(_ranks(world_size, order=order)))
        num_whole = 103 // (4 * world_size) * 4 * world_size
        assert walked.tolist() == order.at(np.arange(num_whole)).tolist()


def test_blocks_of_positions_do_not_show(monkeypatch):
    expected = [batch.tolist() for batch in _ranks(2)[1]]
    for block in (1, 8, 20):
        monkeypatch.setattr(item_order, "_BLOCK_POSITIONS", block)
        found = _ranks(2)[1]
        assert [found.batch(index).tolist() for index in range(found.num_batches)] == expected
        assert [batch.tolist() for batch in found] == expected


@pytest.mark.parametrize("world_size", [1, 2, 3, 30])
def test_without_drop_last_each_window_comes_once(world_size):
    ranks = _ranks(world_size, drop_last=False)
    assert len({rank.num_batches for rank in ranks}) == 1
    walked = np.concatenate(_epoch(ranks))
    assert sorted(walked.tolist()) == list(range(103))
    assert all(len(batch) <= 4 for rank in _ranks(world_size, drop_last=False) for batch in rank)


def test_walks_of_several_epochs_go_on_by_themselves():
    (rank,) = _ranks(1)
    first, second = ([batch.tolist() for batch in rank] for _ in range(2))
    assert len(first) == len(second) == 25 and first != second
    assert (rank.epoch, rank.position) == (2, 0)
    rank.set_epoch(1)
    assert [batch.tolist() for batch in rank] == second


def test_setting_the_epoch_it_is_in_keeps_the_place():
    (rank,) = _ranks(1)
    rank.advance(3)
    rank.set_epoch(0)
    assert (rank.epoch, rank.position) == (0, 12)
    rank.set_epoch(2)
    assert (rank.epoch, rank.position) == (2, 0)
    with pytest.raises(errors.InputError, match="epoch is -1"):
        rank.set_epoch(-1)


def test_batch_counts_from_the_place_and_does_not_move():
    (rank,) = _ranks(1)
    expected = list(rank)
    (rank,) = _ranks(1)
    rank.advance(3)
    assert rank.num_batches == 22
    assert rank.batch(0).tolist() == expected[3].tolist()
    assert rank.batch(21).tolist() == expected[24].tolist()
    assert rank.position == 12
    for index in (-1, 22):
        with pytest.raises(IndexError, match="of 22 that are left"):
            rank.batch(index)
    with pytest.raises(IndexError, match="23 batches .* of 22"):
        rank.advance(23)


def test_state_is_json_and_the_same_on_all_ranks():
    ranks = _ranks(3, order=_order(identity=_IDENTITY))
    for rank in ranks:
        walk = iter(rank)
        next(walk), next(walk)
    states = [rank.state_dict() for rank in ranks]
    assert states[0] == states[1] == states[2] == json.loads(json.dumps(states[0]))
    assert states[0] == {
        "version": 1,
        "epoch": 0,
        "position": 24,
        "seed": 42,
        "shuffle": True,
        **_IDENTITY,
    }


@pytest.mark.parametrize("drop_last", [True, False])
def test_runs_go_on_exactly_on_other_ranks_with_other_batches(drop_last):
    rng = np.random.default_rng(0)
    order = _order(997)
    expected = order.at(np.arange(997)).tolist()
    for _ in range(20):
        walked, state = [], None
        while not walked or state["epoch"] == 0:
            world_size, batch_size = rng.integers(1, 5, size=2).tolist()
            options = {"batch_size": batch_size, "drop_last": drop_last}
            ranks = _ranks(world_size, order=order, **options)
            for rank in ranks if state else ():
                rank.load_state_dict(state)
            if ranks[0].epoch:
                break
            count = int(rng.integers(1, 30))
            walks = [iter(rank) for rank in ranks]
            for _ in range(min(count, ranks[0].num_batches)):
                walked += [window for walk in walks for window in next(walk).tolist()]
            state = json.loads(json.dumps(ranks[0].state_dict()))
        assert walked == expected[: len(walked)]
        assert len(walked) == 997 if not drop_last else len(walked) > 997 - 16


def test_state_with_less_than_a_batch_left_goes_on_with_the_next_epoch():
    (one,) = _ranks(1)
    one.advance(24)
    assert one.num_batches == 1
    ranks = _ranks(2)
    for rank in ranks:
        rank.load_state_dict(one.state_dict())
        assert (rank.epoch, rank.position) == (1, 0)


@pytest.mark.parametrize(
    ("order", "match"),
    [
        (_order(seed=1, identity=_IDENTITY), "seed is 42 where this reader has 1"),
        (_order(shuffle=False, identity=_IDENTITY), "shuffle is True where this reader has False"),
        (_order(identity={**_IDENTITY, "fingerprint": "x"}), "fingerprint is 'abc' where .* 'x'"),
        (_order(identity={**_IDENTITY, "split": "test"}), "split is 'train'"),
        (_order(104), "num_windows is 103 where this reader has 104"),
        (_order(identity={**_IDENTITY, "seq_len": 9}), "seq_len is None where this reader has 9"),
    ],
)
def test_states_of_other_windows_are_refused_by_name(order, match):
    (saved,) = _ranks(1, order=_order(identity=_IDENTITY))
    saved.advance(2)
    (rank,) = _ranks(1, order=order)
    with pytest.raises(errors.InputError, match=match) as caught:
        rank.load_state_dict(saved.state_dict())
    assert "\n" not in str(caught.value)
    assert (rank.epoch, rank.position) == (0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"position": -1},
        {"position": 103},
        {"position": 1.5},
        {"position": None},
        {"epoch": "1"},
        {"epoch": True},
        {"epoch": -1},
        {"version": 2},
    ],
)
def test_states_that_make_no_sense_are_refused(change):
    (rank,) = _ranks(1)
    with pytest.raises(errors.InputError, match=next(iter(change))) as caught:
        rank.load_state_dict({**rank.state_dict(), **change})
    assert "\n" not in str(caught.value)
    with pytest.raises(errors.InputError, match="version is None"):
        rank.load_state_dict({})
    with pytest.raises(errors.InputError, match="a state that is NoneType"):
        rank.load_state_dict(None)
    assert (rank.epoch, rank.position) == (0, 0)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 0}, "batch_size is 0; wanted a whole number of 1 or more"),
        (
            {"batch_size": 1, "rank": 2, "world_size": 2},
            "rank 2 with world_size 2; wanted one below",
        ),
        ({"batch_size": 1, "rank": -1}, "rank is -1; wanted"),
        ({"batch_size": 1, "world_size": 0}, "world_size is 0; wanted"),
        ({"batch_size": 2.5}, "batch_size is 2.5; wanted"),
        ({"batch_size": 104}, "103 windows make no batch of 104 for each of 1 ranks"),
        ({"batch_size": 52, "world_size": 2}, "wanted 104 at least"),
    ],
)
def test_numbers_that_do_not_do_are_refused(options, match):
    with pytest.raises(errors.InputError, match=match) as caught:
        item_order.ShardedOrder(_order(), **options)
    assert "\n" not in str(caught.value)


def test_no_windows_and_negative_positions_are_refused():
    with pytest.raises(errors.InputError, match="num_windows is 0"):
        _order(0)
    with pytest.raises(IndexError, match="positions -1 to -1 without end"):
        _order().at(np.array([-1]))


def test_fewer_windows_than_ranks_leave_some_with_empty_batches():
    ranks = _ranks(5, order=_order(3), drop_last=False)
    batches = [list(rank) for rank in ranks]
    assert [len(walk) for walk in batches] == [1] * 5
    assert sorted(window for walk in batches for window in walk[0].tolist()) == [0, 1, 2]
