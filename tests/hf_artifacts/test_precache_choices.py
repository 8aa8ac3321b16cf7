"""What the program fetches of a data set, and what it leaves alone: by the files in the root."""

from __future__ import annotations

import fake_hub
import hf_programs
import hub_artefacts
import pytest

from code_t5.hf_artifacts import proving, records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking.load_target import LoadTarget, Proof
from code_t5.hf_artifacts.fetching.hub_listing import HubListing
from code_t5.hf_artifacts.requests import ArtefactRequest

_IMAGENET = "imagenet-1k"
_OPEN = {"HF_TOKEN": hub_artefacts.ACCESS_TOKEN}


@pytest.fixture
def hub():
    """A Hub of which nothing was asked yet."""
    with fake_hub.serve() as served:
        yield served


@pytest.fixture
def root(tmp_path):
    """Where the program of the test writes to."""
    return CacheRoot(tmp_path / "root")


@pytest.fixture
def fetch(hub, root, tmp_path):
    """Fetches data sets, and proves them if asked."""

    def run(*entries, is_proving=False, more=()):
        spec = hf_programs.write_spec(tmp_path, datasets=list(entries))
        if not is_proving:
            return hf_programs.precache(hub, root.path, spec=spec, more=dict(more))
        environment = {**hf_programs.online(hub, tmp_path / "no home"), **dict(more)}
        return hf_programs.run(
            "precache.py", "--cache_dir", root.path, "--spec", spec, environment=environment
        )

    return run


def _paths(root) -> set[str]:
    """Returns the files of all snapshots, by their names in the repository."""
    found = root.hub_dir.glob("*/snapshots/*/**/*")
    return {
        path.relative_to(root.hub_dir).as_posix().split("/", 3)[3]
        for path in found
        if not path.is_dir()
    }


def _records(root) -> list[records.ArtefactRecord]:
    return [record for _, record in records.list_records(root)]


def _commit(hub, name) -> str:
    return hub.find_repository("dataset", name).find("main").sha


def test_patterns_of_a_data_set_keep_all_other_files_away(fetch, hub, root):
    hub_artefacts.add_imagenet(hub)
    ran = fetch({"name": _IMAGENET, "patterns": ["*validation*"]}, is_proving=True, more=_OPEN)
    assert ran.status == 0, ran.all
    assert "fetched, loads without a network" in ran.out
    wanted = {f"data/validation-0000{number}-of-00002.parquet" for number in range(2)}
    assert _paths(root) == {"README.md", *wanted}
    assert len(set(hub.paths("/lfs/", method="GET"))) == len(wanted)
    (record,) = _records(root)
    assert set(record.files) == _paths(root)
    assert (record.prepared[0].config, record.prepared[0].splits) == ("default", {"validation": 16})
    checked = hf_programs.check(root.path)
    assert checked.status == 0, checked.all
    # Whole again when all of it is wanted; and the first request finds its own in it.
    whole = {split: sum(rows) for split, rows in hub_artefacts.IMAGENET_SHARDS.items()}
    entries = ({"name": _IMAGENET}, {"name": _IMAGENET, "patterns": ["*validation*"]})
    ran = fetch(entries[0], is_proving=True, more=_OPEN)
    assert ran.status == 0, ran.all
    assert [record.prepared[0].splits for record in _records(root)] == [whole, whole]
    assert all(record.is_proved for record in _records(root))
    before = hf_programs.tree(root.path)
    assert fetch(*entries, more=_OPEN).out.count("there already") == 2
    assert hf_programs.tree(root.path) == before


@pytest.mark.parametrize("patterns", [(), ("*validation*",)])
def test_libraries_fetch_nothing_on_their_own_where_patterns_chose(patterns):
    request = ArtefactRequest("dataset", _IMAGENET, patterns=patterns)
    record = records.ArtefactRecord(request, _IMAGENET, "0" * 40, {})
    proof = Proof(LoadTarget(request), {"code_t5": "no: it is not cached"}, wants_network=True)
    listing = HubListing(_IMAGENET, "0" * 40, {})
    assert proving._may_lack_files(record, proof, listing=listing) is (not patterns)


def test_a_split_that_is_there_in_part_is_not_prepared(fetch, hub, root):
    hub_artefacts.add_reviews(hub)
    ran = fetch(
        {"name": hub_artefacts.REVIEWS, "ignore_patterns": ["de/*", "en/*"]}, is_proving=True
    )
    assert ran.status == 0, ran.all
    assert "fetched, not prepared: its patterns leave out what `datasets` would read" in ran.out
    assert "the patterns leave out 2 of the 4 files of its split train" in ran.err
    assert not any(path.startswith(("de/", "en/")) for path in _paths(root))
    (record,) = _records(root)
    assert (record.prepared, set(record.files)) == ((), _paths(root))
    assert list(root.datasets_dir.rglob("*.arrow")) == []
    checked = hf_programs.check(root.path)
    assert checked.status == 0, checked.all
    assert "patterns chose its files, nothing is prepared" in checked.out


