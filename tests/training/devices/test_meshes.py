from __future__ import annotations

import pytest

from code_t5.training.devices import meshes
from code_t5.training.devices.meshes import RunPlan


def plan(**changes):
    """A run of two replicas in two parts each in which nothing is wrong."""
    values = {
        "mode": "train",
        "mesh": (("model", 2), ("batch", 2)),
        "devices": ("gpu:0", "gpu:1", "gpu:2", "gpu:3"),
        "splits": {"batch": 2, "heads": 2, "d_ff": 2, "vocab": 2},
        "batch_size": 8,
        "sequence_length": {"inputs": 512, "targets": 114},
        "microbatch_tokens": 2048,
        "sizes": {"heads": (12,), "d_ff": (3072,), "vocab": (32128,)},
    }
    return RunPlan(**{**values, **changes})


def test_nothing_is_said_of_a_run_that_fits():
    assert meshes.problems(plan()) == []
    assert meshes.warnings(plan(), num_gpus=4) == []


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"devices": ("gpu:0",)}, "has 4 places and mesh_devices names 1 device; wanted as many"),
        ({"devices": ("gpu:0",) * 5}, "has 4 places and mesh_devices names 5 devices;"),
        ({"devices": None}, "so one would do the work of all"),
        ({"devices": ("",) * 4}, "no device is named for any"),
        ({"devices": ("gpu:0", "gpu:1", "gpu2", "gpu:3")}, "'gpu2', which is no device"),
        ({"unused": ("modle",)}, "nothing is split over the dimension 'modle'"),
        ({"batch_size": 7}, "7 rows does not divide by the 2 replicas of the mesh model:2,batch:2"),
        ({"batch_size": 7}, "set utils.run.batch_size = 8"),
        ({"batch_size": 0}, "a batch of 0 rows"),
        ({"batch_size": ("tokens_per_batch", 1536)}, "= ('tokens_per_batch', 2048)"),
        ({"batch_size": ("tokens_per_replica", 1000)}, "= ('tokens_per_replica', 1024)"),
        ({"batch_size": ("tokens_per_replica", 100)}, "= ('tokens_per_replica', 512)"),
        ({"batch_size": ("rows_per_replica", 8)}, "counts by 'rows_per_replica'"),
        ({"batch_size": ("sequences_per_batch", 3)}, "3 rows does not divide by the 2 replicas"),
        ({"sizes": {"heads": (12, 5)}}, "heads of attention, 5, does not divide by the 2 parts"),
        ({"sizes": {"vocab": (101,)}}, "the vocabulary with its padding, 101, does not divide"),
    ],
)
def test_fault_is_said_in_one_line_with_what_to_do(changes, said):
    (problem,) = meshes.problems(plan(**changes))
    assert said in problem
    assert "\n" not in problem
    assert problem.count("; ") >= 2


def test_every_fault_is_said():
    found = meshes.problems(plan(devices=("gpu:0",), batch_size=7, sizes={"d_ff": (9,)}))
    assert len(found) == 3


def test_one_place_needs_no_name():
    one = plan(mesh=(("model", 1), ("batch", 1)), devices=None, splits={})
    assert meshes.problems(one) == []
    assert meshes.problems(plan(mesh=(("batch", 1),), devices=("",), splits={})) == []


@pytest.mark.parametrize(
    "batch_size, rows",
    [
        (24, 24),
        (("sequences_per_batch", 6), 6),
        (("sequences_per_replica", 6), 12),
        (("tokens_per_batch", 2048), 4),
        (("tokens_per_replica", 2048), 8),
        (("tokens_per_replica", 2047), None),
        (None, None),
    ],
)
def test_rows_are_counted_as_mesh_tensorflow_counts_them(batch_size, rows):
    from mesh_tensorflow.transformer import utils

    run = plan(batch_size=batch_size)
    assert meshes.num_rows(run) == rows
    if isinstance(batch_size, tuple) and rows is not None:
        layout = "batch:batch,heads:model"
        found = utils.compute_batch_size(run.sequence_length, run.shape, layout, batch_size)
        assert found == rows


def test_tokens_of_rows_whose_length_is_not_known_yet_are_let_pass():
    assert meshes.problems(plan(sequence_length=None, batch_size=("tokens_per_batch", 7))) == []


@pytest.mark.parametrize(
    "rows, tokens, pieces", [(46, 2048, 23), (8, 2048, None), (24, 10**6, None), (20, 2048, None)]
)
def test_batch_that_falls_into_many_small_pieces_is_warned_of(rows, tokens, pieces):
    found = meshes.warnings(plan(batch_size=rows, microbatch_tokens=tokens))
    if pieces is None:
        assert found == []
    else:
        assert f"worked off in {pieces} pieces of 1, which is slow" in found[0]
        assert meshes.warnings(plan(mode="infer", batch_size=rows)) == []


def test_pieces_are_those_of_mesh_tensorflow():
    import mesh_tensorflow as mtf
    from mesh_tensorflow.transformer import utils

    dimension = mtf.Dimension("batch", 46)
    found = utils.serialize_num_microbatches(
        dimension, {"inputs": 512}, "model:2,batch:2", "batch:batch", 2048
    )
    assert found == 23


@pytest.mark.parametrize(
    "devices, num_gpus, said",
    [
        (("gpu:0", "gpu:1"), 8, "uses 2 of the 8 GPUs that TensorFlow sees"),
        (("cpu:0", "cpu:1"), 2, "names no GPU, but TensorFlow sees 2"),
        (("gpu:0", "gpu:0"), 1, "names gpu:0 2 times"),
        (("", ""), 8, "uses 1 of the 8 GPUs"),
    ],
)
def test_mesh_that_leaves_gpus_idle_is_warned_of(devices, num_gpus, said):
    run = plan(mesh=(("batch", 2),), devices=devices)
    (warning,) = meshes.warnings(run, num_gpus=num_gpus)
    assert said in warning


@pytest.mark.parametrize(
    "name, kind",
    [
        ("gpu:0", ("gpu", 0)),
        ("/gpu:7", ("gpu", 7)),
        ("/device:GPU:1", ("gpu", 1)),
        ("/job:localhost/replica:0/task:0/device:CPU:0", ("cpu", 0)),
        ("", None),
        ("gpu", None),
        ("xgpu:0", None),
    ],
)
def test_names_of_devices_are_read_as_tensorflow_reads_them(name, kind):
    assert meshes.device_kind(name) == kind
