"""Checkpoints are found by their names, and read with their checksums."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from training.checkpoints import tiny_checkpoints

from code_t5 import errors
from code_t5.training.checkpoints import reading


@pytest.fixture
def model_dir(tmp_path):
    return tiny_checkpoints.save(tmp_path / "model", [10, 20])


def test_newest_step_and_all_steps_are_those_that_tensorflow_saved(model_dir):
    assert reading.newest_step(model_dir) == 20
    assert reading.recorded_steps(model_dir) == [10, 20]
    assert reading.list_steps(model_dir) == [10, 20]
    assert reading.checkpoint_path(model_dir) == model_dir / "model.ckpt-20"
    assert reading.checkpoint_path(str(model_dir), 10) == model_dir / "model.ckpt-10"


def test_variables_come_with_names_shapes_and_values(model_dir):
    found = reading.read_variables(reading.checkpoint_path(model_dir, 10))
    assert list(found) == sorted([*tiny_checkpoints.WEIGHTS, "global_step"])
    assert found["global_step"] == 10
    wanted = tiny_checkpoints.WEIGHTS["shared/embedding"] + 1
    np.testing.assert_array_equal(found["shared/embedding"], wanted)
    assert reading.variable_shapes(model_dir / "model.ckpt-20") == {
        "decoder/block_000/self_attention/SelfAttention/q": (4, 4),
        "global_step": (),
        "shared/embedding": (6, 4),
        "shared/embedding_slot_vr": (4,),
    }


def test_a_models_checkpoint_is_whole_and_has_its_slots(trained_small):
    prefix = reading.checkpoint_path(trained_small.model_dir)
    reading.check_whole(prefix)
    assert prefix.name == "model.ckpt-20"
    shapes = reading.variable_shapes(prefix)
    assert shapes["shared/embedding"][1] == 32
    assert shapes["shared/embedding_slot_v"] == shapes["shared/embedding"]


@pytest.mark.parametrize("text", ["", "model_checkpoint_path: 7\n", "\xff\x00" * 50])
def test_state_file_of_something_else_names_no_step(model_dir, text):
    (model_dir / "checkpoint").write_text(text)
    assert reading.recorded_steps(model_dir) == []
    with pytest.raises(errors.InputError, match=r"no file checkpoint that names one of \[10, 20\]"):
        reading.newest_step(model_dir)


def test_paths_of_another_machine_count_by_their_names(model_dir):
    (model_dir / "checkpoint").write_text(
        'model_checkpoint_path: "gs://bucket/old/model.ckpt-10"\n'
        'all_model_checkpoint_paths: "/home/x/model.ckpt-10"\n'
    )
    assert reading.checkpoint_path(model_dir) == model_dir / "model.ckpt-10"


def test_directory_without_a_checkpoint_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(
            errors.InputError, match="found no checkpoint in .*train one there first"
        ):
            reading.newest_step(folder)
        assert reading.list_steps(folder) == []


def test_step_that_is_not_there_is_told_with_those_that_are(model_dir):
    with pytest.raises(errors.InputError, match=r"no checkpoint of step 15 .*one of \[10, 20\]"):
        reading.checkpoint_path(model_dir, 15)


@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_missing_file_of_a_checkpoint_is_named(model_dir, ending):
    (model_dir / f"model.ckpt-20.{ending}").unlink()
    with pytest.raises(
        errors.ArtifactError, match=r"model.ckpt-20 lacks model.ckpt-20.(index|data)"
    ):
        reading.checkpoint_path(model_dir)
    assert reading.list_steps(model_dir) == [10]


def test_flipped_byte_of_a_variable_is_found(model_dir):
    tiny_checkpoints.flip_byte(tiny_checkpoints.data_file(model_dir, 20), 17)
    prefix = reading.checkpoint_path(model_dir)
    with pytest.raises(errors.ArtifactError, match="cannot be read: .*[Cc]hecksum"):
        reading.check_whole(prefix)
    with pytest.raises(errors.ArtifactError, match="cannot be read: .*[Cc]hecksum"):
        reading.read_variables(prefix)
    reading.check_whole(reading.checkpoint_path(model_dir, 10))


def test_shortened_data_is_found_before_any_variable_is_read(model_dir):
    path = tiny_checkpoints.data_file(model_dir, 20)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(errors.ArtifactError, match="take 184 bytes, its data files hold 50"):
        reading.check_whole(model_dir / "model.ckpt-20")


def test_any_damage_of_an_index_is_one_clear_error(model_dir):
    path = model_dir / "model.ckpt-20.index"
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    num_refused = 0
    for number in range(60):
        damaged = bytearray(whole)
        if number % 3 == 0:
            damaged = damaged[: generator.integers(len(whole))]
        else:
            for position in generator.integers(len(whole), size=1 + number % 5):
                damaged[position] ^= int(generator.integers(1, 256))
        path.write_bytes(damaged)
        try:
            reading.check_whole(model_dir / "model.ckpt-20")
        except errors.ArtifactError as error:
            assert "\n" not in str(error)
            num_refused += 1
    # Some bytes of the format mean nothing.
    assert num_refused > 50


def test_what_is_no_file_is_not_waited_for(model_dir):
    path = model_dir / "model.ckpt-20.index"
    path.unlink()
    path.mkdir()
    with pytest.raises(errors.ArtifactError, match="lacks model.ckpt-20.index"):
        reading.check_whole(model_dir / "model.ckpt-20")


def test_finding_checkpoints_loads_no_tensorflow(model_dir):
    program = (
        "import sys; from code_t5.training.checkpoints import reading;"
        f"print(reading.checkpoint_path({str(model_dir)!r}).name, 'tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["model.ckpt-20", "False"]
