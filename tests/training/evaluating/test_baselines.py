from __future__ import annotations

import shutil

import pytest

from code_t5 import errors
from code_t5.storage import prepared
from code_t5.training.evaluating import baselines, cursors


@pytest.fixture
def dataset(small_data_dir, tmp_path):
    """A data set of one's own."""
    shutil.copytree(small_data_dir, tmp_path / "data")
    return prepared.list_datasets(str(tmp_path / "data"))[0]


def _folder(dataset):
    (found,) = (
        path for path in (dataset.dataset_dir.parents[2] / "baselines").iterdir() if path.is_dir()
    )
    return found


def test_what_was_counted_is_kept_and_answers_alike(dataset, monkeypatch):
    first = baselines.open_baselines(dataset, config=baselines.BaselineConfig(max_order=3))
    monkeypatch.setattr(baselines, "_build", None)
    second = baselines.open_baselines(dataset, config=baselines.BaselineConfig(max_order=3))
    files = list(cursors.read_files(dataset, "train"))
    prompts = [file.text[:60] for file in files[:9]]
    for name in (baselines.NGRAM, baselines.NEXT_LINE):
        found = [first.complete(name, prompt) for prompt in prompts]
        assert any(found)
        assert found == [second.complete(name, prompt) for prompt in prompts]
    assert first.about == second.about
    assert first.about["ngram"]["num_files"] == len(files)
    assert first.about["ngram"]["num_files_in_split"] == len(files)


def test_other_settings_are_counted_anew(dataset):
    every = baselines.open_baselines(dataset, config=baselines.BaselineConfig(max_order=2))
    some = baselines.open_baselines(dataset, config=baselines.BaselineConfig(2, max_bytes=3000))
    about, of_every = some.about["next_line"], every.about["next_line"]
    assert 0 < about["num_bytes"] <= 3000 < of_every["num_bytes"]
    assert about["fingerprint"] != of_every["fingerprint"]


def test_damage_is_one_line(dataset):
    config = baselines.BaselineConfig(max_order=2)
    baselines.open_baselines(dataset, config=config)
    path = _folder(dataset) / "order_2_counts.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(errors.ArtifactError, match="order_2_counts.npy has SHA-256") as found:
        baselines.open_baselines(dataset, config=config)
    assert "\n" not in str(found.value)


def test_orders_out_of_range_are_refused():
    with pytest.raises(errors.InputError, match="--ngram_order"):
        baselines.BaselineConfig(max_order=1)
