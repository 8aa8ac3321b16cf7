"""Tests of preprocessing.inputs.flcc_tree."""

from __future__ import annotations

import json

from preprocessing import flcc_layout
from preprocessing.inputs import flcc_tree


def test_branch_is_read_back_by_the_layout_reader(tmp_path):
    writer = flcc_tree.BranchWriter(tmp_path, organization="acme", repository="app", branch="main")
    writer.add("src/models.py", data=b"x = 1\n", language="Python", extension=".py")
    writer.add("models.py", data=b"y = 2\n", language="Python", extension=".py")
    writer.add("web/Main.java", data=b"class Main {}", language="Java", extension=".java")
    writer.close()

    root = flcc_layout.find_v3_root(tmp_path)
    python, java = flcc_layout.list_branches(root, ["Python", "Java"])
    assert python.full_name == "acme/app"
    names = [entry.name for entry in flcc_layout.list_files(python)]
    assert names == ["models_0.py", "models_1.py"]
    assert [entry.name for entry in flcc_layout.list_files(java)] == ["Main_2.java"]
    assert flcc_layout.read_paths(python) == (
        {
            "models_0.py": "src/models.py",
            "models_1.py": "models.py",
            "Main_2.java": "web/Main.java",
        },
        [],
    )
    assert (python.files_dir / "models_1.py").read_bytes() == b"y = 2\n"


def test_branch_without_files_leaves_nothing(tmp_path):
    flcc_tree.BranchWriter(tmp_path, organization="a", repository="b", branch="c").close()
    assert list(tmp_path.iterdir()) == []


def test_odd_stems_become_plain_and_their_paths_stay_readable(tmp_path):
    writer = flcc_tree.BranchWriter(tmp_path, organization="a", repository="b", branch="c")
    for path in (".py", "..hidden.js", "sp ace\n.py", "caf\udce9.py", "x" * 250 + ".py", "ключ.py"):
        writer.add(path, data=b"", language="L", extension=".py")
    writer.close()

    paths = json.loads((tmp_path / "v3/repositories/a/b/c/paths.json").read_text())
    assert list(paths) == [
        "py_0.py",
        "hidden_1.py",
        "sp_ace__2.py",
        "caf__3.py",
        "x" * 100 + "_4.py",
        "ключ_5.py",
    ]
    assert paths["caf__3.py"] == "caf\\xe9.py"
    assert paths["sp_ace__2.py"] == "sp ace\n.py"
    assert set(paths) == {p.name for p in (tmp_path / "v3/languages/L/.py/a/b/c").iterdir()}


def test_components_are_safe_and_differ_where_the_names_differ():
    names = ["..", ".", "", "a b", "a_b", "a/b", "caf\udce9", "\0", "é" * 200, ".git", "a\nb"]
    components = [flcc_tree.safe_component(name) for name in names]
    assert len(set(components)) == len(names)
    assert components[4] == "a_b"
    for component in components:
        assert component.encode("utf-8")
        assert not component.startswith(".") and "/" not in component and "\n" not in component
        assert 0 < len(component.encode("utf-8")) <= 160


def test_component_without_hash_only_replaces():
    assert flcc_tree.safe_component("feature/new tabs", unique=False) == "feature_new_tabs"
