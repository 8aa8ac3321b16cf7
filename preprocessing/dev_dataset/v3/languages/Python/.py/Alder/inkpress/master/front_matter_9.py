"""Reading the header block that sits above the body of a page.

A page may open with a block fenced by lines of three dashes:

    ---
    title: Winter opening hours
    date: 2018-11-30
    tags: [news, garden]
    draft: no
    ---

Only the small part of YAML that our pages really use is understood. That is
deliberate: a page with a typo should fail loudly instead of turning into a
nested mapping nobody asked for.
"""

import datetime
import re
from typing import Any, Dict, List, NamedTuple, Tuple

FENCE = "---"
_KEY = re.compile(r"^(?P<key>[A-Za-z][\w-]*)\s*:\s*(?P<value>.*)$")
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_TRUE_WORDS = frozenset(["yes", "true", "on"])
_FALSE_WORDS = frozenset(["no", "false", "off"])


class FrontMatterError(ValueError):
    """The header of a page can not be understood."""

    def __init__(self, message: str, line_number: int) -> None:
        super().__init__("line {}: {}".format(line_number, message))
        self.line_number = line_number


class Page(NamedTuple):
    """A page taken apart: what the header says, and the text below it."""

    meta: Dict[str, Any]
    body: str


def split_page(text: str) -> Tuple[List[str], str]:
    """Separate header lines from body text without interpreting either."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != FENCE:
        return [], text
    for index in range(1, len(lines)):
        if lines[index].strip() == FENCE:
            return lines[1:index], "\n".join(lines[index + 1 :]).lstrip("\n")
    raise FrontMatterError("the header is never closed", len(lines))


def parse_scalar(raw: str) -> Any:
    """Turn the text of one value into a bool, number, date, list or string."""
    raw = raw.strip()
    if len(raw) >= 2 and raw[0] == raw[-1] and raw[0] in "\"'":
        return raw[1:-1]
    lowered = raw.lower()
    if lowered in _TRUE_WORDS:
        return True
    if lowered in _FALSE_WORDS:
        return False
    if raw.startswith("[") and raw.endswith("]"):
        items = raw[1:-1].split(",")
        return [parse_scalar(item) for item in items if item.strip()]
    if _DATE.match(raw):
        # An impossible date such as 2019-02-30 raises ValueError here,
        # which the caller reports together with its line number.
        return datetime.date(*(int(part) for part in raw.split("-")))
    for convert in (int, float):
        try:
            return convert(raw)
        except ValueError:
            continue
    return raw


def parse(text: str) -> Page:
    """Parse a whole page.

    >>> parse("---\\ntitle: Hello\\ndraft: yes\\n---\\nBody").meta
    {'title': 'Hello', 'draft': True}
    """
    header, body = split_page(text)
    meta: Dict[str, Any] = {}
    for number, line in enumerate(header, start=2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _KEY.match(line)
        if match is None:
            raise FrontMatterError("expected 'key: value', got {!r}".format(line), number)
        key = match.group("key").lower().replace("-", "_")
        if key in meta:
            raise FrontMatterError("the key {!r} is given twice".format(key), number)
        try:
            meta[key] = parse_scalar(match.group("value"))
        except ValueError as error:
            raise FrontMatterError(str(error), number)
    return Page(meta, body)


def dump(meta: Dict[str, Any]) -> str:
    """Write a header block; ``parse(dump(meta))`` gives the same mapping back."""

    def show(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, (list, tuple)):
            return "[" + ", ".join(show(item) for item in value) + "]"
        if isinstance(value, str) and parse_scalar(value) != value:
            return '"' + value + '"'
        return str(value)

    rows = ["{}: {}".format(key, show(value)) for key, value in meta.items()]
    return "\n".join([FENCE] + rows + [FENCE]) + "\n"
