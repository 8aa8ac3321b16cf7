"""The detectors of detect-secrets: what anchors let through, and what of it is replaced.

All secrets here are made up, and put together from pieces so that no scanner takes them for real.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import string

import pytest

from preprocessing import redaction
from preprocessing.redaction import anchors, finder
from preprocessing.redaction import detectors as detectors_module

try:
    from re import _constants as sre_constants
    from re import _parser as sre_parse
except ImportError:  # Python 3.9 and 3.10
    import sre_constants
    import sre_parse


def _random_text(seed: str, length: int, alphabet: str = string.ascii_letters + string.digits):
    return "".join(random.Random(seed).choices(alphabet, k=length))


def _base64_json(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


_LOWER = string.ascii_lowercase + string.digits
_HEX = "0123456789abcdef"
_RANDOM_HEX = hashlib.sha256(b"made up").hexdigest()
_JWT = f"{_base64_json({'alg': 'HS256'})}.{_base64_json({'sub': 'joe'})}.{_random_text('sig', 43)}"

# Per detector, a line's parts: before, the secret, after.
PLANTED = {
    "ArtifactoryDetector": ('x = "', "AK" + "C" + _random_text("art", 20), '"'),
    "AWSKeyDetector": ("x = '", "AK" + "IA" + _random_text("aws", 16, string.ascii_uppercase), "'"),
    "AzureStorageKeyDetector": ('x = "', "Account" + "Key=" + _random_text("az", 86) + "==", '"'),
    "Base64HighEntropyString": ('x = "', _random_text("b64!", 40), '"'),
    "BasicAuthDetector": ("x = 'https:" + "//joe:", _random_text("ba", 12), "@here.org/'"),
    "CloudantDetector": ("# cloudant_" + "key = '", _random_text("cl", 64, _HEX), "'"),
    "DiscordBotTokenDetector": (
        "x = '",
        f"M{_random_text('d1', 23)}.{_random_text('d2', 6)}.{_random_text('d3', 27)}",
        "'",
    ),
    "GitHubTokenDetector": ("x = '", "gh" + "p_" + _random_text("gh", 36), "'"),
    "GitLabTokenDetector": ("x = '", "gl" + "pat-" + _random_text("gl", 20), "'"),
    "HexHighEntropyString": ("api_token('", _RANDOM_HEX[:32], "')"),
    "IbmCloudIamDetector": ("# ibm_api_" + "key: ", _random_text("iam", 44), ""),
    "IbmCosHmacDetector": ("# cos_hmac_secret_access_" + "key: ", _random_text("c", 48, _HEX), ""),
    "JwtTokenDetector": ("x = '", _JWT, "'"),
    "KeywordDetector": ("pass" + "word = '", "hun" + "ter2", "'"),
    "MailchimpDetector": ("x = '", _random_text("mc", 32, _LOWER) + "-us12", "'"),
    "NpmDetector": ("'//registry.here.org/:_auth" + "Token=", "npm_" + _random_text("np", 36), "'"),
    "OpenAIDetector": (
        "x = '",
        f"sk-{_random_text('o', 20)}T3Blbk" + f"FJ{_random_text('p', 20)}",
        "'",
    ),
    "PypiTokenDetector": ("x = '", "pypi-AgEIcHlwaS5v" + "cmc" + _random_text("py", 80), "'"),
    "SendGridDetector": ("x = '", "S" + f"G.{_random_text('s', 22)}.{_random_text('g', 43)}", "'"),
    "SlackDetector": ("x = '", "xox" + "b-123456789012-" + _random_text("sl", 24), "'"),
    "SoftlayerDetector": ("# softlayer_api_" + "key: ", _random_text("so", 64, _LOWER), ""),
    "SquareOAuthDetector": ("x = '", "sq0" + "csp-" + _random_text("sq", 43), "'"),
    "StripeDetector": ("x = '", "sk_" + "live_" + _random_text("st", 24), "'"),
    "TelegramBotTokenDetector": ("x = '", "1234509876:" + _random_text("te", 35), "'"),
    "TwilioKeyDetector": ("x = '", "S" + "K" + _random_text("tw", 32, _LOWER), "'"),
}


def _library_values(name: str, line: str, detectors) -> set[str]:
    """What the library itself says of a line, without its settings."""
    plugin = detectors.by_name[name]
    values = set(plugin.analyze_string(line))
    if name in detectors_module.ENTROPY_LIMITS:
        limit = plugin.entropy_limit
        values = {value for value in values if plugin.calculate_shannon_entropy(value) > limit}
    return values


def _find_with_all_detectors(content: bytes, monkeypatch) -> list[redaction.Span]:
    with monkeypatch.context() as patch:
        patch.setattr(anchors, "candidate_lines", lambda text, _: _all_lines(text))
        patch.setattr(anchors, "detectors_for", lambda line, known: sorted(known.names))
        return redaction.find_spans(content, extension=".py")


def _all_lines(content: bytes):
    start = 0
    for line in content.split(b"\n"):
        yield start, start + len(line)
        start += len(line) + 1


def test_every_detector_has_an_anchor_and_a_planted_line():
    known = {*anchors.SECRET_ANCHORS, anchors.KEYWORD_DETECTOR}
    assert set(detectors_module.load(".py").by_name) == known == set(PLANTED)


def test_no_detector_of_the_library_is_forgotten():
    import importlib
    import pkgutil

    from detect_secrets import plugins
    from detect_secrets.plugins import base

    for module in pkgutil.iter_modules(plugins.__path__):
        importlib.import_module(f"detect_secrets.plugins.{module.name}")
    names, todo = set(), [base.BasePlugin]
    while todo:
        children = todo.pop().__subclasses__()
        todo += children
        names |= {child.__name__ for child in children if not child.__abstractmethods__}
    # The two that are left out are found by this project's own patterns.
    left_out = {"IPPublicDetector", "PrivateKeyDetector"}
    assert names - left_out == {*anchors.SECRET_ANCHORS, anchors.KEYWORD_DETECTOR}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_secret_is_found_whole_and_replaced(name):
    before, secret, after = PLANTED[name]
    line = before + secret + after
    detectors = detectors_module.load(".py")
    assert _library_values(name, line, detectors)
    assert name in anchors.detectors_for(line.encode(), anchors.load(True))
    content = f"import os\n{line}\nprint(os)\n".encode()
    spans = redaction.find_spans(content, extension=".py")
    replaced = redaction.replace_spans(content, spans).decode()
    assert replaced == f"import os\n{before}REDACTED_SECRET{after}\nprint(os)\n"
    assert redaction.count_kinds(spans)["secret"] == 1


@pytest.mark.parametrize("name", PLANTED)
def test_anchors_and_all_detectors_on_all_lines_find_the_same(name, monkeypatch):
    lines = [f"'{_random_text(name + str(number), 12)}', {number}" for number in range(40)]
    lines[7:7] = ["".join(PLANTED[name])]
    content = "\n".join(lines).encode()
    spans = redaction.find_spans(content, extension=".py")
    assert spans
    assert spans == _find_with_all_detectors(content, monkeypatch)


@pytest.mark.parametrize("name", PLANTED)
def test_locations_cover_every_value_the_library_names(name):
    detectors = detectors_module.load(".py")
    for planted in PLANTED.values():
        line = "".join(planted)
        finds = list(detectors_module.locate(name, line=line, detectors=detectors))
        assert _library_values(name, line, detectors) <= {find.value for find in finds}
        for find in finds:
            assert find.value.strip('"').startswith(line[find.start : find.start + 3])


class _Sampler:
    """Writes random texts that a pattern of the library matches, or nearly."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.groups: dict[int, str] = {}

    def sample(self, pattern: re.Pattern) -> str:
        self.groups = {}
        self.ignores_case = bool(pattern.flags & re.IGNORECASE)
        return self._sequence(sre_parse.parse(pattern.pattern, pattern.flags))

    def _sequence(self, items) -> str:
        return "".join(self._item(str(kind), value) for kind, value in items)

    def _letter(self, code: int) -> str:
        letter = chr(code)
        if not self.ignores_case:
            return letter
        # What Python's text patterns take for the same letter.
        alike = {"s": "sS\u017f", "k": "kK\u212a", "i": "iI\u0131\u0130"}
        return self.random.choice(alike.get(letter.lower(), letter.lower() + letter.upper()))

    def _item(self, kind: str, value) -> str:
        if kind == "LITERAL":
            return self._letter(value)
        if kind in ("ANY", "NOT_LITERAL"):
            return self.random.choice("aZ0-_./ ")
        if kind == "IN":
            return self._one_of(value)
        if kind == "BRANCH":
            return self._sequence(self.random.choice(value[1]))
        if kind == "SUBPATTERN":
            self.groups[value[0]] = self._sequence(value[3])
            return self.groups[value[0]]
        if kind in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, items = value
            times = self.random.randint(low, min(int(high), low + 3))
            return "".join(self._sequence(items) for _ in range(times))
        if kind == "GROUPREF":
            return self.groups.get(value, "")
        assert kind in ("AT", "ASSERT", "ASSERT_NOT"), kind
        return ""

    def _one_of(self, members) -> str:
        if members[0][0] == sre_constants.NEGATE:
            return self.random.choice("aZ0-_é")
        kind, value = self.random.choice(members)
        if kind == sre_constants.LITERAL:
            return self._letter(value)
        if kind == sre_constants.RANGE:
            return self._letter(self.random.randint(*value))
        texts = {"DIGIT": "07\u0663\u0967", "SPACE": " \t\xa0\u2003", "WORD": "a_9é\u0663"}
        return self.random.choice(next(texts[word] for word in texts if str(value).endswith(word)))


