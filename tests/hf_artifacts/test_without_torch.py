"""What is said of models where torch is not installed, which the extra `hf` does not ask for."""

from __future__ import annotations

import json

import hub_cache_files
import hub_models
import offline_children

from code_t5.hf_artifacts.cache_root import CacheRoot

# An interpreter that has no torch.
_CHECK = """
import json, pathlib, sys
sys.modules["torch"] = None
from code_t5.hf_artifacts import requests
from code_t5.hf_artifacts.checking import load_target, model_loading
for name, snapshot in json.loads(sys.argv[1]).items():
    folder = pathlib.Path(snapshot)
    files = {path.name: path for path in folder.iterdir()}
    target = load_target.LoadTarget(requests.ArtefactRequest("model", name))
    print("told:" + json.dumps(model_loading.check_model(target, files).parts))
"""


def test_tensors_of_safetensors_are_read_without_torch_and_pickles_are_not(tmp_path):
    root = CacheRoot(tmp_path)
    t5 = dict(hub_models.t5())
    whole = {name: t5[name] for name in ("config.json", "model.safetensors")}
    models = {
        "ok/tensors": whole,
        "bad/tensors": {**whole, "model.safetensors": whole["model.safetensors"][:-100]},
        "bad/pickle": hub_models.bin_model(),
    }
    snapshots = {}
    for name, files in models.items():
        contents = {path: d if isinstance(d, bytes) else d.encode() for path, d in files.items()}
        folder = "models--" + name.replace("/", "--")
        snapshots[name] = str(hub_cache_files.put_repository(root, folder, contents))
        root.transformers_dir.mkdir(exist_ok=True)
        (root.transformers_dir / folder).symlink_to(f"../hub/{folder}")
    done = offline_children.run_python(
        _CHECK, json.dumps(snapshots), environment=root.environment(is_offline=True)
    )
    told = [json.loads(line[5:]) for line in done.stdout.splitlines() if line[:5] == "told:"]
    assert len(told) == 3, done.stderr[-3000:]
    parts = dict(zip(models, told))
    assert parts["ok/tensors"]["config"] == "yes"
    assert parts["ok/tensors"]["weights"].startswith(
        "yes: each file opened; torch is not installed"
    )
    assert parts["bad/tensors"]["weights"].startswith("no: ")
    assert "read by torch, which is not installed" in parts["bad/pickle"]["weights"]
