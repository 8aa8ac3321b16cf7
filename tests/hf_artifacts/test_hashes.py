"""Every content is hashed anew: against its record, and against the name that it lies under."""

from __future__ import annotations

import hashlib
import os
import shutil

import hub_cache_files
import pytest
from hub_cache_files import COMMIT

from code_t5.hf_artifacts import content_hashes, records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import hashes
from code_t5.hf_artifacts.checking.findings import Finding
from code_t5.hf_artifacts.requests import ArtefactRequest

FILES = {
    "config.json": b'{"model_type": "t5"}',
    "model.safetensors": bytes(range(256)) * 5000,
    "1_Pooling/config.json": b"{}",
}
MODEL = ArtefactRequest("model", "org/name")
DATASET = ArtefactRequest("dataset", "words")
FOLDER = "models--org--name"
BLOB = hub_cache_files.sha256(FILES["model.safetensors"])


@pytest.fixture
def root(tmp_path):
    """A model with its record, and a data set with Arrow files with its own."""
    made = CacheRoot(tmp_path / "a cache")
    hub_cache_files.put_repository(made, FOLDER, FILES)
    hub_cache_files.put_record(made, MODEL, FILES)
    rows = {"data/train.parquet": b"PAR1 rows PAR1"}
    hub_cache_files.put_repository(made, "datasets--words", rows)
    hub_cache_files.put_record(
        made, DATASET, rows, arrow_files={"words-train.arrow": b"ARROW1" * 99, "info.json": b"{}"}
    )
    return made


@pytest.fixture
def snapshot(root):
    return root.hub_dir / FOLDER / "snapshots" / COMMIT


@pytest.fixture
def blob(root):
    return root.hub_dir / FOLDER / "blobs" / BLOB


def _only(found) -> Finding:
    assert len(found) == 1, found
    return found[0]


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def test_what_is_whole_has_no_findings(root):
    assert hashes.verify_root(root) == []


def test_a_copy_elsewhere_is_whole_too(root, tmp_path):
    copied = shutil.copytree(root.path, tmp_path / "other" / "place", symlinks=True)
    shutil.rmtree(root.path)
    assert hashes.verify_root(CacheRoot(copied)) == []


def test_a_copy_without_links_is_whole_too(root, tmp_path):
    copied = shutil.copytree(root.path, tmp_path / "other", symlinks=False)
    assert hashes.verify_root(CacheRoot(copied)) == []
    _flip(copied / "hub" / FOLDER / "snapshots" / COMMIT / "model.safetensors")
    found = _only(hashes.verify_root(CacheRoot(copied)))
    assert found.owners == (MODEL.slug,)
    assert f"the record says {BLOB}" in found.problem


def test_the_hashes_of_a_content_are_sha256_and_gits(tmp_path):
    # git hash-object of the same three bytes.
    (tmp_path / "a").write_bytes(b"abc")
    found = content_hashes.hash_content(tmp_path / "a", with_git=True)
    assert found == (
        3,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f",
    )


def test_a_flipped_bit_in_an_lfs_content_is_found_by_its_name_and_by_the_record(root, blob):
    now = _flip(blob)
    found = hashes.verify_root(root)
    assert [(f.path, f.owners, f.is_damage) for f in found] == [
        (f"hub/{FOLDER}/blobs/{BLOB}", (MODEL.slug,), True)
    ] * 2
    assert [f.problem.partition(";")[0] for f in found] == [
        f"SHA-256 {now}",
        f"its content has the hash {now}",
    ]


def test_a_flipped_bit_in_a_small_file_is_found_by_the_name_that_git_gives(root, snapshot):
    shutil.rmtree(root.artifacts_dir)
    content = (snapshot / "config.json").resolve()
    _flip(content)
    found = _only(hashes.verify_root(root))
    assert found.path == f"hub/{FOLDER}/blobs/{content.name}"
    assert found.owners == (f"{FOLDER}@{COMMIT}",)
    assert "wanted that of its name" in found.problem


def test_a_flipped_bit_in_a_content_that_no_commit_uses_is_found(root):
    spare = root.hub_dir / FOLDER / "blobs" / hub_cache_files.sha256(b"spare")
    spare.write_bytes(b"spare")
    assert hashes.verify_root(root) == []
    spare.write_bytes(b"sparE")
    assert _only(hashes.verify_root(root)).owners == ()


def test_a_flipped_bit_in_an_arrow_file_is_found(root):
    _flip(root.path / "datasets/words/en/words-train.arrow")
    found = _only(hashes.verify_root(root))
    assert (found.path, found.owners) == ("datasets/words/en/words-train.arrow", (DATASET.slug,))


def test_a_content_that_was_cut_off_is_found(root, blob):
    os.truncate(blob, 1000)
    problems = [found.problem for found in hashes.verify_root(root)]
    assert any(f"1000 bytes; the record says {256 * 5000}" in problem for problem in problems)


