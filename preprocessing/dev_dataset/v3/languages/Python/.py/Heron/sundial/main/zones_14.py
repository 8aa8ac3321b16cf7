# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Clock offsets as people write them: +02:00, UTC-5, Z."""

import datetime
import re

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?")


class BadOffset(ValueError):
    """Nobody's clock is set like that."""


def parse(text):
    """Turn a written offset into a tzinfo.

    >>> parse("UTC-5").utcoffset(None)
    datetime.timedelta(days=-1, seconds=68400)
    """
    text = text.strip()
    if text in ("Z", "UTC", "GMT"):
        return datetime.timezone.utc
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise BadOffset("no offset: %r" % text)
    sign, hours, minutes = match.groups()
    delta = datetime.timedelta(hours=int(hours), minutes=int(minutes or 0))
    if delta > datetime.timedelta(hours=14):
        raise BadOffset("more than fourteen hours: %r" % text)
    return datetime.timezone(-delta if sign == "-" else delta)


def spell(zone):
    """The inverse of parse, always with a colon."""
    seconds = int(zone.utcoffset(None).total_seconds())
    sign = "-" if seconds < 0 else "+"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return "%s%02d:%02d" % (sign, hours, minutes)


def solar_zone(longitude):
    """The offset of true solar time, which a sundial shows, at a longitude in degrees east."""
    if not -180 <= longitude <= 180:
        raise BadOffset("longitude %r is not on this planet" % longitude)
    return datetime.timezone(datetime.timedelta(minutes=round(4 * longitude)))
