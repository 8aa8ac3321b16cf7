"""`docs/hf_artifacts.md` is run as it stands, with a Hub on loopback in place of the real one."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import fake_hub
import hub_artefacts
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/hf_artifacts.md"
# By program, the sections that are about it.
SECTIONS = {
    "precache.py": ("Fetching",),
    "check_hf_cache.py": ("Checking", "What training will open"),
    "build_dataset.py": ("Building",),
    "slurm_env.py": ("Slurm",),
}


def test_page_runs(tmp_path):
    work = tmp_path / "a folder"
    work.mkdir()
    (work / "scripts").symlink_to(ROOT / "scripts")
    with fake_hub.serve() as hub:
        hub_artefacts.fill(hub)
        environment = {
            **hub.environment(tmp_path / "home"),
            "HF_CACHE_ROOT": str(work / "hf-cache"),
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests/notebook_page.py"), str(PAGE)],
            cwd=work, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("program", SECTIONS)
def test_page_names_every_flag_where_its_program_is(program):
    told = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / program), "--help"],
        capture_output=True, text=True, check=False, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    flags = re.findall(r"^  --(?:\[no\])?(\w+):", told.stdout, re.M)
    # Title, text, title, text ...
    _, *parts = re.split(r"^## (.+)\n", PAGE.read_text(), flags=re.M)
    text = "".join(dict(zip(parts[::2], parts[1::2]))[title] for title in SECTIONS[program])
    missing = [flag for flag in flags if not re.search(rf"--(\[no\])?{flag}\b", text)]
    assert flags and missing == []
