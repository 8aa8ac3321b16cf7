"""Times the answers of an exported model behind its server, on this machine's CPU.

Exports a trained model, starts `scripts/serve.py` as a user does, and lets clients ask, each the
next prompt as soon as it has its answer. In the same run and with the same prompts and clients: the
peer (torch's `generate` of the model's Hugging Face export behind the same server), the floor (the
export called in this process, a full batch at a time, without HTTP), and hostile clients beside
honest ones. Ends with exit status 1 if an answer was lost, or one in twenty took 100 ms or more.

Run from the repository's root:
`python -m benchmarks.serving --model_dir=MODEL_DIR --data_dir=DATA_DIR`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence

from absl import flags

from benchmarks import serving_clients
from code_t5 import command_line, errors

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "A trained model.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where its data set was built.")
_REQUESTS = flags.DEFINE_integer("num_requests", 10000, "Of honest clients.", lower_bound=8)
_PEER_REQUESTS = flags.DEFINE_integer("peer_requests", 1000, "To the peer.", lower_bound=0)
_HOSTILE_SHARE = flags.DEFINE_float(
    "hostile_share", 0.1, "Of the requests that are sent once more beside hostile ones.", 0.0, 1.0
)
_CLIENTS = flags.DEFINE_integer("clients", 4, "Honest clients at once.", lower_bound=1)
_NEW_TOKENS = flags.DEFINE_integer("max_new_tokens", 16, "Of one answer.", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "Prompts run at once.", lower_bound=1)
_NAME = "benchmark"
_WARM_UP_REQUESTS = 40
_ROW = "| {} | {:,} | {} | {:.1f} | {:.1f} | {:.1f} | {:.1f} |"


@contextlib.contextmanager
def _server(arguments: Sequence[str], *, log_path: pathlib.Path) -> Iterator[tuple[str, int]]:
    """Runs a server as a child process; yields its host and port.

    Raises:
      InputError: It ended before it answered.
    """
    with (
        open(log_path, "wb") as log_file,
        subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": "."},
        ) as child,
    ):
        try:
            while not (found := re.search(r"^page: +(\S+)", log_path.read_text(), re.M)):
                if child.poll() is not None:
                    raise errors.InputError(
                        f"{arguments[0]} ended with status {child.returncode}; wanted a server; "
                        f"it said: {log_path.read_text()[-500:]}"
                    )
                time.sleep(0.1)
            parts = urllib.parse.urlsplit(found[1])
            yield str(parts.hostname), int(parts.port or 0)
            if child.poll() is not None:
                raise errors.InputError(f"{arguments[0]} ended while it was asked")
        finally:
            child.terminate()


def _metric(address: tuple[str, int], name: str) -> float:
    """Returns one figure of `/metrics`."""
    with contextlib.closing(http.client.HTTPConnection(*address)) as connection:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    return float(found[1]) if found else 0.0


def _row(label: str, load: serving_clients.Load) -> str:
    answered = len(load.seconds)
    times = [load.percentile(percent) for percent in (50, 95, 99)]
    speed = answered / load.elapsed_seconds
    return _ROW.format(label, answered + load.num_lost, load.num_lost, *times, speed)


def _floor(version_dir: pathlib.Path, prompts: Sequence[str]) -> serving_clients.Load:
    """Times the export in this process, a full batch at a time."""
    from code_t5.training.serving.exported_model import ExportedModel
    from code_t5.training.serving.predictions import Prompt

    model = ExportedModel(version_dir)
    size, seconds = model.batch_size, list[float]()
    began = time.perf_counter()
    for start in range(0, len(prompts), size):
        batch = [Prompt(text) for text in prompts[start : start + size]]
        before = time.perf_counter()
        model.predict(batch)
        seconds += [time.perf_counter() - before] * len(batch)
    return serving_clients.Load(sorted(seconds), 0, time.perf_counter() - began)


def _measure_server(
    model: pathlib.Path, prompts: Sequence[str], *, folder: pathlib.Path
) -> serving_clients.Load:
    """Prints the rows of our own server; returns what its honest clients saw alone."""
    arguments = ["scripts/serve.py", f"--model={model}", "--port=0"]
    with _server(arguments, log_path=folder / "serve.log") as address:
        ask = {"address": address, "name": _NAME, "clients": _CLIENTS.value}
        serving_clients.run_load(**ask, asked=prompts[:_WARM_UP_REQUESTS])
        counts = ['code_t5_tokens_total{kind="new"}', "code_t5_batch_size_sum"]
        counts += ["code_t5_batch_size_count"]
        before = [_metric(address, name) for name in counts]
        load = serving_clients.run_load(**ask, asked=prompts)
        tokens, rows, batches = (_metric(address, name) - one for name, one in zip(counts, before))
        print(_row("served", load), flush=True)
        hostile = prompts[: int(_HOSTILE_SHARE.value * len(prompts))]
        if hostile:
            with serving_clients.hostile_clients(address, name=_NAME) as seen:
                beside = serving_clients.run_load(**ask, asked=hostile)
            print(_row("served, beside hostile clients", beside), flush=True)
    print(f"{tokens / rows:.1f} tokens per answer, {rows / batches:.1f} prompts per batch")
    if hostile:
        said = (
            f"{kind} {', '.join(f'{status} x {count}' for status, count in sorted(found.items()))}"
            for kind, found in seen.items()
        )
        print(f"hostile clients were answered: {'; '.join(said)}; the server stayed up")
    return load


def _measure_peer(prompts: Sequence[str], *, folder: pathlib.Path) -> None:
    """Prints the row of torch behind our server."""
    arguments = ["-m", "benchmarks.serving_torch_peer", f"--model_dir={_MODEL_DIR.value}"]
    arguments += [f"--data_dir={_DATA_DIR.value}"] if _DATA_DIR.value else []
    arguments += [f"--max_new_tokens={_NEW_TOKENS.value}", f"--batch_size={_BATCH_SIZE.value}"]
    with _server(arguments, log_path=folder / "peer.log") as address:
        ask = {"address": address, "name": "torch", "clients": _CLIENTS.value}
        serving_clients.run_load(**ask, asked=prompts[:_WARM_UP_REQUESTS])
        load = serving_clients.run_load(**ask, asked=prompts)
        print(_row("torch behind the same server", load), flush=True)


def main(argv: Sequence[str]) -> int:
    """Prints a Markdown table, a row as soon as it is known, and a verdict.

    Returns:
      The exit status.

    Raises:
      InputError: A server ended.
    """
    del argv
    from code_t5.training.saved_model import export

    prompts = serving_clients.prompts(_REQUESTS.value)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        version_dir = export.export_saved_model(
            _MODEL_DIR.value,
            config=export.ExportConfig(
                name=_NAME, max_new_tokens=_NEW_TOKENS.value, batch_size=_BATCH_SIZE.value
            ),
            output_dir=folder / "exports",
            data_dir=_DATA_DIR.value,
        )
        print(
            f"{_CLIENTS.value} clients, {_NEW_TOKENS.value} tokens at most, batches of "
            f"{_BATCH_SIZE.value}, {os.cpu_count()} CPUs, {time.strftime('%Y-%m-%d')}"
        )
        print("| what | requests | lost | p50 ms | p95 ms | p99 ms | answers/s |")
        print("|---|---|---|---|---|---|---|", flush=True)
        if _PEER_REQUESTS.value:
            _measure_peer(prompts[: _PEER_REQUESTS.value], folder=folder)
        load = _measure_server(version_dir.parent, prompts, folder=folder)
        print(_row("the export in this process", _floor(version_dir, prompts[:1000])), flush=True)
    line, is_good = serving_clients.verdict(load, clients=_CLIENTS.value)
    print(line)
    return 0 if is_good else 1


if __name__ == "__main__":
    command_line.run(main)
