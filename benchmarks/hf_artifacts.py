"""Prints how long fetching, hashing and loading take, beside `hf download` and `datasets`.

    python -m benchmarks.hf_artifacts

serves repositories of random bytes from a Hub on loopback, a process of its own
(`tests/fake_hub.py`): a model of two large files, one of many small ones, and a data set of Parquet
files. Each measurement is a program that is started with an empty cache; programs take turns,
`--repeats` times, and the median counts.

    download  `scripts/precache.py --no_verify` (it hashes every file and compares it with the
              Hub's own hash) beside `hf download` (it does not)
    prepare   the same for a data set, beside `datasets.load_dataset` with a network
    load      `code_t5.hf_artifacts.load_dataset` beside `datasets.load_dataset`, both offline,
              from the call to the last row, without the time that importing `datasets` takes
    proof     `scripts/precache.py` with its proof, for a model and a data set, beside
              `hf download`, `from_pretrained` and `datasets.load_dataset`, each a program of its
              own, and the same once more offline
    check     `scripts/check_hf_cache.py` of that root, which hashes and loads all of it
    hash      `verify_root` on one core; what it hashes is in memory

Loopback is quicker than any network, and hashing takes processors that the Hub and the client need
there as well. So the large files are also fetched from a Hub that sends no more than
`--hub_mb_per_s` on each connection. MB are 10^6 bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from absl import flags

from code_t5 import command_line, errors
from code_t5.hf_artifacts.cache_root import CacheRoot

_MODEL_MB = flags.DEFINE_integer("model_mb", 800, "Of the large model.", lower_bound=2)
_NUM_SMALL = flags.DEFINE_integer("num_small", 300, "Files of the other model.", lower_bound=1)
_NUM_ROWS = flags.DEFINE_integer("num_rows", 400_000, "Of the data set.", lower_bound=4)
_HUB_MB = flags.DEFINE_integer(
    "hub_mb_per_s", 600, "Of each connection to the slower Hub.", lower_bound=1
)
_REPEATS = flags.DEFINE_integer("repeats", 3, "How often.", lower_bound=1)
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Where files go; None is a temporary folder.")

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_LARGE, _MANY, _DATA, _TINY = "bench/large", "bench/many", "bench/rows", "bench/tiny"
_NUM_SHARDS = 4
_SMALL_BYTES = 4000
_MB = 10**6
_PACED = "paced"
# The rate of a listening socket is that of the connections that it accepts (socket(7), Linux).
_HUB = """
import runpy, socket, socketserver, sys
script, rate = sys.argv[1], int(sys.argv.pop(3))
activate = socketserver.TCPServer.server_activate
def paced(server):
    if rate:
        server.socket.setsockopt(socket.SOL_SOCKET, 47, rate)
    activate(server)
socketserver.TCPServer.server_activate = paced
sys.path.insert(0, script.rpartition("/")[0])
sys.argv = sys.argv[1:]
runpy.run_path(script, run_name="__main__")
"""
_PREPARE = """
import datasets, sys
datasets.load_dataset(sys.argv[1], revision="main")
"""
_FROM_PRETRAINED = """
import sys
import transformers
transformers.AutoTokenizer.from_pretrained(sys.argv[1])
transformers.AutoModel.from_pretrained(sys.argv[1])
"""
_LOAD = """
import sys, time
import datasets, datasets.load
started = time.perf_counter()
if sys.argv[2] == "ours":
    from code_t5.hf_artifacts import load_dataset
else:
    load_dataset = datasets.load_dataset
