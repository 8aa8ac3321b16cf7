"""Tests of preprocessing.inputs.license_copies, and of the sources that carry licence files."""

from __future__ import annotations

import os
import tarfile

import fake_archives as archives
import pytest

from preprocessing import licenses
from preprocessing.inputs import (
    archive,
    checkouts,
    license_copies,
    python_library,
    source,
    tally,
    unpack,
)
from preprocessing.licenses import license_files

_MIT = b"MIT License\n"


def _repository_files(root):
    """Returns `{path below v3/repositories: bytes}` but for `paths.json`."""
    base = root / "v3/repositories"
    return {
        path.relative_to(base).as_posix(): path.read_bytes()
        for path in sorted(base.rglob("*"))
        if path.is_file() and path.name != "paths.json"
    }


def test_checkouts_bring_the_licence_files_of_their_top_folder_only(tmp_path):
    app, empty = tmp_path / "code/app", tmp_path / "code/empty"
    for folder in (app / ".git", app / "sub", empty / ".git"):
        folder.mkdir(parents=True)
    (app / "main.py").write_text("x = 1\n")
    for name in ("LICENSE-MIT", "COPYING.txt", "license.py", "sub/LICENSE", "NOTICE"):
        (app / name).write_bytes(_MIT)
    (empty / "LICENSE").write_bytes(_MIT)

    counts = checkouts.CheckoutsSource(str(tmp_path / "code")).write_tree(tmp_path / "out")

    assert _repository_files(tmp_path / "out") == {
        "code/app/default/COPYING.txt": _MIT,
        "code/app/default/LICENSE-MIT": _MIT,
    }
    assert (counts.num_files, counts.num_repositories) == (2, 1)
    folder = tmp_path / "out/v3/repositories/code/app/default"
    assert licenses.find_repository_license(folder) == licenses.License("MIT", "license_file")


def test_hostile_licence_files_are_left_out_and_counted(tmp_path):
    (tmp_path / "outside").write_bytes(b"secret")
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "LICENSE").symlink_to(tmp_path / "outside")
    (folder / "LICENSE-dir").mkdir()
    os.mkfifo(folder / "LICENSE-pipe")
    with open(folder / "COPYING", "wb") as file:
        file.truncate(license_files.MAX_LICENSE_FILE_BYTES + 1)
    (folder / "LICENSE-good").write_bytes(_MIT)
    counts = tally.Tally()

    assert license_copies.read_license_files(str(folder), counts) == {"LICENSE-good": _MIT}
    assert dict(counts.skipped) == {
        "licence file: not a plain file": 1,
        "licence file: too large": 1,
    }
    assert license_copies.read_license_files(str(tmp_path / "missing"), counts) == {}


def test_the_librarys_licence_goes_with_every_repository(tmp_path):
    library = tmp_path / "lib"
    (library / "json").mkdir(parents=True)
    for name in ("argparse.py", "json/tool.py"):
        (library / name).write_text("x = 1\n")
    (library / "LICENSE.txt").write_bytes(b"PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2\n")

    python_library.PythonLibrarySource(str(library)).write_tree(tmp_path / "out")

    found = _repository_files(tmp_path / "out")
    assert [name.split("/")[1] for name in found] == ["argparse", "json"]
    for path in found:
        folder = (tmp_path / "out/v3/repositories" / path).parent
        assert licenses.find_repository_license(folder).expression == "PSF-2.0"


@pytest.mark.parametrize("select", ["*", "Alpha"])
def test_archives_let_licence_files_through_at_their_own_depth_only(tmp_path, select):
    repositories = "set/v3/repositories/Alpha/app/main"
    members = archives.flcc_members({"Alpha/app/main/a_0.py": b"a = 0\n"})
    too_large = b"x" * (license_files.MAX_LICENSE_FILE_BYTES + 1)
    for name, data in {
        f"{repositories}/LICENSE": _MIT,
        f"{repositories}/COPYING.LESSER": too_large,
        f"{repositories}/deep/LICENSE": _MIT,
        f"{repositories}/license.py": b"x",
        "set/v3/repositories/Alpha/LICENSE": _MIT,
        "set/v3/LICENSE": _MIT,
    }.items():
        members.append(archives.member(name, data))
    (tmp_path / "set.tar").write_bytes(archives.tar_bytes(members))
    chosen = archive.ArchiveSource(
        str(tmp_path / "set.tar"),
        selection=[select],
        downloads_dir=tmp_path / "downloads",
        limits=unpack.ArchiveLimits(),
    )

    fields, _ = source.prepare_tree(chosen, output_dir=tmp_path / "out")

    assert _repository_files(tmp_path / "out") == {"Alpha/app/main/LICENSE": _MIT}
    assert fields["counts"]["skipped"] == {"outside of the layout": 4, "too large": 1}
    assert fields["counts"]["num_files"] == 1


def test_a_licence_link_in_an_archive_is_not_written(tmp_path):
    members = archives.flcc_members({"Alpha/app/main/a_0.py": b"a = 0\n"})
    name = "set/v3/repositories/Alpha/app/main/LICENSE"
    link = archives.member(name, type=tarfile.SYMTYPE, linkname="/etc/passwd")
    (tmp_path / "set.tar").write_bytes(archives.tar_bytes([*members, link]))
    chosen = archive.ArchiveSource(
        str(tmp_path / "set.tar"), selection=["*"], downloads_dir=tmp_path / "downloads"
    )
    fields, _ = source.prepare_tree(chosen, output_dir=tmp_path / "out")
    assert _repository_files(tmp_path / "out") == {}
    assert fields["counts"]["skipped"] == {"symbolic link": 1}