def test_a_data_set_of_a_script_is_refused_before_anything_is_fetched(fetch, hub, root):
    hub_artefacts.add_conll2003(hub)
    ran = fetch({"name": "conll2003"})
    assert ran.status == 1
    assert "; ask for the Hub's conversion with revision: refs/convert/parquet" in ran.out
    assert "it goes on" not in ran.out
    assert list(root.hub_dir.iterdir()) == []
    hub.add("dataset", "x/lonely", {"README.md": "x", "lonely.py": "raise SystemExit"})
    ran = fetch({"name": "x/lonely"})
    assert "refs/convert" not in ran.out
    assert "name another data set" in ran.out
    # Nothing is there that would be wrong.
    checked = hf_programs.check(root.path)
    assert "nothing is cached here" in checked.out


def test_what_cannot_be_prepared_leaves_no_snapshot(fetch, hub, root):
    rows = hub.add("dataset", "x/rows", {"train.csv": "a\n1\n"})
    assert fetch({"name": "x/rows"}).status == 0
    good = _commit(hub, "x/rows")
    rows.commit({"train.parquet": b"PAR1 and nothing else"}, remove=["train.csv"])
    ran = fetch({"name": "x/rows"})
    assert ran.status == 1, ran.all
    folder = root.hub_dir / "datasets--x--rows"
    assert [path.name for path in (folder / "snapshots").iterdir()] == [good]
    assert (folder / "refs/main").read_text() == good


@pytest.mark.parametrize("is_offline", [False, True])
def test_only_what_may_pass_is_worth_the_same_command_again(fetch, hub, tmp_path, is_offline):
    hub.add("dataset", "x/rows", {"train.csv": "a\n1\n"})
    more = {"HF_ENDPOINT": "http://127.0.0.1:9"} if is_offline else {}
    ran = fetch({"name": "x/rows", "patterns": ["none*"]}, more=more)
    last = ran.out.splitlines()[-1]
    again = "run the same command again: it goes on"
    assert last == f"1 of 1 are not ready; {again if is_offline else 'do what their reasons say'}"


def test_a_branch_that_is_noted_wrongly_is_put_right(fetch, hub, root):
    rows = hub.add("dataset", "x/rows", {"train.csv": "a\n1\n"})
    assert fetch({"name": "x/rows"}).status == 0
    old = _commit(hub, "x/rows")
    rows.commit({"train.csv": "a\n2\n"})
    assert fetch({"name": "x/rows"}).status == 0
    ref = root.hub_dir / "datasets--x--rows/refs/main"
    ref.write_text(old)
    ran = fetch({"name": "x/rows"})
    assert "there already" in ran.out
    assert ref.read_text() == _commit(hub, "x/rows") != old


def test_what_a_moved_branch_leaves_behind_is_named(fetch, hub, root):
    rows = hub.add("dataset", "x/rows", hf_programs.dataset_files("a", "b"))
    assert fetch({"name": "x/rows", "configs": ["a"]}).status == 0
    rows.commit({"NOTES.md": "newer"})
    ran = fetch({"name": "x/rows", "configs": ["b"]})
    assert ran.status == 0, ran.all
    assert "; x/rows (a) was fetched at an earlier commit of the same branch" in ran.out
    ran = fetch({"name": "x/rows", "configs": ["b"]}, {"name": "x/rows", "configs": ["a"]})
    assert "earlier commit" not in ran.out


def test_a_token_that_a_server_says_back_is_not_shown(fetch, hub):
    hub.add("dataset", "x/rows", {"train.csv": "a\n1\n"})
    token = "short-secret"
    hub.fail("/api/datasets/x/rows", status=400, headers={"X-Error-Message": f"no {token} here"})
    ran = fetch({"name": "x/rows"}, more={"HF_TOKEN": token})
    assert ran.status == 1
    assert token not in ran.all
    assert f"{hub.url} answers with status 400" in ran.out
    assert "; wanted the dataset x/rows; " in ran.out


@pytest.mark.parametrize("token", ["hf_abc\u2028x", "hf_\u00e4bc"])
def test_a_token_that_no_request_can_carry_is_refused_unseen(fetch, root, token):
    ran = fetch({"name": "x/rows"}, more={"HF_TOKEN": token})
    assert ran.status == 1
    assert "the token in HF_TOKEN has a character that no token has" in ran.error
    assert "hf_" not in ran.all
    assert not root.path.exists()


def test_a_server_that_asks_for_a_long_wait_is_named_with_it(fetch, hub):
    hub.add("dataset", "x/rows", {"train.csv": "a\n1\n"})
    hub.fail("/api/datasets/x/rows", status=429, headers={"Retry-After": "99999"}, times=9)
    ran = fetch({"name": "x/rows"})
    assert "answers with status 429, and asks to wait for 99999 s" in ran.out
    assert ran.out.splitlines()[-1].endswith("run the same command again: it goes on")


@pytest.mark.parametrize("path", ["a" * 256, "train.csv/x.csv", "\u00e4" * 128])
def test_names_that_a_disk_cannot_hold_are_refused(fetch, hub, root, path):
    hub.add("dataset", "x/rows", {"train.csv": "a\n1\n", path: "a\n"})
    ran = fetch({"name": "x/rows"})
    assert ran.status == 1
    assert "that stay inside of the cache and that a disk can hold" in ran.out
    assert list(root.hub_dir.iterdir()) == []
