"""Measures training steps beside Hugging Face's T5 in torch: same shapes, batch and optimizer.

    python -m benchmarks.training_speed --sizes=dev,small
    python -m benchmarks.training_speed --sizes=dev --data_dir=data --task=dev_python_prefix_lm
    python -m benchmarks.training_speed --gpu --peak_tflops=990

Variants take turns, a few steps each, so that other work on the machine hits all alike; what is
printed is the median over the rounds, and the median of the ratios within a round. CPU seconds are
those of all threads; with `--threads=1` they are what is left to compare on a machine that does
much other work. torch's threads wait without spinning (see `code_t5.torch_threads`). `--fill` is
the share of positions that hold a token (about half for prefix LM): our loss leaves the others out.
Threads are a process's: to compare them, run it again with `--threads` or `--inter_op_threads`.

The last line of each size says whether the trainer, as it is by default, takes at least 1.3 times
the steps of torch in float32 and under bfloat16 autocast; if not, the exit status is 1.

With `--data_dir` and `--task` the real trainer runs too, and the share of its time that it waited
for data is printed. `--gpu` compares on a GPU instead: base size, 512 tokens each, in float32,
TF32 and mixed precision, with torch's bfloat16 under `torch.compile`. A matrix product of `a x b`
and `b x c` counts as `2abc` operations, a step three times its forward pass.
"""

from __future__ import annotations

import gc
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from benchmarks.training_peer import SIZES, TorchVariant
from benchmarks.training_variants import Shape, TrainerVariant
from code_t5 import command_line, torch_threads

