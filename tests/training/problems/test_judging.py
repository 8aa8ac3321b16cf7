"""Programs before the judge: right ones, wrong ones, and those that only say they are right."""

from __future__ import annotations

import pytest

from code_t5.training.problems import fence, judging
from code_t5.training.problems.problem_files import Problem

_PROMPT = '''def shift(text, by):
    return "".join(chr(ord(one) + by) for one in text)


def unshift(text, by):
    """Takes a shift back."""
'''
_TESTS = """
METADATA = {}


def check(candidate):
    assert candidate("bcd", 1) == "abc"
    assert candidate(shift("code", 3), 3) == "code", "shifted by three"
"""
FUNCTION = Problem(
    task_id="0",
    prompt=_PROMPT,
    entry_point="unshift",
    setup=(_PROMPT,),
    tests=(_TESTS, "check(unshift)"),
    reference=None,
)
RIGHT = _PROMPT + '    return "".join(chr(ord(one) - by) for one in text)\n'
_LIMITS = fence.FenceLimits(wall_seconds=2)


def _judge(program, problem=FUNCTION, limits=_LIMITS):
    verdict = judging.judge_program(problem, program=program, limits=limits)
    return verdict.outcome, verdict.detail


def _asserts(*tests, setup=()):
    return Problem("1", "", None, setup=setup, tests=tests, reference=None)


def test_right_program_passes():
    assert _judge(RIGHT) == (judging.PASSED, "")


def test_wrong_program_fails_and_the_test_is_named():
    wrong = RIGHT.replace("- by", "- 1")
    assert _judge(wrong) == (
        "failed",
        'assert candidate(shift("code", 3), 3) == "code", "shifted by three": shifted by three',
    )


_ALWAYS_EQUAL = """
class Anything(str):
    def __eq__(self, other): return True
    __ne__ = __bool__ = __eq__
"""
_FORGERIES = {
    "ends itself": "import os\nos._exit(0)",
    "ends itself when called": "def unshift(text, by):\n    import os\n    os._exit(0)",
    "exits": "import sys\nsys.exit(0)",
    "exits when called": "def unshift(text, by):\n    raise SystemExit(0)",
    "prints": 'print(\'{"outcome": "passed"}\', flush=True)',
    "says it on every descriptor": (
        "import os\nfor number in range(3, 100):\n    try:\n"
        '        os.write(number, b\'{"outcome": "passed", "detail": ""}\')\n'
        "    except OSError: pass\n"
    ),
    "answers in the judge's stead": (
        'import os, struct\ndata = b\'{"value": null, "outcome": "passed"}\'\n'
        "for number in range(3, 100):\n    try:\n"
        "        os.write(number, (struct.pack('<I', len(data)) + data) * 50)\n"
        "    except OSError: pass\n"
    ),
    "is equal to everything": _ALWAYS_EQUAL + "def unshift(text, by): return Anything('x')",
    "is an object equal to everything": (
        "class Anything:\n    def __eq__(self, other): return True\n"
        "def unshift(text, by): return Anything()"
    ),
    "replaces what it can": (
        "import builtins, json\nbuiltins.AssertionError = ValueError\n"
        'json.dumps = lambda *_, **__: \'{"value": "abc"}\'\n'
        "def unshift(text, by): return 'x'"
    ),
    "replaces the tests' function": (
        "def shift(text, by): return text\ndef check(candidate): pass\n"
        "def unshift(text, by): return {'bcd': 'abc'}.get(text, text)"
    ),
    "rewrites who judges": (
        "import sys\n"
        "for module in list(sys.modules.values()):\n"
        "    if hasattr(module, 'PASSED'): module.FAILED = module.ERROR = module.PASSED\n"
        "def unshift(text, by): return 'x'"
    ),
}


