"""Errors of the solution as the judge raises them."""

from __future__ import annotations

import pytest

from code_t5.training.problems import told_errors


class _OwnError(ValueError):
    pass


@pytest.mark.parametrize(
    "error",
    [ValueError("bad", 3), KeyError("x"), FileNotFoundError(2, "no", "x"), ZeroDivisionError()],
    ids=repr,
)
def test_errors_of_python_come_as_they_were(error):
    found, is_as_it_was = told_errors.rebuild_error(told_errors.describe_error(error))
    assert (type(found), str(found), found.args) == (type(error), str(error), error.args)
    assert is_as_it_was


def test_error_of_another_class_comes_as_what_it_is_derived_from():
    described = told_errors.describe_error(_OwnError("bad", 3))
    found, is_as_it_was = told_errors.rebuild_error(described)
    assert (type(found), found.args, is_as_it_was) == (ValueError, ("bad", 3), False)
    assert told_errors.error_text(described) == "_OwnError: ('bad', 3)"


def test_end_of_a_loop_is_no_end_of_a_loop_here():
    for error in (StopIteration(3), StopAsyncIteration()):
        found, _ = told_errors.rebuild_error(told_errors.describe_error(error))
        assert type(found) is RuntimeError


def test_what_ends_a_program_is_told_apart():
    for error in (SystemExit(0), KeyboardInterrupt(), GeneratorExit()):
        described = told_errors.describe_error(error)
        assert told_errors.is_an_end(described)
        assert type(told_errors.rebuild_error(described)[0]) is Exception
    assert not told_errors.is_an_end(told_errors.describe_error(ValueError()))


def test_error_that_cannot_say_what_it_is_is_told_all_the_same():
    class SilentError(Exception):
        def __str__(self):
            raise ValueError

    assert told_errors.error_text(told_errors.describe_error(SilentError())) == "SilentError: "
    number = told_errors.describe_error(AssertionError(10**5000))
    assert told_errors.rebuild_error(number)[0].args == ("",)


@pytest.mark.parametrize(
    "described",
    [{"a": 1}, None, ["print", "x", "print", None], ["A", "x", "type", ["list", []]], ["A"] * 9],
    ids=repr,
)
def test_whatever_else_is_told_is_an_error_of_no_class(described):
    found, is_as_it_was = told_errors.rebuild_error(described)
    assert (type(found), is_as_it_was) == (Exception, False)
    assert not told_errors.is_an_end(None)
