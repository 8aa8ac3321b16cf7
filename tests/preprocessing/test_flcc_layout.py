from __future__ import annotations

import os

import pytest

from code_t5 import errors
from fakes import write_flcc
from preprocessing import flcc_layout


def _branches(root, languages=("Python",)):
    return list(flcc_layout.list_branches(root / "v3", list(languages)))


def test_every_branch_of_every_repository_is_listed_in_byte_order(tmp_path):
    write_flcc(
        tmp_path,
        {
            "b/r/master/a_1.py": "",
            "B/r/master/a_1.py": "",
            "b/r/dev/a_1.py": "",
            "b/Q/x/a_1.py": "",
        },
    )
    names = [f"{branch.full_name}:{branch.branch}" for branch in _branches(tmp_path)]
    assert names == ["B/r:master", "b/Q:x", "b/r:dev", "b/r:master"]


def test_all_languages_and_extensions_are_found(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": ""})
    write_flcc(tmp_path, {"o/r/m/a_1.ts": ""}, language="TypeScript", extension=".ts")
    write_flcc(tmp_path, {"o/r/m/a_1.tsx": ""}, language="TypeScript", extension=".tsx")
    root = flcc_layout.find_v3_root(tmp_path)
    assert flcc_layout.select_languages(root, ["all"]) == ["Python", "TypeScript"]
    extensions = [branch.extension for branch in _branches(tmp_path, ["TypeScript"])]
    assert extensions == [".ts", ".tsx"]


def test_a_missing_language_is_refused_with_those_there(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": ""})
    with pytest.raises(errors.InputError, match="no folder Rust; it has Python"):
        flcc_layout.select_languages(tmp_path / "v3", ["Rust"])


def test_the_v3_folder_itself_will_do(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": ""})
    assert flcc_layout.find_v3_root(tmp_path / "v3") == tmp_path / "v3"


def test_a_missing_directory_is_refused(tmp_path):
    with pytest.raises(
        errors.InputError, match="No such file or directory; wanted a folder in FLCC"
    ):
        flcc_layout.find_v3_root(tmp_path / "nowhere")


def test_another_layout_is_refused_with_what_it_holds(tmp_path):
    (tmp_path / "README.md").write_text("hello")
    with pytest.raises(errors.InputError, match="not in FLCC layout: it holds README.md"):
        flcc_layout.find_v3_root(tmp_path)


def test_linked_folders_are_not_entered(tmp_path):
    write_flcc(tmp_path / "in", {"o/r/m/a_1.py": "x"})
    outside = write_flcc(tmp_path / "out", {"p/s/m/b_1.py": "y"})
    target = outside / "v3/languages/Python/.py/p"
    (tmp_path / "in/v3/languages/Python/.py/p").symlink_to(target)
    assert [branch.full_name for branch in _branches(tmp_path / "in")] == ["o/r"]


def test_listing_shows_links_and_leaves_folders_out(tmp_path):
    write_flcc(tmp_path, {"o/r/m/b_1.py": "xy"})
    (branch,) = _branches(tmp_path)
    (branch.files_dir / "a_1.py").symlink_to("/etc/hostname")
    (branch.files_dir / "__pycache__").mkdir()
    entries = flcc_layout.list_files(branch)
    assert [(e.name, e.is_link, e.is_regular) for e in entries] == [
        ("a_1.py", True, False),
        ("b_1.py", False, True),
    ]
    assert entries[1].size_bytes == 2


def test_work_units_are_bounded_and_lose_nothing(tmp_path):
    write_flcc(tmp_path, {f"o/r{n % 3}/m/f_{n:02d}.py": "x" * n for n in range(20)})
    units = list(flcc_layout.work_units(iter(_branches(tmp_path)), max_files=6, max_bytes=60))
    names = [
        (branch.repository, entry.name)
        for unit in units
        for branch, entries in unit.groups
        for entry in entries
    ]
    wanted = sorted((f"r{n % 3}", f"f_{n:02d}.py") for n in range(20))
    assert names == wanted
    assert [unit.unit_index for unit in units] == list(range(len(units)))
    starts = [unit.first_file_id for unit in units]
    assert starts == [sum(unit.num_files for unit in units[:index]) for index in range(len(units))]
    assert all(unit.num_files <= 6 and unit.size_bytes < 60 + 20 for unit in units)
    assert len(units) > 3


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("src/a.py", True),
        ("a..b/c.py", True),
        ("../a.py", False),
        ("a/../../b.py", False),
        ("a\\..\\b.py", False),
        ("/etc/passwd", False),
        ("\\\\host\\share", False),
        ("C:/a.py", False),
        ("a\0b", False),
        ("", False),
        ("x" * 5000, False),
    ],
)
def test_paths_that_leave_the_repository_are_not_safe(path, safe):
    assert flcc_layout.is_safe_path(path) is safe


def _paths(tmp_path, value):
    write_flcc(tmp_path, {"o/r/m/a_1.py": "x"}, paths={"o/r/m": value})
    return flcc_layout.read_paths(_branches(tmp_path)[0])


def test_paths_json_gives_paths_and_drops_unsafe_ones(tmp_path):
    paths, problems = _paths(tmp_path, {"a_1.py": "src/a.py", "b_1.py": "../../outside.py", "c": 3})
    assert paths == {"a_1.py": "src/a.py"}
    assert "names '../../outside.py', which is no path inside the repository" in problems[0]
    assert "names '3'" in problems[1]


@pytest.mark.parametrize("value", ['{"a_1.py": "src/a', "[1, 2]", "", "[" * 100_000])
def test_damaged_paths_json_is_one_problem_and_no_paths(tmp_path, value):
    paths, problems = _paths(tmp_path, value)
    assert paths == {}
    assert len(problems) == 1
    assert "wanted one JSON object" in problems[0]
    assert "\n" not in problems[0]


def test_a_missing_paths_json_is_no_problem(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": "x"})
    assert flcc_layout.read_paths(_branches(tmp_path)[0]) == ({}, [])


def test_a_linked_paths_json_is_not_followed(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": "x"})
    (branch,) = _branches(tmp_path)
    secret = tmp_path / "secret.json"
    secret.write_text('{"a_1.py": "secret"}')
    branch.paths_json.parent.mkdir(parents=True)
    branch.paths_json.symlink_to(secret)
    paths, problems = flcc_layout.read_paths(branch)
    assert paths == {}
    assert "symbolic link" in problems[0]


def test_unknown_names_are_those_of_this_language_without_a_file(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": "x"})
    names = {"a_1.py": "a.py", "b_1.py": "b.py", "c_1.java": "c.java"}
    assert flcc_layout.unknown_names(_branches(tmp_path)[0], names) == ["b_1.py"]


def test_names_that_are_no_utf8_are_listed_and_printable(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": "x"})
    (branch,) = _branches(tmp_path)
    with open(os.fsencode(branch.files_dir) + b"/caf\xe9_2.py", "wb") as file:
        file.write(b"y")
    names = [entry.name for entry in flcc_layout.list_files(branch)]
    assert [flcc_layout.printable_name(name) for name in names] == ["a_1.py", "caf\\xe9_2.py"]
