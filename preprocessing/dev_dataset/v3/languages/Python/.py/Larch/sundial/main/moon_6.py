# SPDX-License-Identifier: MIT
"""Phases of the moon, good to a few hours: enough for a garden clock."""

import datetime
import math

# A new moon that was observed, and the mean time from one to the next.
NEW_MOON = datetime.datetime(2000, 1, 6, 18, 14)
SYNODIC_DAYS = 29.530588853

NAMES = (
    "new moon",
    "waxing crescent",
    "first quarter",
    "waxing gibbous",
    "full moon",
    "waning gibbous",
    "last quarter",
    "waning crescent",
)


def age(moment):
    """Days since the last new moon."""
    passed = (moment - NEW_MOON).total_seconds() / 86400.0
    return passed % SYNODIC_DAYS


def lit(moment):
    """Share of the disc that is lit, from 0 to 1."""
    turn = 2.0 * math.pi * age(moment) / SYNODIC_DAYS
    return (1.0 - math.cos(turn)) / 2.0


def name(moment):
    """The phase in words; each quarter lasts as long as what is between two of them."""
    step = SYNODIC_DAYS / len(NAMES)
    return NAMES[int(age(moment) / step + 0.5) % len(NAMES)]


def next_full(moment):
    """The first full moon after a moment."""
    missing = (SYNODIC_DAYS / 2.0 - age(moment)) % SYNODIC_DAYS
    return moment + datetime.timedelta(days=missing or SYNODIC_DAYS)


def calendar(year, month):
    """Yields every day of a month with its phase at noon."""
    day = datetime.datetime(year, month, 1, 12)
    while day.month == month:
        yield day.date(), name(day)
        day += datetime.timedelta(days=1)


def draw(moment, width=12):
    """A row of characters that shows how much is lit, and from which side."""
    full = round(lit(moment) * width)
    bright, dark = "#" * full, "." * (width - full)
    waxing = age(moment) < SYNODIC_DAYS / 2.0
    return dark + bright if waxing else bright + dark