def _patterns(name: str, detectors) -> list[re.Pattern]:
    if name == anchors.KEYWORD_DETECTOR:
        return list(detectors.keyword_patterns)
    plugin = detectors.by_name[name]
    return [plugin.regex] if name in detectors_module.ENTROPY_LIMITS else list(plugin.denylist)


# Only the patterns for names depend on the extension.
@pytest.mark.parametrize(
    ("name", "extension"),
    [(name, ".py") for name in PLANTED]
    + [(anchors.KEYWORD_DETECTOR, extension) for extension in (".yaml", ".go", ".cs", ".cpp")],
)
def test_whatever_matches_a_pattern_of_the_library_matches_its_anchor(name, extension):
    detectors = detectors_module.load(extension)
    known = anchors.load(detectors.quotes_required)
    sampler = _Sampler(name)
    num_matches = 0
    for pattern in _patterns(name, detectors):
        for _ in range(150):
            line = sampler.sample(pattern).replace("\n", " ").replace("\r", " ")
            if name in detectors_module.ENTROPY_LIMITS:
                line = line[:1] + _random_text(line, 20 + len(line), _HEX) + line[-1:]
            if list(detectors_module.locate(name, line=line, detectors=detectors)):
                num_matches += 1
                encoded = line.encode("utf-8", "surrogateescape")
                assert list(anchors.candidate_lines(encoded, known)), line
                assert name in anchors.detectors_for(encoded, known), line
    if name == "JwtTokenDetector":
        return  # no random text is valid JSON
    assert num_matches >= 100 or name == "Base64HighEntropyString"


