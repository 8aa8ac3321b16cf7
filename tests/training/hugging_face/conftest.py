"""Models of mesh-tensorflow with what they say of real rows, made once in one child process."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from made_once import made_once, session_folder

ROOT = pathlib.Path(__file__).resolve().parents[3]
_PROGRAM = pathlib.Path(__file__).with_name("mesh_models.py")
_TINY = ("d_model = 32", "num_layers = 2", "d_ff = 48", "num_heads = 4", "d_kv = 8")
# Forms of T5 that both libraries have, each with what could go wrong for it alone.
VARIANTS = {
    # Separate encoder and decoder whose layers have no names; what t5 was.
    "bi_v1": (["defaults.gin", "models/bi_v1.gin"], [*_TINY, "dropout_rate = 0.25"]),
    # Gated, output weights of their own, and a decoder deeper than the encoder.
    "t5_1_1": (
        ["defaults.gin", "models/t5.1.1.base.gin"],
        [*_TINY, "encoder/make_layer_stack.num_layers = 1", "sublayer_rms_norm.epsilon = 1e-05"],
    ),
    # One head, heads that are dimensions of their own, and scales that are not in the weights.
    "scales": (
        ["defaults.gin", "models/bi_v1_shared.gin"],
        [
            *_TINY,
            "num_heads = 1",
            "SelfAttention.combine_dims = False",
            "SelfAttention.fold_scaling_into_initializer = False",
            "SelfAttention.relative_attention_num_buckets = 16",
            "VocabEmbedding.scale_variable_like_classifier_weights = True",
            "DenseReluDense.activation = 'gelu'",
        ],
    ),
    # How mesh-tensorflow named its norms at first.
    "legacy": (
        ["defaults.gin", "models/bi_v1.gin"],
        [
            *_TINY,
            "LayerStack.dropout_rate = 0.1",
            "LayerStack.norm_epsilon = 1e-6",
            "SelfAttention.combine_dims = False",
            "DenseReluDense.activation = ['relu', 'linear']",
        ],
    ),
}


class MeshModel(NamedTuple):
    """A model directory and what its model says of rows.

    Attributes:
      model_dir: With a checkpoint of `step` and a configuration.
      step: Of the checkpoint.
      rows: int32 arrays `<name>/inputs` and `<name>/targets`.
      logits: float32 [rows, length of targets, vocabulary] by name.
    """

    model_dir: pathlib.Path
    step: int
    rows: dict[str, np.ndarray]
    logits: dict[str, np.ndarray]


def real_rows(data_dir: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns rows of this repository's code: several lengths, each row with other padding."""
    from code_t5.encoding.token_model import load_token_model

    model = load_token_model(data_dir / "vocabularies" / "default")
    paths = sorted((ROOT / "code_t5").glob("*.py"))[2:5]
    ids = [model.encode(path.read_text(encoding="utf-8")) for path in paths]
    rows = {}
    for name, length, num_targets in (("short", 8, 5), ("same", 64, 32), ("long", 200, 40)):
        for feature, size, first in (("inputs", length, 0), ("targets", num_targets, length)):
            array = np.zeros((len(ids), size), np.int32)
            for index, row in enumerate(ids):
                cut = [*row[first : first + size - 1 - 2 * index], 1]
                array[index, : len(cut)] = cut
            rows[f"{name}/{feature}"] = array
    return rows


@pytest.fixture(scope="session")
def mesh_models(trained_small, tmp_path_factory):
    """The trained model, and one of each of `VARIANTS` with weights by chance."""
    folder = made_once(
        session_folder(tmp_path_factory),
        "mesh_models",
        lambda folder: _make_models(folder, trained_small=trained_small),
    )
    rows = dict(np.load(folder / "rows.npz"))
    steps = {"trained": 20, **dict.fromkeys(VARIANTS, 0)}
    return {
        name: MeshModel(folder / name, step, rows, dict(np.load(folder / f"{name}.npz")))
        for name, step in steps.items()
    }


def _make_models(folder, *, trained_small):
    np.savez(folder / "rows.npz", **real_rows(trained_small.data_dir))
    trained_dir = folder / "trained"
    shutil.copytree(trained_small.model_dir, trained_dir)
    config = str(trained_dir / "operative_config.gin")
    jobs = [_job(folder, "trained", gin_files=[config], bindings=[], step=20)]
    jobs[0]["names"] = ["long", "same", "short"]
    for name, (gin_files, bindings) in VARIANTS.items():
        (folder / name).mkdir()
        jobs.append(_job(folder, name, gin_files=gin_files, bindings=bindings, step=0))
    (folder / "jobs.json").write_text(json.dumps(jobs))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    child = subprocess.run(
        [sys.executable, str(_PROGRAM), str(folder / "jobs.json")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert child.returncode == 0, child.stderr[-3000:]


def _job(folder, name, *, gin_files, bindings, step):
    return {
        "name": name,
        "gin_files": gin_files,
        "bindings": bindings,
        "checkpoint": str(folder / name / f"model.ckpt-{step}"),
        "step": step,
        "names": ["long"],
        "vocabulary_size": 500,
        "arrays_path": str(folder / "rows.npz"),
        "logits_path": str(folder / f"{name}.npz"),
    }
