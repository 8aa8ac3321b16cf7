"""Each artefact is loaded with no network, in a process of its own, and gets a verdict."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import hub_artefacts
import hub_cache_files
import hub_models
import pytest

from code_t5 import network_fence
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import load_checks
from code_t5.hf_artifacts.checking.load_target import LoadTarget, Proof
from code_t5.hf_artifacts.requests import ArtefactRequest

TOKEN = "hf_" + 30 * "x"


def _as_bytes(files):
    return {p: d.encode() if isinstance(d, str) else d for p, d in files.items()}


def _without(files, *names):
    return {path: data for path, data in files.items() if path not in names}


def _flipped(data):
    return data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]


def _models():
    """Models by name; each of the broken ones for another reason."""
    minilm, t5, chat, old = (
        _as_bytes(files)
        for files in (
            _without(hub_models.minilm(), *hub_models.MINILM_UNWANTED),
            _without(hub_models.t5(), "tf_model.h5", "flax_model.msgpack"),
            hub_models.chat(),
            hub_models.bin_model(),
        )
    )
    shard = "model-00002-of-00002.safetensors"
    wide = json.loads(t5["config.json"])
    wide["d_ff"] *= 2
    broken_template = {"chat_template.jinja": b"{{ messages[0]['content']"}
    remote = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    evil = b"import os\nos.mkdir('/tmp/code_t5_test_remote_code')\nclass Config: pass\n"
    return {
        "ok/minilm": minilm,
        "ok/t5": t5,
        "ok/chat": chat,
        "ok/old": old,
        "ok/config-alone": {"config.json": t5["config.json"]},
        "ok/weights-alone": {"sub/weights.safetensors": t5["model.safetensors"]},
        "ok/image": {
            "config.json": b'{"model_type": "vit"}',
            "preprocessor_config.json": b'{"image_processor_type": "ViTImageProcessor"}',
        },
        "ok/sound": {
            "config.json": b'{"model_type": "wav2vec2"}',
            "preprocessor_config.json": b'{"feature_extractor_type": "Wav2Vec2FeatureExtractor"}',
        },
        "half/t5": _without(t5, "model.safetensors"),
        "half/config": {"config.json": t5["config.json"]},
        "half/image": {
            "config.json": b'{"model_type": "vit"}',
            "preprocessor_config.json": b'{"image_processor_type": "ViTImageProcessor"}',
        },
        "half/tokenizer": _without(t5, "model.safetensors", "config.json"),
        "bad/pooling": _without(minilm, "1_Pooling/config.json"),
        "bad/tokenizer": {**minilm, "tokenizer.json": b"{", "vocab.txt": b""},
        "bad/shard": _without(chat, shard),
        "bad/cut": {**t5, "model.safetensors": t5["model.safetensors"][:-100]},
        "bad/shape": {**t5, "config.json": json.dumps(wide).encode()},
        "bad/config": {**t5, "config.json": b"{"},
        "bad/template": {**chat, **broken_template},
        "bad/remote": {"config.json": json.dumps(remote).encode(), "mine.py": evil},
        "bad/pickle": {**_without(old, "pytorch_model.bin"), "pytorch_model.bin": _pickle()},
        "bad/pickle-alone": {"x.bin": _pickle()},
        "bad/tar": {**_without(old, "pytorch_model.bin"), "pytorch_model.bin": _tar()},
    }


def _pickle():
    """Returns what `pickle.loads` would make a folder from."""
    return b"cos\nmkdir\n(S'/tmp/code_t5_test_pickle'\ntR."


def _tar():
    import io
    import tarfile

    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return sink.getvalue()


_SCRIPTS = {
    "good": "",
    "network": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "crash": "import ctypes; ctypes.string_at(0)",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "leaves": "import os; os._exit(3)",
    "exits": "raise SystemExit(0)",
    "hungry": "raise MemoryError",
    "prints": "import sys; print('{\"parts\": {}}'); sys.stdout.flush()",
    "escape": "raise ValueError('a\\x1b[31mb\\nc')",
    # Not places, which are long.
    "token": "import os; named = {k: v for k, v in os.environ.items() if k[:2] == 'HF'}\n"
    "raise ValueError({k: v for k, v in named.items() if '/' not in v})",
    "asks": "input('go on? ')",
    "slow": "import subprocess; subprocess.run(['sleep', '600'])",
    "address": f"raise ValueError('no answer at https://me:{TOKEN}@host/x?token={TOKEN} now')",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Models and metrics, fine and broken."""
    made = CacheRoot(tmp_path_factory.mktemp("loads") / "a cache")
    made.transformers_dir.mkdir(parents=True)
    for name, files in _models().items():
        folder = f"models--{name}".replace("/", "--")
        hub_cache_files.put_repository(made, folder, files)
        (made.transformers_dir / folder).symlink_to(f"../hub/{folder}")
    good = hub_artefacts.accuracy()["accuracy.py"]
    for name, line in _SCRIPTS.items():
        script = f"{line}\n{good}".encode()
        _put_metric(made, f"evaluate-metric/{name}", {f"{name}.py": script})
    (made.path / "made").touch()
    return made


