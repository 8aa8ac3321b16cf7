"""What fails with today's tools on a node without a network, and does not fail here.

Each test is named by its symptom and names the threads where people report it. It shows the plain
library failing (or says that it no longer does), and ours succeeding, both in child processes that
use the libraries as they are. `plain_home` was filled by the plain tools, `filled_root` by
`precache.py`. What is loaded offline is loaded behind the fence.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import fake_hub
import hub_artefacts
import pytest
from offline_children import FENCED, OFFLINE, ROOT, asked, load_with, run_python, run_script

from code_t5.hf_artifacts.cache_root import CacheRoot

PLAIN, OURS = "datasets", "code_t5.hf_artifacts"
_REVIEWS = hub_artefacts.REVIEWS
_IN_PLAIN_HOME = {
    "english": asked("wikiann", "en"),
    "german": asked("wikiann", "de"),
    "reviews": asked(_REVIEWS),
    "reviews of files": asked(_REVIEWS, data_files="reviews-*.jsonl"),
    "reviews of a folder": asked(_REVIEWS, data_dir="en"),
    "reviews, early": asked(_REVIEWS, revision="v1", data_files="*.jsonl"),
    "entities": asked("conll2003", revision="refs/convert/parquet"),
}
_ASKED_OFFLINE = {
    **_IN_PLAIN_HOME,
    "present name": asked(hub_artefacts.CONLL2003, revision="refs/convert/parquet"),
    "images": asked("imagenet-1k"),
    "none named": asked("wikiann"),
    "tag": asked(_REVIEWS, revision="v1", split="train"),
    "no such tag": asked(_REVIEWS, revision="v9"),
}


def _hf(*arguments, environment):
    """Runs huggingface_hub's own program."""
    return subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "hf"), *arguments],
        env=dict(environment), capture_output=True, text=True, check=False,
    )  # fmt: skip


def _offline(root):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    return {**kept, **CacheRoot(root).environment(is_offline=True)}


@pytest.fixture(scope="module")
def plain_home(hub, tmp_path_factory):
    """An HF_HOME as people fill it: by `load_dataset` and `hf download`, on the login node."""
    home = tmp_path_factory.mktemp("plain") / "home"
    environment = {**hub.environment(home), "HF_TOKEN": hub_artefacts.ACCESS_TOKEN}
    for outcome in load_with(PLAIN, list(_IN_PLAIN_HOME.values()), environment=environment):
        assert outcome.rows, outcome.error
    done = _hf("download", "--repo-type", "dataset", "imagenet-1k", environment=environment)
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="module")
def plain(plain_home):
    """What the plain library makes of each request offline."""
    environment = {**_offline(plain_home), "HF_HOME": str(plain_home)}
    found = load_with(PLAIN, list(_ASKED_OFFLINE.values()), environment=environment)
    return dict(zip(_ASKED_OFFLINE, found))


@pytest.fixture(scope="module")
def ours(plain_home):
    """What ours makes of each request offline, of the same directory."""
    found = load_with(
        OURS, list(_ASKED_OFFLINE.values()), environment=_offline(plain_home), restrict=FENCED
    )
    return dict(zip(_ASKED_OFFLINE, found))


@pytest.fixture(scope="module")
def recorded(filled_root):
    """What ours makes offline of requests for chosen files, where `precache.py` fetched them."""
    names = ("reviews of files", "reviews of a folder", "reviews, early", "tag", "no such tag")
    chosen = [(path, dict(options)) for path, options in map(_ASKED_OFFLINE.get, names)]
    for _, options in chosen[:2]:
        options["revision"] = "v2"
    found = load_with(OURS, chosen, environment=_offline(filled_root), restrict=FENCED)
    return dict(zip(names, found))


def test_cached_data_set_is_not_found_under_the_name_that_the_hub_has_now(plain, ours, filled_root):
    """datasets#4760, #3547: the Hub renames, and what was fetched has the old name."""
    assert plain["entities"].rows == hub_artefacts.CONLL2003_SIZES
    assert "Couldn't reach 'eriktks/conll2003' on the Hub" in plain["present name"].error
    # The old cache says nothing of the new name: ours refuses, with the command that mends it.
    assert "precache.py" in ours["present name"].error
    names = [asked("conll2003"), asked(hub_artefacts.CONLL2003)]
    for library in (PLAIN, OURS):
        found = load_with(library, names, environment=_offline(filled_root), restrict=FENCED)
        assert [outcome.rows for outcome in found] == [hub_artefacts.CONLL2003_SIZES] * 2


