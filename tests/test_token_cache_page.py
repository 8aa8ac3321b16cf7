"""`docs/token_cache.md` is run as it stands, with a Hub on loopback in place of the real one."""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys

import fake_hub
import small_hub

from fakes import write_code_repositories
from preprocessing import build, build_config, splits

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/token_cache.md"


def _build_data(folder: pathlib.Path) -> pathlib.Path:
    """Builds what the gentle introduction calls `dev_python`, smaller."""
    config = build_config.BuildConfig(
        input_dir=str(write_code_repositories(folder / "in", num_repositories=12)),
        data_dir=str(folder / "data"),
        name="dev_python",
        num_workers=1,
        splits=splits.SplitConfig(0.2, 0.2),
        vocabulary=build_config.VocabularyConfig(vocab_size=400, max_sample_bytes=200_000),
    )
    build.build_dataset(config, clock=build.StageClock())
    return folder / "data"


def test_page_shows_the_snippet():
    first = PAGE.read_text().split("```python\n")[1].split("```")[0]
    assert ast.dump(ast.parse(first)) == ast.dump(ast.parse(small_hub.SNIPPET))


def test_page_runs(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "scripts").symlink_to(ROOT / "scripts")
    with fake_hub.serve() as hub:
        small_hub.fill(hub)
        environment = {
            **hub.environment(tmp_path / "home"),
            "DATA_DIR": str(_build_data(tmp_path)),
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests/notebook_page.py"), str(PAGE)],
            cwd=work, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
