"""The commands in README.md and in the gentle introduction: they name what exists, and they run."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import fake_hub
import hub_artefacts
import pytest

from preprocessing import dev_dataset

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/gentle_introduction.md")
_ALL_PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))

# Run elsewhere: `make demo` by hand before an issue is closed, its script's programs below; `make
# page` in training/serving; `make test` is what runs this; the environment is that of the tests.
_NOT_HERE = ("make demo", "make page", "make test", "source .venv/bin/activate")
# What makes a command small enough for a test, and what stands for a GPU.
_SMALLER = (
    ("gpu:0", "cpu:0"),
    ("run.train_steps = 10000", "run.train_steps = 2"),
    ("run.train_steps = 20000", "run.train_steps = 2"),
    ("run.train_steps = 300", "run.train_steps = 2"),
    ("--train_steps 60", "--train_steps 2"),
    ("--num_cursors 200", "--num_cursors 20"),
)


def _blocks(page: str) -> list[str]:
    return re.findall(r"^```shell\n(.*?)^```$", (ROOT / page).read_text(), re.S | re.M)


def test_pages_have_commands():
    assert len(_blocks("README.md")) == 9
    assert len(_blocks("docs/gentle_introduction.md")) == 10


@pytest.mark.parametrize("page", _ALL_PAGES)
def test_what_a_page_names_exists(page):
    text = (ROOT / page).read_text()
    for name in re.findall(r'--gin_file="([^"$]+)"', text):
        if name != "runs/mine.gin":
            assert (ROOT / "gin_configs" / name).is_file(), name
    for name in re.findall(r"(?:scripts|benchmarks)/\w+\.(?:sh|py)", text):
        assert (ROOT / name).is_file(), name
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / page).parent.joinpath(link).exists(), link
    for module in re.findall(r"python -m ((?:preprocessing|benchmarks)[\w.]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_readme_or_a_page_names_each_benchmark_and_the_readme_those_of_training():
    text = {page: (ROOT / page).read_text() for page in _ALL_PAGES}
    # What another benchmark starts is no command of its own.
    names = [
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if re.search(rf"python -m benchmarks\.{path.stem}\b", path.read_text().split('"""')[1])
        and not path.stem.endswith("_runs")
    ]
    assert {"objectives", "training_speed", "dev_model", "serving"} <= set(names)
    everything = "".join(text.values())
    assert [name for name in names if not re.search(rf"benchmarks[/.]{name}\b", everything)] == []
    for name in ("training_speed", "dev_model", "serving"):
        assert f"`benchmarks/{name}.py`" in text["README.md"]


def test_contributing_names_each_command_of_make():
    commands = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    said = (ROOT / "CONTRIBUTING.md").read_text()
    assert [name for name in commands if f"| `make {name}` |" not in said] == ["help"]


def _checkout(folder: pathlib.Path) -> pathlib.Path:
    """Copies what git tracks or would track."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(listing, cwd=ROOT, text=True).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def _some_checkouts(folder: pathlib.Path) -> None:
    """Writes `folder/<repository>` from the repositories of the bundled data set."""
    base = dev_dataset.bundled_root() / "v3/languages/Python/.py"
    for branch in sorted(base.glob("*/*/*")):
        shutil.copytree(branch, folder / branch.parent.name, dirs_exist_ok=True)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("page", PAGES)
def test_commands_run(tmp_path, page):
    checkout = _checkout(tmp_path / "checkout")
    _some_checkouts(tmp_path / "home/src")
    script = "\n".join(_blocks(page))
    for command in _NOT_HERE:
        script = re.sub(rf"^{re.escape(command)}$", "", script, flags=re.M)
    for wanted, smaller in _SMALLER:
        script = script.replace(wanted, smaller)
    environment = {
        "HOME": str(tmp_path / "home"),
        "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "PYTHONPATH": str(checkout),
    }
    with fake_hub.serve() as hub:
        hub_artefacts.fill(hub)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=checkout, env={**hub.environment(tmp_path / "hf-home"), **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