def test_what_hf_download_fetched_is_not_found_by_load_dataset(plain, ours):
    """datasets#6750: all files are there, and offline they are asked of the Hub."""
    assert "Couldn't reach 'imagenet-1k' on the Hub" in plain["images"].error
    assert ours["images"].rows == {"train": 53, "validation": 16, "test": 6}
    assert "PngImageFile" in ours["images"].first


@pytest.mark.parametrize(
    ("choice", "rows", "first"),
    [
        ("reviews of files", 15, "reviews-2024.jsonl says 0"),
        ("reviews of a folder", 4, "en/a.jsonl says 0"),
        ("reviews, early", 9, "reviews-2024.jsonl says 0"),
    ],
)
def test_chosen_files_are_not_found_offline(plain, recorded, choice, rows, first):
    """datasets#6837, #7551, #6609: online the name of the cache is made of other things."""
    assert "Couldn't find cache for acme/reviews" in plain[choice].error
    found = recorded[choice]
    assert (found.rows, first in found.first) == ({"train": rows}, True), found.error


def test_nobody_knows_which_files_a_pattern_left_on_the_hub(plain, ours):
    """Beside datasets#6837: a cache that the plain library filled does not say what it lacks."""
    # All of v1 was fetched by a pattern; it might as well have been one of two files.
    assert not plain["reviews, early"].rows
    assert not ours["reviews, early"].rows
    assert "--spec /dev/stdin" in ours["reviews, early"].error


def test_revision_is_ignored_offline(plain, ours, recorded):
    """Beside datasets#6837: what was asked for by a tag is answered with the newest there is."""
    newest = sum(hub_artefacts.REVIEWS_SIZES.values())
    assert plain["tag"].rows == {"the only one": newest}
    assert plain["no such tag"].rows == {"train": newest}
    early = {"the only one": hub_artefacts.REVIEWS_SIZES["reviews-2024.jsonl"]}
    assert recorded["tag"].rows == early
    assert "nothing here says which commit v9 is" in ours["no such tag"].error


def test_several_configurations_are_cached(plain_home, plain, ours, recorded):
    """datasets#7359: those of chosen files go by hashes that nobody knows."""
    assert "default-" in plain["reviews of files"].error
    assert recorded["reviews of files"].rows == {"train": 15}
    assert ours["reviews"].rows == plain["reviews"].rows == {"train": 22}
    assert "de, en" in plain["none named"].error
    assert "there are de, en" in ours["none named"].error
    assert "call load_dataset('wikiann', 'de')" in ours["none named"].error
    check = ("check_hf_cache.py", f"--cache_dir={plain_home}", "--dataset=wikiann")
    refused = run_script(*check, environment=_offline(plain_home))
    assert refused.stderr.rstrip().endswith("there are de, en; wanted one; add --config=de")


def _at_once(library, request, *, environment, restrict=""):
    """Returns what three processes made of one request at the same time."""

    def load(_):
        return load_with(library, [request], environment=environment, restrict=restrict)[0]

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        return [(found.rows, found.error) for found in pool.map(load, range(3))]


def test_many_processes_open_what_was_never_prepared(plain_home, plain):
    """datasets#3447: offline, processes of a node prepare the same data at once.

    The plain library no longer fails on a folder: three processes prepare it, and wait for each
    other. By the name of the repository it opens none of these files, be it one process or many.
    """
    environment, wanted = _offline(plain_home), [({"the only one": 53}, "")] * 3
    assert "Couldn't reach 'imagenet-1k' on the Hub" in plain["images"].error
    (snapshot,) = plain_home.glob("hub/datasets--*imagenet-1k/snapshots/*")
    assert _at_once(PLAIN, asked(str(snapshot), split="train"), environment=environment) == wanted
    request = asked("imagenet-1k", split="train")
    assert _at_once(OURS, request, environment=environment, restrict=FENCED) == wanted


def test_jobs_fetch_the_same_at_once_into_one_cache(tmp_path):
    """datasets#2187, #5412, cruijff_kit#316: what one job writes, another takes for whole.

    The plain library no longer fails: three jobs, of which each finds the others' files half
    fetched, read all rows, and each file is fetched once. So it is with ours.
    """
    root, sizes = tmp_path / "cache", hub_artefacts.WIKIANN_SIZES["en"]
    with fake_hub.serve() as hub:
        hub_artefacts.add_wikiann(hub)
        hub.delay("/lfs/", seconds=0.5, times=99)
        environment = hub.environment(tmp_path / "home")
        plainly = _at_once(PLAIN, asked("wikiann", "en"), environment=environment)
        assert plainly == [(sizes, "")] * 3
        contents = hub.paths("/lfs/", method="GET")
        assert len(contents) == len(set(contents)) == len(sizes)
        precache = ("precache.py", f"--cache_dir={root}", *_ONLY_WIKIANN)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = list(pool.map(lambda _: run_script(*precache, environment=environment), "abc"))
        assert [job.returncode for job in jobs] == [0, 0, 0], [job.stdout for job in jobs]
        assert sorted(hub.paths("/lfs/", method="GET")) == sorted(contents * 2)
    (found,) = load_with(
        OURS, [asked("wikiann", "en")], environment=_offline(root), restrict=FENCED
    )
    assert found.rows == sizes


