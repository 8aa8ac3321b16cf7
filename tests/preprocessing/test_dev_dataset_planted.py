"""What is planted in the bundled data set is there: copies, licences, and parts of the benchmark.

Looked at without any code of `preprocessing` that finds such things.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import json

import pytest
from clone_corpus import jaccard, token_ngrams

from preprocessing import dev_dataset
from preprocessing.decontamination import allow_list

_ROOT = dev_dataset.bundled_root()
_LANGUAGES = _ROOT / "v3/languages"
_FINDINGS = dev_dataset.planned_findings()
_PLANNED = dev_dataset.planned_verdicts()
_WAYPOINT, _FORK = "Ember/waypoint/main", "Gorse-Mirror/waypoint/main"
_JUST_BELOW = {f"{_WAYPOINT}/maze_5.py", f"{_FORK}/maze_2.py"}


def _read(name):
    """Returns the text of a Python file as the build sees it before redaction."""
    raw = (_LANGUAGES / "Python/.py" / name).read_bytes()
    return raw.decode("utf-8-sig").replace("\r\n", "\n")


def _entries():
    return [json.loads(line) for line in dev_dataset.benchmark_path().read_text().splitlines()]


def _shared(name, text, size=13):
    return token_ngrams(_read(name).encode(), size) & token_ngrams(text.encode(), size)


def test_pairs_from_0_7_on_are_the_planned_clusters_and_no_others():
    # A copy only once the addresses in it are redacted.
    redacted = "Moss/nightwatch/main/notify_3.py"
    dropped = {"too_large", "symbolic_link", "not_utf8", "empty"}
    texts = {}
    for path in sorted(_LANGUAGES.glob("Python/.py/*/*/*/*.py")):
        name = path.relative_to(_LANGUAGES / "Python/.py").as_posix()
        if _PLANNED.get(f"Python/.py/{name}") not in dropped and name != redacted:
            texts[name] = _read(name)
    ngrams = {name: token_ngrams(text.encode()) for name, text in texts.items()}
    pairs, near_misses = set(), set()
    for first, second in itertools.combinations(texts, 2):
        alike = jaccard(ngrams[first], ngrams[second])
        if texts[first] == texts[second] or alike >= 0.7:
            pairs.add(frozenset({first, second}))
        elif alike >= 0.5:
            near_misses.add(frozenset({first, second}))
    planned: set[frozenset] = set()
    for cluster in _FINDINGS["clusters"]:
        members = [name[len("Python/.py/") :] for name in (cluster["kept"], *cluster["copies"])]
        planned.update(map(frozenset, itertools.combinations(members, 2)))
    assert pairs == {pair for pair in planned if redacted not in pair} < planned
    assert near_misses == {frozenset(_JUST_BELOW)}


@pytest.mark.parametrize(
    ("first", "second", "lowest", "highest"),
    [
        (f"{_WAYPOINT}/graph_7.py", f"{_FORK}/graph_3.py", 0.75, 0.85),
        (f"{_WAYPOINT}/maze_5.py", f"{_FORK}/maze_2.py", 0.65, 0.699),
        (f"{_WAYPOINT}/spanning_13.py", f"{_FORK}/spanning_8.py", 0.9, 1),
        (f"{_WAYPOINT}/traversal_16.py", f"{_FORK}/traversal_11.py", 0, 0.1),
        ("Heron/sundial/main/moon_8.py", "Larch/sundial/main/moon_6.py", 0.9, 1),
        ("Heron/sundial/main/weeks_11.py", "Larch/sundial/main/weeks_9.py", 0.8, 0.95),
    ],
)
def test_edited_copies_are_as_similar_as_planned(first, second, lowest, highest):
    alike = jaccard(*(token_ngrams(_read(name).encode()) for name in (first, second)))
    assert lowest <= alike < highest


def test_one_copy_has_all_its_identifiers_renamed_and_nothing_else():
    names = (f"{_WAYPOINT}/traversal_16.py", f"{_FORK}/traversal_11.py")
    trees = [ast.parse(_read(name)) for name in names]
    kinds = [[type(node) for node in ast.walk(tree)] for tree in trees]
    assert kinds[0] == kinds[1] and len(kinds[0]) > 800
    found = [_names(tree) for tree in trees]
    from_elsewhere = {*vars(builtins), "deque", "Hashable", "Iterator", "Optional"}
    assert found[0] & found[1] <= {*from_elsewhere, "self", "__init__", "_"}
    assert min(map(len, found)) > 50


def _names(tree):
    """Returns the names of variables, parameters, functions and classes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
    return found


