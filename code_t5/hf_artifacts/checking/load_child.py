"""The process in which artefacts are loaded: `python -m code_t5.hf_artifacts.checking.load_child`.

It takes the network away from itself before it imports a library, and loads each artefact in a
process of its own: one that crashes, or takes too long, is a verdict and harms none of the others.
The request is one JSON object on stdin; the answers are lines of JSON on stdout, one for each
artefact, in order.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Collection, Iterable
from typing import IO, Any

from code_t5 import library_errors, network_fence
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import cache_naming, verdicts
from code_t5.hf_artifacts.checking.load_target import NO, LoadTarget, target_from_json

_LIBRARIES = {"model": ("transformers", "torch"), "dataset": ("datasets",), "metric": ("evaluate",)}
_PR_SET_PDEATHSIG = 1
_TICK_SECONDS = 0.02
_MAX_ANSWER_BYTES = 32 << 10
_MAX_SAID_BYTES = 64 << 10


def main() -> None:
    """Reads the request, loads, and answers."""
    answers = _take_stdout()
    asked = json.load(sys.stdin)
    _die_with_parent()
    fence = "" if asked["is_online"] else network_fence.block_network()
    _import_libraries({fields["request"]["kind"] for fields in asked["targets"]})
    for fields in asked["targets"]:
        answer = _answer(CacheRoot(asked["root"]), fields, is_online=asked["is_online"])
        print(json.dumps({**answer, "fence": fence}), file=answers, flush=True)


def _answer(root: CacheRoot, fields: dict[str, Any], *, is_online: bool) -> dict[str, Any]:
    try:
        target = target_from_json(fields)
    except ValueError as error:
        # A folder with a name that no repository has.
        return _failed(verdicts.describe_error(error))
    return _run_apart(root, target, is_online=is_online)


def _failed(reason: str) -> dict[str, Any]:
    return {"parts": {"loading": f"{NO}: {reason}"}, "wants_network": False}


def _take_stdout() -> IO[str]:
    """Returns stdout for the answers alone: what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _die_with_parent() -> None:
    """Ends this process when the one that started it is gone, however that happened."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))


def _import_libraries(kinds: Collection[str]) -> None:
    """Imports once what every artefact of a kind needs; what is lacking is said when it is used."""
    for name in dict.fromkeys(name for kind in sorted(kinds) for name in _LIBRARIES[kind]):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    if "model" in kinds:
        with contextlib.suppress(Exception):
            # transformers imports these when they are first used: once is enough.
            importlib.import_module("transformers.models.auto.modeling_auto")
            importlib.import_module("transformers.modeling_utils")


def _run_apart(root: CacheRoot, target: LoadTarget, *, is_online: bool) -> dict[str, Any]:
    """Loads one artefact in a forked process and returns its answer."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if not child:
            _be_child(root, target, is_online=is_online, writing=writing, said=said.fileno())
        os.close(writing)
        status = _wait(child, seconds=target.seconds)
        with os.fdopen(reading, "rb") as pipe:
            os.set_blocking(reading, False)
            answer = pipe.read(_MAX_ANSWER_BYTES + 1) or b""
        with contextlib.suppress(ValueError):
            return json.loads(answer)
        said.seek(max(0, said.seek(0, os.SEEK_END) - _MAX_SAID_BYTES))
        reason = _why_no_answer(status, target.seconds, said.read())
    return _failed(reason)


def _wait(child: int, *, seconds: float) -> int | None:
    """Waits for a process; None if it had to be ended."""
    until = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(_TICK_SECONDS)


def _why_no_answer(status: int | None, seconds: float, said: bytes) -> str:
    if status is None:
        return f"took longer than {seconds:g} seconds; --seconds gives more"
    tail = _last_words(said.decode(errors="replace").splitlines())
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGKILL:
        return "the process was killed, as for too little memory"
    if number:
        return f"the process died of {signal.Signals(number).name}{tail}"
    return f"the process ended with status {os.WEXITSTATUS(status)} and no answer{tail}"


def _last_words(lines: Iterable[str]) -> str:
    told = [line.strip() for line in lines if line.strip() and not line.startswith(" ")]
    fatal = [line for line in told if line.startswith("Fatal")] or told[-1:]
    return f": {verdicts.one_line(library_errors.hide_secrets(fatal[0]))}" if fatal else ""


def _be_child(
    root: CacheRoot, target: LoadTarget, *, is_online: bool, writing: int, said: int
) -> None:
    """Loads one artefact, answers, and ends this process."""
    try:
        os.setsid()
        _die_with_parent()
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        faulthandler.enable(said)
        found = _check(root, target, is_online=is_online)
        answer = {"parts": found.parts, "wants_network": found.wants_network}
        os.write(writing, json.dumps(answer).encode()[:_MAX_ANSWER_BYTES])
    except BaseException as error:  # noqa: BLE001 - a forked process must not go on as its parent
        answer = _failed(verdicts.describe_error(error))
        os.write(writing, json.dumps(answer).encode()[:_MAX_ANSWER_BYTES])
    finally:
        os._exit(0)


def _check(root: CacheRoot, target: LoadTarget, *, is_online: bool) -> verdicts.Verdicts:
    from code_t5.hf_artifacts.checking import dataset_loading, metric_loading, model_loading

    if target.request.kind == "dataset":
        if is_online:
            return dataset_loading.load_plainly(target)
        return dataset_loading.check_dataset(root, target)
    files = cache_naming.find_files(root, request=target.request, commit=target.commit)
    if target.request.kind == "model":
        return model_loading.check_model(target, files)
    return metric_loading.check_metric(root, target=target, files=files)


if __name__ == "__main__":
    main()
