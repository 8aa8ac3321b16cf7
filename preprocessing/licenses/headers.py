"""Licences in the head of a source file: SPDX tags, and headers known by their wording.

A *tag* is a comment line `SPDX-License-Identifier: <expression>`. A *header* is any other comment
that names or grants a licence. Both are looked for in the first 4 KB only, as text: no language's
comments are parsed. A header ends where the first line looks like code.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from preprocessing.licenses import expressions, phrases

HEAD_BYTES = 4096
_TAG = b"SPDX-License-Identifier:"
_MAX_TAGS = 8
_MAX_VALUE_BYTES = 300
_VALUE = re.compile(rb"[A-Za-z0-9.+:()\-_/|, ]*")
# What may stand before a tag on its line: comment signs, and words that open a comment line.
_COMMENT_WORDS = (b"rem", b"dnl", b"c", b"@license")
_CODE_BEFORE = re.compile(rb"[A-Za-z0-9_=({\[+]")

# One byte for one byte, so that a whole head is turned in one call.
_TO_SPACE = b"#/*;%!\"'`,()|~<>-\n\t\r\f\v"
_PLAIN = bytes(
    0x20 if byte in _TO_SPACE else byte + 32 if 0x41 <= byte <= 0x5A else byte
    for byte in range(256)
)
# Byte-order mark and no-break space, in UTF-8.
_ENCODED = ((b"\xef\xbb\xbf", b""), (b"\xc2\xa0", b" "))
# Every wording that the table knows has one of these; most files without a header have none.
_CHEAP_TESTS = (b"icen", b"ICEN", b"ermission", b"edistribution", b"ublic domain", b"onfidential")

# Where code begins, at the start of a line: a licence named after it is data or advice. Prose that
# begins a line with one of these words goes on otherwise.
_CODE_BEGINS = re.compile(
    rb"^(?:import [\w.*]+(?:[;,]|$| as | from )|import [{*(\"']|from (?!__future__)[\w.]+ import|"
    rb"def \w+\(|class \w+[:({ ]|#include|package [\w.]+;?$|using [\w.]+;|use [\w:]+;|"
    rb"fn \w+\(|func \w+\(|function \w*\(|(?:const|var|let) \w+ =|public (?:class|interface|enum)|"
    rb"module\.exports|[A-Z_]+ = )",
    re.M,
)

_VERSION_AFTER = re.compile(rb"(?:^|version |\bv\.? ?| )([1-3](?:\.[0-9])?)(?![0-9])(\+?)")
_VERSION_BEFORE = re.compile(rb"version ([1-3](?:\.[0-9])?) of the $")
_SHORT_GNU = re.compile(rb"[ :](a|l|)gpl ?v?\.? ?([1-3](?:\.[0-9])?)(?![0-9])(\+?)")
_LATER = (b"any later version", b"or later", b"or newer", b"any newer version")
_VERSION_WINDOW = 220
_EXCEPTION_WINDOW = 700


class Finding(NamedTuple):
    """One licence that a text names.

    Attributes:
      position: Where in the plain text.
      expression: The SPDX expression.
    """

    position: int
    expression: str


def plain_text(text: bytes) -> bytes:
    r"""Returns a text as the table of phrases has it, with a space at each end.

    Args:
      text: Any bytes.

    Returns:
      Lower case, comment signs and punctuation as spaces, one space between words.

    >>> plain_text(b"# The MIT\n# License (MIT)")
    b' the mit license mit '
    """
    for mark, plain in _ENCODED:
        if mark in text:
            text = text.replace(mark, plain)
    return b" " + b" ".join(text.translate(_PLAIN).split()) + b" "


def _is_in_comment(before: bytes) -> bool:
    """Whether what precedes a tag on its line is a comment's beginning and no code."""
    before = before.strip()
    if before.lower() in _COMMENT_WORDS:
        return True
    # One quote opens a string that a program writes; three open a docstring.
    is_string = before.endswith((b'"', b"'")) and not before.endswith((b'"""', b"'''"))
    return not is_string and _CODE_BEFORE.search(before) is None


def find_tags(content: bytes) -> str:
    """Finds the licence that a file's SPDX tags give.

    Args:
      content: The file.

    Returns:
      SPDX expression, several tags joined by `AND`; '' if there is no tag that can be read.
    """
    start = content.find(_TAG, 0, HEAD_BYTES)
    found: list[str] = []
    for _ in range(_MAX_TAGS):
        if start < 0:
            break
        line_start = content.rfind(b"\n", 0, start) + 1
        value_start = start + len(_TAG)
        if _is_in_comment(content[line_start:start]):
            value = _VALUE.match(content[value_start : value_start + _MAX_VALUE_BYTES])
            text = value.group().decode("ascii") if value else ""
            if content[value_start + len(text) :][:1] == b"@":
                text = ""  # an address, not a licence
            # A value that has no end here is nonsense.
            text = text.rstrip(" -/,|") if len(text) < _MAX_VALUE_BYTES else ""
            expression = expressions.normalize(text)
            if expression:
                found.append(expression)
        start = content.find(_TAG, value_start, HEAD_BYTES)
    return expressions.joined(found, operator="AND")


def _version(text: bytes, *, start: int, stop: int) -> tuple[str, bool]:
    """Returns the version that a text gives near a licence's name, '' if none, and "or later"."""
    window = text[stop : stop + _VERSION_WINDOW]
    is_later = any(words in window for words in _LATER)
    found = _VERSION_BEFORE.search(text[max(0, start - 40) : start + 1])
    if found:
        return found.group(1).decode("ascii"), is_later
    found = _VERSION_AFTER.search(window)
    if not found:
        return "", is_later
    return found.group(1).decode("ascii"), is_later or bool(found.group(2))