_SIZES = flags.DEFINE_list("sizes", ["dev"], "Which sizes: dev, small, base.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each variant.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 0, "Steps per turn; 0 for about 5 seconds.", lower_bound=0)
_VOCABULARY = flags.DEFINE_integer("vocabulary", 4100, "Pieces.", lower_bound=100)
_FILL = flags.DEFINE_float("fill", 0.5, "Share of tokens.", lower_bound=0.05, upper_bound=1.0)
_THREADS = flags.DEFINE_integer("threads", 0, "Threads; 0 for all cores.", lower_bound=0)
_INTER_OP = flags.DEFINE_integer("inter_op_threads", 0, "Operations at a time; 0: as --threads.")
_XLA = flags.DEFINE_bool("xla", True, "Also with XLA's auto-clustering.")
_GPU = flags.DEFINE_bool("gpu", False, "Base size on a GPU instead.")
_PEAK = flags.DEFINE_float("peak_tflops", None, "The card's peak, for shares of it.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "A data directory, to run the trainer on.")
_TASK = flags.DEFINE_string("task", "dev_python_prefix_lm", "A Task in it.")
_TRAIN_STEPS = flags.DEFINE_integer("train_steps", 120, "Steps of that run.", lower_bound=10)

# Rows and lengths: those of runs/dev_prefix_lm.gin and of runs/pretrain.gin.
_BATCHES = {"dev": (24, 128), "small": (4, 512), "base": (4, 512)}
_GPU_BATCH = 32
_WANTED_RATIO = 1.3
# The peer's rows, by which tables and verdicts find them.
_TORCH, _TORCH_BFLOAT16 = "torch, float32", "torch, bfloat16 autocast"
_FLOAT32, _BFLOAT16 = "trainer, our parts, float32", "trainer, our parts, bfloat16"
_WARM_UP_STEPS = 2
_TURN_SECONDS = 5.0


class Turn(NamedTuple):
    """Seconds per step of one turn, by the clock and of all threads."""

    wall: float
    cpu: float


def _time(variant: Any, num_steps: int) -> Turn:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(num_steps):
        variant.step()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Turn(wall / num_steps, cpu / num_steps)


def _take_turns(makers: dict[str, Callable[[], Any]]) -> tuple[dict[str, list[Turn]], list[int]]:
    """Returns the turns of each variant, and the parameters of each."""
    variants = {name: make() for name, make in makers.items()}
    num_steps = {}
    for name, variant in variants.items():
        _time(variant, _WARM_UP_STEPS)
        seconds = _time(variant, 1).wall
        num_steps[name] = _STEPS.value or max(1, round(_TURN_SECONDS / seconds))
    turns: dict[str, list[Turn]] = {name: [] for name in variants}
    for _ in range(_ROUNDS.value):
        for name, variant in variants.items():
            turns[name].append(_time(variant, num_steps[name]))
    return turns, [variant.num_parameters for variant in variants.values()]


def _flops(shape: Shape) -> float:
    """Returns the operations of one step's matrix products, every position counted."""
    d_model, num_layers, d_ff, num_heads, d_kv = SIZES[shape.size]
    attention = 4 * d_model * num_heads * d_kv + 2 * shape.length * num_heads * d_kv
    per_position = num_layers * (3 * attention + 2 * 2 * d_model * d_ff)
    per_position += d_model * shape.padded_vocabulary
    return 3 * 2.0 * per_position * shape.batch * shape.length


def _print_table(shape: Shape, turns: dict[str, list[Turn]], parameters: Sequence[int]) -> None:
    print(
        f"\n{shape.size}: batch {shape.batch}, {shape.length}/{shape.length} tokens, "
        f"vocabulary {shape.vocabulary:,}, fill {shape.fill:.0%}"
    )
    print("| variant | parameters | steps/s | positions/s | CPU s/step | times torch float32 |")
    print("|---|---|---|---|---|---|")
    for name, num_parameters in zip(turns, parameters):
        walls = np.array([turn.wall for turn in turns[name]])
        cpu = np.median([turn.cpu for turn in turns[name]])
        rate = 1 / np.median(walls)
        line = (
            f"| {name} | {num_parameters / 1e6:.2f} M | {rate:.2f} | "
            f"{2 * rate * shape.batch * shape.length:,.0f} | {cpu:.3f} | "
            f"{_times(turns, name, _TORCH):.2f} |"
        )
        if _PEAK.value:
            line += f" {rate * _flops(shape) / (_PEAK.value * 1e12):.1%} of the peak |"
        print(line, flush=True)


def _times(turns: dict[str, list[Turn]], name: str, peer: str) -> float:
    """Returns how many steps a variant takes in the time of one of its peer."""
    walls, peers = (np.array([turn.wall for turn in turns[each]]) for each in (name, peer))
    return float(np.median(peers / walls))


def _print_verdict(size: str, turns: dict[str, list[Turn]]) -> bool:
    """Says whether the trainer as it is by default is as fast as wanted; returns it."""
    default = _BFLOAT16 if _BFLOAT16 in turns else _FLOAT32
    # Without the hardware for it the peer's bfloat16 is slow, and no measure.
    peers = [_TORCH, _TORCH_BFLOAT16] if default == _BFLOAT16 else [_TORCH]
    ratios = {peer: _times(turns, default, peer) for peer in peers}
    is_met = min(ratios.values()) >= _WANTED_RATIO
    found = ", ".join(f"{ratio:.2f} times {peer}" for peer, ratio in ratios.items())
    print(
        f"{size}: {default} takes {found}; wanted {_WANTED_RATIO} times each: "
        f"{'met' if is_met else 'MISSED'}",
        flush=True,
    )
    return is_met


def _cpu_makers(shape: Shape) -> dict[str, Callable[[], Any]]:
    from code_t5.training.stepping import session

    threads = {
        "intra_op_threads": _THREADS.value,
        "inter_op_threads": _INTER_OP.value or _THREADS.value,
    }

    def trainer(*, is_quick: bool = True, **settings: Any) -> Callable[[], Any]:
        return lambda: TrainerVariant(shape, is_quick=is_quick, **threads, **settings)

    makers = {
        "trainer, mesh-tensorflow's parts, float32": trainer(is_quick=False, precision="float32"),
        _FLOAT32: trainer(precision="float32"),
        f"{_FLOAT32}, no batches ahead": trainer(precision="float32", num_ahead=0),
    }
    if session.settled_precision("auto", on_gpu=False, flags=session.cpu_flags()) == "bfloat16":
        makers[_BFLOAT16] = trainer(precision="bfloat16")
    if _XLA.value:
        makers[f"{_FLOAT32}, XLA"] = trainer(precision="float32", xla=True)
    makers[_TORCH] = lambda: TorchVariant(shape, is_bfloat16=False)
    makers[_TORCH_BFLOAT16] = lambda: TorchVariant(shape, is_bfloat16=True)
    return makers


def _gpu_makers(shape: Shape) -> dict[str, Callable[[], Any]]:
    on_gpu: dict[str, Any] = {"is_quick": True, "device": "gpu:0"}
    return {
        "trainer, float32": lambda: TrainerVariant(
            shape, **on_gpu, precision="float32", tf32=False
        ),
        "trainer, TF32": lambda: TrainerVariant(shape, **on_gpu, precision="float32"),
        "trainer, mixed float16": lambda: TrainerVariant(shape, **on_gpu, precision="float16"),
        _TORCH: lambda: TorchVariant(shape, is_bfloat16=False, device="cuda"),
        "torch, bfloat16, compiled": lambda: TorchVariant(
            shape, is_bfloat16=True, device="cuda", is_compiled=True
        ),
    }


def _print_waiting(data_dir: str, task: str) -> None:
    """Runs the trainer and prints what it says of its speed."""
    from code_t5.training import event_files, launch

    with tempfile.TemporaryDirectory() as folder:
        config = launch.TrainerConfig(
            model_dir=pathlib.Path(folder),
            mixture_or_task_name=task,
            data_dir=pathlib.Path(data_dir),
            gin_files=("runs/dev_prefix_lm.gin",),
            gin_params=(f"run.train_steps = {_TRAIN_STEPS.value}",),
        )
        launch.run_trainer(
            config, name="train", description="training", num_steps=_TRAIN_STEPS.value
        )
        (path,) = event_files.list_files(pathlib.Path(folder, "speed"))
        scalars = event_files.read_scalars(path)
    print(f"\nthe trainer on {task}, dev size, {_TRAIN_STEPS.value} steps:")
    for tag, values in sorted(scalars.items()):
        print(f"{tag}: {values[-1].value:,.3f} (step {values[-1].step})")


def main(argv: Sequence[str]) -> int:
    """Prints a table per size, and whether what is wanted is met."""
    del argv
    torch_threads.wait_without_spinning()
    import tensorflow.compat.v1 as tf
    import torch

    if _THREADS.value:
        torch.set_num_threads(_THREADS.value)
    tf.disable_eager_execution()
    tf.logging.set_verbosity(tf.logging.ERROR)
    is_met = True
    for size in ["base"] if _GPU.value else _SIZES.value:
        batch, length = (_GPU_BATCH, 512) if _GPU.value else _BATCHES[size]
        shape = Shape(size, batch, length, _VOCABULARY.value, _FILL.value)
        makers = _gpu_makers(shape) if _GPU.value else _cpu_makers(shape)
        turns, parameters = _take_turns(makers)
        _print_table(shape, turns, parameters)
        if not _GPU.value:
            is_met = _print_verdict(size, turns) and is_met
        gc.collect()
    if _DATA_DIR.value:
        _print_waiting(_DATA_DIR.value, _TASK.value)
    return 0 if is_met else 1


if __name__ == "__main__":
    command_line.run(main)