def test_a_size_is_looked_at_without_hashing(root, blob):
    _flip(blob)
    assert hashes.verify_root(root, is_hashing=False) == []
    os.truncate(blob, 1000)
    assert "1000 bytes" in _only(hashes.verify_root(root, is_hashing=False)).problem


@pytest.mark.parametrize("linked", ["datasets/words/en", "datasets/words/en/words-train.arrow"])
def test_arrow_files_to_which_a_link_out_of_the_root_leads_are_not_read(root, tmp_path, linked):
    path = root.path / linked
    elsewhere = shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(elsewhere)
    found = hashes.verify_root(root)
    assert {f.owners for f in found} == {(DATASET.slug,)}
    assert "datasets/words/en/words-train.arrow" in {f.path for f in found}
    for finding in found:
        assert finding.problem.startswith(f"leads to {elsewhere}")
        assert finding.problem.endswith("elsewhere; remove it and fetch it again with precache")


@pytest.mark.parametrize("removed", ["link", "content", "arrow", "repository"])
def test_what_the_record_lists_and_is_not_there_is_found(root, snapshot, blob, removed):
    lost = {
        "link": snapshot / "model.safetensors",
        "content": blob,
        "arrow": root.path / "datasets/words/en/info.json",
        "repository": root.hub_dir / FOLDER,
    }[removed]
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    found = [f for f in hashes.verify_root(root) if "the record lists it" in f.problem]
    shown = "info.json" if removed == "arrow" else "model.safetensors"
    assert any(f.path.endswith(shown) for f in found)
    owner = DATASET.slug if removed == "arrow" else MODEL.slug
    assert {f.owners for f in found} == {(owner,)}


def test_a_link_to_another_content_of_the_repository_is_found(root, snapshot):
    other = {"config.json": b'{"model_type": "bert"}'}
    moved = hub_cache_files.put_repository(root, FOLDER, other, commit=40 * "b", refs=())
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(os.readlink(moved / "config.json"))
    name = hub_cache_files.blob_name("config.json", FILES["config.json"])
    problems = [found.problem for found in hashes.verify_root(root) if found.owners]
    assert any(f"the record says {name}" in problem for problem in problems)


@pytest.mark.parametrize(
    "target",
    [
        "/etc/passwd",
        "../../../../outside",
        "../../../datasets--x",
        "../../blobs/../../../outside",
    ],
)
def test_a_link_that_leads_out_of_its_repository_is_found_and_not_read(root, snapshot, target):
    outside = root.path / "outside"
    outside.write_bytes(b"secret")
    (root.hub_dir / "datasets--x").write_bytes(b"secret")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(target)
    found = [f for f in hashes.verify_root(root) if f.path.endswith("config.json")]
    assert [f.owners for f in found] == [(MODEL.slug,)] * 2
    assert any("wanted a content of models--org--name" in f.problem for f in found)
    assert not any(hub_cache_files.sha256(b"secret") in f.problem for f in found)


def test_a_link_through_a_folder_that_is_a_link_is_not_taken_at_its_word(root, snapshot, tmp_path):
    # Read as text it leads to the right content; followed, it leads to another.
    trap = tmp_path / "a" / "b" / "c"
    trap.mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / BLOB).write_bytes(b"another")
    (snapshot / "trap").symlink_to(trap)
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors").symlink_to(f"trap/../../../blobs/{BLOB}")
    paths = {f.path.rpartition("/")[2] for f in hashes.verify_root(root) if f.is_damage}
    assert paths == {"trap", "model.safetensors"}


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "circle", "nothing"])
def test_what_is_no_file_is_found_and_not_opened(root, snapshot, kind):
    path = snapshot / "config.json"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero", "circle": path.name, "nothing": "x"}[kind])
    problems = [found.problem for found in hashes.verify_root(root)]
    assert any("is not there; the record lists it" in p or "leads to" in p for p in problems)


