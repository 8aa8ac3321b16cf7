from __future__ import annotations

import pytest
import tensorflow_datasets as tfds

from code_t5 import errors
from fakes import write_code_repositories
from preprocessing.flcc import flcc_dataset_builder


def test_a_prepared_data_set_is_read_by_its_name_with_the_builder_imported(small_data_dir):
    builder = tfds.builder("flcc/small", data_dir=str(small_data_dir))
    assert builder.name == "flcc"
    assert builder.info.version == "2.0.0"
    assert sorted(builder.info.features) == [
        "branch", "content_hash", "language", "license", "path", "repository", "size", "text",
    ]  # fmt: skip


def test_the_builder_builds_what_its_config_names(tmp_path):
    write_code_repositories(tmp_path / "in", num_repositories=20, files_each=20)
    config = flcc_dataset_builder.FlccConfig(name="mine", input_dir=str(tmp_path / "in"))
    builder = flcc_dataset_builder.Builder(config=config, data_dir=str(tmp_path / "data"))
    builder.download_and_prepare()
    assert sum(split.num_examples for split in builder.info.splits.values()) == 400
    again = tfds.load("flcc/mine", data_dir=str(tmp_path / "data"), split="train")
    assert len(list(again)) == builder.info.splits["train"].num_examples


def test_a_config_without_input_says_which_command_builds_it(tmp_path):
    builder = flcc_dataset_builder.Builder(config="fl_py_50stars_2019", data_dir=str(tmp_path))
    with pytest.raises(errors.NotBuiltError, match="python -m preprocessing.build"):
        builder.download_and_prepare()
