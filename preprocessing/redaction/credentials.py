r"""Credentials: what the detectors of detect-secrets find on one line, and which of it counts.

The library's own patterns and heuristics are called directly. Nothing of its settings, which are
global to a process, is read or changed; nothing is verified over the network. Which detectors are
left out, which heuristics are used and what was added, with the counts behind it, is in
`docs/redaction.md`.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from preprocessing.redaction import anchors, escapes
from preprocessing.redaction.spans import TOKEN_PREFIX, Span

_TOKEN = TOKEN_PREFIX.decode("ascii")
ENTROPY_LIMITS = {"Base64HighEntropyString": 4.5, "HexHighEntropyString": 3.0}
# The library's patterns for these end before the token does, or name only its prefix.
_WHOLE_MATCH = frozenset(("GitHubTokenDetector", "GitLabTokenDetector"))
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
# The letters that every credential's name known to the library has in it.
_NAMES = re.compile("key|pass|pwd|secret|contrase", re.IGNORECASE)
_MAX_NAMES = 4
# Longer than the tokens, so that none is cut through.
_LONGEST_NAME = 24
_WORD_LETTER = re.compile(r"\w")
_QUOTES = ("'", '"', "`")
_ALPHABETS = ("abcdefgh", "ABCDEFGH", "01234567", "12345678")
# What a credential is cut at: all that could be structure of the text around it.
_INERT = re.compile(r"[^\\\"'`{}\n]+")
_TOKEN_END = re.compile(r"[\s\"'`,;\\(){}\[\]<>]")
_TAIL = re.compile(r"[0-9A-Za-z_]*")
_JWT_TAIL = re.compile(r"[0-9A-Za-z_.+/=-]*[0-9A-Za-z_=-]")
# The edges that a pattern asks for and takes with it.
_EDGES = ' \t\x0b\x0c=:"'
# What is longer and has no telling name is an embedded file.
_LONGEST_UNNAMED = 128
_FORMAT = re.compile(r"%(?:\(\w*\))?[a-z]\Z")
_MIN_PASSWORD = 6
_MIN_SEGMENT = 4


class _Find(NamedTuple):
    """What a detector found: where in the line, and its value in the library's words."""

    start: int
    end: int
    value: str


def _find(match: re.Match[str], group: int) -> _Find:
    return _Find(match.start(group), match.end(group), match[group])


class Detectors(NamedTuple):
    """The detectors of detect-secrets for files of one extension.

    Attributes:
      by_name: The library's plugin objects.
      keyword_patterns: Its patterns for named credentials, with the group that is the value.
      value_first: The one of them whose value stands before the name.
      quotes_required: Those ask for quotes around the value.
      is_data: The files are configuration, where a value without quotes is no code.
    """

    by_name: dict[str, Any]
    keyword_patterns: dict[Any, int]
    value_first: Any
    quotes_required: bool
    is_data: bool


@functools.lru_cache(maxsize=32)
def load(extension: str) -> Detectors:
    """Makes the detectors for files of one extension; a process does it once for each.

    Args:
      extension: With its dot.

    Returns:
      The detectors.
    """
    import importlib
    import inspect
    import pkgutil

    from detect_secrets import plugins
    from detect_secrets.plugins import keyword
    from detect_secrets.util import filetype

    by_name: dict[str, Any] = {}
    for module in pkgutil.iter_modules(plugins.__path__):
        members = inspect.getmembers(importlib.import_module(f"{plugins.__name__}.{module.name}"))
        for name, plugin in members:
            if name in ENTROPY_LIMITS:
                by_name[name] = plugin(limit=ENTROPY_LIMITS[name])
            elif name in anchors.SECRET_ANCHORS or name == anchors.KEYWORD_DETECTOR:
                by_name[name] = plugin()
    quoted = keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
    patterns = keyword.REGEX_BY_FILETYPE.get(
        filetype.determine_file_type(f"file{extension}"), quoted
    )
    return Detectors(
        by_name=by_name,
        keyword_patterns=patterns,
        value_first=keyword.PRECEDED_BY_EQUAL_COMPARISON_SIGNS_QUOTES_REQUIRED_REGEX,
        quotes_required=patterns is quoted,
        is_data=patterns is keyword.CONFIG_DENYLIST_REGEX_TO_GROUP,
    )