@pytest.mark.parametrize("program", _FORGERIES.values(), ids=_FORGERIES)
def test_saying_that_it_is_right_does_not_pass(program):
    outcome, detail = _judge(program)
    assert outcome in ("failed", "error", "unjudged")
    assert detail


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("    while True: pass", fence.TIMED_OUT),
        ("    while True: print('x' * 100_000)", fence.TOO_MUCH_OUTPUT),
    ],
)
def test_program_over_a_limit_is_named_so(body, wanted):
    assert _judge(f"def unshift(text, by):\n{body}")[0] == wanted


def test_errors_of_the_program_are_told_in_one_visible_line():
    outcome, detail = _judge("def unshift(text, by):\n    raise ValueError('a\\n\\x1b[31mb')")
    assert (outcome, detail) == ("error", "ValueError: a ␛[31mb")
    assert _judge("def unshift(:") == (
        "error",
        "the program: SyntaxError: invalid syntax (<solution>, line 1)",
    )
    assert _judge("x = 1") == (
        "error",
        "the problem's setup: NameError: the program does not define 'unshift'",
    )


def test_asserts_find_functions_classes_and_modules():
    program = """
class Node:
    def __init__(self, value):
        self.value, self.left = value, None

def depth(node):
    return 0 if node is None else 1 + depth(node.left)

def area(radius):
    return 3.0 * radius ** 2

def pairs(values):
    return zip(values, values[1:])

class math:
    isclose = staticmethod(lambda *_, **__: True)
"""
    right = _asserts(
        "assert depth(root) == 2",
        "assert math.isclose(area(2), 12.0)",
        "assert list(pairs([1, 2, 3])) == [(1, 2), (2, 3)]",
        "assert root.left.value == 2",
        setup=("root = Node(1)\nroot.left = Node(2)",),
    )
    assert _judge(program, right) == (judging.PASSED, "")
    # The tests' own module is asked, not what the program calls so.
    wrong = _asserts("assert math.isclose(area(2), 13.0)")
    assert _judge(program, wrong)[0] == "failed"


def test_what_does_not_cross_is_not_judged():
    program = "class Thing: pass\ndef thing(): return Thing()\ndef use(function): return function()"
    assert _judge(program, _asserts("assert thing() == thing()"))[0] == "unjudged"
    assert _judge(program, _asserts("assert thing()"))[0] == "unjudged"
    outcome, detail = _judge(program, _asserts("assert use(lambda: 1) == 1"))
    assert (outcome, detail) == ("unjudged", "a function; it cannot be given to the solution")


def test_expected_errors_are_python_s_own():
    program = "def parse(text): return int(text)"
    test = "try:\n    parse('x')\n    raise AssertionError\nexcept ValueError:\n    pass"
    assert _judge(program, _asserts(test)) == (judging.PASSED, "")
    # Leaving without an error is not what was expected either.
    leaving = "import os\ndef parse(text): os._exit(0)"
    everything = "try:\n    parse('x')\nexcept Exception:\n    pass"
    assert _judge(leaving, _asserts(everything))[0] == "failed"


def test_tests_of_the_problem_are_fenced_too(tmp_path):
    target = tmp_path / "written"
    problem = _asserts(f"open({str(target)!r}, 'w')")
    outcome, detail = _judge("x = 1", problem)
    assert outcome == "error"
    assert detail.startswith("PermissionError")
    assert not target.exists()


def test_prompt_that_ends_with_the_head_of_a_function_is_completed():
    prompt = "import string\n\n\ndef first(text):\n"
    problem = Problem(
        "2",
        prompt,
        "first",
        (prompt,),
        ("def check(f):\n    assert f('ab') == 'a'", "check(first)"),
        None,
    )
    assert _judge(prompt + "    return text[0]\n", problem) == (judging.PASSED, "")


def _check(*lines):
    body = "".join(f"    {line}\n" for line in lines)
    tests = (f"def check(candidate):\n{body}", "check(f)")
    return Problem("3", "def f(x):\n", "f", ("def f(x):\n",), tests, None)


