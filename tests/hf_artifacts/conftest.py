"""A Hub with one repository of each kind, and a cache that the real program filled from it."""

from __future__ import annotations

import shutil

import fake_hub
import hub_artefacts
import offline_children
import pytest

SPEC = f"""
models:
  - {hub_artefacts.MINILM}
  - {{name: {hub_artefacts.T5}, revision: main}}
  - {hub_artefacts.CHAT}
datasets:
  - {{name: conll2003, revision: refs/convert/parquet}}
  - {{name: wikiann, configs: [en]}}
  - {{name: wikiann, configs: [de]}}
  - imagenet-1k
  - {{name: {hub_artefacts.REVIEWS}, revision: v2, data_files: "reviews-*.jsonl"}}
  - {{name: {hub_artefacts.REVIEWS}, revision: v2, data_dir: en}}
  - {{name: {hub_artefacts.REVIEWS}, revision: v1}}
metrics:
  - accuracy
"""


@pytest.fixture(scope="session")
def hub():
    """A filled Hub, for tests that change nothing there."""
    with fake_hub.serve() as served:
        hub_artefacts.fill(served)
        yield served


@pytest.fixture(scope="session")
def filled_root(hub, tmp_path_factory):
    """A cache with everything that `SPEC` lists, fetched and proved; not to be changed."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "artefacts.yaml").write_text(SPEC)
    environment = {**hub.environment(folder / "home"), "HF_TOKEN": hub_artefacts.ACCESS_TOKEN}
    done = offline_children.run_script(
        "precache.py", f"--cache_dir={folder / 'cache'}", f"--spec={folder / 'artefacts.yaml'}",
        environment=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "cache"


@pytest.fixture
def copied_root(filled_root, tmp_path):
    """A copy of `filled_root` under a path with spaces, to be changed at will."""
    return shutil.copytree(filled_root, tmp_path / "copied to here", symlinks=True)
