"""The program as a user runs it, against a Hub on loopback."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import signal
import time

import fake_hub
import hf_programs
import hub_artefacts
import hub_models
import pytest

from code_t5.hf_artifacts import records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.records import ArtefactRecord

_CHAT = hub_artefacts.CHAT
_T5 = hub_artefacts.T5
# Nothing that a library loads: quick to fetch.
_PLAIN = "tests/plain"
_NOTE = """
with open("/proc/self/cmdline") as told, open({path!r}, "a") as notes:
    notes.write(told.read().replace("\\0", " ") + "\\n")
"""


@pytest.fixture(scope="module")
def _served():
    with fake_hub.serve() as hub:
        hub_artefacts.add_conll2003(hub)
        hub_artefacts.add_wikiann(hub)
        hub_artefacts.add_imagenet(hub)
        hub.add("model", hub_artefacts.MINILM, hub_models.minilm())
        hub.add("model", _CHAT, hub_models.chat())
        hub.add("model", _T5, hub_models.t5())
        hub.add("space", hub_artefacts.ACCURACY, hub_artefacts.accuracy())
        hub.add("model", _PLAIN, {"config.json": "{}", "model.safetensors": b"\1" * 3000})
        yield hub


@pytest.fixture
def hub(_served):
    """The Hub, of which nothing was asked yet, and which does what it should."""
    _served.requests.clear()
    yield _served
    _served.forget_faults()


@pytest.fixture
def precache(hub, tmp_path):
    """Runs the program with a root below a path with a space."""

    def run(*arguments: str, **variables: str) -> hf_programs.Ran:
        environment = {**hf_programs.online(hub, tmp_path / "home"), **variables}
        root = f"--cache_dir={tmp_path / 'a root'}"
        return hf_programs.run("precache.py", root, *arguments, environment=environment)

    return run


@pytest.fixture
def root(tmp_path):
    """Where the program of the test writes to."""
    return CacheRoot(tmp_path / "a root")


def _plain(precache, *arguments: str) -> hf_programs.Ran:
    flags = ("--no_conll2003", "--no_wikiann", "--no_verify", "--models", _PLAIN)
    return precache(*flags, *arguments)


def _rows(ran: hf_programs.Ran) -> dict[str, tuple[str, str]]:
    """Returns whether each artefact is ready and why, by its name."""
    head, *lines, _ = ran.out.splitlines()
    ready, reason, name = head.index("ready"), head.index("reason"), head.index("name")
    end = head.index("commit")
    return {
        line[name:end].strip(): (line[ready:reason].strip(), line[reason:].strip())
        for line in lines
    }


def _record(root: CacheRoot, name: str) -> ArtefactRecord:
    held = [record for _, record in records.list_records(root)]
    (found,) = [record for record in held if record.request.name == name]
    return found


def _fetched(hub) -> list[str]:
    return [*hub.paths("/lfs/", method="GET"), *hub.paths("/resolve/", method="GET")]


def test_by_default_three_are_fetched_proved_and_then_there_already(precache, hub, root):
    ran = precache()
    assert ran.status == 0, ran.all
    done = ("yes", "fetched, loads without a network")
    assert _rows(ran) == {"conll2003": done, "wikiann (en)": done, hub_artefacts.MINILM: done}
    assert ran.out.endswith(f"all 3 are there; for a job: source '{root.env_path}'\n")
    wikiann = _record(root, "wikiann")
    assert (wikiann.repository, wikiann.is_proved) == (hub_artefacts.WIKIANN, True)
    (english,) = wikiann.prepared
    assert (english.config, english.splits) == ("en", hub_artefacts.WIKIANN_SIZES["en"])
    assert not any(path.startswith("de/") for path in wikiann.files)
    assert _record(root, "conll2003").prepared[0].splits == hub_artefacts.CONLL2003_SIZES
    for unwanted in hub_models.MINILM_UNWANTED:
        assert unwanted not in _record(root, hub_artefacts.MINILM).files
    before = hf_programs.tree(root.path)
    hub.requests.clear()
    ran = precache()
    assert ran.status == 0, ran.all
    assert {why for _, why in _rows(ran).values()} == {"there already"}
    assert hub.paths("/lfs/") == []
    assert hf_programs.tree(root.path) == before


def test_a_dry_run_writes_nothing_and_says_what_is_here(precache, hub, root):
    ran = _plain(precache, "--dry-run")
    assert ran.status == 0, ran.all
    head, row, last = ran.out.splitlines()
    assert head.split() == ["kind", "name", "revision", "commit", "files", "size", "here"]
    commit = hub.find_repository("model", _PLAIN).find("main").sha
    wanted = ["model", _PLAIN, "main", commit[:12], "2", "3.0", "kB", "0", "bytes"]
    assert row.split() == wanted
    assert last.startswith("3.0 kB in all, 3.0 kB of it to fetch; ")
    assert _fetched(hub) == []
    assert not root.path.exists()
    assert _plain(precache).status == 0
    before = hf_programs.tree(root.path)
    ran = _plain(precache, "--dry_run")
    assert ran.out.splitlines()[1].split() == [*wanted[:-2], "3.0", "kB"]
    assert hf_programs.tree(root.path) == before


def test_what_was_fetched_without_proof_is_proved_the_next_time(precache, hub, root):
    chat = ("--no_conll2003", "--no_wikiann", "--models", _CHAT)
    assert _rows(precache(*chat, "--no-verify")) == {_CHAT: ("yes", "fetched, not verified")}
    assert not _record(root, _CHAT).is_proved
    hub.requests.clear()
    wanted = {_CHAT: ("yes", "there already, loads without a network")}
    assert _rows(precache(*chat)) == wanted
    assert hub.paths("/lfs/") == []
    assert _record(root, _CHAT).is_proved


def test_one_that_fails_keeps_none_of_the_others(precache, root, tmp_path):
    spec = tmp_path / "artefacts.yaml"
    spec.write_text(
        f"models: [tests/none, {_PLAIN}, {{name: {_CHAT}, revision: v9}}]\n"
        "datasets: [imagenet-1k, {name: wikiann, configs: xx}]\n"
    )
    ran = precache("--spec", str(spec), "--no_verify")
    assert ran.status == 1
    rows = _rows(ran)
    assert rows[_PLAIN] == ("yes", "fetched, not verified")
    assert rows["tests/none"][0] == "no"
    assert "shows no model tests/none" in rows["tests/none"][1]
    assert "no revision 'v9'" in rows[_CHAT][1]
    assert "is gated" in rows["imagenet-1k"][1]
    assert "no configuration 'xx'; wanted one of ace, de, en" in rows["wikiann (xx)"][1]
    assert ran.out.splitlines()[-1] == (
        "4 of 5 are not ready; do what their reasons say; the others are there"
    )
    assert [record.request.name for _, record in records.list_records(root)] == [_PLAIN]
    assert "Traceback" not in ran.all


def test_a_token_opens_what_is_gated_and_is_nowhere_to_be_seen(precache, root, tmp_path):
    spec = tmp_path / "artefacts.yaml"
    spec.write_text("datasets: [imagenet-1k]")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/token").write_text(hub_artefacts.ACCESS_TOKEN)
    ran = precache("--spec", str(spec), "--no_verify")
    assert ran.status == 0, ran.all
    assert _record(root, "imagenet-1k").prepared[0].splits == {
        split: sum(shards) for split, shards in hub_artefacts.IMAGENET_SHARDS.items()
    }
    token = hub_artefacts.ACCESS_TOKEN
    assert token not in ran.all
    held = hf_programs.tree(root.path).values()
    assert not any(token.encode() in content for content in held if isinstance(content, bytes))


def test_a_metric_is_loaded_behind_the_fence(precache, root, tmp_path):
    spec = tmp_path / "artefacts.yaml"
    spec.write_text("metrics: [accuracy]")
    ran = precache("--spec", str(spec))
    assert ran.status == 0, ran.all
    record = _record(root, hub_artefacts.ACCURACY)
    assert record.is_proved
    assert "accuracy.py" in record.files


def test_what_the_libraries_miss_is_fetched_by_them_and_recorded(precache, root, tmp_path):
    spec = tmp_path / "artefacts.yaml"
    # The tokenizer's settings without the tokenizer.
    spec.write_text(f"models: [{{name: {_CHAT}, patterns: ['*config.json']}}]")
    ran = precache("--spec", str(spec))
    assert ran.status == 0, ran.all
    record = _record(root, _CHAT)
    assert record.is_proved
    assert "tokenizer.json" in record.files
    for path, file in record.files.items():
        assert (record.snapshot_dir(root) / path).stat().st_size == file.size_bytes


def test_a_metric_whose_scripts_are_gone_is_installed_again(precache, hub, root, tmp_path):
    spec = tmp_path / "artefacts.yaml"
    spec.write_text("metrics: [accuracy]")
    assert precache("--spec", str(spec), "--no_verify").status == 0
    before = hf_programs.tree(root.modules_dir)
    assert "__init__.py" in before
    shutil.rmtree(root.modules_dir)
    hub.requests.clear()
    assert precache("--spec", str(spec), "--no_verify").status == 0
    assert hf_programs.tree(root.modules_dir) == before
    assert hub.paths("/lfs/") == []


def test_what_datasets_fetches_on_its_own_is_recorded(precache, root, tmp_path):
    spec = tmp_path / "artefacts.yaml"
    spec.write_text(
        "datasets: [{name: wikiann, configs: en, patterns: 'en/train-*'},"
        " {name: wikiann, configs: de}]"
    )
    ran = precache("--spec", str(spec), "--no_verify")
    assert ran.status == 0, ran.all
    held = {record.request.configs: record for _, record in records.list_records(root)}
    for language, splits in (("en", {"train"}), ("de", {"train", "validation", "test"})):
        record = held[language,]
        # `datasets` reads it first of all; it is not among the patterns.
        assert "README.md" in record.files
        data = [path for path in record.files if "/" in path]
        assert {path.split("/")[1].split("-")[0] for path in data} == splits
        # What the other one fetched is its own.
        assert {path.split("/")[0] for path in data} == {language}


def test_no_lock_with_a_path_in_its_name_stays(precache, root):
    ran = precache("--no_models", "--no_conll2003")
    assert ran.status == 0, ran.all
    assert _record(root, "wikiann").is_proved
    assert [path.name for path in root.datasets_dir.rglob("*.lock")] == []


def test_a_data_set_that_is_not_prepared_lies_there_once_and_is_proved(precache, root, tmp_path):
    spec = tmp_path / "artefacts.yaml"
    spec.write_text(
        "datasets: [{name: wikiann, configs: en, prepare: false},"
        " {name: imagenet-1k, prepare: false}]"
    )
    ran = precache("--spec", str(spec), HF_TOKEN=hub_artefacts.ACCESS_TOKEN)
    assert ran.status == 0, ran.all
    done = ("yes", "fetched, loads without a network")
    assert _rows(ran) == {"wikiann (en) [not prepared]": done, "imagenet-1k [not prepared]": done}
    assert _record(root, "imagenet-1k").prepared == ()
    assert _record(root, "wikiann").is_proved
    assert list(root.datasets_dir.rglob("*.arrow")) == []
    before = hf_programs.tree(root.path)
    checked = hf_programs.check(root.path)
    assert checked.status == 0, checked.all
    assert hf_programs.tree(root.path) == before
    rows = hub_artefacts.WIKIANN_SIZES["en"]
    assert f"train {rows['train']}" in checked.out
    # With it prepared, it is another artefact.
    ran = precache("--no_models", "--no_conll2003", "--no_verify")
    assert _rows(ran) == {"wikiann (en)": ("yes", "fetched, not verified")}


def test_a_name_that_is_too_long_is_one_line(precache, hub, tmp_path):
    long = "a" * 300
    for program, *flags in (
        ("precache.py", f"--cache_dir={tmp_path / long}", "--no_conll2003", "--no_wikiann"),
        ("precache.py", f"--cache_dir={tmp_path / long}", "--dry_run"),
        ("check_hf_cache.py", f"--cache_dir={tmp_path / long}"),
    ):
        ran = hf_programs.run(program, *flags, environment=hf_programs.online(hub, tmp_path))
        assert ran.status == 1
        assert "cannot be a directory (File name too long); wanted a path" in ran.error
    assert list(tmp_path.iterdir()) == []


def test_while_a_data_set_is_prepared_the_bar_says_so(precache, hub, root):
    # What only the child that prepares asks for.
    hub.delay("/tree/", seconds=6)
    ran = precache("--no_models", "--no_conll2003", "--no_verify")
    assert ran.status == 0, ran.all
    during, *_, last = [line for line in ran.err.splitlines() if "fetching" in line]
    assert during.endswith("preparing wikiann (en)]")
    # What is left of the bar says nothing of what is over.
    assert last.startswith("fetching: 100%")
    assert "preparing" not in last
    assert ran.err.endswith("\n")


def test_one_process_prepares_and_none_where_nothing_is_to_be_prepared(precache, tmp_path):
    both = ("--no_models", "--no_conll2003", "--no_verify", "--wikiann_langs", "en", "de")
    # Every process of Python imports it, and adds a line.
    (tmp_path / "sitecustomize.py").write_text(_NOTE.format(path=str(tmp_path / "started")))
    for flags, wanted in ((("--dry_run",), 0), ((), 1), ((), 0)):
        (tmp_path / "started").write_text("")
        ran = precache(*both, *flags, PYTHONPATH=f"{tmp_path}:{hf_programs.ROOT}")
        assert ran.status == 0, ran.all
        started = (tmp_path / "started").read_text().splitlines()
        assert len([line for line in started if "precache.py" in line]) == 1
        assert len([line for line in started if "prepare_child" in line]) == wanted


def test_what_does_not_load_is_a_no_with_its_reason(precache, root):
    ran = precache("--no_conll2003", "--no_wikiann", "--models", _PLAIN)
    assert ran.status == 1
    ready, why = _rows(ran)[_PLAIN]
    assert ready == "no"
    assert why.startswith("fetched, but ")
    assert not _record(root, _PLAIN).is_proved


def test_a_new_commit_is_fetched_and_the_record_names_it(precache, hub, root):
    repository = hub.add("model", "tests/moving", {"config.json": "{}", "model.safetensors": "1"})
    moving = ("--no_conll2003", "--no_wikiann", "--no_verify", "--models", "tests/moving")
    assert precache(*moving).status == 0
    commit = repository.commit({"config.json": '{"newer": 1}'})
    assert _rows(precache(*moving)) == {"tests/moving": ("yes", "fetched, not verified")}
    record = _record(root, "tests/moving")
    assert record.commit == commit
    assert (record.snapshot_dir(root) / "config.json").read_text() == '{"newer": 1}'


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone"])
def test_a_damaged_content_is_fetched_again(precache, hub, root, damage):
    small = ("--no_conll2003", "--no_wikiann", "--models", _T5)
    assert precache(*small, "--no_verify").status == 0
    record = _record(root, _T5)
    path = pathlib.Path(record.snapshot_dir(root) / "model.safetensors").resolve()
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        flipped = content[:50] + bytes([content[50] ^ 1]) + content[51:]
        path.write_bytes(flipped if damage == "flipped" else content[:50])
    hub.requests.clear()
    # A size is enough to see that something is missing; a flipped bit wants the hashes.
    ran = precache(*small, *([] if damage == "flipped" else ["--no_verify"]))
    done = "loads without a network" if damage == "flipped" else "not verified"
    assert _rows(ran) == {_T5: ("yes", f"fetched, {done}")}
    assert path.read_bytes() == content
    assert len(hub.paths("/lfs/", method="GET")) == 1


def test_damaged_arrow_files_are_prepared_again(precache, root):
    english = ("--no_conll2003", "--no_models", "--no_verify")
    assert precache(*english).status == 0
    (config,) = _record(root, "wikiann").prepared
    arrow = root.path / config.arrow_dir / "wikiann-train.arrow"
    content = arrow.read_bytes()
    arrow.write_bytes(content[:-100])
    assert _rows(precache(*english)) == {"wikiann (en)": ("yes", "fetched, not verified")}
    assert len(arrow.read_bytes()) == len(content)


def test_a_hostile_record_makes_nothing_outside_of_the_root_go(precache, root, tmp_path):
    english = ("--no_conll2003", "--no_models", "--no_verify")
    assert precache(*english).status == 0
    (tmp_path / "victim/papers").mkdir(parents=True)
    (tmp_path / "victim/papers/thesis.tex").write_text("mine")
    (root.datasets_dir / "way").symlink_to(tmp_path / "victim")
    record = _record(root, "wikiann")
    (config,) = record.prepared
    hostile = dataclasses.replace(config, arrow_dir="datasets/way/papers")
    records.write_record(root, dataclasses.replace(record, prepared=(hostile,)))
    assert precache(*english).status == 0
    assert (tmp_path / "victim/papers/thesis.tex").read_text() == "mine"
    assert _record(root, "wikiann").prepared == (config,)


def test_a_file_that_was_whole_is_not_fetched_again_after_a_kill(hub, precache, root, tmp_path):
    names = [f"tests/part{number}" for number in range(2)]
    for number, name in enumerate(names):
        hub.add("model", name, {"config.json": "{}", "model.safetensors": f"weights {number}"})
    flags = ("--no_conll2003", "--no_wikiann", "--no_verify", "--models", *names)
    hub.delay("part1/resolve/", seconds=60, times=9)
    process = hf_programs.start(
        "precache.py", f"--cache_dir={root.path}", *flags,
        environment=hf_programs.online(hub, tmp_path / "home"),
    )  # fmt: skip
    until = time.monotonic() + 60
    while not list(root.artifacts_dir.glob("models--tests--part0*")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    hf_programs.finish(process)
    hub.forget_faults()
    hub.requests.clear()
    ran = precache(*flags)
    assert _rows(ran) == {
        names[0]: ("yes", "there already"),
        names[1]: ("yes", "fetched, not verified"),
    }
    assert hub.paths("part0/resolve/") == []


def test_an_interrupt_is_one_line_that_says_that_it_goes_on(hub, root, tmp_path):
    hub.delay("plain/resolve/", seconds=60, times=9)
    process = hf_programs.start(
        "precache.py", f"--cache_dir={root.path}", "--no_conll2003", "--no_wikiann", "--models",
        _PLAIN, environment=hf_programs.online(hub, tmp_path / "home"),
    )  # fmt: skip
    until = time.monotonic() + 60
    while not list(root.locks_dir.glob("*.lock")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    ran = hf_programs.finish(process)
    assert ran.status == 130, ran.all
    assert "run the same command again and it goes on" in ran.err
    assert "Traceback" not in ran.err
    assert not list(root.locks_dir.glob("*.lock"))


def test_a_flag_that_forbids_the_network_is_refused_with_the_command(precache, root):
    ran = _plain(precache, "--dry_run")
    assert ran.status == 0
    ran = precache("--no_wikiann", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    assert ran.status == 1
    assert ran.error.startswith("error: HF_HUB_OFFLINE=1 and TRANSFORMERS_OFFLINE=1 is set")
    assert "; run HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=0 python " in ran.error
    assert ran.error.endswith(f"'--cache_dir={root.path}' --no_wikiann")
    assert not root.path.exists()


def test_a_file_where_the_root_should_be_is_refused(precache, root):
    root.path.write_text("mine")
    ran = _plain(precache)
    assert ran.status == 1
    assert f"cannot write to {root.hub_dir}" in ran.error
    assert root.path.read_text() == "mine"


def test_more_words_than_flags_are_refused(precache, root):
    ran = _plain(precache, "--dry_run", "stray")
    # A list of names may be followed by more of them.
    assert "shows no model" in ran.out or ran.status == 1
    ran = precache("stray", "--dry_run")
    assert ran.status == 1
    assert "'stray' is no flag" in ran.err
    assert not root.path.exists()


def test_with_no_network_nothing_is_lost(precache, hub, root, tmp_path):
    assert _plain(precache).status == 0
    before = hf_programs.tree(root.path)
    ran = hf_programs.run(
        "precache.py", f"--cache_dir={root.path}", "--no_conll2003", "--no_wikiann", "--models",
        _PLAIN, environment=hf_programs.offline(tmp_path / "home"),
    )  # fmt: skip
    assert ran.status == 1
    assert "does not answer" in _rows(ran)[_PLAIN][1]
    assert hf_programs.tree(root.path) == before


def test_help_lists_the_flags_and_needs_no_library(tmp_path):
    ran = hf_programs.run(
        "precache.py", "--help", environment=hf_programs.offline(tmp_path / "home")
    )
    for flag in (
        "cache_dir",
        "wikiann_langs",
        "models",
        "revision",
        "spec",
        "no_verify",
        "dry_run",
    ):
        assert f"--{flag}" in ran.out or f"--[no]{flag}" in ran.out