rows = load_dataset(sys.argv[1], split="train")
rows[len(rows) - 1]
print(time.perf_counter() - started)
"""
_HASH = """
import os, sys, time
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import hashes
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
started = time.perf_counter()
findings = hashes.verify_root(CacheRoot(sys.argv[1]))
print(time.perf_counter() - started, sum(finding.is_damage for finding in findings))
"""


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where everything of this run lies.

    Attributes:
      folder: Its own.
      url: Of the Hub.
    """

    folder: pathlib.Path
    url: str

    def environment(self, home: pathlib.Path) -> dict[str, str]:
        """Returns the settings of a program that asks the Hub."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
        ours = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "PYTHONPATH": str(_ROOT)}
        quiet = ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS")
        return {**kept, **ours, **dict.fromkeys(quiet, "1"), "no_proxy": "127.0.0.1"}


def _write_repositories(folder: pathlib.Path) -> None:
    """Writes what the Hub serves, as `tests/fake_hub.py` reads it."""
    import pyarrow
    import pyarrow.parquet

    source = random.Random(0)
    block = source.randbytes(_MB)
    large, many, data = (
        folder / kind / name
        for kind, name in (("models", _LARGE), ("models", _MANY), ("datasets", _DATA))
    )
    for place in (large, many, data):
        place.mkdir(parents=True)
        (place / "config.json").write_text("{}")
    (data / "config.json").unlink()
    for part in (1, 2):
        with open(large / f"model-{part:05}-of-00002.safetensors", "wb") as file:
            for _ in range(_MODEL_MB.value // 2):
                file.write(block)
            file.write(bytes([part]))
    for index in range(_NUM_SMALL.value):
        (many / f"part{index:05}.json").write_bytes(source.randbytes(_SMALL_BYTES))
    _write_tiny_model(folder / "models" / _TINY)
    for shard in range(_NUM_SHARDS):
        rows = range(shard, _NUM_ROWS.value, _NUM_SHARDS)
        texts = [source.randbytes(100).hex() for _ in rows]
        table = pyarrow.table({"id": list(rows), "text": texts})
        name = f"train-{shard:05}-of-{_NUM_SHARDS:05}.parquet"
        pyarrow.parquet.write_table(table, data / name)


def _write_tiny_model(folder: pathlib.Path) -> None:
    """Writes a model that takes no time to load beside what importing the libraries takes."""
    import tokenizers
    import transformers

    words = {"[UNK]": 0, "[PAD]": 1, "word": 2}
    model = tokenizers.models.WordLevel(words, unk_token="[UNK]")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(model), unk_token="[UNK]", pad_token="[PAD]"
    )
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=3, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(folder)


@contextlib.contextmanager
def _serve(folder: pathlib.Path, *, mb_per_s: int) -> Iterator[str]:
    """Serves a folder until the block ends; gives the address."""
    script = _ROOT / "tests" / "fake_hub.py"
    command = [sys.executable, "-c", _HUB, str(script), str(folder), str(mb_per_s * _MB)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hub:
        try:
            if hub.stdout is not None:
                yield hub.stdout.readline().strip()
        finally:
            if hub.stdin is not None:
                hub.stdin.close()
            hub.wait()


def _run(command: Sequence[str], environment: dict[str, str]) -> tuple[float, str]:
    """Returns how many seconds a program took, and what it printed.

    Raises:
      CodeT5Error: It failed.
    """
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise errors.CodeT5Error(
            f"{' '.join(command[:4])} failed: {(done.stderr or done.stdout)[-500:]!r}; wanted it "
            "to end well; mend it and run the benchmark again"
        )
    return seconds, done.stdout


def _precache(
    root: pathlib.Path, *, models: str = "", spec: str = "", is_proving: bool = False
) -> list[str]:
    wanted = [f"--models={models}", "--no_conll2003", "--no_wikiann"] if models else []
    wanted += [f"--spec={spec}"] if spec else []
    script = str(_ROOT / "scripts" / "precache.py")
    wanted += [] if is_proving else ["--no_verify"]
    return [sys.executable, script, f"--cache_dir={root}", *wanted]


def _compare(place: _Place, programs: dict[str, list[str]]) -> dict[str, float]:
    """Returns the median seconds of programs that take turns, each with an empty cache."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(_REPEATS.value):
        for name, command in programs.items():
            for left in ("home", "cache"):
                shutil.rmtree(place.folder / left, ignore_errors=True)
            (place.folder / "home").mkdir()
            seconds[name].append(_run(command, place.environment(place.folder / "home"))[0])
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def _print_ratio(title: str, taken: dict[str, float]) -> None:
    (ours, our_seconds), (theirs, their_seconds) = taken.items()
    print(
        f"{title:34} {ours} {our_seconds:6.2f} s   {theirs} {their_seconds:6.2f} s   "
        f"ratio {our_seconds / their_seconds:.2f}",
        flush=True,
    )


def _download(place: _Place, *, name: str, title: str) -> None:
    hf = os.path.join(os.path.dirname(sys.executable), "hf")
    cache = place.folder / "cache"
    programs = {
        "precache": _precache(cache, models=name),
        "hf download": [hf, "download", name, f"--cache-dir={cache}"],
    }
    _print_ratio(title, _compare(place, programs))


