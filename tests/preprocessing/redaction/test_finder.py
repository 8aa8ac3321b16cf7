"""Redaction of files: what parsed still parses, twice is once, hostile text does no harm."""

from __future__ import annotations

import ast
import pathlib
import random
import subprocess
import sys
import sysconfig
import time
import warnings

import pytest

from preprocessing import redaction

_EMAIL = "joe@here.org"
_IPV4 = "81.2.69.160"
_IPV6 = "2a02:8071::7"
_NAMED = "pass" + "word"
_VALUE = "hun" + "ter2"
_AWS = "AK" + "IA" + "Q7WJ3KD9ZX5MV2PL"

# Python that parses, and the kinds found in it, in order of place.
_HARD_CASES = [
    (f"x = f'{{name}} <{_EMAIL}> {{a@b.co}}'", ["email", "email"]),
    (f"x = f'{{d[\"{_AWS}\"]}}'", ["secret"]),
    (f"x = b'\\n{_EMAIL}\\x00'", ["email"]),
    (f"x = r'\\n{_EMAIL}'", ["email"]),
    (f"x = rb'''\n{_IPV4}\n'''", ["ipv4"]),
    (f'x = """\n    {_EMAIL} {_IPV4}\n    {_IPV6}"""', ["email", "ipv4", "ipv6"]),
    (f"x = 1  # {_EMAIL}, {_IPV6}", ["email", "ipv6"]),
    ("x = a.b@c.de\ny = (q@w.er)[2a02:80]\n".replace("2a02:80", "2001::80"), []),
    (f"@decorator.of('{_EMAIL}')\ndef f(): pass", ["email"]),
    (f"x = {{'{_NAMED}': '{_VALUE}', '{_IPV4}': '{_EMAIL}'}}", ["secret", "ipv4", "email"]),
    (f"x = '{_NAMED}=\"{_VALUE}\"'", ["secret"]),
    (f"x = f'{_NAMED}=\"{{a1[\"'", None),
    (f"{_NAMED} = 'ab1cde\\'f2gh\\\\'", ["secret"]),
    (f"{_NAMED} = '''{_VALUE}'''", []),
    (f"{_NAMED} = '' '{_VALUE}'", []),
    (f"{_NAMED} = f'{{x}}{_VALUE}'", []),
    (f"{_NAMED} = \"{_VALUE}\"; x = 'sec' + \"ret2;\";", ["secret"]),
    ("sql = \"secret\" + x1 + \";\"; y = 2", []),
    (f"x = 'https:' '//joe:{_VALUE}@here.org'", ["email"]),
    (f"x = 'https://joe:{_VALUE}@here.org/\\\n{_EMAIL}'", ["secret", "email"]),
    (f"x = '\\\n{_IPV4}'  # {_NAMED}: \"{_VALUE}\"", ["ipv4", "secret"]),
    (f"x = {{1234567890:{'a' * 35}}}", []),
    (f"x = '\\x4112345678:{'a' * 34}B'", ["secret"]),
    (f"# -*- coding: utf-8 -*- {_EMAIL}\nx = 'é{_EMAIL}é'", ["email", "email"]),
    (f"x = 0xAC{'a' * 32}", []),
    (f"def f({_NAMED}='{_VALUE}', *, b: '{_EMAIL}' = 1): ...", ["secret", "email"]),
]  # fmt: skip


def _redact(content: bytes, extension: str = ".py") -> bytes:
    return redaction.replace_spans(content, redaction.find_spans(content, extension=extension))


@pytest.mark.parametrize(("code", "kinds"), _HARD_CASES)
def test_hard_python_parses_after_redaction(code, kinds):
    spans = redaction.find_spans(code.encode(), extension=".py")
    redacted = redaction.replace_spans(code.encode(), spans)
    if kinds is None:  # does not parse before either
        return
    ast.parse(code)
    ast.parse(redacted)
    assert [span.kind for span in spans if not span.continues] == kinds
    assert redaction.find_spans(redacted, extension=".py") == []


def _standard_library(num_files: int) -> list[pathlib.Path]:
    root = pathlib.Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(
        path
        for path in root.rglob("*.py")
        if "site-packages" not in path.parts and "lib2to3" not in path.parts
    )
    return random.Random(0).sample(paths, min(num_files, len(paths)))