_ONLY_WIKIANN = ("--no_conll2003", "--no_models", "--no_verify")


def _kill_midway(command, *, folder, environment):
    """Runs a command until it has begun a file, and kills it."""
    with subprocess.Popen(
        command, env={**environment, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as job:  # fmt: skip
        until = time.monotonic() + 60
        while not list(folder.rglob("*.incomplete")):
            assert time.monotonic() < until and job.poll() is None
            time.sleep(0.05)
        os.killpg(job.pid, signal.SIGKILL)


def test_job_that_was_killed_leaves_half_a_file(tmp_path):
    """datasets#2187, #5412, cruijff_kit#316: `.incomplete` files of a job that is no more.

    The plain library no longer fails: a second run fetches and prepares what is missing. But no
    command of it says, without a network, that the first did not finish; ours does.
    """
    home, root = tmp_path / "home", tmp_path / "cache"
    program = "import datasets; datasets.load_dataset('wikiann', 'en')"
    request, sizes = [asked("wikiann", "en")], hub_artefacts.WIKIANN_SIZES["en"]
    precache = ("precache.py", f"--cache_dir={root}", *_ONLY_WIKIANN)
    with fake_hub.serve() as hub:
        hub_artefacts.add_wikiann(hub)
        hub.delay("/lfs/", seconds=20, times=99)
        environment = hub.environment(home)
        _kill_midway([sys.executable, "-c", program], folder=home, environment=environment)
        script = str(ROOT / "scripts" / precache[0])
        _kill_midway([sys.executable, script, *precache[1:]], folder=root, environment=environment)
        hub.forget_faults()
        (plainly,) = load_with(PLAIN, request, environment=environment)
        assert plainly.rows == sizes
        check = ("check_hf_cache.py", f"--cache_dir={root}", "--no_load")
        assert run_script(*check, environment=_offline(root)).returncode == 1
        assert run_script(*precache, environment=environment).returncode == 0
    assert run_script(*check, environment=_offline(root)).returncode == 0
    (found,) = load_with(OURS, request, environment=_offline(root), restrict=FENCED)
    assert found.rows == sizes


def test_file_locks_do_not_work(plain_home):
    """datasets#6744, PR #8638: `flock` on Weka or NFS answers with an error."""
    environment, request = _offline(plain_home), [asked("wikiann", "en")]
    for error, number in (("EIO", 5), ("ENOLCK", 37)):
        terms = f"flock={error}"
        try:
            (plainly,) = load_with(PLAIN, request, environment=environment, terms=terms, seconds=15)
            assert f"[Errno {number}]" in plainly.error
        except subprocess.TimeoutExpired:
            # filelock before 3.20 or so takes any error for a lock that somebody holds, and waits.
            assert sys.version_info < (3, 10)
        (found,) = load_with(OURS, request, environment=environment, terms=terms)
        assert found.rows == hub_artefacts.WIKIANN_SIZES["en"]


def test_cache_may_not_be_written(plain_home):
    """datasets#2496 and its kin: a cache on a read-only mount, or one of somebody else."""
    subprocess.run(["chmod", "-R", "a-w", str(plain_home)], check=True)
    try:
        requests = [asked("wikiann", "en"), asked(_REVIEWS, data_dir="en")]
        environment, terms = _offline(plain_home), "root=no"
        plainly = load_with(PLAIN, requests[:1], environment=environment, terms=terms)
        found = load_with(OURS, requests, environment=environment, terms=terms)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(plain_home)], check=True)
    assert "Permission denied" in plainly[0].error
    assert [o.rows for o in found] == [hub_artefacts.WIKIANN_SIZES["en"], {"train": 4}]


_SNAPSHOT = """
import sys, huggingface_hub
print(huggingface_hub.snapshot_download(sys.argv[1]))
"""


