"""Running the programs of hf_artifacts as a user does, against a Hub of a test or none.

`run(PROGRAM, ...)` gives what a terminal would show. `NOBODY` is the number of a user who is
somebody else.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Callable, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOBODY = 65534
# What `add_repositories` gives a Hub.
PLAIN, TWO, MODEL = "tests/plain", "tests/two", "tests/model"
_WEIGHTS_BYTES = 3_000_000
# chown, and reading, writing and changing what belongs to others.
_RIGHTS_OF_ROOT = range(5)
_PR_CAPBSET_DROP = 24
IS_ROOT = os.geteuid() == 0
_TIME_LIMIT_SECONDS = 240
_DEAD_HUB = "http://127.0.0.1:9"
_OFFLINE_FLAGS = (
    *("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_EVALUATE_OFFLINE"),
)


class Ran(NamedTuple):
    """How a program ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of an error; the test fails if there is none, or more than one."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err, self.err
        return lines[0]

    @property
    def all(self) -> str:
        """Everything it printed."""
        return self.out + self.err


def online(hub, home: os.PathLike[str] | str) -> dict[str, str]:
    """Returns an environment that asks a Hub of a test.

    Args:
      hub: The `FakeHub`.
      home: `HF_HOME`.
    """
    given = hub.environment(home)
    return {**{k: v for k, v in given.items() if k not in _OFFLINE_FLAGS}, **_plain()}


def offline(home: os.PathLike[str] | str, *flags: str) -> dict[str, str]:
    """Returns an environment in which no Hub answers.

    Args:
      home: `HF_HOME`.
      *flags: The offline flags that are set; none if none is named.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    given = {"HF_HOME": str(home), "HF_ENDPOINT": _DEAD_HUB, **dict.fromkeys(flags, "1")}
    return {**kept, **given, **_plain()}


def _plain() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONFAULTHANDLER": "0"}


def start(
    program: str,
    *arguments: str | os.PathLike[str],
    environment: Mapping[str, str],
    is_plain_user: bool = False,
    cwd: os.PathLike[str] | str | None = None,
) -> subprocess.Popen[str]:
    """Starts a program of `scripts/`.

    Args:
      program: Its file's name.
      *arguments: Its own.
      environment: All of it.
      is_plain_user: Whether permissions hold for it, also where the tests run as root.
      cwd: Where; the checkout by default.
    """
    command = [sys.executable, "-B", str(ROOT / "scripts" / program), *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=dict(environment),
        cwd=cwd or ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_drop_rights if is_plain_user and IS_ROOT else None,
    )


def write_spec(folder: pathlib.Path, **lists: object) -> pathlib.Path:
    """Writes `artefacts.yaml` to a folder.

    Args:
      folder: Where.
      **lists: `models`, `datasets` and `metrics`.
    """
    import yaml

    path = folder / "artefacts.yaml"
    path.write_text(yaml.safe_dump(lists), encoding="utf-8")
    return path


def add_repositories(hub) -> None:
    """Gives a Hub two data sets, one with two configurations, and a model of 3 MB.

    Args:
      hub: The `FakeHub`.
    """
    hub.add("dataset", PLAIN, dataset_files(padding=200))
    hub.add("dataset", TWO, dataset_files("first", "second"))
    weights = os.urandom(_WEIGHTS_BYTES)
    hub.add("model", MODEL, {"config.json": "{}", "model.safetensors": weights})


def fill_root(hub, folder: pathlib.Path) -> pathlib.Path:
    """Fetches what `add_repositories` gave a Hub, and returns the root.

    Args:
      hub: The `FakeHub`.
      folder: In which the root is made.
    """
    spec = write_spec(folder, models=[MODEL], datasets=[PLAIN, TWO])
    ran = precache(hub, folder / "root", spec=spec)
    assert ran.status == 0, ran.all
    return folder / "root"


def precache(hub, root, *arguments, spec, more: Mapping[str, str] | None = None, **options) -> Ran:
    """Runs `precache.py --no_verify` against a Hub of a test.

    Args:
      hub: The `FakeHub`.
      root: The root; `no home` beside it is `HF_HOME`, and is not there.
      *arguments: Further ones.
      spec: The YAML file.
      more: Further variables of the environment.
      **options: As `start` takes them.
    """
    environment = {**online(hub, pathlib.Path(root).parent / "no home"), **(more or {})}
    return run(
        "precache.py", "--cache_dir", root, "--spec", spec, "--no_verify", *arguments,
        environment=environment, **options,
    )  # fmt: skip


def check(root, *arguments, on: Iterable[str] = (), **options) -> Ran:
    """Runs `check_hf_cache.py` where no Hub answers.

    Args:
      root: The root.
      *arguments: Further ones.
      on: The offline flags that are set.
      **options: As `start` takes them.
    """
    environment = offline(pathlib.Path(root).parent / "no home", *on)
    return run(
        "check_hf_cache.py", "--cache_dir", root, *arguments, environment=environment, **options
    )


def copy_root(filled: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Returns a copy of a root, its links as they are."""
    return pathlib.Path(shutil.copytree(filled, folder / "root", symlinks=True))


