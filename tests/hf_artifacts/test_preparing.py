from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import fake_hub
import fetching_children
import hub_artefacts
import pytest

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import child_process

_ENGLISH = {"kind": "dataset", "name": "wikiann", "configs": ["en"]}
_LEFTOVERS = (".lock", ".incomplete")
_LOAD = """
import datasets, json, sys
options = json.loads(sys.argv[1])
data = datasets.load_dataset(**options)
print(json.dumps({split: rows[0] for split, rows in data.items()}))
"""


@pytest.fixture(scope="module")
def served():
    """A Hub with data sets."""
    with fake_hub.serve() as hub:
        hub_artefacts.add_wikiann(hub)
        hub_artefacts.add_conll2003(hub)
        hub_artefacts.add_reviews(hub)
        yield hub


@pytest.fixture(scope="module")
def prepared(served, tmp_path_factory):
    """A root with some of them, and what became of each request."""
    root = tmp_path_factory.mktemp("prepared") / "root"
    requests = [
        _ENGLISH,
        {"kind": "dataset", "name": "unimelb-nlp/wikiann", "configs": ["de", "en"]},
        {"kind": "dataset", "name": "conll2003", "revision": "refs/convert/parquet"},
        {"kind": "dataset", "name": "conll2003"},
        {"kind": "dataset", "name": hub_artefacts.REVIEWS, "revision": "v2", "data_dir": "en"},
    ]
    outcomes = fetching_children.fetch(served, root, *requests, prepare=True)
    # Now: whoever loads with plain `datasets` leaves locks of its own.
    left = [path for path in (root / "datasets").rglob("*") if path.suffix in _LEFTOVERS]
    outcomes.append({"left": left})
    return root, outcomes


def _plainly(root, **options):
    """Loads with nothing but `datasets`, offline."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS"))}
    environment.update(HF_HOME=str(root), HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    command = [sys.executable, "-c", _LOAD, json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_configuration_is_prepared_and_recorded(prepared):
    root, (english, *_) = prepared
    ((config, arrow_dir, splits, files),) = english["prepared"]
    assert (config, splits) == ("en", dict(hub_artefacts.WIKIANN_SIZES["en"]))
    assert arrow_dir == f"datasets/unimelb-nlp___wikiann/en/0.0.0/{english['commit']}"
    assert files == sorted(["dataset_info.json", *(f"wikiann-{split}.arrow" for split in splits)])
    assert sorted(path.name for path in (root / arrow_dir).iterdir()) == files


def test_both_names_share_what_is_prepared(prepared):
    _, (english, both, *_) = prepared
    assert [config[0] for config in both["prepared"]] == ["de", "en"]
    assert both["prepared"][1] == english["prepared"][0]


def test_plain_datasets_reads_it_offline_under_both_names(prepared):
    root, _ = prepared
    for name in ("wikiann", "unimelb-nlp/wikiann"):
        rows = _plainly(root, path=name, name="en")
        assert rows["train"]["tokens"] == hub_artefacts.wikiann_rows("en", "train")["tokens"][0]


def test_a_conversion_of_the_hub_is_prepared(prepared):
    _, outcomes = prepared
    ((config, arrow_dir, splits, _),) = outcomes[2]["prepared"]
    assert config == "default"
    assert arrow_dir.endswith(f"/0.0.0/{outcomes[2]['commit']}")
    assert set(splits) == {"train", "validation", "test"}


def test_a_script_is_not_run_and_another_commit_does_not_stand_in(prepared):
    # The conversion is in the cache; `datasets` would take that, and say so in a log line.
    _, outcomes = prepared
    kind, text = outcomes[3]["error"]
    assert kind == "InputError"
    assert "needs a script of its own" in text
    assert "revision: refs/convert/parquet" in text


def test_a_folder_of_a_revision_is_prepared(prepared):
    _, outcomes = prepared
    ((_, _, splits, _),) = outcomes[4]["prepared"]
    assert splits == {"train": hub_artefacts.REVIEWS_SIZES["en/a.jsonl"]}


def test_nothing_is_left_that_bears_a_path_of_this_machine(prepared):
    root, outcomes = prepared
    assert outcomes[-1]["left"] == []
    for info in (root / "datasets").rglob("dataset_info.json"):
        assert str(root) not in info.read_text()


def test_what_an_interrupted_run_left_is_no_obstacle(served, prepared, tmp_path):
    _, (english, *_) = prepared
    folder = tmp_path / "root/datasets/unimelb-nlp___wikiann/en/0.0.0"
    half = folder / f"{english['commit']}.incomplete"
    half.mkdir(parents=True)
    (half / "wikiann-train.arrow").write_bytes(b"half")
    (folder / f"{english['commit']}.incomplete_info.lock").touch()
    (outcome,) = fetching_children.fetch(served, tmp_path / "root", _ENGLISH, prepare=True)
    assert outcome["prepared"] == english["prepared"]
    assert sorted(path.name for path in folder.iterdir()) == [english["commit"]]


def test_a_file_system_without_locks_is_good_enough(served, prepared, tmp_path):
    _, (english, *_) = prepared
    (outcome,) = fetching_children.fetch(
        served, tmp_path / "root", _ENGLISH, prepare=True, terms="flock=ENOLCK"
    )
    assert outcome["prepared"] == english["prepared"]


def test_errors_of_the_moment_are_waited_for_while_preparing(served, tmp_path):
    (first,) = fetching_children.fetch(served, tmp_path / "root", _ENGLISH)
    served.fail("wikiann.py", status=429, headers={"Retry-After": "1"})
    served.fail("/tree/", status=429, headers={"Retry-After": "1"})
    try:
        (outcome,) = fetching_children.fetch(served, tmp_path / "root", _ENGLISH, prepare=True)
    finally:
        served.forget_faults()
    assert "error" not in outcome
    assert outcome["prepared"][0][0] == "en"
    assert outcome["prepared"][0][1].endswith(first["commit"])


def test_a_child_that_is_killed_is_told_of_in_one_line(tmp_path):
    root = CacheRoot(tmp_path / "root")
    with child_process.PreparingChild(root) as child:
        child._process.kill()
        child._process.wait()
        assert not child.is_alive()
        with pytest.raises(errors.CodeT5Error) as caught:
            child.ask({"name": "x"}, where="the dataset x")
    text = str(caught.value)
    assert text.startswith("the process that prepared the dataset x was killed by signal 9")
    assert "\n" not in text


def test_modules_that_lie_in_the_root_are_not_run(served, tmp_path):
    root = tmp_path / "root"
    for folder in (root, root / "datasets", root / "hub"):
        folder.mkdir()
        for name in ("json.py", "datasets.py", "__init__.py", "pyarrow.py"):
            (folder / name).write_text("raise SystemExit('it ran')\n")
    (outcome,) = fetching_children.fetch(served, root, _ENGLISH, prepare=True)
    assert outcome["prepared"][0][0] == "en"


def test_data_that_cannot_be_read_are_refused_in_one_line(tmp_path):
    with fake_hub.serve() as hub:
        hub.add("dataset", "me/broken", {"train.parquet": b"PAR1 and nothing else"})
        request = {"kind": "dataset", "name": "me/broken"}
        (outcome,) = fetching_children.fetch(hub, tmp_path / "root", request, prepare=True)
    kind, text = outcome["error"]
    assert kind == "InputError"
    assert text.startswith("`datasets` cannot prepare the dataset me/broken (")
    assert "\n" not in text
    assert pathlib.Path(tmp_path / "root/hub/datasets--me--broken/refs/main").is_file()