def test_half_a_snapshot_looks_like_a_whole_one(copied_root):
    """huggingface_hub#4624: offline, `snapshot_download` answers the same for both."""
    environment = _offline(copied_root)
    whole = run_python(_SNAPSHOT, hub_artefacts.MINILM, environment=environment)
    lost = pathlib.Path(whole.stdout.strip(), "model.safetensors")
    lost.unlink()
    half = run_python(_SNAPSHOT, hub_artefacts.MINILM, environment=environment)
    assert (half.returncode, half.stdout) == (0, whole.stdout)
    checked = run_script(
        "check_hf_cache.py", f"--cache_dir={copied_root}", "--no_load", environment=environment
    )
    assert checked.returncode == 1
    (line,) = [line for line in checked.stdout.splitlines() if "MiniLM" in line and "no" in line]
    assert "model.safetensors" in line


_WEIGHTS = """
import sys, transformers
print(float(transformers.AutoModel.from_pretrained(sys.argv[1]).pooler.dense.weight.abs().max()))
"""


def test_damaged_weights_are_loaded_without_a_word(copied_root):
    """huggingface_hub#3298, #2364, transformers#12557: nothing that is installed compares hashes.

    Later clients have `hf cache verify`, of which huggingface_hub#3706 and #4419 are; the one that
    is pinned has no such command.
    """
    environment = _offline(copied_root)
    (path,) = copied_root.glob("hub/models--*MiniLM*/snapshots/*/model.safetensors")
    blob = path.resolve()
    content = bytearray(blob.read_bytes())
    # A high bit of the exponent of the last number.
    content[-1] ^= 0x40
    blob.write_bytes(content)
    loaded = run_python(_WEIGHTS, hub_artefacts.MINILM, environment=environment)
    assert loaded.returncode == 0 and float(loaded.stdout) > 1e10
    verified = _hf("cache", "verify", hub_artefacts.MINILM, environment=environment)
    assert (verified.returncode, "invalid choice: 'verify'" in verified.stderr) == (2, True)
    checked = run_script(
        "check_hf_cache.py", f"--cache_dir={copied_root}", "--no_load", "--json",
        environment=environment,
    )  # fmt: skip
    assert checked.returncode == 1
    told = json.loads(checked.stdout)["artefacts"]
    wrong = [artefact["request"]["name"] for artefact in told if artefact["whole"] != "yes"]
    assert wrong == [hub_artefacts.MINILM]


_TOKENIZER = """
import sys, transformers
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
messages = [{"role": "user", "content": "hi"}]
print(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
"""


def test_chat_template_was_left_behind(hub, filled_root, tmp_path):
    """transformers#42886, #42914, #39873: it lies in a file of its own, which patterns miss."""
    environment = hub.environment(tmp_path / "home")
    chat = hub_artefacts.CHAT
    include = ["--include", "*.json", "*.safetensors"]
    assert _hf("download", chat, *include, environment=environment).returncode == 0
    done = run_python(_TOKENIZER, chat, environment={**environment, **OFFLINE})
    assert "chat_template is not set" in done.stderr
    done = run_python(f"{FENCED}\n{_TOKENIZER}", chat, environment=_offline(filled_root))
    assert done.stdout == "<|user|>hi\n<|assistant|>\n", done.stderr


def test_tokenizer_of_a_full_cache_calls_home(hub, filled_root, tmp_path):
    """transformers#45545, #30345: whatever is cached, the Hub is asked again for each file."""
    code = "import sys, transformers; transformers.AutoTokenizer.from_pretrained(sys.argv[1])"
    environment = hub.environment(tmp_path / "home")
    for _ in range(2):
        before = len(hub.paths(hub_artefacts.MINILM))
        assert run_python(code, hub_artefacts.MINILM, environment=environment).returncode == 0
    assert len(hub.paths(hub_artefacts.MINILM)) > before
    before = len(hub.requests)
    settings = CacheRoot(filled_root).environment(is_offline=True)
    done = run_python(code, hub_artefacts.MINILM, environment={**environment, **settings})
    assert (done.returncode, len(hub.requests)) == (0, before), done.stderr


# With how many times it tried to reach another machine.
_METRIC = """
import sys
tries = []
sys.addaudithook(lambda event, _: tries.append(event) if event == "socket.connect" else None)
import evaluate
print(evaluate.load("accuracy").compute(predictions=[1, 0], references=[1, 1]), len(tries))
"""