def _full_version(version: str, known: tuple[str, ...]) -> str:
    """Returns a version as SPDX has it, '' if it has none such."""
    version = version if "." in version else f"{version}.0"
    return version if version in known else ""


def _find_gnu(text: bytes) -> list[Finding]:
    """Finds the GNU licences, long name or short, each family once."""
    found: dict[str, Finding] = {}
    for words, short, stem, versions, lowest in phrases.GNU:
        position = text.find(b" " + words + b"general public licen") if words else -1
        if not words:
            for name in (b" gnu general public licen", b" the general public licen"):
                position = position if position >= 0 else text.find(name)
        if position >= 0 and stem not in found:
            stop = text.index(b"public licen", position) + len(b"public license")
            # "version 2 of the GNU ...": the name begins before the word that was found.
            start = position - 4 if text[:position].endswith(b" gnu") else position
            version, is_later = _version(text, start=start, stop=stop)
            full = _full_version(version, versions)
            suffix = "-or-later" if is_later or not full else "-only"
            found[stem] = Finding(position, f"{stem}{full or lowest}{suffix}")
        elif stem not in found and b"license: " + short + b" " in text:
            found[stem] = Finding(text.index(b"license: " + short), f"{stem}{lowest}-or-later")
    for match in _SHORT_GNU.finditer(text):
        stem = f"{match.group(1).decode('ascii').upper()}GPL-"
        versions = next(entry[3] for entry in phrases.GNU if entry[2] == stem)
        full = _full_version(match.group(2).decode("ascii"), versions)
        window = text[match.end() : match.end() + 20]
        suffix = "-or-later" if match.group(3) or window.startswith(b" or later") else "-only"
        if full and stem not in found:
            found[stem] = Finding(match.start(), f"{stem}{full}{suffix}")
    return list(found.values())


def _find_bsd_text(text: bytes) -> list[Finding]:
    position = text.find(b" redistribution and use")
    if position < 0 or text.find(b" source and binary forms", position, position + 60) < 0:
        return []
    if b" all advertising materials mentioning" in text:
        return [Finding(position, "BSD-4-Clause")]
    if b" endorse or promote products" in text:
        return [Finding(position, "BSD-3-Clause")]
    return [Finding(position, "BSD-2-Clause")]


def _find_isc_text(text: bytes) -> list[Finding]:
    position = text.find(b" permission to use copy modify and")
    if position < 0:
        return []
    window = text[position : position + 700]
    if b" for any purpose" not in window or b" hereby granted" not in window:
        return []
    if b" advertising or publicity" in window:
        return [Finding(position, "HPND")]
    return [Finding(position, "ISC" if b" provided that" in window else "0BSD")]


def _find_phrases(text: bytes) -> list[Finding]:
    found = []
    for anchor, group in phrases.GROUPS:
        if anchor not in text:
            continue
        for phrase, expression in group:
            position = text.find(phrase)
            if position >= 0:
                found.append(Finding(position, expression))
    for anchor, stem, versions, fallback in phrases.VERSIONED:
        position = text.find(anchor)
        if position >= 0:
            version, _ = _version(text, start=position, stop=position + len(anchor))
            full = _full_version(version, versions) or fallback
            found.append(Finding(position, stem + full))
    return found


def _with_exceptions(found: list[Finding], text: bytes) -> list[Finding]:
    """Adds the exceptions that follow a licence."""
    changed = []
    for position, expression in found:
        for words, stem, exception in phrases.EXCEPTIONS:
            window = text[position : position + _EXCEPTION_WINDOW]
            if expression.startswith(stem) and words in window:
                expression = f"{expression} WITH {exception}"
        changed.append(Finding(position, expression))
    return changed


def find_all(text: bytes) -> list[Finding]:
    """Finds every licence that a text names, vague names left out where a precise one is there.

    Args:
      text: Plain text, see `plain_text`.

    Returns:
      The findings, in the order of the text.
    """
    found = _find_phrases(text) + _find_bsd_text(text) + _find_isc_text(text)
    if b"gpl" in text or b"general public licen" in text:
        found += _find_gnu(text)
    names = {finding.expression for finding in found}
    if any(name.startswith("BSD-") for name in names):
        found = [f for f in found if f.expression != expressions.BSD_UNSPECIFIED]
    if "Unlicense" in names:
        found = [f for f in found if f.expression != expressions.PUBLIC_DOMAIN]
    return sorted(_with_exceptions(found, text))


def combine(names: list[str], *, is_choice: bool) -> str:
    """Joins the licences that were found in one place.

    Args:
      names: SPDX expressions.
      is_choice: Whether one may choose among them.

    Returns:
      One expression. A lesser licence comes with the text of the one that it widens: together they
      are the lesser one; likewise a licence with an exception.
    """
    # A licence is named more than once, its exception perhaps not.
    wider = {name.split(" WITH ")[0] for name in names if " WITH " in name}
    names = [name for name in names if name not in wider]
    if not is_choice and any(name.startswith("LGPL-") for name in names):
        names = [name for name in names if not name.startswith("GPL-")]
    return expressions.joined(names, operator="OR" if is_choice else "AND")


def find_header(content: bytes) -> str:
    """Finds the licence that a file's header gives.

    Args:
      content: The file.

    Returns:
      SPDX expression; '' if no known wording occurs.
    """
    head = content[:HEAD_BYTES]
    if not any(word in head for word in _CHEAP_TESTS):
        return ""
    code = _CODE_BEGINS.search(head)
    text = plain_text(head[: code.start()] if code else head)
    found = find_all(text)
    if len(found) < 2:
        return found[0].expression if found else ""
    names = list(dict.fromkeys(finding.expression for finding in found))
    return combine(names, is_choice=any(choice in text for choice in phrases.CHOICES))
