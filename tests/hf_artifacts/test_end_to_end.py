"""The commands of the issue, run as they stand against a Hub on loopback, then with it gone."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import fake_hub
import hub_artefacts
import pytest
import stand_in_slurm
from offline_children import FENCED, ROOT, asked, load_with, run_script

from code_t5.hf_artifacts.cache_root import CacheRoot

# As the issue has it.
BLOCK = """
export HF_CACHE_ROOT=/scratch/me/hf-cache
python scripts/precache.py --cache_dir "$HF_CACHE_ROOT" --wikiann_langs en --models sentence-transformers/all-MiniLM-L6-v2
python scripts/precache.py --cache_dir "$HF_CACHE_ROOT" --spec artefacts.yaml          # any models, data sets, metrics, revisions, file patterns
source "$HF_CACHE_ROOT/env.sh"          # HF_HOME, HF_HUB_CACHE, HF_DATASETS_CACHE, TRANSFORMERS_CACHE, and the offline flags
python scripts/check_hf_cache.py --cache_dir "$HF_CACHE_ROOT"          # what is there, is it whole, does it load with no network
python scripts/build_dataset.py --dataset wikiann --splits train validation --subset 0.0 [--rebuild]
sbatch scripts/precache_and_rerun.sbatch
"""  # noqa: E501
_SPEC = f"""
models: [{{name: {hub_artefacts.T5}, patterns: ["*.json", "*.safetensors"]}}]
datasets:
  - {{name: {hub_artefacts.REVIEWS}, revision: v2, data_files: {{train: "reviews-*.jsonl"}}}}
metrics: [accuracy]
"""


def _block(root):
    """Returns the block for a folder of the test; what is in brackets is run without and with."""
    text = BLOCK.replace("/scratch/me/hf-cache", shlex.quote(str(root)))
    return re.sub(r"^(.*) \[(--rebuild)\]$", r"\1\n\1 \2", text, flags=re.M)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The block's output, its folder, and its cache; the Hub is gone."""
    folder = tmp_path_factory.mktemp("end to end")
    root, work = folder / "hf cache", folder / "work"
    work.mkdir()
    (work / "scripts").symlink_to(ROOT / "scripts")
    (work / "artefacts.yaml").write_text(_SPEC)
    slurm = stand_in_slurm.install(folder / "slurm")
    with fake_hub.serve() as hub:
        hub_artefacts.fill(hub)
        environment = {
            **hub.environment(folder / "home"),
            "PATH": slurm["PATH"],
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", _block(root)],
            cwd=work, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout, work, root


def test_everything_that_was_asked_for_is_there_and_loads(ran):
    output, _, root = ran
    names = ["conll2003", "wikiann", hub_artefacts.MINILM, hub_artefacts.T5, hub_artefacts.REVIEWS]
    names.append(hub_artefacts.ACCURACY)
    checked = run_script(
        "check_hf_cache.py", f"--cache_dir={root}", "--json", "--no_load",
        environment=CacheRoot(root).environment(is_offline=True),
    )  # fmt: skip
    told = json.loads(checked.stdout)["artefacts"]
    assert sorted(artefact["request"]["name"] for artefact in told) == sorted(names)
    assert {artefact["whole"] for artefact in told} == {"yes"}
    lines = [line.split() for line in output.splitlines()]
    table = [words for words in lines if words[:1] in (["dataset"], ["model"], ["metric"])]
    # Three tables: what each precache did, and what is there.
    assert len(table) == 3 + 3 + 6
    assert all("yes" in words and "no" not in words for words in table)


def test_data_set_was_built_once_and_again_only_when_told_to(ran):
    output, work, _ = ran
    (built,) = (work / "data").iterdir()
    assert built.name == "wikiann--en"
    import datasets

    splits = datasets.load_from_disk(str(built))
    wanted = hub_artefacts.wikiann_rows("en", "validation")
    assert splits["validation"][:] == wanted
    assert {name: split.num_rows for name, split in splits.items()} == {
        "train": 200,
        "validation": 20,
    }


def test_jobs_ran_one_after_the_other(ran):
    _, work, _ = ran
    first, second = stand_in_slurm.list_jobs(work.parent / "slurm")
    assert (first["status"], second["status"]) == (0, 0), first["log"] + second["log"]
    assert "there already" in first["log"]
    assert f"--dependency=afterok:{first['number']}" in second["options"]


def test_the_command_in_an_error_mends_it_and_touches_no_file_of_the_user(hub, tmp_path):
    root, work = tmp_path / "a cache", tmp_path / "work"
    work.mkdir()
    (work / "scripts").symlink_to(ROOT / "scripts")
    (work / "artefacts.yaml").write_text("of the user")
    request = asked(hub_artefacts.REVIEWS, revision="v2", data_dir="de")
    environment = CacheRoot(root).environment(is_offline=True)
    (refused,) = load_with("code_t5.hf_artifacts", [request], environment=environment)
    command = refused.error.partition("where there is a network run: ")[2]
    done = subprocess.run(
        ["sh", "-c", command], cwd=work, capture_output=True, text=True, check=False,
        env={**hub.environment(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert sorted(path.name for path in work.iterdir()) == ["artefacts.yaml", "scripts"]
    assert (work / "artefacts.yaml").read_text() == "of the user"
    (found,) = load_with(
        "code_t5.hf_artifacts", [request], environment=environment, restrict=FENCED
    )
    assert found.rows == {"train": hub_artefacts.REVIEWS_SIZES["de/a.jsonl"]}


def test_everything_loads_when_the_hub_is_gone_and_the_cache_lies_elsewhere(ran):
    _, work, root = ran
    moved = root.rename(root.parent / "moved here")
    try:
        environment = CacheRoot(moved).environment(is_offline=True)
        checked = run_script("check_hf_cache.py", f"--cache_dir={moved}", environment=environment)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        requests = [
            asked("wikiann", "en"),
            asked("conll2003", split="test"),
            asked(hub_artefacts.REVIEWS, revision="v2", data_files={"train": "reviews-*.jsonl"}),
        ]
        found = load_with(
            "code_t5.hf_artifacts", requests, environment=environment, restrict=FENCED
        )
        assert [outcome.rows for outcome in found] == [
            hub_artefacts.WIKIANN_SIZES["en"],
            {"the only one": 8},
            {"train": 15},
        ], found
        # Built before, and found where there is no cache at all.
        bare = CacheRoot(root.parent / "nothing").environment(is_offline=True)
        (found,) = load_with(
            "code_t5.hf_artifacts", [asked("wikiann", "en", split="train")],
            environment=bare, restrict=FENCED, cwd=work,
        )  # fmt: skip
        assert found.rows == {"the only one": 200}, found.error
    finally:
        moved.rename(root)