def test_base64_anchor_takes_the_shortest_text_of_enough_entropy():
    known = anchors.load(True)
    shortest = (string.ascii_letters + "+/")[3:26]
    detectors = detectors_module.load(".py")
    assert _library_values("Base64HighEntropyString", f"'{shortest}'", detectors)
    assert anchors.detectors_for(f"'{shortest}'".encode(), known) == ["Base64HighEntropyString"]
    assert not _library_values("Base64HighEntropyString", f"'{shortest[1:]}'", detectors)


@pytest.mark.parametrize(
    "line",
    [
        f"checksum = '{_RANDOM_HEX}'",
        f"'{_RANDOM_HEX[:40]}',",
        f"sha256_of_key = '{_random_text('k', 40)}'",
        "alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'",
        "name = 'cudaOccupancyMaxPotentialBlockSizeVariableSMemWithFlags'",
        "password = 'password'",
        "password = 'Enter your password 2'",
        "password = '${PASSWORD_1}'",
        "secret = get('a1b2c3d4')",
        "uri = 'mongodb://%s:%s@%s'",
        "uri = f'mongodb://{user}:{password}@{host}'",
        "dna = 'TTTT" + "AK" + "IA" + "CGATTACAGATTACAGCGCGCG'",
        "user_id = 'a3f8c1d90b7e4f6a'",
        "pass" + "word = '123e4567-e89b-12d3-a456-426614174000'",
    ],
)
def test_what_only_looks_like_a_secret_stays(line):
    assert redaction.find_spans(line.encode(), extension=".py") == []


