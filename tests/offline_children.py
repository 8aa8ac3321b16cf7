"""Children that load data sets as a user's program would, and say what came of each.

`load_with("datasets", ...)` asks the plain library, `load_with("code_t5.hf_artifacts", ...)` ours:
many requests in one process, as importing takes longer than loading. `restrict` is a line for the
beginning of a child's code, `FENCED` for one; `terms` are worse ones of `deprived.py`.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
FENCED = "from code_t5.network_fence import block_network; block_network()"

_LOAD = """
import importlib, json, sys
load_dataset = importlib.import_module(sys.argv[1]).load_dataset
for number, (names, options) in enumerate(json.loads(sys.argv[2])):
    try:
        found = load_dataset(*names, **options)
        splits = found if isinstance(found, dict) else {"the only one": found}
        rows = {str(name): split.num_rows for name, split in splits.items()}
        told = {"rows": rows, "first": repr(next(iter(splits.values()))[0])}
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    print("told:" + json.dumps(told), flush=True)
"""


class Outcome(NamedTuple):
    """What came of one request.

    Attributes:
      rows: By split; empty where nothing was loaded.
      first: The first row of the first split, as `repr` writes it.
      error: Its kind and what it said; empty where something was loaded.
    """

    rows: dict[str, int]
    first: str
    error: str


def asked(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Returns a request: the arguments of a call of `load_dataset`."""
    return names, options


def _on(terms: str) -> list[str]:
    return [sys.executable, str(ROOT / "tests/deprived.py"), terms] if terms else []


def run_python(
    code: str,
    *arguments: str,
    environment: Mapping[str, str],
    cwd: pathlib.Path | None = None,
    terms: str = "",
    seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a process of its own, with this checkout in its path."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.run(
        [*_on(terms), sys.executable, "-c", code, *arguments],
        env={**environment, "PYTHONPATH": path}, cwd=cwd,
        capture_output=True, text=True, check=False, timeout=seconds,
    )  # fmt: skip


def load_with(
    library: str,
    requests: Sequence[tuple[tuple[str, ...], dict[str, Any]]],
    *,
    environment: Mapping[str, str],
    restrict: str = "",
    terms: str = "",
    cwd: pathlib.Path | None = None,
    seconds: float | None = None,
) -> list[Outcome]:
    """Returns what came of each request, made in one child process.

    Args:
      library: Whose `load_dataset` is called: `datasets` or `code_t5.hf_artifacts`.
      requests: As `asked` gives them.
      environment: Of the child.
      restrict: Code that the child runs first.
      terms: Worse ones, as `deprived.py` takes them: `flock=ENOLCK`, `root=no`.
      cwd: Where it runs.
      seconds: The longest that it may take, else `subprocess.TimeoutExpired` is raised.
    """
    done = run_python(
        f"{restrict}\n{_LOAD}", library, json.dumps(requests),
        environment=environment, terms=terms, cwd=cwd, seconds=seconds,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line[5:]) for line in done.stdout.splitlines() if line[:5] == "told:"]
    assert len(told) == len(requests), done.stdout
    return [Outcome(t.get("rows", {}), t.get("first", ""), t.get("error", "")) for t in told]


def run_script(
    name: str,
    *arguments: str,
    environment: Mapping[str, str],
    cwd: pathlib.Path | None = None,
    terms: str = "",
) -> subprocess.CompletedProcess[str]:
    """Runs a program of `scripts/`."""
    return subprocess.run(
        [*_on(terms), sys.executable, str(ROOT / "scripts" / name), *arguments],
        env={**environment, "PYTHONPATH": str(ROOT)}, cwd=cwd,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