def _drop_rights() -> None:
    """Takes from root what lets it pass by permissions; in a child, before its program starts."""
    library = ctypes.CDLL(None, use_errno=True)
    for capability in _RIGHTS_OF_ROOT:
        if library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            os._exit(99)


def finish(process: subprocess.Popen[str]) -> Ran:
    """Waits for a program that was started.

    Args:
      process: The program.
    """
    try:
        out, err = process.communicate(timeout=_TIME_LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {_TIME_LIMIT_SECONDS} s\n{out}\n{err}") from None
    return Ran(process.returncode, out, err)


def run(program: str, *arguments: str | os.PathLike[str], **options) -> Ran:
    """Runs a program of `scripts/`; takes what `start` takes."""
    return finish(start(program, *arguments, **options))


def wait_for(condition: Callable[[], bool], *, process: subprocess.Popen[str]) -> None:
    """Waits until something holds, while a program runs.

    Args:
      condition: What.
      process: The program; the test fails if it ends before.
    """
    deadline = time.monotonic() + _TIME_LIMIT_SECONDS
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {process.communicate()}")
        if time.monotonic() > deadline:
            kill(process)
            raise AssertionError(f"not after {_TIME_LIMIT_SECONDS} s")
        time.sleep(0.02)


def kill(process: subprocess.Popen[str]) -> None:
    """Kills a program that was started, and its children, as a cluster does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def fetched_bytes(root: pathlib.Path) -> int:
    """Returns the size of the largest file that is half fetched."""
    return max((path.stat().st_size for path in root.glob("hub/*/blobs/*.incomplete")), default=0)


@contextlib.contextmanager
def sealed(folder: pathlib.Path) -> Iterator[None]:
    """Makes a folder one of somebody else, which may be read and not written.

    Args:
      folder: With everything below it.
    """
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
        if IS_ROOT:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    try:
        yield
    finally:
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)


def parquet(rows: int, *, first: int = 0, padding: int = 0) -> bytes:
    """Returns a Parquet file with the columns `number` and `text`.

    Args:
      rows: How many.
      first: The first number.
      padding: Bytes that are added to each text, which nothing compresses.
    """
    import pyarrow
    import pyarrow.parquet

    numbers = range(first, first + rows)
    texts = [f"text {number} {os.urandom(padding).hex()[:padding]}".strip() for number in numbers]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table({"number": list(numbers), "text": texts}), sink, compression="none"
    )
    return sink.getvalue()


def dataset_files(*configs: str, padding: int = 0) -> dict[str, bytes | str]:
    """Returns the files of a data set with a train split of 20 rows and a test split of 5.

    Args:
      *configs: Its configurations; none for files without any.
      padding: As `parquet` takes it.
    """
    files: dict[str, bytes | str] = {}
    lines = ["---", "configs:"]
    for config in configs or ("data",):
        lines += [f"- config_name: {config}", "  data_files:"]
        for split, rows in (("train", 20), ("test", 5)):
            path = f"{config}/{split}-00000-of-00001.parquet"
            files[path] = parquet(rows, padding=padding)
            lines += [f"  - split: {split}", f"    path: {config}/{split}-*"]
    if configs:
        files["README.md"] = "\n".join([*lines, "---", "A data set of a test", ""])
    return files


def tree(folder: pathlib.Path) -> dict[str, bytes | str]:
    """Returns everything below a folder: files with their bytes, links with their targets."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
    return found