@pytest.mark.parametrize(
    ("value", "is_secret"),
    [
        ("hunter" + "2", True),
        ("Open" + "Sesame!", True),
        ("h" + "unt3", False),
        ("opensesame!", False),
        ("Password", False),
        ("123456", False),
        ("get(name1)", False),
        ("<password1>", False),
        ("two words 2", False),
    ],
)
def test_value_of_a_name_is_a_secret_when_it_looks_like_a_password(value, is_secret):
    line = f"{{'user_pass{'word'}': '{value}'}}".encode()
    assert bool(redaction.find_spans(line, extension=".py")) == is_secret


def test_value_with_escapes_is_replaced_around_them():
    content = ("pass" + "word = 'ab1cdef\\nghij\\x41klmn'\n").encode()
    spans = redaction.find_spans(content, extension=".py")
    expected = b"'REDACTED_SECRET\\nREDACTED_SECRET\\x41REDACTED_SECRET'\n"
    assert redaction.replace_spans(content, spans).endswith(expected)
    assert redaction.count_kinds(spans)["secret"] == 1


def test_second_value_of_a_line_is_found_too():
    line = "{'pass" + "word': 'abc123x', 'sec" + "ret': 'xyz789q', 'api_" + "key': 'k3k3k3k'}"
    spans = redaction.find_spans(line.encode(), extension=".py")
    assert len(spans) == 3


def test_many_names_on_a_line_are_all_found():
    line = ", ".join(f"my_secret_{number}_pass" + f"word='abc{number}def'" for number in range(20))
    assert len(redaction.find_spans(f"f({line})".encode(), extension=".py")) == 20


def test_value_without_quotes_is_a_secret_only_in_configuration():
    line = ("pass" + "word = abc123x  # old").encode()
    assert redaction.find_spans(line, extension=".py") == []
    assert redaction.find_spans(line, extension=".go") == []
    spans = redaction.find_spans(line, extension=".yaml")
    assert [line[span.start : span.end] for span in spans] == [b"abc123x"]
    both = line[:-6] + line[:-6]
    assert len(redaction.find_spans(both, extension=".ini")) == 2


def test_line_too_long_for_the_library_is_left_to_the_other_patterns():
    before, secret, after = PLANTED["StripeDetector"]
    line = before + secret + after
    short = f"{line} # {'a' * (finder.MAX_CREDENTIAL_LINE - len(line) - 3)}"
    assert len(redaction.find_spans(short.encode(), extension=".py")) == 1
    long = f"{line} # joe@here.org {'a' * finder.MAX_CREDENTIAL_LINE}"
    kinds = [span.kind for span in redaction.find_spans(long.encode(), extension=".py")]
    assert kinds == ["email"]


def test_settings_of_the_library_are_not_touched():
    from detect_secrets import settings

    before = settings.get_settings().json()
    redaction.find_spans("".join(PLANTED["KeywordDetector"]).encode(), extension=".py")
    assert settings.get_settings().json() == before
    assert settings.get_settings().plugins == {}