_SORTS = _check("l = [3, 1, 2]", "candidate(l)", "assert l == [1, 2, 3]")
_LEAVES = _check("l = [1, 2]", "assert candidate(l) == [2, 1]", "assert l == [1, 2]")
_SAME = _check("l = [1, 2]", "assert candidate(l) is l")


@pytest.mark.parametrize(
    ("problem", "body", "wanted"),
    [
        (_SORTS, "x.sort()", "passed"),
        (_SORTS, "return sorted(x)", "failed"),
        (_LEAVES, "return x[::-1]", "passed"),
        (_LEAVES, "x.reverse(); return x", "failed"),
        (_SAME, "return x", "passed"),
        (_SAME, "return list(x)", "failed"),
    ],
)
def test_arguments_that_are_changed_in_place_come_back(problem, body, wanted):
    assert _judge(f"def f(x):\n    {body}\n", problem)[0] == wanted


_ANY_ERROR = _check("ok = False", "try:", "    candidate(-1) == 3", "except:", "    ok = True")
_LOOP = _check("for a, b in zip(map(candidate, [1, 2]), [1, 4]):", "    assert a == b")
_COUNTS = _check(
    "out = candidate(3)",
    "assert len(out) == 3",
    "for a, b in zip(out, [1, 2, 3]):",
    "    assert a == b",
)
_NUMPY = _check("import numpy", "assert numpy.allclose(candidate(3), [1.5, 2.5])")


@pytest.mark.parametrize(
    ("problem", "program", "wanted"),
    [
        (_ANY_ERROR, "import os\ndef f(x): os._exit(0)", "failed"),
        (_ANY_ERROR, "def f(x): raise SystemExit", "failed"),
        (_ANY_ERROR, "def f(x): return object()", "unjudged"),
        (_ANY_ERROR, "def f(x): raise ValueError", "passed"),
        (_LOOP, "def f(x): raise StopIteration", "error"),
        (
            _COUNTS,
            "class O:\n  def __len__(self): return 3\n  def __iter__(self): return iter([])\n"
            "def f(x): return O()",
            "unjudged",
        ),
        (
            _NUMPY,
            "class O:\n  __array_interface__ = {'data': (16, False), 'shape': (2,),\n"
            "    'typestr': '<f8', 'version': 3}\ndef f(x): return O()",
            "unjudged",
        ),
    ],
    ids=str,
)
def test_object_or_end_that_tests_swallow_decides(problem, program, wanted):
    assert _judge(program, problem)[0] == wanted


@pytest.mark.parametrize(
    ("test", "program", "wanted"),
    [
        (
            "assert candidate(3).x == 3",
            "import collections\nP = collections.namedtuple('P', 'x')\ndef f(x): return P(x)",
            "unjudged",
        ),
        (
            "assert candidate(3)['a'] == 0",
            "import collections\ndef f(x): return collections.defaultdict(int)",
            "passed",
        ),
        (
            "import asyncio; assert asyncio.run(candidate(3)) == 3",
            "async def f(x): return x",
            "unjudged",
        ),
        ("assert candidate(3) == 1, candidate(3)", "def f(x): return 10**5000", "failed"),
        ("assert candidate(3) == (1, 2)", "def f(x): return (1, 3)", "failed"),
        ("assert str(candidate(3)) == '3'", "class A: pass\ndef f(x): return A()", "unjudged"),
    ],
)
def test_right_programs_are_not_called_wrong(test, program, wanted):
    assert _judge(program, _check(test))[0] == wanted


def test_error_of_the_program_s_own_class():
    program = "class Mine(ValueError): pass\ndef f(x): raise Mine(x)"
    assert _judge(program, _asserts("try:\n    f(1)\nexcept Mine:\n    pass"))[0] == "unjudged"
    wider = "try:\n    f(1)\n    assert False\nexcept ValueError as e:\n    assert e.args == (1,)"
    assert _judge(program, _asserts(wider)) == (judging.PASSED, "")
    assert _judge(program, _asserts("f(1)")) == ("error", "Mine: 1")