def locate(name: str, *, line: str, detectors: Detectors) -> Iterator[_Find]:
    """Yields what one detector finds on a line.

    Args:
      name: The detector's class.
      line: Text without its line end.
      detectors: The detectors.

    Yields:
      Finds, at least one for each value that the library's own `analyze_string` yields and that
      reaches the detector's limit.
    """
    plugin = detectors.by_name[name]
    if name == anchors.KEYWORD_DETECTOR:
        yield from _locate_named(line, detectors)
    elif name in ENTROPY_LIMITS:
        for match in plugin.regex.finditer(line):
            # No more than if all letters were equally frequent, which is quick to tell.
            if math.log2(len(set(match[2]))) <= plugin.entropy_limit:
                continue
            if plugin.calculate_shannon_entropy(match[2]) > plugin.entropy_limit:
                yield _find(match, 2)
    else:
        for pattern in plugin.denylist:
            for match in pattern.finditer(line):
                yield from _locate_match(match, name=name, plugin=plugin)


def _word_length(line: str, position: int) -> int:
    """Returns how many letters of a word stand before a position, up to the longest name."""
    start = position
    while start and position - start < _LONGEST_NAME and _WORD_LETTER.match(line[start - 1]):
        start -= 1
    return position - start


def _locate_named(line: str, detectors: Detectors) -> Iterator[_Find]:
    """Yields the values that stand after the name of a credential, or before it."""
    begins = [match.start() for match in _NAMES.finditer(line)][_MAX_NAMES::_MAX_NAMES]
    # A line of names alone takes the patterns cubic time, so they get a few names at a time. The
    # patterns are searched for from where a name's word begins, or at least this far before.
    cuts = [0, *(begin - _word_length(line, begin) for begin in begins), len(line)]
    for pattern, group in detectors.keyword_patterns.items():
        is_before = pattern is detectors.value_first
        windows = [(0, len(line))] if is_before else zip(cuts, cuts[1:])
        for start, end in windows:
            for match in pattern.finditer(line, start, end):
                # The tokens of secrets and keys would be names of credentials too.
                if _TOKEN in line[max(0, match.start() - len(_TOKEN)) : match.end()]:
                    continue
                find = _find(match, group)
                is_quoted = line[find.start - 1 : find.start] in _QUOTES if find.start else False
                if detectors.quotes_required or is_quoted:
                    yield find
                elif detectors.is_data:
                    # Without quotes the pattern takes all of the line.
                    word = find.value.split(None, 1)[0]
                    yield _Find(find.start, find.start + len(word), word)


def _locate_match(match: re.Match[str], *, name: str, plugin: Any) -> Iterator[_Find]:
    """Yields the groups that a match of a listed pattern fills, or all of it."""
    if name == "JwtTokenDetector":
        # The pattern stops before the signature.
        if plugin.is_formally_valid(match[0]):
            tail = _JWT_TAIL.match(match.string, match.end())
            yield _Find(match.start(), tail.end() if tail else match.end(), match[0])
        return
    groups = [group for group in range(1, match.re.groups + 1) if match[group]]
    if groups and name not in _WHOLE_MATCH:
        yield from (_find(match, group) for group in groups)
        return
    stripped = match[0].lstrip(_EDGES)
    start = match.end() - len(stripped)
    yield _Find(start, start + len(stripped.rstrip(_EDGES)), match[groups[0] if groups else 0])


def _is_noise(find: _Find, *, line: str, plugin: Any) -> bool:
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


def _is_random_text(find: _Find, *, name: str, line: str) -> bool:
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
    return (
        len(value) >= _MIN_PASSWORD
        and any(map(str.isdigit, value))
        and any(map(str.isalpha, value))
        and not any(map(str.isspace, value))
        and not any(bracket in value for bracket in "()<>%")
    )


def _stands_alone(find: _Find, line: str) -> bool:
    after = line[find.end : find.end + 1]
    if after.isalnum() or after in ("+", "/"):
        return False
    flat = _flat(line)
    return escapes.is_boundary(flat, escapes.after_escape(flat, find.start))


def _is_credential(find: _Find, *, name: str, line: str, plugin: Any) -> bool:
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


def _inert_ranges(find: _Find, *, name: str, line: str) -> Iterator[tuple[int, int]]:
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


def find_credentials(line: bytes, names: list[str], *, detectors: Detectors) -> list[Span]:
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
            if _TOKEN in text[find.start : find.end]:
                continue
            if not _is_credential(find, name=name, line=text, plugin=plugin):
                continue
            for index, (start, end) in enumerate(_inert_ranges(find, name=name, line=text)):
                if not is_ascii:
                    start = len(text[:start].encode("utf-8", "surrogateescape"))
                    end = len(text[:end].encode("utf-8", "surrogateescape"))
                spans.append(Span(start, end, "secret", index > 0))
    return spans
