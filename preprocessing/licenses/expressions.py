"""SPDX expressions: made valid, and judged.

The library `license-expression` parses; this module says what counts as permissive.
"""

from __future__ import annotations

import functools
import re
from typing import Any

PERMISSIVE_RANK, UNKNOWN_RANK, OTHER_RANK = 0, 1, 2

# BSD without the number of its clauses: each of its kinds is permissive.
BSD_UNSPECIFIED = "LicenseRef-BSD-unspecified"
PUBLIC_DOMAIN = "LicenseRef-public-domain"

# The choice: identifiers that stand on real source code, have no copyleft, no limit on the use, and
# ask for no more than that notices be kept or nothing at all. All but our own references are of the
# category "Permissive" or "Public Domain" in the index that license-expression brings along (a test
# looks); of the several hundred there only those that code is commonly under.
PERMISSIVE = frozenset(
    """
    0BSD AFL-2.1 AFL-3.0 Apache-1.1 Apache-2.0 BlueOak-1.0.0 BSD-1-Clause
    BSD-2-Clause BSD-2-Clause-Patent BSD-2-Clause-Views BSD-3-Clause BSD-3-Clause-Clear
    BSD-3-Clause-LBNL BSD-3-Clause-Modification BSD-3-Clause-Open-MPI BSD-4-Clause BSD-4-Clause-UC
    BSD-Source-Code BSL-1.0 bzip2-1.0.6 CC-BY-3.0 CC-BY-4.0 CC-PDDC CC0-1.0 CNRI-Python curl
    ECL-2.0 EFL-2.0 Fair FSFAP FTL HPND HPND-sell-variant ICU IJG ImageMagick Intel ISC JSON
    Libpng libpng-2.0 libtiff MIT MIT-0 MIT-CMU MIT-Modern-Variant MITNFA MS-PL MulanPSL-2.0 NCSA
    NTP OLDAP-2.8 PHP-3.01 PostgreSQL PSF-2.0 Python-2.0 Python-2.0.1 SMLNJ TCL Unicode-3.0
    Unicode-DFS-2015 Unicode-DFS-2016 Unlicense UPL-1.0 W3C W3C-20150513 WTFPL X11 Xnet Zlib
    zlib-acknowledgement ZPL-2.0 ZPL-2.1
    """.split()
) | {BSD_UNSPECIFIED, PUBLIC_DOMAIN}

# How people write what SPDX calls otherwise; in lower case, spaces and underscores as hyphens.
_ALIASES = {
    "apache": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache2.0": "Apache-2.0",
    "apache-license-2.0": "Apache-2.0",
    "apache-license-version-2.0": "Apache-2.0",
    "asl-2.0": "Apache-2.0",
    "boost": "BSL-1.0",
    "bsd": BSD_UNSPECIFIED,
    "bsd-license": BSD_UNSPECIFIED,
    "bsd-style": BSD_UNSPECIFIED,
    "bsd-2": "BSD-2-Clause",
    "bsd2": "BSD-2-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd3": "BSD-3-Clause",
    "3-clause-bsd": "BSD-3-Clause",
    "2-clause-bsd": "BSD-2-Clause",
    "cc0": "CC0-1.0",
    "classpath-exception": "Classpath-exception-2.0",
    "expat": "MIT",
    "gpl": "GPL-1.0-or-later",
    "gpl2": "GPL-2.0-only",
    "gplv2": "GPL-2.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gpl3": "GPL-3.0-only",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "isc-license": "ISC",
    "lgplv2.1": "LGPL-2.1-only",
    "lgplv3": "LGPL-3.0-only",
    "mit-license": "MIT",
    "mpl2": "MPL-2.0",
    "psf": "PSF-2.0",
    "public-domain": PUBLIC_DOMAIN,
    "zlib-license": "Zlib",
}
_LICENSE_REF, _ADDITION_REF = "LicenseRef-", "AdditionRef-"
_NOTHING_SAID = frozenset({"", "none", "noassertion", "unknown"})
_MAX_EXPRESSION_LENGTH = 300
_MAX_NESTING = 20
_OPERATORS = re.compile(r"(\(|\)|/|\||(?<![\w.\-])(?:AND|OR|WITH)(?![\w.\-]))", re.I)
_OTHER = "other"
# Sixteen letters and digits in a row, digits among them.
_COULD_BE_KEY = re.compile(r"(?=[A-Za-z]{0,15}[0-9])[A-Za-z0-9]{16}")
_NOT_IN_IDENTIFIER = re.compile(r"[^A-Za-z0-9.\-]+")


@functools.lru_cache(maxsize=1)
def _licensing() -> Any:
    """The library's parser with the SPDX list; loaded at the first compound or odd expression."""
    import license_expression

    return license_expression.get_spdx_licensing()


@functools.lru_cache(maxsize=1)
def _identifiers() -> dict[str, str]:
    """Every identifier of the SPDX list by its lower case, and what replaced it where it is old."""
    found = {}
    for symbol in _licensing().known_symbols.values():
        for name in (*symbol.aliases, symbol.key):
            found[name.lower()] = symbol.key
    return found


