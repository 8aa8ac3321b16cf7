"""What T5 teachers are asked about: examples by number, seed and split."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from refusals import assert_refused

from code_t5.data.task_cache import layout
from code_t5.encoding.piece_model import EOS_ID
from code_t5.token_cache.reader import TokenCacheReader
from code_t5.training.teachers import t5_inputs

_TASK = "small_prefix_lm"
_LENGTHS = {"inputs": 24, "targets": 20}


@pytest.fixture(name="open_task")
def _open_task(small_data_dir, small_task_caches):
    def open_task(task=_TASK, *, lengths=_LENGTHS, caches=small_task_caches, objective=None):
        return t5_inputs.open_task(
            task,
            data_dir=str(small_data_dir),
            lengths=lengths,
            task_cache_dir=str(caches),
            objective=objective,
        )

    return open_task


def _lists(drawn):
    return [(one.inputs.tolist(), one.targets.tolist()) for one in drawn]


def test_an_example_is_a_stretch_of_a_file_with_two_ends_of_text(open_task, small_task_caches):
    tokens = TokenCacheReader(small_task_caches / _TASK / layout.TOKENS_NAME).split("train")
    whole = tokens.tokens.astype("<u2").tobytes()
    drawn = open_task().draw(range(40), seed=3, split="train")
    for one in drawn:
        assert one.inputs[-1] == one.targets[-1] == EOS_ID
        assert len(one.inputs) <= 24 and 2 <= len(one.targets) <= 20
        stretch = np.concatenate([one.inputs[:-1], one.targets[:-1]]).astype("<u2")
        assert whole.find(stretch.tobytes()) >= 0
    assert len({len(one.targets) for one in drawn}) > 5


def test_number_seed_and_split_alone_decide(open_task):
    one, other = open_task(), open_task()
    wanted = _lists(one.draw(range(30), seed=3, split="train"))
    assert _lists(other.draw([7, 0, 29], seed=3, split="train")) == [wanted[i] for i in (7, 0, 29)]
    assert _lists(other.draw(range(30), seed=4, split="train")) != wanted
    assert _lists(other.draw(range(30), seed=3, split="validation")) != wanted
    assert _lists(other.draw(range(30), seed=3, split="train")) == wanted
    # After all of them they are cut anew.
    assert len(_lists(one.draw([10_000_000], seed=3, split="train"))) == 1


def test_training_has_no_end_and_validation_a_fixed_number(open_task, monkeypatch):
    task = open_task()
    assert task.num_available("train") is None
    num_examples = task.num_available("validation")
    assert 10 < num_examples <= t5_inputs.MAX_VALIDATION_SAMPLES
    monkeypatch.setattr(t5_inputs, "MAX_VALIDATION_SAMPLES", 5)
    assert open_task().num_available("validation") == 5


def test_description_tells_tasks_and_lengths_apart(open_task):
    first = open_task().description
    assert open_task().description == first
    shorter = open_task(lengths={"inputs": 16, "targets": 16}).description
    assert shorter["objective"]["sequence_length"] == {"inputs": 16, "targets": 16}
    assert shorter["tokens"] == first["tokens"] and len(first["tokens_sha256"]) == 64


def test_a_cache_that_is_missing_is_written(open_task, tmp_path):
    wanted = open_task().draw(range(4), seed=1, split="train")
    found = open_task(caches=tmp_path / "new").draw(range(4), seed=1, split="train")
    assert (tmp_path / "new" / _TASK / layout.TOKENS_NAME).is_dir()
    assert len(found) == len(wanted)


def test_a_task_without_objective_wants_one(open_task, small_task_caches, tmp_path):
    assert_refused(lambda: open_task("small"), match="leaves its objective .* small_prefix_lm")
    shutil.copytree(small_task_caches / _TASK, tmp_path / "small")
    chosen = open_task("small", caches=tmp_path, objective="prefix_lm")
    assert chosen.description["objective"]["objective"] == "prefix_lm"


def test_what_is_no_task_is_refused(open_task):
    assert_refused(lambda: open_task("small_prefix_ln"), match="is no Task.*small_prefix_lm")


def test_a_cache_of_seqio_is_refused(open_task, small_task_caches, tmp_path):
    shutil.copytree(small_task_caches / _TASK, tmp_path / _TASK)
    shutil.rmtree(tmp_path / _TASK / layout.TOKENS_NAME)
    assert_refused(lambda: open_task(caches=tmp_path), match="holds no tokens.*--overwrite")


def test_a_damaged_cache_is_refused(open_task, small_task_caches, tmp_path):
    shutil.copytree(small_task_caches / _TASK, tmp_path / _TASK)
    (tmp_path / _TASK / "manifest.json").write_text("{}")
    assert_refused(lambda: open_task(caches=tmp_path), match="manifest.*--overwrite")


def test_a_split_that_is_missing_is_refused(open_task):
    assert_refused(lambda: open_task().num_available("holdout"), match="no split 'holdout'")
