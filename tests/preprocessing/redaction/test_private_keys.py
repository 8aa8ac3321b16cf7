"""Private keys in every way in which source code writes them. The key material is made up."""

from __future__ import annotations

import ast
import random
import string

import pytest

from preprocessing import redaction

_KEY = "PRIVATE" + " KEY"
_BEGIN, _END = f"-----BEGIN RSA {_KEY}-----", f"-----END RSA {_KEY}-----"
_LETTERS = string.ascii_letters + string.digits + "+/"
_TOKEN = "REDACTED_PRIVATE_KEY"


def _material(num_lines: int = 3) -> list[str]:
    made = random.Random(num_lines)
    lines = ["MII" + "".join(made.choices(_LETTERS, k=61)) for _ in range(num_lines)]
    return [*lines, "Qk9i" + "eQ=="]


def _redact(text: str, extension: str = ".py") -> str:
    content = text.encode()
    spans = redaction.find_spans(content, extension=extension)
    assert redaction.count_kinds(spans)["private_key"] == 1
    assert redaction.count_kinds(spans)["secret"] == 0
    replaced = redaction.replace_spans(content, spans)
    assert redaction.find_spans(replaced, extension=extension) == []
    return replaced.decode()


def _write_plain(lines):
    return "\n".join(lines)


def _write_triple_quotes(lines):
    return "key = '''\\\n" + "\n".join(lines) + "\n'''\n"


def _write_escapes(lines):
    return 'key = "' + "\\n".join(lines) + '\\n"\n'


def _write_double_escapes(lines):
    return 'key = \'{"key": "' + "\\\\n".join(lines) + "\\\\n\"}'\n"


def _write_concatenated(lines):
    return "key = (\n" + "".join(f'    b"{line}\\n"\n' for line in lines) + ")\n"


def _write_list(lines):
    return "key = '\\n'.join([\n" + "".join(f"    '{line}',\n" for line in lines) + "])\n"


def _write_added(lines):
    return "key = " + " + \\\n    ".join(f'"{line}\\n"' for line in lines) + "\n"


def _write_comment(lines):
    return "".join(f"#   {line}\n" for line in lines) + "x = 1\n"


@pytest.mark.parametrize(
    "write",
    [
        _write_plain,
        _write_triple_quotes,
        _write_escapes,
        _write_double_escapes,
        _write_concatenated,
        _write_list,
        _write_added,
        _write_comment,
    ],
)
def test_material_of_a_key_goes_and_all_around_it_stays(write):
    material = _material()
    text = write([_BEGIN, *material, _END])
    extension = ".txt" if write is _write_plain else ".py"
    redacted = _redact(text, extension)
    assert redacted == write([_BEGIN, *[_TOKEN] * len(material), _END])
    if extension == ".py":
        ast.parse(redacted)


def test_headers_of_an_encrypted_key_stay():
    lines = [
        _BEGIN,
        "Proc-Type: 4,ENCRYPTED",
        "DEK-Info: AES-128-CBC,0A1B2C3D",
        "",
        *_material(),
        _END,
    ]
    redacted = _redact("key = '''" + "\n".join(lines) + "'''\n")
    assert redacted.count(_TOKEN) == 4
    assert "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B2C3D\n\nREDACTED" in redacted


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (f"-----BEGIN {_KEY}-----", f"-----END {_KEY}-----"),
        (f"-----BEGIN OPENSSH {_KEY}-----", f"-----END OPENSSH {_KEY}-----"),
        (f"-----BEGIN PGP {_KEY} BLOCK-----", f"-----END PGP {_KEY} BLOCK-----"),
        (f"---- BEGIN SSH2 ENCRYPTED {_KEY} ----", f"---- END SSH2 ENCRYPTED {_KEY} ----"),
        ("Private-" + "Lines: 4", "Private-MAC: 00"),
    ],
)
def test_keys_of_every_format_are_found(begin, end):
    lines = [begin, *_material(), end]
    assert _redact("\n".join(lines), ".txt").count(_TOKEN) == 4


def test_key_that_is_cut_off_is_found_up_to_where_it_stops():
    text = "key = '''" + "\n".join([_BEGIN, *_material()[:3]]) + "\n'''\nafterwards = 'Abc4'\n"
    redacted = _redact(text)
    assert redacted.count(_TOKEN) == 3
    assert redacted.endswith("\n'''\nafterwards = 'Abc4'\n")


def test_text_after_a_key_that_is_cut_off_is_no_key():
    after = f"'''\nafterwards = '{'Ab9' * 20}'\nmore = '{'x' * 48}'\n"
    text = "key = '''" + "\n".join([_BEGIN, *_material()[:3]]) + "\n" + after
    assert _redact(text).endswith(_TOKEN + "\n" + after)


@pytest.mark.parametrize("line_end", ["\n", "\\n"])
def test_key_that_the_file_ends_in_is_found(line_end):
    text = line_end.join([_BEGIN, *_material()])
    assert _redact(text, ".txt") == line_end.join([_BEGIN, *[_TOKEN] * 4])


def test_two_keys_count_twice():
    text = "key = '''" + "\n".join([_BEGIN, *_material(), _END] * 2) + "'''\n"
    spans = redaction.find_spans(text.encode(), extension=".py")
    assert redaction.count_kinds(spans)["private_key"] == 2
    assert len(spans) == 8


@pytest.mark.parametrize(
    "text",
    [
        f'_MARKERS = ("{_BEGIN}", "{_END}")\n',
        f'pem = "{_BEGIN}\\n" + serialization.PrivateFormat.encode(value) + "\\n{_END}"\n',
        f"# begins with {_BEGIN}\nfor line in lines:\n    print(line)\n",
        f'"{_BEGIN}\\n<key bytes>\\n{_END}\\n"\n',
        "-----BEGIN CERTIFICATE-----\n" + "\n".join(_material()) + "\n-----END CERTIFICATE-----\n",
    ],
)
def test_text_about_keys_stays(text):
    assert redaction.find_spans(text.encode(), extension=".py") == []


def test_names_between_the_markers_are_no_material():
    text = f"{_BEGIN}\nserialization_private_formatabcdefghijkl\n{_END}\n"
    assert redaction.find_spans(text.encode(), extension=".txt") == []


def test_key_longer_than_one_look_goes_as_a_whole():
    lines = [_BEGIN, *_material(1_300), _END]
    content = "\n".join(lines).encode()
    assert len(content) > 80_000
    spans = redaction.find_spans(content, extension=".txt")
    redacted = redaction.replace_spans(content, spans)
    assert redacted.decode().split("\n") == [_BEGIN, *[_TOKEN] * 1_301, _END]
    assert redaction.find_spans(redacted, extension=".txt") == []
