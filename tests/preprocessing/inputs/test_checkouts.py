"""Tests of preprocessing.inputs.checkouts: folders made here, with odd and hostile contents."""

from __future__ import annotations

import os
import socket

import pytest

from code_t5 import errors
from preprocessing import flcc_layout
from preprocessing.inputs import checkouts, repository_folder, source, tally

_HTTPS_ORIGIN = '[remote "origin"]\n\turl = https://host.example/alice/tools.git\n\tfetch = +x\n'


def _checkout(folder, *, head="ref: refs/heads/main\n", config=""):
    """Makes a folder look like a checkout with one Python file."""
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/HEAD").write_text(head)
    (folder / ".git/config").write_text(config)
    (folder / "main.py").write_text("x = 1\n")
    return folder


def _found(root, output):
    """Writes the tree and returns `{(org/repo, branch, path): language}` and the counts."""
    output.mkdir(parents=True, exist_ok=True)
    counts = checkouts.CheckoutsSource(str(root)).write_tree(output)
    v3 = flcc_layout.find_v3_root(output)
    found = {}
    for branch in flcc_layout.list_branches(v3, flcc_layout.select_languages(v3, ["all"])):
        paths, problems = flcc_layout.read_paths(branch)
        assert problems == []
        for entry in flcc_layout.list_files(branch):
            found[branch.full_name, branch.branch, paths[entry.name]] = branch.language
    assert len(found) == counts.num_files
    return found, counts


def test_checkouts_organisations_and_plain_folders_may_be_mixed(tmp_path):
    root = tmp_path / "code"
    _checkout(root / "tools", config=_HTTPS_ORIGIN)
    _checkout(root / "alone")
    _checkout(root / "acme/app", head="ref: refs/heads/feature/tabs\n")
    (root / "acme/notes").mkdir()
    (root / "acme/notes/todo.kt").write_text("val a = 1")
    (root / "acme/loose.py").write_text("lost = 1")
    (root / "plain/src").mkdir(parents=True)
    (root / "plain/src/Main.java").write_text("class Main {}")
    (root / "plain/src/readme.md").write_text("no code")
    (root / "plain/src/a.JS").write_text("let a = 1")

    found, counts = _found(root, tmp_path / "out")

    assert found == {
        ("alice/tools", "main", "main.py"): "Python",
        ("code/alone", "main", "main.py"): "Python",
        ("acme/app", "feature_tabs", "main.py"): "Python",
        ("acme/notes", "default", "todo.kt"): "Kotlin",
        ("code/plain", "default", "src/Main.java"): "Java",
        ("code/plain", "default", "src/a.JS"): "JavaScript",
    }
    assert counts.num_repositories == 5
    assert dict(counts.skipped) == {"file outside of a repository": 1}


@pytest.mark.parametrize(
    "head, branch",
    [
        ("ref: refs/heads/main\n", "main"),
        ("ref: refs/heads/../../up\n", "_._.._up"),
        ("0123456789abcdef0123456789abcdef01234567\n", "0123456789ab"),
        ("ref: refs/heads/\n", "default"),
        ("nonsense", "default"),
        ("ref: refs/heads/" + "x" * 100_000, "default"),
    ],
)
def test_branch_comes_from_head_as_plain_text(tmp_path, head, branch):
    assert checkouts.read_branch(str(_checkout(tmp_path / "a", head=head))) == branch


def test_branch_of_a_worktree_is_not_looked_up(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/HEAD").write_text("ref: refs/heads/secret")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.git").write_text(f"gitdir: {tmp_path}/elsewhere")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/.git").symlink_to(tmp_path / "elsewhere")
    _checkout(tmp_path / "c")
    (tmp_path / "c/.git/HEAD").unlink()
    (tmp_path / "c/.git/HEAD").symlink_to(tmp_path / "elsewhere/HEAD")
    for name in "abc":
        assert checkouts.read_branch(str(tmp_path / name)) == "default"


