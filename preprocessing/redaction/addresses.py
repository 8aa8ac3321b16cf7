"""Addresses: e-mail, IPv4 and IPv6 on one line of a source file.

What names no one is kept: private, loopback, link-local, documentation, multicast, unspecified and
reserved networks, netmasks, and the resolvers that everybody's code names. The networks are listed
here, since the judgement of the `ipaddress` module differs between releases of Python; the module
does the reading.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterator

from preprocessing.redaction import escapes
from preprocessing.redaction.spans import TOKEN_PREFIX, Span

_KEPT_IPV4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        # Resolvers: Cloudflare, Level 3, Google, Quad9, OpenDNS, AdGuard, 114DNS, AliDNS.
        "1.0.0.1/32", "1.1.1.1/32", "1.0.0.2/31", "1.1.1.2/31", "4.2.2.0/29", "8.8.4.4/32",
        "8.8.8.8/32", "9.9.9.0/24", "149.112.112.0/24", "208.67.220.0/24", "208.67.222.0/24",
        "94.140.14.0/23", "114.114.114.0/23", "223.5.5.5/32", "223.6.6.6/32",
    )
)  # fmt: skip
# Only 2000::/3 is ever asked for: all other networks of IPv6 are of the kept kinds.
_KEPT_IPV6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23", "2001:db8::/32", "3fff::/20",
        "2001:4860:4860::/48", "2606:4700:4700::/48", "2620:fe::/48", "2620:119:35::/48",
        "2620:119:53::/48", "2a10:50c0::/48", "2400:3200::/48",
    )
)  # fmt: skip

_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rb"(?<![0-9.])" + rb"\.".join([_OCTET] * 4) + rb"(?![0-9A-Za-z_]|\.[0-9])")
_IPV6 = re.compile(rb"(?<![:.])[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{2,34}(?![0-9A-Za-z_:]|\.[0-9])")
# What four numbers with dots are when a word before them says so: a release, a chapter, an object
# identifier. At most 24 bytes back.
_NUMBERED = re.compile(
    rb"(?:versions?|release|rev|ver\.?|build|sections?|sec\.|chapter|rfc|oid|identifier|\xc2\xa7|"
    rb"[=<>~!]=)[^0-9A-Za-z\n]{0,8}\Z",
    re.IGNORECASE,
)
_NUMBERED_BYTES = 24
# In prose, without a quote or a sign of a URL before them, four numbers this small are a chapter or
# a release; of all addresses, one in 4,000 is like that.
_SMALL = re.compile(rb"(?:(?:[12]?[0-9]|3[01])(?:\.|\Z)){4}\Z")
_HOST_SIGNS = b"'\"`/@:=[(,"

_LOCAL = rb"[0-9A-Za-z_](?:[0-9A-Za-z._+\-]{0,62}[0-9A-Za-z_+\-])?"
_LABEL = rb"[0-9A-Za-z](?:[0-9A-Za-z\-]{0,61}[0-9A-Za-z])?"
# Labels cannot hold the dots that part them, so that there is one way to match a domain.
_EMAIL = re.compile(
    rb"(?<![0-9A-Za-z._+\-])(" + _LOCAL + rb")@(?:" + _LABEL + rb"\.){1,8}([A-Za-z]{2,24})"
    rb"(?![0-9A-Za-z_@(\[]|-[0-9A-Za-z]|\.[0-9A-Za-z_])"
)  # fmt: skip
_NAMED_ESCAPE = re.compile(rb"\\N\{[0-9A-Za-z -]{1,80}\}\Z")
# `icon@2x.png` and its like.
_FILE_ENDINGS = frozenset(
    b"css csv exe gif gz html ico jar jpeg jpg js json pdf png svg tar tgz txt webp whl xml yaml "
    b"yml".split()
)
# The account of a git server, and OpenSSH's names of algorithms: they stand for no person.
_KEPT_LOCALS = frozenset((b"git", b"hg", b"svn"))
_KEPT_DOMAINS = (b"@openssh.com", b"@libssh.org")


@functools.lru_cache(maxsize=4096)
def _is_kept_ipv4(text: str) -> bool:
    address = ipaddress.IPv4Address(text)
    return any(address in network for network in _KEPT_IPV4)


@functools.lru_cache(maxsize=4096)
def _is_kept_ipv6(text: str) -> bool:
    """Also true of what only looks like an address."""
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return True
    return any(address in network for network in _KEPT_IPV6)


def _is_template(line: bytes, start: int, *, local: bytes) -> bool:
    """Returns whether the name before the `@` is filled in later: `%s@`, `{user}@`, `%(user)s@`."""
    before = line[start - 1 : start] if start else b""
    if before == b"}":
        return not _NAMED_ESCAPE.search(line, max(0, start - 90), start)
    return before in (b"%", b"$") or (before == b")" and len(local) == 1)


def _find_emails(line: bytes) -> Iterator[Span]:
    for match in _EMAIL.finditer(line):
        start = escapes.after_escape(line, match.start())
        local = line[start : match.end(1)]
        if (
            not local
            or _is_template(line, start, local=local)
            or local in _KEPT_LOCALS
            or match[0].endswith(_KEPT_DOMAINS)
            or match[2].lower() in _FILE_ENDINGS
            or TOKEN_PREFIX in match[0]
        ):
            continue
        yield Span(start, match.end(), "email")


def _find_ipv4(line: bytes) -> Iterator[Span]:
    for match in _IPV4.finditer(line):
        start, end = match.span()
        if not escapes.is_boundary(line, start) or _is_kept_ipv4(match[0].decode("ascii")):
            continue
        is_prose = start == 0 or line[start - 1] not in _HOST_SIGNS
        is_network = match[0].endswith(b".0.0")
        if is_network or (is_prose and _SMALL.match(match[0])):
            continue
        if not _NUMBERED.search(line, max(0, start - _NUMBERED_BYTES), start):
            yield Span(start, end, "ipv4")


def _find_ipv6(line: bytes) -> Iterator[Span]:
    for match in _IPV6.finditer(line):
        if escapes.is_boundary(line, match.start()):
            if not _is_kept_ipv6(match[0].decode("ascii")):
                yield Span(*match.span(), "ipv6")


def find_addresses(line: bytes) -> list[Span]:
    """Finds the addresses on one line.

    Args:
      line: UTF-8, without its line end.

    Returns:
      Disjoint spans, by kind and place.

    >>> [line.kind for line in find_addresses(b"joe@here.org 10.0.0.1 81.2.69.160 2a02:8071::7")]
    ['email', 'ipv4', 'ipv6']
    """
    found: list[Span] = []
    if b"@" in line:
        found += _find_emails(line)
    if b"." in line:
        found += _find_ipv4(line)
    if b":" in line:
        found += _find_ipv6(line)
    return found