def _prepare(place: _Place) -> None:
    spec = place.folder / "spec.yaml"
    spec.write_text(json.dumps({"datasets": [_DATA]}))
    programs = {
        "precache": _precache(place.folder / "cache", spec=str(spec)),
        "load_dataset": [sys.executable, "-c", _PREPARE, _DATA],
    }
    _print_ratio("prepare a data set", _compare(place, programs))


def _prove(place: _Place) -> None:
    """Compares fetching and proving with what the libraries take for it, one after the other."""
    hf = os.path.join(os.path.dirname(sys.executable), "hf")
    root, home = CacheRoot(place.folder / "proved"), place.folder / "home"
    spec = place.folder / "spec.yaml"
    spec.write_text(json.dumps({"models": [_TINY], "datasets": [_DATA]}))
    check = [sys.executable, str(_ROOT / "scripts" / "check_hf_cache.py")]
    loads = [
        [sys.executable, "-c", _FROM_PRETRAINED, _TINY],
        [sys.executable, "-c", _PREPARE, _DATA],
    ]
    downloads = [[hf, "download", _TINY], [hf, "download", "--repo-type=dataset", _DATA]]
    taken: dict[str, list[float]] = {"ours": [], "theirs": [], "check": [], "load": []}
    for _ in range(_REPEATS.value):
        for left in (root.path, home):
            shutil.rmtree(left, ignore_errors=True)
        home.mkdir()
        online = place.environment(home)
        offline = {**online, "HF_HUB_OFFLINE": "1"}
        proving = _precache(root.path, spec=str(spec), is_proving=True)
        taken["ours"].append(_run(proving, online)[0])
        taken["check"].append(_run([*check, f"--cache_dir={root.path}"], online)[0])
        fetching = sum(_run(command, online)[0] for command in [*downloads, *loads])
        loading = sum(_run(command, offline)[0] for command in loads)
        taken["theirs"].append(fetching + loading)
        taken["load"].append(loading)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    _print_ratio(
        "fetch, prepare and prove",
        {"precache": medians["ours"], "the libraries": medians["theirs"]},
    )
    _print_ratio(
        "check all of it",
        {"check_hf_cache": medians["check"], "loading offline": medians["load"]},
    )


def _load_and_hash(place: _Place) -> None:
    root = CacheRoot(place.folder / "filled")
    spec = place.folder / "spec.yaml"
    _run(_precache(root.path, spec=str(spec)), place.environment(place.folder / "home"))
    _run(_precache(root.path, models=_LARGE), place.environment(place.folder / "home"))
    offline = {**place.environment(root.path), **root.environment(is_offline=True)}
    taken: dict[str, list[float]] = {"ours": [], "datasets": []}
    for _ in range(_REPEATS.value):
        for name, seconds in taken.items():
            _, printed = _run([sys.executable, "-c", _LOAD, _DATA, name], offline)
            seconds.append(float(printed.split()[-1]))
    _print_ratio("load offline", {name: statistics.median(all_) for name, all_ in taken.items()})
    paths = [path for path in root.path.rglob("*") if path.is_file() and not path.is_symlink()]
    size_bytes = sum(path.stat().st_size for path in paths)
    speeds = []
    for _ in range(_REPEATS.value):
        _, printed = _run([sys.executable, "-c", _HASH, str(root.path)], offline)
        seconds, num_wrong = printed.split()
        if int(num_wrong):
            raise errors.CodeT5Error(
                f"verify_root finds {num_wrong} faults in {root.path}; wanted none; mend it and "
                "run the benchmark again"
            )
        speeds.append(size_bytes / float(seconds) / _MB)
    print(f"{'hash on one core':34} {statistics.median(speeds):6.0f} MB/s", flush=True)


def _measure(folder: pathlib.Path) -> None:
    served = folder / "served"
    _write_repositories(served)
    with _serve(served, mb_per_s=_HUB_MB.value) as url:
        title = f"download large files, {_HUB_MB.value} MB/s"
        _download(_Place(folder, url), name=_LARGE, title=title)
    with _serve(served, mb_per_s=0) as url:
        place = _Place(folder, url)
        _download(place, name=_LARGE, title="download large files, unlimited")
        _download(place, name=_MANY, title="download small files")
        _prepare(place)
        _prove(place)
        _load_and_hash(place)


def main(argv: Sequence[str]) -> None:
    """Measures everything.

    Args:
      argv: Nothing but the program's name.
    """
    del argv
    with tempfile.TemporaryDirectory(dir=_WORK_DIR.value) as folder:
        _measure(pathlib.Path(folder))


if __name__ == "__main__":
    command_line.run(main)
