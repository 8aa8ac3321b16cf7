r"""Credentials: which of the finds of detect-secrets count, and what of them is replaced.

Which detectors are left out, which of the library's heuristics are used and what was added to them,
with the counts behind it, is in `docs/redaction.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from preprocessing.redaction import anchors, escapes
from preprocessing.redaction.detectors import ENTROPY_LIMITS, TOKEN_TEXT, Detectors, Find, locate
from preprocessing.redaction.spans import Span

# Short letters and digits, which embedded data holds by chance: nothing alike may stand beside.
_STANDALONE = frozenset(
    ("AWSKeyDetector", "DiscordBotTokenDetector", "MailchimpDetector", "TelegramBotTokenDetector",
     "TwilioKeyDetector")
)  # fmt: skip
_CHECKSUM_WORDS = re.compile(
    r"sha-?\d|md5|hash|checksum|digest|integrity|commit|revision|fingerprint|crc|etag|blob",
    re.IGNORECASE,
)
_CREDENTIAL_WORDS = re.compile(
    r"key|token|secret|passw|pwd|auth|cred|api|bearer|private|signature|salt", re.IGNORECASE
)
_ALPHABETS = ("abcdefgh", "ABCDEFGH", "01234567", "12345678")
# What a credential is cut at: all that could be structure of the text around it.
_INERT = re.compile(r"[^\\\"'`{}\n]+")
_TOKEN_END = re.compile(r"[\s\"'`,;\\(){}\[\]<>]")
_TAIL = re.compile(r"[0-9A-Za-z_]*")
# What is longer and has no telling name is an embedded file.
_LONGEST_UNNAMED = 128
_FORMAT = re.compile(r"%(?:\(\w*\))?[a-z]\Z")
_MIN_PASSWORD = 6
_MIN_SEGMENT = 4


def _is_noise(find: Find, *, line: str, plugin: Any) -> bool:
    """Applies the library's heuristics that fit a value and its line."""
    from detect_secrets.filters import heuristic

    value = find.value
    return (
        bool(_FORMAT.match(value))
        or heuristic.is_sequential_string(value)
        or heuristic.is_potential_uuid(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_not_alphanumeric_string(value)
        or heuristic.is_likely_id_string(value, line, plugin)
    )


def _is_random_text(find: Find, *, name: str, line: str) -> bool:
    """Returns whether a value of high entropy is no checksum, alphabet or number of a file."""
    value = find.value
    if _CHECKSUM_WORDS.search(line) or any(run in value for run in _ALPHABETS):
        return False
    is_named = bool(_CREDENTIAL_WORDS.search(line))
    if name == "HexHighEntropyString":
        return is_named
    if len(value) > _LONGEST_UNNAMED and not is_named:
        return False
    classes = (str.islower, str.isupper, str.isdigit)
    return all(any(map(is_in, value)) for is_in in classes) and not value.startswith("id=")


def _is_password(value: str) -> bool:
    """Returns whether the value of a credential's name looks like one: `hunter2`, not `secret`."""
    if len(value) < _MIN_PASSWORD or any(map(str.isspace, value)) or set(value) & set("()<>%"):
        return False
    if any(map(str.isdigit, value)):
        return any(map(str.isalpha, value))
    mixed = any(map(str.islower, value)) and any(map(str.isupper, value))
    return mixed and bool(set(value) & set("!#$&*+=?@^~"))


def _stands_alone(find: Find, line: str) -> bool:
    after = line[find.end : find.end + 1]
    if after.isalnum() or after in ("+", "/"):
        return False
    flat = _flat(line)
    return escapes.is_boundary(flat, escapes.after_escape(flat, find.start))


def _is_credential(find: Find, *, name: str, line: str, plugin: Any) -> bool:
    if name in ENTROPY_LIMITS and not _is_random_text(find, name=name, line=line):
        return False
    if name == anchors.KEYWORD_DETECTOR and not _is_password(find.value):
        return False
    if name in _STANDALONE and len(find.value) == find.end - find.start:
        in_quotes = line[find.start - 1 : find.start] in ("'", '"') if find.start else False
        if not in_quotes and not _stands_alone(find, line):
            return False
    return not _is_noise(find, line=line, plugin=plugin)


def _flat(line: str) -> bytes:
    """Returns a line with one byte for each character, for what only looks at ASCII."""
    return line.encode("ascii", "replace")


def _inert_ranges(find: Find, *, name: str, line: str) -> Iterator[tuple[int, int]]:
    """Yields the pieces of a find that can be replaced without touching structure around it."""
    start, end = find.start, find.end
    if name in ENTROPY_LIMITS or name == anchors.KEYWORD_DETECTOR:
        # In quotes all may go but escape sequences, and the braces of a template.
        if "{" in line[start:end] or "}" in line[start:end]:
            return
        for piece in _INERT.finditer(line, start, end):
            piece_start = escapes.after_escape(_flat(line), piece.start())
            if piece.end() - piece_start >= min(_MIN_SEGMENT, end - start):
                yield piece_start, piece.end()
        return
    cut = _TOKEN_END.search(line, start, end)
    if cut:
        end = cut.start()
    elif name not in _STANDALONE and name != "BasicAuthDetector":
        # Keys have grown longer than the library's patterns know them.
        tail = _TAIL.match(line, end)
        end = tail.end() if tail else end
    start = escapes.after_escape(_flat(line), start)
    if start < end:
        yield start, end


def find_credentials(line: bytes, *, names: list[str], detectors: Detectors) -> list[Span]:
    """Finds the credentials on one line.

    Args:
      line: UTF-8, without its line end.
      names: The detectors to run.
      detectors: The detectors for files like this.

    Returns:
      Spans, not sorted, and overlapping where two detectors find the same.
    """
    text = line.decode("utf-8", "surrogateescape")
    is_ascii = len(text) == len(line)
    spans = []
    for name in names:
        plugin = detectors.by_name[name]
        for find in locate(name, line=text, detectors=detectors):
            if TOKEN_TEXT in text[find.start : find.end]:
                continue
            if not _is_credential(find, name=name, line=text, plugin=plugin):
                continue
            for index, (start, end) in enumerate(_inert_ranges(find, name=name, line=text)):
                if not is_ascii:
                    start = len(text[:start].encode("utf-8", "surrogateescape"))
                    end = len(text[:end].encode("utf-8", "surrogateescape"))
                spans.append(Span(start, end, "secret", index > 0))
    return spans