def _put_metric(root, name, files):
    folder = f"spaces--{name}".replace("/", "--")
    snapshot = hub_cache_files.put_repository(root, folder, files)
    # Where evaluate keeps its copies: in a folder with a name of 64 digits.
    copies = root.path / "modules/evaluate_modules/metrics" / name.replace("/", "--")
    shutil.copytree(snapshot, copies / (64 * "0"))


@pytest.fixture(scope="module")
def proofs(root) -> dict[str, Proof]:
    """Every model and metric loaded once, by name; the time limit is short for one."""
    os.environ["HF_TOKEN"] = TOKEN
    # Of half a model that is recorded, the rest was left out on purpose.
    targets = [LoadTarget(ArtefactRequest("model", name)) for name in _models()]
    for name in _SCRIPTS:
        request = ArtefactRequest("metric", f"evaluate-metric/{name}")
        seconds = 1.0 if name == "slow" else 100.0
        targets.append(LoadTarget(request, may_run=True, seconds=seconds))
    targets.append(LoadTarget(ArtefactRequest("metric", "evaluate-metric/absent"), may_run=True))
    targets.append(LoadTarget(ArtefactRequest("metric", "evaluate-metric/good")))
    targets.append(LoadTarget(ArtefactRequest("model", "ok/t5", revision="v9")))
    half = ("half/t5", "half/config", "half/image", "half/tokenizer")
    targets += [LoadTarget(ArtefactRequest("model", name), is_recorded=False) for name in half]
    targets.append(LoadTarget(ArtefactRequest("model", "../../etc")))
    try:
        found = list(load_checks.load_targets(root, targets))
    finally:
        del os.environ["HF_TOKEN"]
    assert [proof.target for proof in found] == targets
    return {
        proof.target.request.name
        + ("" if proof.target.request.kind == "model" or proof.target.may_run else "/not run")
        + ("@v9" if proof.target.request.revision else "")
        + ("" if proof.target.is_recorded else "/not recorded"): proof
        for proof in found
    }


def _prove(root, *requests):
    targets = [LoadTarget(request, may_run=True) for request in requests]
    return list(load_checks.load_targets(root, targets))


def test_all_of_it_happens_behind_the_fence(proofs):
    assert {proof.fence for proof in proofs.values()} == {network_fence.SECCOMP}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ok/t5", {"config": "yes", "tokenizer": "yes", "weights": "yes"}),
        ("ok/old", {"config": "yes", "tokenizer": "yes", "weights": "yes", "modules": "yes"}),
        ("ok/minilm", {"config": "yes", "tokenizer": "yes", "weights": "yes", "modules": "yes"}),
        ("ok/chat", {"config": "yes", "tokenizer": "yes", "weights": "yes"}),
        ("ok/config-alone", {"config": "yes", "tokenizer": "-", "weights": "-"}),
        ("ok/weights-alone", {"config": "-", "tokenizer": "-", "weights": "yes"}),
        ("ok/image", {"config": "yes", "tokenizer": "-", "processor": "yes", "weights": "-"}),
        ("ok/sound", {"config": "yes", "tokenizer": "-", "processor": "yes", "weights": "-"}),
        ("evaluate-metric/good", {"metric": "yes"}),
        ("evaluate-metric/prints", {"metric": "yes"}),
    ],
)
def test_what_is_right_loads(proofs, name, parts):
    proof = proofs[name]
    assert {part: verdict.partition(":")[0] for part, verdict in proof.parts.items()} == parts
    assert (proof.loads, proof.is_good) == ("yes", True)


