"""The program as a user calls it: against a Hub on loopback, and offline with every socket shut."""

from __future__ import annotations

import json
import pathlib
import subprocess

import hub_artefacts
import offline_children
import pytest

_SCRIPT = offline_children.ROOT / "scripts" / "build_dataset.py"
# Runs a program of which every socket is shut.
_FENCED = f"""
import runpy, sys
{offline_children.FENCED}
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
_SIZES = hub_artefacts.WIKIANN_SIZES["en"]


@pytest.fixture
def offline(filled_root, hub):
    """The variables of a job: the cache, and no network."""
    return {
        **hub.environment(filled_root),
        "HF_DATASETS_CACHE": str(filled_root / "datasets"),
        "HF_HUB_OFFLINE": "1",
    }


def _run(environment, cwd: pathlib.Path, *words: str) -> subprocess.CompletedProcess[str]:
    return offline_children.run_script("build_dataset.py", *words, environment=environment, cwd=cwd)


def _run_fenced(environment, cwd, *words: str) -> subprocess.CompletedProcess[str]:
    return offline_children.run_python(
        _FENCED, str(_SCRIPT), *words, environment=environment, cwd=cwd
    )


def test_an_output_directory_with_a_name_too_long_is_one_line(offline, tmp_path):
    long = str(tmp_path / ("a" * 300))
    ran = _run(offline, tmp_path, "--dataset=wikiann", "--config=en", f"--output_dir={long}")
    assert "cannot be a directory (File name too long); wanted a path" in _error(ran)
    assert "--output_dir" in _error(ran)


def _error(ran: subprocess.CompletedProcess[str]) -> str:
    """Returns the one line that a program said when it refused."""
    assert ran.returncode == 1, ran.stdout + ran.stderr[-2000:]
    told = [line for line in ran.stderr.splitlines() if line.startswith("error: ")]
    assert len(told) == 1 and "Traceback" not in ran.stderr, ran.stderr[-2000:]
    return told[0]


def _read(folder: pathlib.Path):
    import datasets

    return datasets.load_from_disk(str(folder))


def test_the_issues_command_builds_offline_what_was_fetched_ahead(offline, tmp_path):
    words = "--dataset wikiann --config en --splits train validation --subset 0.0".split()
    ran = _run_fenced(offline, tmp_path, *words)
    assert ran.returncode == 0, ran.stderr[-3000:]
    first = ran.stdout.splitlines()[0]
    assert first.startswith("data/wikiann--en: wikiann, en, commit ")
    assert first.endswith(": wrote 2 split(s)")
    read = _read(tmp_path / "data" / "wikiann--en")
    assert {name: rows.num_rows for name, rows in read.items()} == {
        "train": _SIZES["train"], "validation": _SIZES["validation"]
    }  # fmt: skip
    wanted = hub_artefacts.wikiann_rows("en", "train")
    assert read["train"]["tokens"][:] == wanted["tokens"]
    assert read["train"]["ner_tags"][:] == wanted["ner_tags"]
    fields = json.loads((tmp_path / "data/wikiann--en/manifest.json").read_text())
    assert fields["repository"] == hub_artefacts.WIKIANN
    again = _run_fenced(offline, tmp_path, *words)
    assert again.stdout.splitlines()[0].endswith(": there already, as written")


def test_the_loader_finds_what_was_built_where_nothing_else_is(offline, tmp_path):
    assert _run(offline, tmp_path, "--dataset", "wikiann", "--config", "de").returncode == 0
    nothing = {**offline, "HF_HOME": str(tmp_path / "none")}
    nothing["HF_DATASETS_CACHE"] = str(tmp_path / "none" / "datasets")
    asked = [
        offline_children.asked("wikiann", "de", split="train"),
        offline_children.asked("wikiann", split="validation+test"),
        offline_children.asked("wikiann", "en"),
    ]
    found = offline_children.load_with(
        "code_t5.hf_artifacts",
        asked,
        environment=nothing,
        restrict=offline_children.FENCED,
        cwd=tmp_path,
    )
    assert [one.rows for one in found] == [{"the only one": 30}, {"the only one": 20}, {}]
    assert "built directory data: data has nothing built of wikiann en" in found[2].error
    # The program itself reads from there too.
    ran = _run_fenced(nothing, tmp_path, "--dataset=wikiann", "--subset=0.1", "--splits=train")
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "  train: 3 rows of 30" in ran.stdout


def test_words_are_made_ids_offline(offline, tmp_path):
    words = ["--dataset=wikiann", "--config=en", "--splits=test", "--label-column=ner_tags"]
    words.append(f"--tokenizer-name={hub_artefacts.MINILM}")
    ran = _run_fenced(offline, tmp_path, *words)
    assert ran.returncode == 0, ran.stderr[-3000:]
    (folder,) = (tmp_path / "data").glob("wikiann--en--options-*")
    rows = _read(folder)["test"]
    wanted = hub_artefacts.wikiann_rows("en", "test")
    for labels, tags, ids in zip(rows["labels"], wanted["ner_tags"], rows["input_ids"]):
        assert [label for label in labels if label != -100] == tags
        assert len(labels) == len(ids) and labels[0] == labels[-1] == -100
    fields = json.loads((folder / "manifest.json").read_text())
    assert fields["label_names"][:3] == ["O", "B-PER", "I-PER"]
    assert fields["parts"]["columns"] == ["tokens"]
    # In a job that has nothing else it is taken as it is.
    alone = {**offline, "HF_HOME": str(tmp_path), "HF_DATASETS_CACHE": str(tmp_path / "none")}
    again = _run_fenced(alone, tmp_path, *words)
    assert again.returncode == 0, again.stderr[-2000:]
    assert again.stdout.endswith("what it was made of is not cached: taken as it is\n")


def test_pictures_are_kept_whole(offline, tmp_path):
    ran = _run_fenced(offline, tmp_path, "--dataset=imagenet-1k", "--splits=validation")
    assert ran.returncode == 0, ran.stderr[-3000:]
    rows = _read(tmp_path / "data" / "imagenet-1k--default")["validation"]
    assert rows.num_rows == 16
    assert rows[3]["image"].size[0] > 0
    assert rows.features["label"].names == list(hub_artefacts.IMAGENET_LABELS)


def test_two_configurations_and_none_named_are_listed(offline, tmp_path):
    told = _error(_run(offline, tmp_path, "--dataset", "wikiann"))
    assert "de, en" in told and told.endswith("wanted one; add --config=de")
    assert not (tmp_path / "data").exists()


_REFUSED = """
import json, sys
from absl import flags
from code_t5 import command_line, errors
from code_t5.hf_artifacts.built import build, build_flags
for words in json.loads(sys.argv[1]):
    values = flags.FlagValues()
    build_flags.define_flags(values)
    joined = command_line.join_arguments(
        ["program", *words], list_flags=build_flags.LIST_FLAGS, values=values
    )
    values(joined)
    try:
        request, splits, options = build_flags.read_flags(values)
        build.build_dataset(request, splits=splits, options=options)
        print("built")
    except errors.CodeT5Error as error:
        print(error)
