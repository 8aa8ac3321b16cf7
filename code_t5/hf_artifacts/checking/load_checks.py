"""Loads artefacts in a child process without a network, and says of each whether it loads."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from code_t5 import library_errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import verdicts
from code_t5.hf_artifacts.checking.load_target import LoadTarget, Proof, failed_proof
from code_t5.hf_artifacts.fetching import leftover_locks
from code_t5.hf_artifacts.requests import ArtefactRequest

# What would lead the libraries to another place, or give them a token.
_FOREIGN = (
    *("HF_", "HUGGING", "TRANSFORMERS_", "PYTORCH_TRANSFORMERS_", "PYTORCH_PRETRAINED_"),
    *("SENTENCE_TRANSFORMERS_", "DATASETS_", "EVALUATE_"),
)
_KEPT = ("HF_ENDPOINT", "HF_HUB_ENDPOINT")
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "USE_TF": "0",
    "USE_FLAX": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "ignore",
}
_MAX_TAIL_BYTES = 4000
# What a folder of the user's holds is no module: only where this package lies is looked at first,
# unless Python looks there anyway.
_START = """
import runpy, sys
home = sys.argv.pop()
sys.path[:1] = [] if home in sys.path[1:] else [home]
runpy.run_module("code_t5.hf_artifacts.checking.load_child", run_name="__main__")
"""


def warm(
    root: CacheRoot, *, requests: Sequence[ArtefactRequest], environment: Mapping[str, str]
) -> list[Proof]:
    """Loads artefacts with the network, so that the libraries fetch whatever they look for.

    Args:
      root: Where they are kept.
      requests: What.
      environment: Of the child: it leads to the root and to the user's token.

    Returns:
      What came of each, in order.
    """
    targets = [LoadTarget(request, may_run=True) for request in requests]
    return list(_load(root, targets=targets, online_environment=environment))


def load_targets(root: CacheRoot, targets: Sequence[LoadTarget]) -> Iterator[Proof]:
    """Loads artefacts in a child process without a network, each in one of its own.

    Args:
      root: Where they are.
      targets: Which.

    Yields:
      A proof for each, in order, as soon as it is there.
    """
    with leftover_locks.removing_new_locks(root):
        yield from _load(root, targets=targets, online_environment=None)


def _load(
    root: CacheRoot,
    *,
    targets: Sequence[LoadTarget],
    online_environment: Mapping[str, str] | None,
) -> Iterator[Proof]:
    if not targets:
        return
    with contextlib.ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile())
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="code_t5_check_"))
        environment = online_environment or _offline_environment(root, scratch)
        asked = {
            "root": str(root.path),
            "is_online": online_environment is not None,
            "targets": [target.as_json() for target in targets],
        }
        child = stack.enter_context(_started(environment, cwd=scratch, said=said))
        yield from _answers(child, json.dumps(asked), targets=targets, said=said)


def _offline_environment(root: CacheRoot, scratch: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or not k.startswith(_FOREIGN)}
    # evaluate makes a folder for each metric that it loads; nothing is written into the root.
    metrics = {"HF_METRICS_CACHE": os.path.join(scratch, "metrics")}
    return {**kept, **root.environment(is_offline=True), **_QUIET, **metrics}


@contextlib.contextmanager
def _started(
    environment: Mapping[str, str], *, cwd: str, said: IO[bytes]
) -> Iterator[subprocess.Popen[str]]:
    """Starts the child; it is ended if the block is left early."""
    home = pathlib.Path(library_errors.__file__).resolve().parents[1]
    child = subprocess.Popen(
        [sys.executable, "-c", _START, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        cwd=cwd,
        env=dict(environment),
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _answers(
    child: subprocess.Popen[str], asked: str, *, targets: Sequence[LoadTarget], said: IO[bytes]
) -> Iterator[Proof]:
    if child.stdin is None or child.stdout is None:
        return
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(asked)
        child.stdin.close()
    reason = ""
    for target in targets:
        line = "" if reason else child.stdout.readline()
        try:
            answer = json.loads(line)
            yield Proof(target, answer["parts"], answer["wants_network"], answer["fence"])
        except (ValueError, KeyError):
            reason = reason or _why_it_ended(child, said)
            yield failed_proof(target, reason)


def _why_it_ended(child: subprocess.Popen[str], said: IO[bytes]) -> str:
    status = child.wait()
    said.seek(max(0, said.seek(0, os.SEEK_END) - _MAX_TAIL_BYTES))
    lines = said.read().decode(errors="replace").split("\n")
    told = next((line for line in reversed(lines) if line.strip()), "")
    text = verdicts.one_line(library_errors.hide_secrets(told))
    return f"the process that loads ended with status {status}{': ' if text else ''}{text}"
