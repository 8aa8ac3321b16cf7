r"""Anchors: what a line must hold for a detector to find anything on it.

detect-secrets reads a few hundred kilobytes in a second, line by line. An *anchor* is a pattern
that is a necessary condition for its detector: no line without a match of the anchor can have a
find. The anchors of all detectors together are one pattern of google-re2, which reads a whole file
in one pass, in time linear in its size; only the lines it stops at, the *candidate lines*, are
given to detectors, and of those only the ones whose own anchor matches are run.

Anchors work on bytes, detect-secrets on text, where `\d`, `\s`, `\w` and a letter compared without
case also match some characters beyond ASCII (`K` is `k`, `ſ` is `s`, `ı` is `i`). So wherever a
detector's pattern has one of these the anchor takes any byte from 0x80 on, and counts only the
least number of characters.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

_HIGH = rb"\x80-\xff"
_WORD = rb"[0-9A-Za-z_" + _HIGH + rb"]"
_SPACE = rb"[ \t\x0b\x0c\r\x1c-\x1f" + _HIGH + rb"]"
_DIGIT = rb"[0-9" + _HIGH + rb"]"
_DASHED = rb"[0-9A-Za-z_\-" + _HIGH + rb"]"
_QUOTE = rb"['\"`]"
# The least lengths at which the entropy can exceed 3 and 4.5 bits per character.
_HEX_LENGTH = 9
_BASE64_LENGTH = 23


def _fold(literal: str) -> bytes:
    """Returns a pattern that matches a literal as Python's text patterns do without case."""
    pieces = []
    for letter in literal:
        if letter in "iks":
            pieces.append(f"(?:[{letter}{letter.upper()}]|[\\x80-\\xff]{{2,3}})")
        elif letter.isalpha():
            pieces.append(f"[{letter}{letter.upper()}]")
        else:
            pieces.append(letter)
    return "".join(pieces).encode("ascii")


# The names that `detect_secrets.plugins.keyword` takes for a credential's.
_KEYWORD = (
    b"(?:"
    + b"|".join(
        _fold(name)
        for name in (
            "api_?key", "auth_?key", "service_?key", "account_?key", "db_?key", "database_?key",
            "priv_?key", "private_?key", "client_?key", "db_?pass", "database_?pass", "key_?pass",
            "password", "passwd", "pwd", "secret", "contrasena",
        )
    )
    + rb"|[cC][oO][nN][tT][rR][aA](?:[sS]|[\x80-\xff]{2})[eE][\x80-\xff]{2}[aA])"
)  # fmt: skip
# A name in quotes, a colon or equal signs, a quote; or the same turned round; or `name …"value";`.
_KEYWORD_QUOTED = (
    _KEYWORD + _WORD + rb"*(?:[\]'\"]{0,2}(?::|" + _SPACE + rb"*(?:={1,3}|=>|!={1,2}))" + _SPACE
    + rb"*" + _QUOTE + rb"|[^\n]*" + _QUOTE + rb";)|" + _QUOTE + _SPACE + rb"*[!=]{2,3}"
    + _SPACE + rb"*" + _WORD + rb"*" + _KEYWORD
)  # fmt: skip
# `<prefix>key = <value>` of Cloudant, SoftLayer and the two of IBM: values of 24 to 64 characters.
_ASSIGNMENT = (
    b"(?:" + b"|".join(_fold(name) for name in ("key", "pwd", "pw", "password", "pass", "token"))
    + rb")[\"']?\]? *(?:=|:|:=|=>|::| ) *[\"']?" + _DASHED + rb"{24}"
)  # fmt: skip
_USER_INFO = rb"[^:/?#\[\]@!$&'()*+,;=\s]+"
_EDGE = rb"(?:(?m:^)|[\s=:\"\x0b\x1c-\x1f" + _HIGH + rb"])"

