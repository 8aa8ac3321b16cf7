from __future__ import annotations

import math
import pathlib

import numpy as np
import pytest

from code_t5 import errors
from code_t5.encoding import token_model
from code_t5.storage import prepared
from code_t5.training import figures
from code_t5.training.evaluating import losses


@pytest.fixture
def dataset(small_data_dir):
    return prepared.list_datasets(str(small_data_dir))[0]


@pytest.fixture
def model_dir(tmp_path):
    (tmp_path / "operative_config.gin").write_text("# as trained\n")
    return tmp_path


def _with_counts(monkeypatch, counts):
    calls = []

    def run(work, *, tick_fn):
        calls.append(work.keywords)
        return counts

    monkeypatch.setattr(losses.parallel, "run_in_child", run)
    return calls


def _count(model_dir, dataset, **changes):
    settings = {"task": "small_prefix_lm", "split": "validation", "max_examples": 48}
    settings = {**settings, "cache_dir": model_dir, **changes}
    return losses.count_targets(model_dir, dataset=dataset, **settings)


def test_bytes_are_those_of_the_targets_without_ends_and_sentinels(model_dir, dataset, monkeypatch):
    model = token_model.load_token_model(dataset.vocabulary_dir)
    ids = [*model.encode("return 'é'\n"), 1, model.vocab_size - 1, *model.encode("x"), 1]
    calls = _with_counts(monkeypatch, np.bincount(ids, minlength=model.vocab_size).tolist())
    found = _count(model_dir, dataset)
    wanted = len("return 'é'\nx".encode())
    assert found == losses.Targets(num_tokens=len(ids), num_bytes=wanted, num_examples=2)
    # Counted once, unless something else is asked for.
    assert _count(model_dir, dataset) == found and len(calls) == 1
    _count(model_dir, dataset, max_examples=16)
    (model_dir / "operative_config.gin").write_text("# trained otherwise\n")
    _count(model_dir, dataset)
    assert [call["max_examples"] for call in calls] == [48, 16, 48]


def test_no_targets_are_refused(model_dir, dataset, monkeypatch):
    _with_counts(monkeypatch, [0] * 500)
    with pytest.raises(errors.InputError, match="no target tokens in the test split"):
        _count(model_dir, dataset, split="test")


def _measure(model_dir, dataset, monkeypatch, *, num_tokens):
    runs = []
    monkeypatch.setattr(
        losses, "count_targets", lambda *_, **given: losses.Targets(100, 250, num_examples=33)
    )
    monkeypatch.setattr(losses.launch, "run_trainer", lambda config, **_: runs.append(config))

    def read(folder, *, name, split, step):
        assert (folder, name, split) == (model_dir, "small_prefix_lm", "test")
        return figures.EvaluationFigures(step, step / 10, 0.5, num_tokens, 48)

    monkeypatch.setattr(losses.figures, "read_evaluation", read)
    found = losses.measure_losses(
        model_dir,
        dataset=dataset,
        task="small_prefix_lm",
        split="test",
        steps=[10, 20],
        max_examples=1000,
        cache_dir=model_dir,
    )
    return found, runs


def test_all_steps_are_evaluated_in_one_run_of_as_many_batches_as_there_are(
    model_dir, dataset, monkeypatch
):
    found, (run,) = _measure(model_dir, dataset, monkeypatch, num_tokens=100)
    assert found[20].nats_per_token == 2.0
    assert found[20].bits_per_byte == pytest.approx(2 * 100 / math.log(2) / 250)
    assert run.data_dir == pathlib.Path(dataset.data_dir)
    assert set(run.gin_params) == {
        "utils.run.dataset_split = 'test'",
        "utils.run.perplexity_eval_steps = 3",
        "utils.run.batch_size = 16",
        "eval_checkpoint_step = [10, 20]",
        "LineCompletion.bytes_per_cursor = 1000",
        "LineCompletion.line_start_share = 0.5",
        "LineCompletion.redraw = False",
    }


def test_a_loss_over_other_tokens_is_refused(model_dir, dataset, monkeypatch):
    with pytest.raises(errors.ArtifactError, match="evaluated 99 tokens .* and 100 were counted"):
        _measure(model_dir, dataset, monkeypatch, num_tokens=99)


def test_losses_of_splits_are_joined_by_their_tokens_and_bytes():
    first = losses.Loss(2.0, 0, 0.5, num_tokens=100, num_bytes=300, num_examples=3)
    second = losses.Loss(1.0, 0, 0.8, num_tokens=300, num_bytes=500, num_examples=4)
    found = losses.join([first, second])
    assert (found.nats_per_token, found.num_tokens, found.num_examples) == (1.25, 400, 7)
    assert found.token_accuracy == pytest.approx(0.725)
    assert found.bits_per_byte == pytest.approx(1.25 * 400 / math.log(2) / 800)