def test_parts_that_are_not_there_are_named(proofs):
    assert proofs["half/t5"].reason == "weights: there are none here"
    alone = "config: there is none here; tokenizer: there is none here; weights: each file opened"
    assert proofs["ok/weights-alone"].reason.startswith(alone)
    # What prepares images stands in the tokenizer's place.
    assert proofs["ok/image"].reason == "weights: there are none here"


def test_a_config_without_weights_is_a_no_where_nobody_left_them_out_on_purpose(proofs):
    told = {name: proof for name, proof in proofs.items() if name.endswith("/not recorded")}
    assert {name.split("/")[1]: proof.loads for name, proof in told.items()} == {
        "t5": "no", "config": "no", "image": "no", "tokenizer": "yes",
    }  # fmt: skip
    parts = told["half/t5/not recorded"].parts
    assert (parts["config"], parts["tokenizer"]) == ("yes", "yes")
    assert parts["weights"].startswith("no: no weights are here; wanted those that config.json")
    assert {proofs[name.removesuffix("/not recorded")].loads for name in told} == {"yes"}


def test_a_chat_template_is_filled(proofs):
    assert proofs["ok/chat"].parts["tokenizer"] == "yes: with its chat template"


@pytest.mark.parametrize(
    ("name", "part", "says"),
    [
        ("bad/pooling", "modules", "1_Pooling/config.json is not there"),
        ("bad/tokenizer", "tokenizer", "JSONDecodeError"),
        ("bad/shard", "weights", "model-00002-of-00002.safetensors"),
        ("bad/cut", "weights", "SafetensorError"),
        ("bad/shape", "weights", "size mismatch"),
        ("bad/config", "config", "It looks like the config file at"),
        ("bad/template", "tokenizer", "TemplateSyntaxError"),
        ("bad/remote", "config", "its class is code in the repository, which is never run"),
        ("bad/pickle", "weights", "pytorch checkpoint file"),
        ("bad/pickle-alone", "weights", "x.bin holds something else than tensors"),
        ("bad/tar", "weights", "a tar archive in place of weights"),
        ("ok/t5@v9", "loading", "wanted a repository of which v9 is known"),
        ("../../etc", "loading", "its name is '../../etc'"),
        ("evaluate-metric/absent", "loading", "the metric evaluate-metric/absent is not in"),
        ("evaluate-metric/network", "metric", "behind the fence"),
        ("evaluate-metric/crash", "loading", "the process died of SIGSEGV: Fatal Python error"),
        ("evaluate-metric/killed", "loading", "the process was killed, as for too little memory"),
        ("evaluate-metric/leaves", "loading", "the process ended with status 3 and no answer"),
        ("evaluate-metric/exits", "loading", "SystemExit"),
        ("evaluate-metric/hungry", "metric", "there is too little memory"),
        ("evaluate-metric/asks", "metric", "EOFError"),
        ("evaluate-metric/slow", "loading", "took longer than 1 seconds"),
    ],
)
def test_what_is_wrong_is_a_no_with_its_reason(proofs, name, part, says):
    proof = proofs[name]
    assert proof.parts[part].startswith("no: ")
    assert says in proof.parts[part]
    assert says in proof.reason
    assert (proof.loads, proof.is_good) == ("no", False)


def test_no_code_of_a_repository_and_no_pickle_was_run(proofs):
    assert not pathlib.Path("/tmp/code_t5_test_remote_code").exists()
    assert not pathlib.Path("/tmp/code_t5_test_pickle").exists()


def test_a_metric_is_not_run_unless_asked_for(proofs):
    proof = proofs["evaluate-metric/good/not run"]
    assert proof.parts["metric"].startswith("-: its script is not run")
    assert (proof.loads, proof.is_good) == ("-", True)


def test_no_token_gets_in_or_out(proofs):
    assert "'HF_HUB_OFFLINE': '1'" in proofs["evaluate-metric/token"].reason
    assert TOKEN not in "".join(str(proof.parts) for proof in proofs.values())
    assert "https://host/x" in proofs["evaluate-metric/address"].reason


def test_a_reason_is_one_line_that_commands_no_terminal(proofs):
    assert "a␛[31mb c" in proofs["evaluate-metric/escape"].reason
    for proof in proofs.values():
        assert proof.reason.isprintable()


def test_it_is_known_who_asked_for_what_is_not_cached(proofs):
    asking = {name for name, proof in proofs.items() if proof.wants_network}
    assert asking == {"evaluate-metric/network", "bad/shard"}