def test_one_copy_has_one_function_more():
    names = (f"{_WAYPOINT}/spanning_13.py", f"{_FORK}/spanning_8.py")
    trees = [ast.parse(_read(name)) for name in names]
    more = [node for node in trees[1].body if getattr(node, "name", "") == "total_weight"]
    assert len(more) == 1
    trees[1].body.remove(more[0])
    assert ast.dump(trees[0]) == ast.dump(trees[1])


@pytest.mark.parametrize("stem", ["moon", "weeks"])
def test_two_copies_differ_in_the_licence_header_only(stem):
    numbers = {"moon": (8, 6), "weeks": (11, 9)}[stem]
    texts = [
        _read(f"{repository}/sundial/main/{stem}_{number}.py")
        for repository, number in zip(("Heron", "Larch"), numbers)
    ]
    heads, bodies = zip(*(text.split('"""', 1) for text in texts))
    assert bodies[0] == bodies[1]
    assert heads[0] != heads[1]
    assert all(line.startswith("#") or not line for head in heads for line in head.split("\n"))


def test_the_small_files_have_fewer_than_five_tokens():
    stems = ("Iris/nightwatch", "Juniper/puzzlebox", "Larch/sundial")
    texts = [_read(f"{stem}/main/__init___1.py") for stem in stems]
    assert texts[0] == texts[1] == 'VERSION = "2.1"\n' != texts[2]
    for text in texts:
        assert not token_ngrams(text.encode(), 5) and token_ngrams(text.encode(), 3)


def test_planned_findings_name_files_that_exist():
    keys = ("file_licenses", "redaction", "contamination")
    named = {name for key in keys for name in _FINDINGS[key]}
    for cluster in _FINDINGS["clusters"]:
        named.update((cluster["kept"], *cluster["copies"]))
    assert not [name for name in named if not (_LANGUAGES / name).is_file()]
    assert set(_FINDINGS["allowed"]) < set(_FINDINGS["contamination"])
    for cluster in _FINDINGS["clusters"]:
        copies = {_PLANNED[copy] for copy in cluster["copies"]}
        assert copies <= {"exact_duplicate", "near_duplicate"}
        assert _PLANNED.get(cluster["kept"], "kept") == "kept"
    for repository in _FINDINGS["repository_licenses"]:
        assert list((_ROOT / "v3/repositories" / repository).glob("*/*LICENSE*")) or list(
            (_ROOT / "v3/repositories" / repository).glob("*/COPYING")
        )


def test_the_benchmark_has_the_forms_of_two_benchmarks_and_its_solutions_are_right():
    human_eval, mbpp = _entries()[:3], _entries()[3:]
    for entry in human_eval:
        assert set(entry) == {"task_id", "prompt", "entry_point", "canonical_solution", "test"}
        scope = {}
        exec(entry["prompt"] + entry["canonical_solution"] + entry["test"], scope)  # noqa: S102
        scope["check"](scope[entry["entry_point"]])
    assert [set(entry) for entry in mbpp] == [{"task_id", "text", "code", "test_list"}]
    for entry in mbpp:
        exec("\n".join([entry["code"], *entry["test_list"]]), {})  # noqa: S102


def test_one_file_holds_a_solution_with_other_white_space():
    solution, text = (
        _entries()[0]["canonical_solution"],
        _read("Juniper/puzzlebox/main/ladders_4.py"),
    )
    assert solution not in text
    assert "".join(solution.split()) in "".join(text.split())


def test_one_file_shares_a_single_run_of_13_tokens():
    name = "Juniper/puzzlebox/main/shelves_8.py"
    shared = [_shared(name, entry.get("prompt", "")) for entry in _entries()]
    assert [len(found) for found in shared] == [0, 1, 0, 0]
    assert not [entry for entry in _entries() if _shared(name, entry.get("canonical_solution", ""))]


def test_two_files_share_only_what_is_allowed():
    allowed = [snippet.encode() for snippet in allow_list.SNIPPETS]
    for name, entry, field, snippets in (
        ("cards_2.py", 2, "prompt", allowed),
        ("run_puzzle_6.py", 3, "code", [_allowed_by_file()]),
    ):
        shared = _shared(f"Juniper/puzzlebox/main/{name}", _entries()[entry][field])
        assert shared
        assert shared <= set().union(*(token_ngrams(snippet, 13) for snippet in snippets))


def _allowed_by_file():
    lines = dev_dataset.benchmark_allow_path().read_text().splitlines()
    snippets = [json.loads(line) for line in lines if not line.startswith("#")]
    assert len(snippets) == 1
    return snippets[0].encode()