def _identifier(name: str) -> str:
    """Returns the SPDX identifier of one name; what SPDX does not know becomes a reference."""
    text = _NOT_IN_IDENTIFIER.sub("-", name.strip().rstrip("+")).strip("-")
    plus = "+" if name.strip().endswith("+") else ""
    key = text.lower() + plus
    known = _identifiers().get(key) or _ALIASES.get(key)
    if known:
        return known
    if plus:
        # Only the GNU licences have identifiers of their own for later versions.
        known = _identifiers().get(text.lower()) or _ALIASES.get(text.lower())
        if known:
            return known
    for reference in (_LICENSE_REF, _ADDITION_REF):
        if key.startswith(reference.lower()):
            return reference + _own_name(text[len(reference) :])
    return f"{_LICENSE_REF}{_own_name(text)}" if text else ""


def _own_name(name: str) -> str:
    """Returns a name that SPDX does not know, unless it could be a key: names are published."""
    return _OTHER if _COULD_BE_KEY.search(name) else name


def _pieces(text: str) -> list[str]:
    """Cuts an expression into identifiers, operators and parentheses, each as SPDX writes it."""
    pieces = []
    for piece in _OPERATORS.split(text):
        if not piece or piece.isspace():
            continue
        if piece in ("(", ")"):
            pieces.append(piece)
        elif piece in ("/", "|"):
            # Two bars are one operator.
            if not pieces or pieces[-1] != "OR":
                pieces.append("OR")
        elif piece.upper() in ("AND", "OR", "WITH"):
            pieces.append(piece.upper())
        else:
            name = _identifier(piece)
            if pieces and pieces[-1] == "WITH" and name.startswith(_LICENSE_REF):
                name = _ADDITION_REF + name[len(_LICENSE_REF) :]
            pieces.append(name)
    return pieces


@functools.lru_cache(maxsize=4096)
def _parse(expression: str) -> Any:
    """Returns the library's tree of an expression, None if it has none."""
    try:
        return _licensing().parse(expression, validate=False, strict=False)
    # On nonsense the library also lets out assertions and type errors of its own.
    except Exception:  # noqa: BLE001
        return None


@functools.lru_cache(maxsize=4096)
def normalize(text: str) -> str:
    """Returns what someone wrote as a licence as a valid SPDX expression.

    Capitals are set right, old identifiers replaced, `/` and `|` read as `OR`; what SPDX does not
    know becomes `LicenseRef-<name>`.

    Args:
      text: For example the value of an SPDX tag; may be anything.

    Returns:
      The expression; '' if the text says nothing or cannot be read.

    >>> normalize("mit/apache-2.0"), normalize("GPL-2.0+"), normalize("NOASSERTION")
    ('Apache-2.0 OR MIT', 'GPL-2.0-or-later', '')
    """
    text = text.strip()
    if text in PERMISSIVE:
        return text
    if len(text) > _MAX_EXPRESSION_LENGTH or text.count("(") > _MAX_NESTING:
        return ""
    if text.lower() in _NOTHING_SAID:
        return ""
    pieces = _pieces(text)
    if "" in pieces:
        return ""
    tree = _parse(" ".join(pieces).replace("( ", "(").replace(" )", ")"))
    return "" if tree is None else _rendered(tree)


def _operator(tree: Any) -> str:
    """Returns `AND` or `OR`, '' for a single licence."""
    return getattr(tree, "operator", "").strip()


def _rendered(tree: Any) -> str:
    """Writes a tree, the members of `AND` and `OR` sorted, so that order makes no two licences."""
    operator = _operator(tree)
    if not operator:
        return str(tree.render("{symbol.key}"))
    return joined([_rendered(argument) for argument in tree.args], operator=operator)


def _judge(tree: Any) -> bool:
    """Walks a tree: of `OR` one member is enough, of `AND` all count, of `WITH` the licence.

    An addition that SPDX does not know may take away instead of giving: it is not permissive.
    """
    operator = _operator(tree)
    if operator:
        combine = any if operator == "OR" else all
        return combine(_judge(argument) for argument in tree.args)
    exception = getattr(tree, "exception_symbol", None)
    if exception is not None and not exception.is_exception:
        return False
    symbol = getattr(tree, "license_symbol", tree)
    return getattr(symbol, "key", "") in PERMISSIVE


@functools.lru_cache(maxsize=4096)
def is_permissive(expression: str) -> bool:
    """Says whether a licence is permissive.

    Args:
      expression: SPDX expression; '' if unknown.

    Returns:
      Whether one may choose permissive terms throughout; False for unknown.

    >>> is_permissive("MIT AND GPL-2.0-only"), is_permissive("Apache-2.0 WITH LLVM-exception")
    (False, True)
    """
    if expression in PERMISSIVE:
        return True
    if not expression or len(expression) > _MAX_EXPRESSION_LENGTH * _MAX_NESTING:
        return False
    tree = _parse(expression)
    return tree is not None and _judge(tree)


def permissive_rank(expression: str) -> int:
    """Ranks a licence where one of several copies is to be kept: the lowest wins.

    Args:
      expression: SPDX expression; '' if unknown.

    Returns:
      0 for permissive, 1 for unknown, 2 for any other.
    """
    if not expression:
        return UNKNOWN_RANK
    return PERMISSIVE_RANK if is_permissive(expression) else OTHER_RANK


def joined(found: list[str], *, operator: str) -> str:
    """Joins simple licences into one expression, sorted, each once.

    Args:
      found: Identifiers or expressions, valid each.
      operator: `AND` or `OR`.

    Returns:
      The expression; '' for none.
    """
    members = sorted(set(found))
    if len(members) > 1:
        # A member of the same operator needs no parentheses, but is rare: it gets them, too.
        members = [f"({m})" if " AND " in m or " OR " in m else m for m in members]
    return f" {operator} ".join(members)
