"""The form of the code, and that each lint catches what it is for."""

from __future__ import annotations

import pytest

import house_rules


def _slips(lint, paths):
    found = []
    for path in paths:
        found += lint((house_rules.ROOT / path).read_text(encoding="utf-8"), path=path)
    return found


def _assert_none(slips):
    assert not slips, "\n".join(slips)


def _shipped():
    return [path for path in house_rules.source_paths() if not path.startswith("tests/")]


def test_whatever_raises_says_so():
    _assert_none(_slips(house_rules.raises_slips, _shipped()))


def test_arguments_beyond_the_first_are_named():
    _assert_none(_slips(house_rules.argument_slips, _shipped()))


def test_files_and_functions_stay_below_the_wall():
    _assert_none(_slips(house_rules.length_slips, house_rules.source_paths()))


def test_every_file_has_a_name_that_says_something():
    _assert_none(
        [slip for path in house_rules.source_paths() for slip in house_rules.name_slips(path)]
    )


def test_data_of_the_dev_data_set_is_not_held_to_the_rules():
    paths = house_rules.source_paths()
    assert "tests/test_house_rules.py" in paths
    assert not [path for path in paths if path.startswith("preprocessing/dev_dataset/v3/")]


_SAYS_SO = '''
def read(path):
    """Reads.

    Raises:
      InputError: Nothing there.
    """
    raise errors.InputError(path)
'''


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('def read(path):\n    """Reads."""\n    raise ValueError(path)', "no Raises: section"),
        ("class Reader:\n    def read(self):\n        raise ValueError", "no Raises: section"),
        ("async def read():\n    def inner():\n        raise ValueError", "no Raises: section"),
        (_SAYS_SO.replace("errors.InputError(", "errors.BusyError("), "Raises: lacks BusyError"),
    ],
)
def test_raises_lint_catches(source, says):
    assert [says in slip for slip in house_rules.raises_slips(source, path="a.py")] == [True]


@pytest.mark.parametrize(
    "source",
    [
        _SAYS_SO,
        "def _read(path):\n    raise ValueError(path)",
        "class _Reader:\n    def read(self):\n        raise ValueError",
        "def read():\n    try:\n        pass\n    except OSError:\n        raise",
        _SAYS_SO.replace("errors.InputError(path)", "error"),
    ],
)
def test_raises_lint_lets_pass(source):
    assert house_rules.raises_slips(source, path="a.py") == []


@pytest.mark.parametrize(
    ("source", "num_slips"),
    [
        ("def f(a, b, c): ...", 1),
        ("def f(a, b, *, c): ...", 1),
        ("class C:\n    def __init__(self, a, b, c): ...", 1),
        ("def f(a, b): ...", 0),
        ("def f(a, *, b, c): ...", 0),
        ("class C:\n    def f(self, a, b): ...", 0),
        ("def _f(a, b, c): ...", 0),
        ("class C:\n    def get_dataset(self, split, shuffle, seed): ...", 0),
    ],
)
def test_argument_lint_counts(source, num_slips):
    assert len(house_rules.argument_slips(source, path="a.py")) == num_slips


def test_length_lint_catches_long_functions_and_files():
    body = "    a = 1\n" * house_rules.MAX_FUNCTION_LINES
    assert len(house_rules.length_slips(f"def f():\n{body}", path="a.py")) == 1
    assert house_rules.length_slips(f"def f():\n{body[: -len('    a = 1') - 1]}", path="a.py") == []
    assert len(house_rules.length_slips("\n" * (house_rules.MAX_FILE_LINES + 1), path="a.py")) == 1


def test_name_lint_catches_a_drawer_for_everything():
    assert house_rules.name_slips("code_t5/data/utils.py")
    assert house_rules.name_slips("code_t5/data/tasks.py") == []