def _is_python(content: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(content)
        except (SyntaxError, ValueError):
            return False
    return True


def test_what_parsed_in_the_standard_library_still_parses():
    num_changed = 0
    for path in _standard_library(400):
        content = path.read_bytes()
        redacted = _redact(content)
        if redacted == content:
            continue
        num_changed += 1
        assert _is_python(redacted) >= _is_python(content), path.name
        assert _redact(redacted) == redacted, path.name
    assert num_changed >= 10


def test_planted_finds_anywhere_in_the_standard_library_leave_it_parsing():
    """Puts finds into random lines; wherever the result parses, its redaction does too."""
    pieces = [_EMAIL, _IPV4, _IPV6, f"{_NAMED}='{_VALUE}'", f'{_NAMED}="{_VALUE}"', _AWS]
    made = random.Random(1)
    num_parsing = 0
    for path in _standard_library(60):
        content = path.read_bytes()
        if len(content) > 40_000:
            continue
        for _ in range(6):
            at = made.randrange(len(content) + 1)
            planted = content[:at] + made.choice(pieces).encode() + content[at:]
            if _is_python(planted):
                num_parsing += 1
                assert _is_python(_redact(planted)), (path.name, at)
    assert num_parsing >= 50


def test_redacting_again_changes_nothing_whatever_stands_together():
    pieces = [
        _EMAIL, _IPV4, _IPV6, _AWS, _VALUE, _NAMED, "'", '"', "=", ":", " ", "\\n", "\\", "//", "@",
        "://", "user", "{", "}", "#", ",", ";", "api_" + "key", "Q" * 9 + "x7Yz" * 5, "é", "\n",
        ".",
        "-----BEGIN PRIVATE" + " KEY-----", "-----END PRIVATE" + " KEY-----",
    ]  # fmt: skip
    made = random.Random(2)
    num_found = 0
    for extension in (".py", ".js", ".yaml"):
        for _ in range(400):
            content = "".join(made.choices(pieces, k=24)).encode()
            spans = redaction.find_spans(content, extension=extension)
            num_found += len(spans)
            redacted = redaction.replace_spans(content, spans)
            assert redaction.find_spans(redacted, extension=extension) == [], content
    assert num_found > 500


def test_what_a_find_was_hiding_is_found_too():
    digits = "0f3a9b7c5d1e24680ace1357"
    line = f"auth = '{digits}'  # hashmaster@here.org"
    # While the address says `hash`, the digits pass for a checksum.
    assert _redact(line.encode()) == b"auth = 'REDACTED_SECRET'  # REDACTED_EMAIL"


def test_token_is_no_name_of_a_credential():
    line = f"{{'{_AWS}': '{_VALUE}'}}"
    assert _redact(line.encode()) == f"{{'REDACTED_SECRET': '{_VALUE}'}}".encode()


def test_values_with_braces_are_left_to_their_templates():
    for line in (f"x = f\"{_NAMED}='{{a}}b1c2d3'\"", f"x = f'{_NAMED}=\"b1c2d3{{a}}\"'"):
        ast.parse(line)
        assert _redact(line.encode()) == line.encode()


def test_spans_are_sorted_disjoint_and_on_one_line():
    text = "\n".join(code for code, kinds in _HARD_CASES if kinds is not None).encode()
    spans = redaction.find_spans(text, extension=".js")
    assert len(spans) > 15
    for before, after in zip(spans, spans[1:]):
        assert before.end <= after.start
    assert not any(b"\n" in text[span.start : span.end] for span in spans)


def test_another_process_finds_the_same():
    text = "\n".join(code for code, _ in _HARD_CASES)
    program = (
        "import sys; from preprocessing import redaction; "
        "print(redaction.find_spans(sys.stdin.buffer.read(), extension='.py'))"
    )
    child = subprocess.run(
        [sys.executable, "-c", program],
        input=text.encode(),
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
        timeout=100,
    )
    expected = redaction.find_spans(text.encode(), extension=".py")
    assert child.stdout.decode().strip() == str(expected)


def test_importing_redaction_loads_no_detectors():
    program = "import sys, preprocessing.redaction; print('detect_secrets' in sys.modules)"
    child = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        timeout=100,
    )
    assert child.stdout.strip() == b"False"


_NAMES = b"sec" + b"ret"
_HOSTILE = {
    "addresses": f"{_EMAIL} ".encode() * 15_000,
    "addresses in quotes": f"'{_IPV4}'".encode() * 15_000,
    "ats": b"a@" * 100_000,
    "dots": b"a@" + b"a." * 100_000,
    "colons": b"2000:" * 50_000,
    "open strings": b'"""\\' * 50_000 + _EMAIL.encode(),
    "escaped strings": b'\\"""' * 50_000 + _EMAIL.encode(),
    "backslashes": b'"' + b"\\" * 200_000 + _EMAIL.encode(),
    "begins of keys": (b"-----BEGIN PRIVATE" + b" KEY-----\n") * 8_000,
    "long key": b"-----BEGIN PRIVATE" + b" KEY-----" + b"A: " * 60_000,
    "names": (_NAMES * 160 + b'="x\n') * 100,
    "names and letters": (_NAMES * 70 + b"a" * 400 + b'"x" ";\n') * 100,
    "backticks": (b"`" * 900 + b"==" + _NAMES + b"\n") * 100,
    "spaces": (_NAMES * 20 + b" " * 800 + b'="x\n') * 100,
    "slashes": (b"/" * 900 + b"/:_auth" + b"Token=x\n") * 100,
    "invalid": b"\xff\xfe'\x80joe@here.org\xff'" * 1000,
}


@pytest.mark.parametrize("name", _HOSTILE)
@pytest.mark.parametrize("extension", [".py", ".yaml"])
def test_hostile_text_is_searched_in_bounded_time(name, extension):
    start = time.process_time()
    content = _HOSTILE[name]
    spans = redaction.find_spans(content, extension=extension)
    redaction.replace_spans(content, spans)
    # Each takes well under a second; what is quadratic in its length would take minutes.
    assert time.process_time() - start < 20
