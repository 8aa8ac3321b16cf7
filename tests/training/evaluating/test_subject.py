from __future__ import annotations

import json
import shutil

import pytest

from code_t5 import errors
from code_t5.storage import prepared
from code_t5.training.checkpoints import vocabulary_record
from code_t5.training.evaluating import subject


def _find(model, task=None):
    return subject.find_subject(model.model_dir, data_dir=model.data_dir, task=task)


def _copy_dataset(model, **fields):
    """Gives the data set `small` a second name, `other`, and its manifest other fields."""
    (own,) = prepared.list_datasets(str(model.data_dir))
    place = own.dataset_dir.parents[1] / "other" / own.dataset_dir.name
    shutil.copytree(own.dataset_dir, place)
    path = place / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))


def test_the_models_own_task_is_what_is_measured(model):
    found = _find(model)
    assert (found.task, found.trained_on) == ("small_prefix_lm", "small_prefix_lm")
    assert found.dataset == found.counted
    assert found.model["d_ff"] == 64


def test_on_other_data_baselines_know_what_the_model_knows(model):
    _copy_dataset(model)
    found = _find(model, "other_line_completion")
    assert (found.task, found.trained_on) == ("other_line_completion", "small_prefix_lm")
    assert (found.dataset.name, found.counted.name) == ("other", "small")


@pytest.mark.parametrize("has_record", [True, False])
def test_data_of_another_vocabulary_is_refused(model, has_record):
    _copy_dataset(model, vocabulary_fingerprint="f" * 64)
    record = model.model_dir / vocabulary_record.FILE_NAME
    if not has_record:
        record.unlink()
    with pytest.raises(errors.VocabularyMismatchError, match="f" * 16) as found:
        _find(model, "other_line_completion")
    assert "\n" not in str(found.value) and record.exists() == has_record
    assert _find(model, "small_line_completion").dataset.name == "small"


def test_a_task_that_is_not_there_is_one_line(model):
    with pytest.raises(errors.InputError, match="--task=small_line_completion") as found:
        _find(model, "nothing")
    assert "\n" not in str(found.value)