def test_a_copy_that_is_not_the_metrics_script_is_not_run(tmp_path):
    root = CacheRoot(tmp_path)
    name = "evaluate-metric/good"
    _put_metric(root, name, {"good.py": hub_artefacts.accuracy()["accuracy.py"].encode()})
    (copy,) = root.path.glob("modules/evaluate_modules/metrics/*/*/good.py")
    copy.write_text(f"import os; os.mkdir({str(tmp_path / 'was run')!r})")
    (proof,) = _prove(root, ArtefactRequest("metric", name))
    assert "is not the script that was fetched" in proof.reason
    assert not (tmp_path / "was run").exists()


def test_what_was_fetched_is_not_written_to(root, proofs):
    made = (root.path / "made").stat().st_mtime
    for folder in (root.hub_dir, root.transformers_dir):
        assert [path for path in folder.rglob("*") if path.lstat().st_mtime > made] == []
    assert not root.datasets_dir.exists()


def test_nothing_to_load_starts_no_process(root, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert list(load_checks.load_targets(root, [])) == []


def test_a_child_that_cannot_start_is_a_no_for_each(root, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    requests = [ArtefactRequest("model", "ok/t5"), ArtefactRequest("model", "ok/chat")]
    found = _prove(root, *requests)
    assert [proof.loads for proof in found] == ["no", "no"]
    assert found[0].reason.startswith("loading: the process that loads ended with status 1: ")


def test_folders_where_the_user_stands_are_no_modules(root, tmp_path, monkeypatch):
    for name in ("transformers", "json", "code_t5"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('wrong module')")
    monkeypatch.chdir(tmp_path)
    (proof,) = _prove(root, ArtefactRequest("model", "ok/config-alone"))
    assert proof.loads == "yes"


_LITTLE_MEMORY = """
import json, sys
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import cache_naming, model_loading
from code_t5.hf_artifacts.checking.load_target import LoadTarget
from code_t5.hf_artifacts.requests import ArtefactRequest
model_loading._free_memory = lambda: 20_000
for name in ("ok/chat", "ok/old", "bad/cut"):
    request = ArtefactRequest("model", name)
    files = cache_naming.find_files(CacheRoot(sys.argv[1]), request=request)
    print(json.dumps(model_loading.check_model(LoadTarget(request), files).parts["weights"]))
"""


def test_weights_that_do_not_fit_into_memory_are_opened_file_by_file(root):
    done = subprocess.run(
        [sys.executable, "-c", _LITTLE_MEMORY, str(root.path)], capture_output=True, text=True,
        env={**os.environ, **root.environment(is_offline=True)}, check=True,
    )  # fmt: skip
    chat, old, cut = map(json.loads, done.stdout.splitlines())
    assert chat.startswith("yes: each file opened; ")
    assert old.startswith("yes: each file opened; ")
    assert cut.startswith("no: SafetensorError")


_PROVE = """
import sys
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import load_checks
from code_t5.hf_artifacts.checking.load_target import LoadTarget
from code_t5.hf_artifacts.requests import ArtefactRequest
target = LoadTarget(ArtefactRequest("metric", "evaluate-metric/slow"), may_run=True)
list(load_checks.load_targets(CacheRoot(sys.argv[1]), [target]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_whoever_is_killed_leaves_no_process(root, number):
    program = subprocess.Popen([sys.executable, "-c", _PROVE, str(root.path)], stderr=-1)
    _wait_for(lambda: any("sleep 600" in command for command in _family(program.pid).values()))
    family = _family(program.pid)
    program.send_signal(number)
    program.communicate(timeout=30)
    loading = [process for process, command in family.items() if "load_child" in command]
    assert len(loading) == 2
    _wait_for(lambda: not any(pathlib.Path(f"/proc/{process}").exists() for process in loading))
    for process, command in family.items():
        # What a metric's script started is its own affair; here it is ended.
        if command == "sleep 600":
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _family(pid):
    """Returns the commands of the processes that come from one, by their ids."""
    listed = subprocess.run(
        ["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    found: dict[int, str] = {}
    # Ids begin anew at some time, so a child may stand before its parent.
    for _ in rows:
        more = {int(own): command for own, parent, command in rows if int(parent) in (pid, *found)}
        if more == found:
            break
        found = more
    return found


def _wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
