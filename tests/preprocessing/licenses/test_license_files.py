"""Tests of licence files in a repository's folder."""

from __future__ import annotations

import os

import pytest

from preprocessing import licenses
from preprocessing.licenses import license_files

_MIT = (
    "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n"
)
_APACHE = "Apache License\nVersion 2.0, January 2004\nhttp://www.apache.org/licenses/\n"
_GPL = "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n\nuse the GNU Lesser General Public\n"
_LGPL = (
    "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n\nversion 3 of the GNU General\n"
)
_PSF = "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2\n"


def _found(folder, **files):
    """Writes files, `__` in a name standing for a dot and `_` for a hyphen; finds the licence."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".").replace("_", "-")).write_text(text)
    return licenses.find_repository_license(folder)


@pytest.mark.parametrize(
    ("name", "is_license"),
    [
        ("LICENSE", True),
        ("license", True),
        ("LICENCE.txt", True),
        ("License.md", True),
        ("COPYING", True),
        ("COPYING.LESSER", True),
        ("UNLICENSE", True),
        ("LICENSE-MIT", True),
        ("LICENSE.APACHE", True),
        ("LICENSE-APACHE-2.0.txt", True),
        ("LICENSE-2.0", True),
        ("licenses", False),
        ("licenses.json", False),
        ("license.py", False),
        ("LICENSE_check.go", False),
        ("LICENSE.json", False),
        ("paths.json", False),
        ("MYLICENSE", False),
        ("LICENSE/x", False),
        ("LICENSE\n", False),
        ("LICENSE-" + "x" * 200, False),
        ("..", False),
    ],
)
def test_licence_files_are_known_by_name(name, is_license):
    assert licenses.is_license_name(name) is is_license


def test_the_text_tells_the_licence(tmp_path):
    for number, (text, expression) in enumerate(
        [(_MIT, "MIT"), (_APACHE, "Apache-2.0"), (_GPL, "GPL-3.0-only"), (_PSF, "PSF-2.0")]
    ):
        found = _found(tmp_path / str(number), LICENSE=text)
        assert found == licenses.License(expression, "license_file")


def test_what_a_file_names_at_its_beginning_holds(tmp_path):
    assert _found(tmp_path / "a", LICENSE=_MIT + _GPL).expression == "GPL-3.0-only AND MIT"
    assert _found(tmp_path / "b", LICENSE=_MIT + "x" * 3000 + _GPL).expression == "MIT"
    # A text that is not permissive may speak of others.
    assert _found(tmp_path / "c", LICENSE=_LGPL + _MIT).expression == "LGPL-3.0-only"
    assert _found(tmp_path / "d", LICENSE="x" * 3000 + _MIT) == licenses.UNKNOWN
    twice = f"{_APACHE}{'x' * 1000}\nThe Apache License v2.0 with LLVM Exceptions"
    assert _found(tmp_path / "f", LICENSE=twice).expression == "Apache-2.0 WITH LLVM-exception"
    later = f"{_APACHE}{'x' * 3000}\nThe Apache License v2.0 with LLVM Exceptions"
    assert _found(tmp_path / "g", LICENSE=later).expression == "Apache-2.0"
    chosen = f"Dual licensed, as you like.\n{_MIT}{_APACHE}"
    assert _found(tmp_path / "e", LICENSE=chosen).expression == "Apache-2.0 OR MIT"


def test_files_named_after_licences_offer_a_choice_and_others_do_not(tmp_path):
    found = _found(tmp_path / "a", LICENSE_MIT=_MIT, LICENSE_APACHE=_APACHE, LICENSE="See there.")
    assert found.expression == "Apache-2.0 OR MIT"
    found = _found(tmp_path / "d", LICENSE_MIT=_MIT, LICENSE_APACHE=_APACHE, COPYING=_GPL)
    assert found.expression == "Apache-2.0 AND GPL-3.0-only AND MIT"
    assert _found(tmp_path / "b", LICENSE=_MIT, COPYING=_GPL).expression == "GPL-3.0-only AND MIT"
    assert _found(tmp_path / "c", LICENSE=_MIT, COPYING=_MIT).expression == "MIT"


def test_a_lesser_licence_beside_the_one_that_it_widens_is_what_holds(tmp_path):
    assert _found(tmp_path / "a", COPYING=_GPL, COPYING__LESSER=_LGPL).expression == (
        "LGPL-3.0-only"
    )


def test_licences_of_others_and_unknown_texts_say_nothing(tmp_path):
    assert _found(tmp_path / "a", LICENSE_3RD_PARTY=_GPL) == licenses.UNKNOWN
    assert _found(tmp_path / "b", LICENSE="Ask me.") == licenses.UNKNOWN
    assert _found(tmp_path / "c", paths__json="{}") == licenses.UNKNOWN
    assert licenses.find_repository_license(tmp_path / "missing") == licenses.UNKNOWN


def test_links_pipes_folders_and_huge_files_are_not_read(tmp_path):
    (tmp_path / "outside").write_text(_MIT)
    for name in ("link", "pipe", "folder", "huge", "closed"):
        (tmp_path / name).mkdir()
    (tmp_path / "link/LICENSE").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "pipe/LICENSE")
    (tmp_path / "folder/LICENSE").mkdir()
    with open(tmp_path / "huge/LICENSE", "wb") as file:
        file.write(_MIT.encode())
        file.truncate(license_files.MAX_LICENSE_FILE_BYTES + 1)
    for name in ("link", "pipe", "folder", "huge"):
        assert licenses.find_repository_license(tmp_path / name) == licenses.UNKNOWN
    (tmp_path / "closed/LICENSE").write_text(_MIT)
    (tmp_path / "way").symlink_to(tmp_path / "closed")
    assert licenses.find_repository_license(tmp_path / "way") == licenses.UNKNOWN
    assert licenses.find_repository_license(tmp_path / "closed").expression == "MIT"


def test_a_changed_file_is_read_again(tmp_path):
    assert _found(tmp_path, LICENSE=_MIT).expression == "MIT"
    assert _found(tmp_path, LICENSE=_APACHE).expression == "Apache-2.0"
    (tmp_path / "LICENSE").unlink()
    assert licenses.find_repository_license(tmp_path) == licenses.UNKNOWN


def test_few_files_are_looked_at(tmp_path):
    for number in range(40):
        (tmp_path / f"LICENSE-{number:02}").write_text(_MIT if number < 16 else _GPL)
    assert licenses.find_repository_license(tmp_path).expression == "MIT"


def test_a_files_own_finding_wins():
    own, repository = licenses.License("MIT", "header"), licenses.License("ISC", "license_file")
    assert licenses.choose(own, repository) == own
    assert licenses.choose(licenses.UNKNOWN, repository) == repository