@pytest.mark.parametrize(
    "url, owner",
    [
        ("https://host.example/alice/tools.git", "alice"),
        ("https://me:token@host.example/alice/tools", "alice"),
        ("git@host.example:alice/tools.git", "alice"),
        ("ssh://git@host.example:2222/group/alice/tools.git", "alice"),
        ("https://host.example/tools.git", None),
        ("https://me:token@host.example/tools.git", None),
        ("/srv/git/alice/tools", None),
        ("file:///srv/git/alice/tools", None),
        ("https://host.example/../tools.git", None),
        ("https://[broken/alice/tools.git", None),
    ],
)
def test_owner_comes_from_a_plain_origin(tmp_path, url, owner):
    config = f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n[branch "main"]\n'
    assert checkouts.read_origin_owner(str(_checkout(tmp_path / "a", config=config))) == owner


def test_owner_of_another_remote_is_not_taken(tmp_path):
    config = '[remote "origin"]\n\tfetch = +x\n[remote "up"]\n\turl = https://h/bob/tools.git\n'
    assert checkouts.read_origin_owner(str(_checkout(tmp_path / "a", config=config))) is None


def test_what_is_not_the_repositorys_own_code_is_left_out(tmp_path):
    root = _checkout(tmp_path / "code/app").parent
    for folder in ("node_modules/x", ".tox/lib", "venv/lib", "lib/site-packages", "env/lib"):
        (root / "app" / folder).mkdir(parents=True)
        (root / "app" / folder / "installed.py").write_text("y = 2")
    (root / "app/env/pyvenv.cfg").write_text("home = /usr/bin")
    (root / "app/.git/hook.py").write_text("z = 3")
    (root / "node_modules").mkdir()
    (root / ".cache").mkdir()

    found, counts = _found(root, tmp_path / "out")

    assert list(found) == [("code/app", "main", "main.py")]
    assert dict(counts.skipped) == {"excluded folder": 7}