def test_metric_is_asked_of_the_hub_although_it_is_offline(hub, filled_root, tmp_path):
    """evaluate#315, #561, #567, #472: its script lies in a cache that no download fills."""
    environment = hub.environment(tmp_path / "home")
    space = ["--repo-type", "space", hub_artefacts.ACCURACY]
    assert _hf("download", *space, environment=environment).returncode == 0
    before = len(hub.paths("accuracy.py"))
    done = run_python(f"{FENCED}\n{_METRIC}", environment={**environment, **OFFLINE})
    assert done.returncode == 1 and "Couldn't" in done.stderr
    # The offline flags of the others are nothing to it.
    assert run_python(_METRIC, environment={**environment, **OFFLINE}).returncode == 0
    assert len(hub.paths("accuracy.py")) > before
    done = run_python(f"{FENCED}\n{_METRIC}", environment=_offline(filled_root))
    assert done.stdout == "{'accuracy': 0.5} 0\n", done.stderr


def test_metric_is_slow_where_no_hub_answers(filled_root, tmp_path):
    """evaluate#315 and its kin: each load tries again and again, and waits, before it gives up.

    Counted in tries: how long each of them takes is a matter of the network.
    """
    with fake_hub.serve() as hub:
        hub_artefacts.fill(hub)
        environment = hub.environment(tmp_path / "home")
        assert run_python(_METRIC, environment=environment).returncode == 0
    done = run_python(_METRIC, environment={**environment, **OFFLINE})
    value, _, tries = done.stdout.rpartition(" ")
    assert (value, int(tries) > 5) == ("{'accuracy': 0.5}", True), done.stderr
    ours = run_python(_METRIC, environment={**environment, **_offline(filled_root)})
    assert ours.stdout == "{'accuracy': 0.5} 0\n", ours.stderr


def test_hub_answers_429_when_many_ranks_load_at_once(filled_root, tmp_path):
    """datasets#7506, #7344, OLMo#550, torchtitan#4830: each rank asks for everything."""
    request = [asked("wikiann", "en")]
    with fake_hub.serve() as hub, concurrent.futures.ThreadPoolExecutor(3) as pool:
        hub_artefacts.add_wikiann(hub)
        hub.limit(16, seconds=3.0)
        homes = [hub.environment(tmp_path / str(rank)) for rank in range(3)]
        ranks = list(pool.map(lambda home: load_with(PLAIN, request, environment=home)[0], homes))
        assert [rank.rows for rank in ranks] != [hub_artefacts.WIKIANN_SIZES["en"]] * 3
        assert 429 in [asked_for.status for asked_for in hub.requests]
        refused = [asked_for.status for asked_for in hub.requests].count(429)
        # One job asks, waits as long as it is told to, and gets it.
        done = run_script(
            "precache.py", f"--cache_dir={tmp_path / 'cache'}", *_ONLY_WIKIANN,
            environment=hub.environment(tmp_path / "home"),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert [asked_for.status for asked_for in hub.requests].count(429) > refused
        before = len(hub.requests)
        cached = {
            **hub.environment("x"),
            **CacheRoot(tmp_path / "cache").environment(is_offline=True),
        }
        ranks = pool.map(lambda _: load_with(OURS, request, environment=cached)[0], range(3))
        assert [rank.rows for rank in ranks] == [hub_artefacts.WIKIANN_SIZES["en"]] * 3
        assert len(hub.requests) == before


def test_data_set_with_a_script_is_no_longer_loaded(hub, filled_root, tmp_path):
    """lm-evaluation-harness#3171: datasets 4 runs no scripts of data sets."""
    environment = hub.environment(tmp_path / "home")
    (plainly,) = load_with(PLAIN, [asked("conll2003")], environment=environment)
    assert "Dataset scripts are no longer supported" in plainly.error
    (found,) = load_with(
        OURS, [asked("conll2003")], environment=_offline(filled_root), restrict=FENCED
    )
    assert found.rows == hub_artefacts.CONLL2003_SIZES
    assert "'tokens': ['Ada', 'Lovelace'" in found.first


_TFDS = f"""
import sys
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event in sys.argv[3:] else None)
{FENCED}
import tensorflow_datasets
found = tensorflow_datasets.load(sys.argv[1], data_dir=sys.argv[2], split="train", download=False)
print(len(list(found.take(2))), asked)
"""


def test_prepared_tfds_data_set_no_longer_asks_for_a_token_of_google(small_data_dir):
    """tensorflow/datasets#3962, #2833, #3125: `download=False` asked, and asked again.

    The plain library no longer fails: what `preprocessing.build` wrote is read without a question.
    """
    events = ["socket.connect", "socket.getaddrinfo", "socket.gethostbyname"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    del environment["NO_GCE_CHECK"]
    done = run_python(
        _TFDS, "small", str(small_data_dir / "flcc"), *events, environment=environment
    )
    assert done.stdout.splitlines()[-1:] == ["2 []"], done.stderr[-2000:]