SECRET_ANCHORS = {
    "ArtifactoryDetector": _EDGE
    + rb"A(?:KC[a-zA-Z0-9]{10}|P(?:[0-9A-F]|[\x80-\xff]{2,4})[a-zA-Z0-9]{8})",
    "AWSKeyDetector": rb"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}|"
    + _fold("aws")
    + rb"[^\n]*['\"][0-9a-zA-Z/+"
    + _HIGH
    + rb"]{40}",
    "AzureStorageKeyDetector": rb"AccountKey=[a-zA-Z0-9+/=]{88}",
    "BasicAuthDetector": rb"://" + _USER_INFO + rb":" + _USER_INFO + rb"@",
    "CloudantDetector": _ASSIGNMENT + rb"|" + _fold("cloudant") + rb"\." + _fold("com"),
    "DiscordBotTokenDetector": rb"\.(?:"
    + _DASHED
    + rb"{6}|"
    + _DASHED
    + rb"*[\x80-\xff]"
    + _DASHED
    + rb"*)\."
    + _DASHED
    + rb"{27}",
    "GitHubTokenDetector": rb"gh[pousr]_[A-Za-z0-9_]{36}",
    "GitLabTokenDetector": rb"(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941)"
    rb"[A-Za-z0-9_\-]{20}",
    "IbmCloudIamDetector": _ASSIGNMENT,
    "IbmCosHmacDetector": _ASSIGNMENT,
    "JwtTokenDetector": rb"eyJ[A-Za-z0-9\-_=]+\.[A-Za-z0-9\-_=]",
    "MailchimpDetector": rb"-us[0-9]",
    "NpmDetector": rb"/:_authToken=",
    "OpenAIDetector": rb"T3BlbkFJ[A-Za-z0-9]{20}",
    "PypiTokenDetector": rb"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)",
    "SendGridDetector": rb"SG\.[a-zA-Z0-9_\-]{22}\.[a-zA-Z0-9_\-]{43}",
    "SlackDetector": _fold("xox")
    + rb"(?:[abporsABPORS]|[\x80-\xff]{2,3})-"
    + _DIGIT
    + rb"|"
    + _fold("hooks")
    + rb"\."
    + _fold("slack")
    + rb"\."
    + _fold("com/services/t"),
    "SoftlayerDetector": _ASSIGNMENT + rb"|" + _fold("softlayer") + rb"[^\n]*" + _fold("soap/"),
    "SquareOAuthDetector": rb"sq0csp-[0-9A-Za-z\\\-_]{43}",
    "StripeDetector": rb"[rs]k_live_[0-9a-zA-Z]{24}",
    "TelegramBotTokenDetector": _DIGIT + rb":[0-9A-Za-z_\-]{35}",
    "TwilioKeyDetector": rb"(?:AC|SK)[a-z0-9]{32}",
    "HexHighEntropyString": b"|".join(
        quote + b"[0-9a-fA-F]{%d}[0-9a-fA-F]*" % _HEX_LENGTH + quote for quote in (b"'", b'"')
    ),
    "Base64HighEntropyString": b"|".join(
        quote + rb"[A-Za-z0-9+/\\\-_=]{%d}[A-Za-z0-9+/\\\-_=]*" % _BASE64_LENGTH + quote
        for quote in (b"'", b'"')
    ),
}
KEYWORD_DETECTOR = "KeywordDetector"
# Of what this project finds itself; those of keys stand on the line before the first of a key.
KEY_ANCHORS = (b"PRIVATE KEY", b"Private-Lines: ")
_OTHER_ANCHORS = (
    *KEY_ANCHORS,
    rb"[0-9A-Za-z_+\-.]@[0-9A-Za-z]",
    rb"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
    rb"[23][0-9a-fA-F]{3}:[0-9a-fA-F:]",
)


class Anchors(NamedTuple):
    """The compiled anchors for one kind of file.

    Attributes:
      any_anchor: The re2 pattern of them all.
      detectors: The re2 set of those of detect-secrets.
      names: The detector of each member of the set.
    """

    any_anchor: Any
    detectors: Any
    names: tuple[str, ...]


def _options() -> Any:
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    # A limit: what the automaton takes on code is some 20 MB.
    options.max_mem = 256 << 20
    return options


@functools.lru_cache(maxsize=2)
def load(quotes_required: bool) -> Anchors:
    """Compiles the anchors; a process does it once.

    Args:
      quotes_required: detect-secrets looks for credentials by name only before quoted values in
        files of this kind.

    Returns:
      The anchors.
    """
    import re2

    keyword = _KEYWORD_QUOTED if quotes_required else _KEYWORD
    patterns = {**SECRET_ANCHORS, KEYWORD_DETECTOR: keyword}
    detectors = re2.Set.SearchSet(_options())
    for pattern in patterns.values():
        detectors.Add(pattern)
    detectors.Compile()
    # Detectors that share an anchor need it once.
    distinct = dict.fromkeys((*patterns.values(), *_OTHER_ANCHORS))
    together = b"|".join(b"(?:" + pattern + b")" for pattern in distinct)
    return Anchors(re2.compile(together, options=_options()), detectors, tuple(patterns))


def candidate_lines(content: bytes, anchors: Anchors) -> Iterator[tuple[int, int]]:
    r"""Yields the lines that some detector must look at.

    Args:
      content: UTF-8 text.
      anchors: What the detectors need.

    Yields:
      `(start, end)` of each such line in order, without its `\n`.
    """
    done = 0
    while True:
        match = anchors.any_anchor.search(content, done)
        if match is None:
            return
        start = content.rfind(b"\n", 0, match.start()) + 1
        end = content.find(b"\n", match.end())
        end = len(content) if end < 0 else end
        yield start, end
        done = end + 1
        if done >= len(content):
            return


def detectors_for(line: bytes, anchors: Anchors) -> list[str]:
    """Returns the names of the detect-secrets detectors whose anchors match a line, sorted."""
    return sorted(anchors.names[index] for index in anchors.detectors.Match(line) or ())