def test_links_pipes_and_sockets_are_counted_and_not_followed(tmp_path):
    root = _checkout(tmp_path / "code/app").parent
    (tmp_path / "secret.py").write_text("password = 1")
    (root / "app/link.py").symlink_to(tmp_path / "secret.py")
    (root / "app/folder").symlink_to(tmp_path)
    (root / "app/loop").symlink_to(root / "app")
    (root / "linked_repository").symlink_to(tmp_path)
    os.mkfifo(root / "app/pipe.py")
    folder = os.open(root / "app", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        # A socket's path has to be short.
        server.bind(f"/proc/self/fd/{folder}/socket.py")
    os.close(folder)

    found, counts = _found(root, tmp_path / "out")

    assert list(found) == [("code/app", "main", "main.py")]
    assert dict(counts.skipped) == {"symbolic link": 4, "not a plain file": 2}


def test_odd_names_give_distinct_safe_repositories(tmp_path):
    root = os.fsencode(tmp_path / "code")
    for name in (b"a b", b"a_b", b"caf\xe9", b"new\nline", b"..."):
        os.makedirs(os.path.join(root, name))
        with open(os.path.join(root, name, b"r\xe9sum\xe9 1.py"), "wb") as file:
            file.write(b"x = '\xe9'\n")

    found, counts = _found(tmp_path / "code", tmp_path / "out")

    assert counts.num_repositories == 4  # "..." is a hidden folder
    names = sorted(name for name, _, _ in found)
    assert names[0].startswith("code/a_b") and len(set(names)) == 4
    assert {path for _, _, path in found} == {"r\\xe9sum\\xe9 1.py"}
    for path in (tmp_path / "out").rglob("*"):
        assert str(path).encode("utf-8")


def test_two_repositories_of_one_name_stay_two(tmp_path):
    root = tmp_path / "code"
    _checkout(root / "alice/tools")
    _checkout(root / "tools", config=_HTTPS_ORIGIN)

    found, _ = _found(root, tmp_path / "out")

    names = sorted(name for name, _, _ in found)
    assert names[0] == "alice/tools"
    assert names[1].startswith("alice/tools-")


def test_file_that_vanishes_while_read_is_counted(tmp_path, monkeypatch):
    root = _checkout(tmp_path / "code/app").parent
    (root / "app/gone.py").write_text("y = 2")
    read = repository_folder.read_plain_file

    def read_after_removal(path, *, max_bytes):
        if path.endswith("gone.py"):
            os.unlink(path)
        return read(path, max_bytes=max_bytes)

    monkeypatch.setattr(repository_folder, "read_plain_file", read_after_removal)
    found, counts = _found(root, tmp_path / "out")
    assert list(found) == [("code/app", "main", "main.py")]
    assert dict(counts.skipped) == {tally.VANISHED: 1}


def test_file_that_becomes_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("password")
    (tmp_path / "main.py").symlink_to(tmp_path / "secret")
    with pytest.raises(repository_folder.SkippedFile, match=tally.UNREADABLE):
        repository_folder.read_plain_file(str(tmp_path / "main.py"), max_bytes=100)


def test_file_that_becomes_a_pipe_or_folder_does_not_hold_the_run_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    for name in ("pipe.py", "folder.py"):
        with pytest.raises(repository_folder.SkippedFile, match=tally.NOT_A_PLAIN_FILE):
            repository_folder.read_plain_file(str(tmp_path / name), max_bytes=100)


def test_large_file_is_counted(tmp_path):
    root = _checkout(tmp_path / "code/app").parent
    (root / "app/large.py").write_text("x" * 101)
    (tmp_path / "out").mkdir()
    chosen = checkouts.CheckoutsSource(str(root), max_file_bytes=100)
    counts = chosen.write_tree(tmp_path / "out")
    assert (counts.num_files, dict(counts.skipped)) == (1, {tally.TOO_LARGE: 1})


def test_output_inside_the_folder_does_not_become_part_of_itself(tmp_path):
    root = _checkout(tmp_path / "code/app").parent
    output = root / "data/sources/dev"
    chosen = checkouts.CheckoutsSource(str(root))
    for overwrite in (False, True):
        fields, _ = source.prepare_tree(chosen, output_dir=output, overwrite=overwrite)
        assert (fields["counts"]["num_repositories"], fields["counts"]["num_files"]) == (1, 1)


def test_same_folder_gives_the_same_bytes(tmp_path):
    root = tmp_path / "code"
    for name in "cab":
        _checkout(root / name)
        (root / name / "z").mkdir()
        for stem in "qrp":
            (root / name / "z" / f"{stem}.py").write_text(stem)
    trees = []
    for output in (tmp_path / "one", tmp_path / "two"):
        _found(root, output)
        trees.append(
            {p.relative_to(output): p.read_bytes() for p in output.rglob("*") if p.is_file()}
        )
    assert trees[0] == trees[1]
    assert len(trees[0]) == 12 + 3


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda root: None, "No such file or directory"),
        (lambda root: root.write_text(""), "Not a directory"),
        (lambda root: root.mkdir(), "holds no repository"),
        (lambda root: (root / "docs").mkdir(parents=True), "no source file in them"),
        (lambda root: _checkout(root), "is itself a checkout"),
    ],
)
def test_unusable_folder_ends_in_one_line(tmp_path, make, message):
    make(tmp_path / "code")
    (tmp_path / "out").mkdir()
    with pytest.raises(errors.InputError, match=message) as info:
        checkouts.CheckoutsSource(str(tmp_path / "code")).write_tree(tmp_path / "out")
    assert "\n" not in str(info.value) and str(tmp_path) in str(info.value)


def test_identity_holds_no_undecodable_text(tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    assert checkouts.CheckoutsSource(odd).identity()["location"].endswith("/caf\\xe9")
