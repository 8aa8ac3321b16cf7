from __future__ import annotations

import ast
import collections
import json
import os
import pathlib
import stat

import pytest

from code_t5.storage import fingerprints
from preprocessing import dev_dataset

_ROOT = dev_dataset.bundled_root()
_LANGUAGES = _ROOT / "v3" / "languages"
_REPOSITORIES = _ROOT / "v3" / "repositories"
_PLANNED = dev_dataset.planned_verdicts()
_FINDINGS = dev_dataset.planned_findings()
_MADE = {dev_dataset.LARGE_FILE, dev_dataset.LINK_FILE}


def _stored_files():
    return sorted(
        path.relative_to(_LANGUAGES).as_posix()
        for path in _LANGUAGES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def _with_stem(stem, repository):
    """Returns the one listed file of a repository and branch with this original stem."""
    found = [
        name
        for name in _PLANNED
        if name.startswith(f"Python/.py/{repository}/")
        and name.rsplit("/", 1)[1].rpartition("_")[0] == stem
    ]
    assert len(found) == 1, (stem, repository, found)
    return found[0]


def _bytes_of(stem, repository):
    return (_LANGUAGES / _with_stem(stem, repository)).read_bytes()


def _normalized(content):
    text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    return fingerprints.hash_bytes(text.encode("utf-8"))


def _paths(repository):
    return json.loads((_REPOSITORIES / repository / "paths.json").read_text(encoding="utf-8"))


def _line_lengths(content):
    return [len(line) for line in content.decode("utf-8").removesuffix("\n").split("\n")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("dev_dataset")
    dev_dataset.materialize(root)
    return root / "v3" / "languages"


def test_everything_together_is_under_a_megabyte():
    sizes = [
        path.stat().st_size
        for path in _ROOT.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert sum(sizes) < 1_000_000


def test_there_are_enough_repositories_organizations_and_files():
    files = [name.split("/") for name in _stored_files()]
    python = [parts for parts in files if parts[:2] == ["Python", ".py"]]
    organizations = {parts[2] for parts in files}
    assert len({tuple(parts[2:4]) for parts in python}) >= 10
    assert len(organizations) >= 6
    assert len([name for name in organizations if name.startswith("A")]) >= 2
    ordinary = [parts for parts in python if "/".join(parts) not in _PLANNED]
    assert len(ordinary) >= 60
    for language in (["Java", ".java"], ["JavaScript", ".js"]):
        assert len([parts for parts in files if parts[:2] == language]) >= 2


def test_every_file_lies_in_a_branch_folder_under_a_flat_name():
    for name in _stored_files():
        language, extension, *folders, flat = name.split("/")
        assert extension == {"Python": ".py", "Java": ".java", "JavaScript": ".js"}[language]
        assert len(folders) == 3
        stem, underscore, number = flat[: -len(extension)].rpartition("_")
        assert stem and underscore and number.isdigit() and flat.endswith(extension)


def test_every_ordinary_python_file_is_code_with_definitions():
    for name in _stored_files():
        if name.startswith("Python/") and name not in _PLANNED:
            content = (_LANGUAGES / name).read_bytes()
            nodes = list(ast.walk(ast.parse(content, filename=name)))
            assert any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in nodes), name
            assert content.endswith(b"\n") and b"\r" not in content and b"\0" not in content, name


def test_paths_json_names_every_file_but_for_the_planned_gaps():
    gaps = {_with_stem("dates", "Birchwood/tabulon/master")}
    for name in sorted({*_stored_files(), *_MADE} - gaps):
        *folder, flat = name.split("/")[2:]
        repository = "/".join(folder)
        if repository != "Birchwood/pulley/master":
            path = _paths(repository)[flat]
            assert pathlib.PurePosixPath(path).stem == flat.rpartition("_")[0]


def test_unlisted_files_are_no_copies_of_anything_but_of_the_listed_copies():
    by_content = collections.defaultdict(list)
    for name in _stored_files():
        content = (_LANGUAGES / name).read_bytes()
        if _PLANNED.get(name) not in ("not_utf8", "empty"):
            by_content[_normalized(content)].append(name)
    # The same file only once its addresses are redacted.
    redacted = {_with_stem("notify", "Moss/nightwatch/main")}
    kept = {cluster["kept"] for cluster in _FINDINGS["clusters"]}
    copies = set()
    for names in by_content.values():
        if len(names) > 1:
            assert len(kept & set(names)) == 1, names
            copies.update(set(names) - kept)
    planned = {name for name, verdict in _PLANNED.items() if verdict == "exact_duplicate"}
    assert copies == planned - redacted


def test_oddities_use_every_verdict_of_a_file_and_name_files_that_exist():
    assert set(_PLANNED.values()) == {
        *("kept", "empty", "too_large", "not_utf8", "long_line", "long_mean_line"),
        *("low_alphanumeric", "generated", "exact_duplicate", "near_duplicate", "symbolic_link"),
    }
    assert set(_PLANNED) - set(_stored_files()) == _MADE
    listed = json.loads((_ROOT / "oddities.json").read_text(encoding="utf-8"))
    assert [sorted(oddity) for oddity in listed] == [["file", "oddity", "verdict"]] * len(_PLANNED)


@pytest.mark.parametrize("stem", ["vector", "transform", "hull"])
def test_the_fork_holds_exact_copies(stem):
    copy = _bytes_of(stem, "zephyr-forks/planar/master")
    original = [name for name in _stored_files() if f"/Acorn-Labs/planar/master/{stem}_" in name]
    assert copy == (_LANGUAGES / original[0]).read_bytes()


def test_the_fork_holds_a_copy_with_other_line_ends_and_a_mark():
    copy = _bytes_of("intersect", "zephyr-forks/planar/master")
    original = next(_LANGUAGES.glob("Python/.py/Acorn-Labs/planar/master/intersect_*.py"))
    assert copy.startswith(b"\xef\xbb\xbf") and b"\r\n" in copy
    assert copy != original.read_bytes()
    assert _normalized(copy) == _normalized(original.read_bytes())


def test_the_fork_holds_a_lightly_edited_copy():
    copy = _bytes_of("polygon", "zephyr-forks/planar/master").decode().splitlines()
    original = next(_LANGUAGES.glob("Python/.py/Acorn-Labs/planar/master/polygon_*.py"))
    changed = set(copy) ^ set(original.read_text(encoding="utf-8").splitlines())
    assert 1 <= len(changed) <= 8 < len(copy) // 8


def test_two_branches_differ_in_all_files_but_one():
    contents = {}
    for branch in ("develop", "master"):
        folder = _LANGUAGES / "Python/.py/Aster/lanternfall" / branch
        contents[branch] = {path.read_bytes() for path in folder.glob("*.py")}
    both = contents["develop"] & contents["master"]
    assert both == {_bytes_of("items", "Aster/lanternfall/master")}
    assert len(contents["develop"]) > 1 < len(contents["master"])


def test_blank_files_are_blank():
    assert _bytes_of("__init__", "Acorn-Labs/stockroom/main") == b""
    blank = _bytes_of("__init__", "Birchwood/tabulon/master")
    assert blank and blank.isspace()


def test_long_lines_are_as_long_as_planned():
    longest = _line_lengths(_bytes_of("samples", "Acorn-Labs/planar/master"))
    assert max(longest) == 1001
    content = _bytes_of("coastlines", "Acorn-Labs/planar/master")
    lengths = _line_lengths(content)
    assert max(lengths) == 1000 and sum(lengths) <= 100 * len(lengths)
    assert max(len(line) for line in content.split(b"\n")) > 1000
    lengths = _line_lengths(_bytes_of("explanations", "Birchwood/tabulon/master"))
    assert max(lengths) <= 1000 and sum(lengths) > 100 * len(lengths)


def test_the_drawing_has_few_letters():
    text = _bytes_of("maps", "Aster/lanternfall/master").decode("utf-8")
    assert sum(character.isalnum() for character in text) < 0.25 * len(text)


@pytest.mark.parametrize(
    ("stem", "repository", "marker", "line"),
    [
        (
            *("stock_pb2_grpc", "Acorn-Labs/stockroom/main"),
            *("# Generated by the gRPC Python protocol compiler plugin. DO NOT EDIT!", 1),
        ),
        (
            *("stock_pb2", "Acorn-Labs/stockroom/main"),
            *("# Generated by the protocol buffer compiler.  DO NOT EDIT!", 2),
        ),
        ("ttypes", "Birchwood/pulley/master", "# Autogenerated by Thrift Compiler", 2),
        (
            *("_kernel", "Acorn-Labs/planar/master"),
            *("# This file was automatically generated by SWIG", 1),
        ),
        (
            *("SaveGame", "Aster/lanternfall/master"),
            *("# automatically generated by the FlatBuffers compiler, do not modify", 4),
        ),
        ("bootstrap", "Birchwood/pulley/master", "giant blob of binary data", 7),
        ("headers", "Birchwood/tabulon/master", "generated by the protocol buffer compiler", 40),
    ],
)
def test_markers_of_generators_stand_where_planned(stem, repository, marker, line):
    text = _bytes_of(stem, repository).decode("utf-8")
    holders = [number for number, row in enumerate(text.split("\n"), start=1) if marker in row]
    assert holders == [line]
    in_head = line <= 5 or text.index(marker) + len(marker) <= 256
    expected = "generated" if in_head else "kept"
    assert _PLANNED[_with_stem(stem, repository)] == expected


def test_one_marker_stands_beyond_256_characters_and_one_beyond_five_lines():
    assert _bytes_of("SaveGame", "Aster/lanternfall/master").index(b"generated by") > 256
    assert _bytes_of("bootstrap", "Birchwood/pulley/master")[:256].count(b"\n") > 5


def test_encodings_are_as_planned():
    with pytest.raises(UnicodeDecodeError):
        _bytes_of("labels", "Acorn-Labs/stockroom/main").decode("utf-8")
    assert _bytes_of("suppliers", "Acorn-Labs/stockroom/main").startswith(b"\xef\xbb\xbf")
    content = _bytes_of("export_sheet", "Birchwood/tabulon/master")
    assert content.count(b"\n") == content.count(b"\r\n") > 40
    assert _bytes_of("save_games", "Aster/lanternfall/master").count(b"\0") == 2


@pytest.mark.parametrize(
    "text",
    [
        *("\u010a", "\u2581", "<extra_id_0>", "</s>", "<unk>", "<0x0A>", "\t", "e\u0301"),
        *("\U0001f526", "\u200d", "\u2028", "\x0c", "\x01", "\x7f", "\x85", "\ufeff", "\ue000"),
    ],
)
def test_odd_characters_are_there(text):
    assert text in _bytes_of("charset_trial", "Aster/lanternfall/master").decode("utf-8")


def test_paths_json_oddities():
    assert not (_REPOSITORIES / "Birchwood/pulley").exists()
    paths = _paths("Birchwood/tabulon/master")
    folder = _LANGUAGES / "Python/.py/Birchwood/tabulon/master"
    assert set(paths) - set(os.listdir(folder)) == {"vanished_99.py"}
    flat = _with_stem("outside", "Birchwood/tabulon/master").rsplit("/", 1)[1]
    assert paths[flat] == "../../outside.py"
    assert _with_stem("dates", "Birchwood/tabulon/master").rsplit("/", 1)[1] not in paths


def test_materialize_makes_a_file_just_over_the_limit(tree):
    content = (tree / dev_dataset.LARGE_FILE).read_bytes()
    assert len(content) == 1_000_001
    names = [node.targets[0].id for node in ast.parse(content).body if isinstance(node, ast.Assign)]
    assert names == ["ARTICLE_BY_BARCODE"]
    # The check digit of this well-known barcode is 1.
    assert dev_dataset._check_digit("400638133393") == 1


def test_materialize_makes_a_link_out_of_the_tree(tree):
    link = tree / dev_dataset.LINK_FILE
    assert stat.S_ISLNK(link.lstat().st_mode)
    target = os.path.normpath(link.parent / os.readlink(link))
    assert os.path.commonpath([target, tree.parents[1]]) not in map(
        str, [tree, *list(tree.parents)[:2]]
    )


def test_materialize_copies_the_stored_files_and_nothing_else(tree):
    written = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if not path.is_dir()}
    assert written == {*_stored_files(), *_MADE}
    for name in _stored_files():
        assert (tree / name).read_bytes() == (_LANGUAGES / name).read_bytes(), name


def test_materialize_leaves_out_what_an_installation_compiled(tmp_path, monkeypatch):
    package = tmp_path / "installed"
    kept = package / "v3" / "languages" / dev_dataset.LARGE_FILE
    kept.parent.mkdir(parents=True)
    (package / "v3" / "languages" / dev_dataset.LINK_FILE).parent.mkdir(parents=True)
    kept.with_name("kept_1.py").write_bytes(b"kept = True\n")
    (kept.parent / "__pycache__").mkdir()
    (kept.parent / "__pycache__" / "kept_1.cpython-311.pyc").write_bytes(b"compiled")
    kept.with_name("old_2.pyc").write_bytes(b"compiled")
    kept.parent.chmod(0o555)
    monkeypatch.setattr(dev_dataset, "bundled_root", lambda: package)
    dev_dataset.materialize(tmp_path / "out")
    copy = (tmp_path / "out/v3/languages" / dev_dataset.LARGE_FILE).parent
    assert sorted(os.listdir(copy)) == [os.path.basename(dev_dataset.LARGE_FILE), "kept_1.py"]


def test_materialize_twice_gives_the_same_bytes_and_no_leftovers(tmp_path, tree):
    for _ in range(2):
        dev_dataset.materialize(tmp_path)
    assert os.listdir(tmp_path) == ["v3"]
    digest = fingerprints.hash_file(tmp_path / "v3/languages" / dev_dataset.LARGE_FILE)
    assert digest == fingerprints.hash_file(tree / dev_dataset.LARGE_FILE)