def test_a_record_whose_commit_is_a_path_reads_nothing_outside(root, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(b"secret")
    request = ArtefactRequest("model", "org/other")
    hub_cache_files.put_record(
        root, request, {"secret.txt": b"secret"}, commit="../../../../outside"
    )
    found = [f for f in hashes.verify_root(root) if "outside" in f.path or f.owners]
    assert found and all(f.is_damage for f in found)


def test_a_repository_folder_that_leads_out_is_found_and_not_walked(root, tmp_path):
    elsewhere = shutil.copytree(root.hub_dir / FOLDER, tmp_path / FOLDER, symlinks=True)
    (root.hub_dir / "models--org--far").symlink_to(elsewhere)
    found = _only(hashes.verify_root(root))
    assert found.path == "hub/models--org--far"
    assert found.problem.startswith("leads out of hub/")


def test_an_earlier_name_that_leads_to_the_present_one_is_right(root):
    (root.hub_dir / "models--name").symlink_to(FOLDER)
    hub_cache_files.put_record(root, ArtefactRequest("model", "name"), FILES)
    assert hashes.verify_root(root) == []


def test_links_by_which_transformers_reads_lead_to_models_in_the_hub_folder(root, tmp_path):
    root.transformers_dir.mkdir()
    (root.transformers_dir / FOLDER).symlink_to(f"../hub/{FOLDER}")
    assert hashes.verify_root(root) == []
    elsewhere = shutil.copytree(root.hub_dir / FOLDER, tmp_path / FOLDER, symlinks=True)
    (root.transformers_dir / FOLDER).unlink()
    (root.transformers_dir / FOLDER).symlink_to(elsewhere)
    found = _only(hashes.verify_root(root))
    assert (found.path, found.is_damage) == (f"transformers/{FOLDER}", True)


def test_what_was_half_prepared_is_worth_knowing(root):
    (root.datasets_dir / "words" / "en" / "0.0.0.incomplete").mkdir(parents=True)
    found = _only(hashes.verify_root(root))
    assert (found.path, found.is_damage) == ("datasets/words/en/0.0.0.incomplete", False)


def test_a_root_that_is_reached_through_a_link_is_whole_and_its_paths_are_its_own(root, tmp_path):
    (tmp_path / "link").symlink_to(root.path)
    linked = CacheRoot(tmp_path / "link")
    assert hashes.verify_root(linked) == []
    _flip(root.hub_dir / FOLDER / "blobs" / BLOB)
    assert {f.path for f in hashes.verify_root(linked)} == {f"hub/{FOLDER}/blobs/{BLOB}"}


@pytest.mark.parametrize("part", ["blobs", "snapshots", "refs"])
def test_folders_of_a_repository_are_no_links(root, part, tmp_path):
    folder = root.hub_dir / FOLDER / part
    shutil.move(folder, tmp_path / part)
    folder.symlink_to(tmp_path / part)
    problems = {f.path: f.problem for f in hashes.verify_root(root)}
    assert problems[f"hub/{FOLDER}/{part}"].startswith("is a link")


def test_a_branch_that_has_moved_on_is_found(root):
    (root.hub_dir / FOLDER / "refs" / "main").write_text(40 * "d")
    found = [f for f in hashes.verify_root(root) if f.is_damage]
    assert found[0].owners == (MODEL.slug,)
    assert found[0].problem.startswith(f"stands for '{40 * 'd'}'; the record says {COMMIT}")


def test_a_branch_that_holds_no_commit_is_found(root):
    (root.hub_dir / "datasets--words" / "refs" / "v1").write_text("\x1b[31mmain")
    found = _only(hashes.verify_root(root))
    assert found.problem.startswith(r"holds '\x1b[31mmain'; wanted a commit")


def test_half_a_download_beside_a_record_is_only_worth_knowing(root, blob):
    blob.with_name(f"{40 * 'e'}.1234.incomplete").write_bytes(b"half")
    found = _only(hashes.verify_root(root))
    assert (found.is_damage, found.owners) == (False, (MODEL.slug,))


def test_half_a_download_without_a_record_is_damage(root, blob):
    shutil.rmtree(root.artifacts_dir)
    blob.with_name(f"{40 * 'e'}.1234.incomplete").write_bytes(b"half")
    found = _only(hashes.verify_root(root))
    assert (found.is_damage, found.owners) == (True, (f"{FOLDER}@{COMMIT}",))
    assert found.problem.startswith("half a download")


def test_a_content_whose_name_is_no_hash_is_said_to_be_unknown(root, snapshot):
    shutil.rmtree(root.artifacts_dir)
    (snapshot / "README.md").write_bytes(b"by hand")
    found = _only(hashes.verify_root(root))
    assert not found.is_damage
    assert found.path.endswith("README.md")


def test_a_broken_record_is_found_and_harms_no_other(root):
    (root.artifacts_dir / MODEL.slug / "manifest.json").write_text("{}")
    found = hashes.verify_root(root)
    assert [f.owners for f in found] == [(MODEL.slug,)]


def test_only_the_artefacts_of_a_name_are_read(root, blob):
    _flip(blob)
    (root.hub_dir / FOLDER / "refs" / "v1").write_text("nothing")
    assert hashes.verify_root(root, names=["words"]) == []
    assert len(hashes.verify_root(root, names=["org/name"])) == 3


def test_progress_adds_up_to_all_bytes(root):
    told = []
    hashes.verify_root(root, advance_fn=lambda count, total: told.append((count, total)))
    wanted = sum(len(data) for data in FILES.values()) + 14 + 6 * 99 + 2
    assert sum(count for count, _ in told) == wanted
    assert {total for _, total in told} == {wanted}


def test_an_interrupt_ends_the_reading(root, blob):
    blob.write_bytes(bytes(64 << 20))
    told = []

    def interrupt(count, total):
        told.append(count)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hashes.verify_root(root, advance_fn=interrupt, num_workers=2)
    assert len(told) < 16


def test_every_record_is_left_as_it_was(root):
    before = {path: path.stat().st_mtime_ns for path in root.path.rglob("*")}
    hashes.verify_root(root)
    assert {path: path.stat().st_mtime_ns for path in root.path.rglob("*")} == before
    assert records.find_record(root, MODEL) is not None
