"""Detectors: the plugins of detect-secrets, called as a library on one line of text.

Their own patterns are run here, since the library says which values it found but not where.
Nothing of its settings, which are global to a process, is read or changed; nothing is verified over
the network. A *find* is a place in a line together with the value as the library names it.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from preprocessing.redaction import anchors
from preprocessing.redaction.spans import TOKEN_PREFIX

TOKEN_TEXT = TOKEN_PREFIX.decode("ascii")
ENTROPY_LIMITS = {"Base64HighEntropyString": 4.5, "HexHighEntropyString": 3.0}
# The groups of the library's patterns for these are only the token's prefix.
_WHOLE_MATCH = frozenset(("GitHubTokenDetector", "GitLabTokenDetector"))
# The letters that every credential's name known to the library has in it.
_NAMES = re.compile("key|pass|pwd|secret|contrase", re.IGNORECASE)
_MAX_NAMES = 4
# Longer than the tokens, so that none is cut through.
_LONGEST_NAME = 24
_WORD_LETTER = re.compile(r"\w")
_QUOTES = ("'", '"', "`")
_JWT_TAIL = re.compile(r"[0-9A-Za-z_.+/=-]*[0-9A-Za-z_=-]")
# The edges that a pattern asks for and takes with it.
_EDGES = ' \t\x0b\x0c=:"'


class Find(NamedTuple):
    """What a detector found.

    Attributes:
      start: Where in the line it begins.
      end: Where it ends.
      value: What the library names; it can be longer or shorter than the place.
    """

    start: int
    end: int
    value: str


def _find(match: re.Match[str], group: int) -> Find:
    return Find(match.start(group), match.end(group), match[group])


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


def locate(name: str, *, line: str, detectors: Detectors) -> Iterator[Find]:
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


def _locate_named(line: str, detectors: Detectors) -> Iterator[Find]:
    """Yields the values that stand after the name of a credential, or before it."""
    begins = [match.start() for match in _NAMES.finditer(line)][_MAX_NAMES::_MAX_NAMES]
    # A line of names alone takes the patterns cubic time, so they get a few names at a time. The
    # patterns are searched for from where a name's word begins, or at least this far before.
    cuts = [0, *(begin - _word_length(line, begin) for begin in begins), len(line)]
    for pattern, group in detectors.keyword_patterns.items():
        is_before = pattern is detectors.value_first
        windows = [(0, len(line))] if is_before else zip(cuts, cuts[1:])
        for start, end in windows:
            match = pattern.search(line, start, end)
            while match:
                find = _named_find(match, group, detectors)
                # The tokens of secrets and keys would be names of credentials too.
                before = line[max(0, match.start() - len(TOKEN_TEXT)) : match.start(group)]
                if find and TOKEN_TEXT not in before + line[match.end(group) : match.end()]:
                    yield find
                match = pattern.search(line, find.end if find else match.end(), end)


def _named_find(match: re.Match[str], group: int, detectors: Detectors) -> Find | None:
    """Returns the value of a name, up to a space where it has no quotes, or None if it is code."""
    find = _find(match, group)
    is_quoted = match.string[find.start - 1 : find.start] in _QUOTES if find.start else False
    if detectors.quotes_required or is_quoted:
        return find
    if not detectors.is_data:
        return None
    # The library's pattern takes all of the line.
    word = find.value.split(None, 1)[0]
    return Find(find.start, find.start + len(word), word)


def _locate_match(match: re.Match[str], *, name: str, plugin: Any) -> Iterator[Find]:
    """Yields the groups that a match of a listed pattern fills, or all of it."""
    if name == "JwtTokenDetector":
        # The pattern stops before the signature.
        if plugin.is_formally_valid(match[0]):
            tail = _JWT_TAIL.match(match.string, match.end())
            yield Find(match.start(), tail.end() if tail else match.end(), match[0])
        return
    groups = [group for group in range(1, match.re.groups + 1) if match[group]]
    if groups and name not in _WHOLE_MATCH:
        yield from (_find(match, group) for group in groups)
        return
    stripped = match[0].lstrip(_EDGES)
    start = match.end() - len(stripped)
    yield Find(start, start + len(stripped.rstrip(_EDGES)), match[groups[0] if groups else 0])
