"""Taking up the configuration of a trained model."""

from __future__ import annotations

import gin
import pytest

from code_t5 import errors
from code_t5.training import operative_config


@pytest.fixture(autouse=True)
def clean():
    yield
    with gin.unlock_config():
        gin.clear_config()


def test_lengths_are_read_with_their_macros_resolved(tmp_path):
    (tmp_path / "operative_config.gin").write_text(
        "import mesh_tensorflow.transformer.utils\n"
        "inputs_length = 96\n"
        "run.sequence_length = {'inputs': %inputs_length, 'targets': 20}\n"
    )
    operative_config.parse(tmp_path)
    assert operative_config.sequence_length() == {"inputs": 96, "targets": 20}


def test_nothing_of_an_earlier_configuration_remains(tmp_path):
    with gin.unlock_config():
        gin.parse_config("earlier = 1")
    (tmp_path / "operative_config.gin").write_text("later = 2\n")
    operative_config.parse(tmp_path)
    assert gin.query_parameter("later/gin.macro.value") == 2
    with pytest.raises(ValueError):
        gin.query_parameter("earlier/gin.macro.value")


def test_directory_without_a_configuration_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="train first"):
        operative_config.parse(tmp_path)
