"""Which device executes what."""

from __future__ import annotations

import pytest
from tensorflow.core.framework import graph_pb2

from code_t5.training.stepping import placement

CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
GPU = "/job:localhost/replica:0/task:0/device:GPU:1"
FLOAT, BFLOAT16 = 1, 14


def graph(*nodes):
    found = graph_pb2.GraphDef()
    for index, (operation, device, dtype) in enumerate(nodes):
        node = found.node.add(name=f"n{index}", op=operation, device=device)
        node.attr["T"].type = dtype
    return found


@pytest.mark.parametrize(
    "operation",
    [
        *("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "_FusedMatMul"),
        *("_MklMatMul", "_MklFusedMatMul", "_MklFusedBatchMatMulV2", "_MklEinsum"),
        *("XlaLaunch", "_XlaRun"),
    ],
)
def test_every_form_of_a_matrix_product_counts(operation):
    counts = placement.count_operations([graph((operation, GPU, FLOAT))])
    assert counts == {"GPU:1": placement.DeviceOperations(1, 1, 0)}


@pytest.mark.parametrize("operation", ["Mul", "MatMulFree", "MatrixInverse", "_MklTranspose"])
def test_nothing_else_does(operation):
    counts = placement.count_operations([graph((operation, CPU, BFLOAT16))])
    assert counts == {"CPU:0": placement.DeviceOperations(1, 0, 0)}


def test_one_line_tells_the_shares():
    on_cpu = graph(("Mul", CPU, FLOAT), ("MatMul", CPU, FLOAT))
    on_gpu = graph(*[("MatMul", GPU, BFLOAT16)] * 3, ("Mul", GPU, FLOAT))
    counts = placement.count_operations([on_cpu, on_gpu])
    assert placement.describe(counts) == (
        "a step executes 6 operations, 4 of them matrix products: CPU:0 33.3% of operations, "
        "25.0% of matrix products; GPU:1 66.7% of operations, 75.0% of matrix products; 3 matrix "
        "products in 16 bits"
    )
    assert placement.misplaced(counts, mesh_devices=["gpu:0", "gpu:1"]) is None


def test_a_mesh_of_gpus_that_works_on_the_cpu_is_warned_of():
    counts = placement.count_operations([graph(*[("MatMul", CPU, FLOAT)] * 3)])
    assert placement.misplaced(counts, mesh_devices=["cpu:0"]) is None
    warning = placement.misplaced(counts, mesh_devices=["gpu:0", "gpu:1"])
    assert warning is not None
    assert warning.startswith(
        "3 of 3 matrix products are on the CPU though utils.run.mesh_devices names gpu:0, gpu:1;"
    )


def test_a_graph_without_matrix_products_warns_of_nothing():
    counts = placement.count_operations([graph(("Mul", CPU, FLOAT))])
    assert placement.misplaced(counts, mesh_devices=["gpu:0"]) is None
    assert "0 of them matrix products" in placement.describe(counts)
