"""Fetches from a fake Hub in a process of its own, where the libraries are not offline.

The tests' own process is: `HF_HUB_OFFLINE` is read when huggingface_hub is imported.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]

_PROGRAM = """
import json, sys
from code_t5 import errors
from code_t5.hf_artifacts import cache_root, requests
from code_t5.hf_artifacts.fetching import download, file_hashes, hub_listing, preparing

reread, hash_content = [], file_hashes.hash_content

def note(path, **options):
    reread.append(path)
    return hash_content(path, **options)

file_hashes.hash_content = note
root = cache_root.CacheRoot(sys.argv[1])
for fields in json.load(sys.stdin):
    request, said, moved = requests.request_from_json(fields), [], []
    outcome = {"said": said}
    try:
        listing = hub_listing.ask_hub(request, say=said.append)
        outcome.update(
            repository=listing.repository, commit=listing.commit, size=listing.size_bytes,
            wanted=sorted(listing.files), others=sorted(listing.others),
            missing=download.missing_bytes(root, request=request, listing=listing),
        )
        stored = download.fetch(
            root, request=request, listing=listing, progress=moved.append, say=said.append
        )
        outcome["files"] = {path: [file.size_bytes, file.sha256] for path, file in stored.items()}
        outcome["are_right"] = all(file.blob == listing.files[p].blob for p, file in stored.items())
        outcome["moved"] = sum(moved)
        outcome["reread"] = len(reread)
        reread.clear()
        if request.kind == "dataset" and "prepare" in sys.argv:
            configs = preparing.prepare_dataset(root, request=request, commit=listing.commit)
            outcome["prepared"] = [
                [c.config, c.arrow_dir, dict(c.splits), sorted(c.files)] for c in configs
            ]
    except (errors.CodeT5Error, OSError) as error:
        outcome["error"] = [type(error).__name__, str(error)]
    print(json.dumps(outcome), flush=True)
"""


def start(
    hub: Any, root: os.PathLike[str] | str, *requests: dict[str, Any], **options: Any
) -> subprocess.Popen[str]:
    """Starts a process that fetches requests one after the other.

    Args:
      hub: Whom it asks.
      root: Where to.
      requests: As JSON.
      options: `prepare=True` prepares data sets as well; `terms` are worse ones, as `deprived.py`
        takes them; others are set in its environment.
    """
    arguments = ["prepare"] if options.pop("prepare", False) else []
    terms = options.pop("terms", None)
    deprived = [sys.executable, str(ROOT / "tests" / "deprived.py"), terms] if terms else []
    home = pathlib.Path(root).with_name(f"{pathlib.Path(root).name}-home")
    kept = {**hub.environment(home), "PYTHONPATH": str(ROOT), **options}
    process = subprocess.Popen(
        [*deprived, sys.executable, "-c", _PROGRAM, os.fspath(root), *arguments],
        env=kept,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write(json.dumps(requests))
    process.stdin.close()
    return process


def fetch(
    hub: Any, root: os.PathLike[str] | str, *requests: dict[str, Any], **options: Any
) -> list[dict[str, Any]]:
    """Returns what became of each request."""
    process = start(hub, root, *requests, **options)
    told, written = process.stdout.read(), process.stderr.read()
    process.wait(timeout=120)
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == 0, written[-3000:]
    assert "hf_" not in written
    return [json.loads(line) for line in told.splitlines()]