"""


def test_what_is_not_there_is_told_in_one_line_each(offline, tmp_path):
    cases = {
        "--dataset=wikiann --config=fr": "configuration fr is not in what is cached: (1)",
        "--dataset=no/such": "the data set no/such is not in what is cached: (1)",
        "--dataset=../../etc": "../../etc",
        "--dataset=wikiann --config=en --splits=dev": "dev",
        "--dataset=wikiann --config=en --tokenizer_name=no/such": "precache.py --models no/such",
        "--dataset=wikiann --subset=7": "subset is 7.0; wanted a share",
        "--seed=1": "no data set was named",
    }
    words = json.dumps([case.split() for case in cases])
    ran = offline_children.run_python(_REFUSED, words, environment=offline, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr[-3000:]
    for line, told in zip(ran.stdout.splitlines(), cases.values()):
        assert told in line
    assert ran.stdout.count("\n") == len(cases)
    assert not list(tmp_path.glob("data/*"))


def test_more_words_are_an_error(offline, tmp_path):
    ran = _run(offline, tmp_path, "--dataset=wikiann", "train")
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    assert "'train' is no flag; wanted --NAME=VALUE" in ran.stdout + ran.stderr


def test_online_and_offline_build_the_same(hub, tmp_path):
    environment = hub.environment(tmp_path / "home")
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        environment.pop(name, None)
    words = ["--dataset=wikiann", "--config=ace", "--splits", "train", "test"]
    online = _run(environment, tmp_path, *words)
    assert online.returncode == 0, online.stderr[-3000:]
    # The configuration that is cached is meant where none is named, online as well.
    for more in ({}, {"HF_HUB_OFFLINE": "1"}, {"HF_DATASETS_OFFLINE": "1"}):
        again = _run({**environment, **more}, tmp_path, "--dataset=wikiann", "--splits=train")
        assert again.stdout.splitlines()[0].endswith("there already, as written"), again.stderr
    fields = json.loads((tmp_path / "data/wikiann--ace/manifest.json").read_text())
    assert fields["repository"] == hub_artefacts.WIKIANN
    repository = hub.find_repository("dataset", hub_artefacts.WIKIANN)
    assert fields["parts"]["commit"] == repository.find("main").sha


def test_a_hub_that_does_not_answer_is_told_with_the_way_round(hub, tmp_path):
    environment = {**hub.environment(tmp_path / "home"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        environment.pop(name, None)
    told = _error(_run(environment, tmp_path, "--dataset=wikiann", "--config=en"))
    assert "HF_HUB_OFFLINE=1 before it to take what is cached" in told


def test_a_gated_data_set_is_told_without_the_token(hub, tmp_path):
    environment = {**hub.environment(tmp_path / "home"), "HF_TOKEN": hub_artefacts.OTHER_TOKEN}
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        environment.pop(name, None)
    ran = _run(environment, tmp_path, "--dataset=imagenet-1k")
    assert "gated" in _error(ran)
    assert hub_artefacts.OTHER_TOKEN not in ran.stdout + ran.stderr


def test_a_full_disk_is_told_and_the_next_run_goes_on(offline, tmp_path):
    limited = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n{_FENCED}"
    )
    words = ["--dataset=wikiann", "--config=en", "--splits", "test", "train"]
    ran = offline_children.run_python(
        limited, str(_SCRIPT), *words, environment=offline, cwd=tmp_path
    )
    assert "no space left on the device" in _error(ran) and "it goes on" in ran.stderr
    assert not (tmp_path / "data" / "wikiann--en").exists()
    again = _run(offline, tmp_path, *words)
    assert again.returncode == 0, again.stderr[-2000:]
    assert _read(tmp_path / "data" / "wikiann--en")["train"].num_rows == _SIZES["train"]


def test_a_folder_that_may_not_be_written_is_told_and_read(offline, tmp_path):
    words = ("--dataset=wikiann", "--config=de", "--splits=test")
    (tmp_path / "data").mkdir(mode=0o555)

    def run_without_rights():
        return offline_children.run_script(
            "build_dataset.py", *words, environment=offline, cwd=tmp_path, terms="root=no"
        )

    told = _error(run_without_rights())
    assert "nothing can be written in data (it is read-only for this user)" in told
    assert _run(offline, tmp_path, *words).returncode == 0
    assert "there already, as written" in run_without_rights().stdout
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["wikiann--de"]
