# SPDX-License-Identifier: MIT
"""Feasts that move with the moon."""

import datetime

# Days between Easter Sunday and the feast.
OFFSETS = {
    "ash_wednesday": -46,
    "good_friday": -2,
    "easter": 0,
    "ascension": 39,
    "pentecost": 49,
    "corpus_christi": 60,
}


def paschal_moon(year):
    """First full moon of spring by the church's tables, counted in days from 1 March."""
    golden = year % 19
    century = year // 100
    solar = (3 * century + 3) // 4 - 2
    lunar = (8 * century + 13) // 25 - 5
    epact = (19 * golden + solar - lunar + 20) % 30
    # the tables never let two full moons of one cycle fall on the same day
    if epact == 29 or (epact == 28 and golden > 10):
        epact -= 1
    return 20 + epact


def easter(year):
    """Sunday after the paschal moon."""
    if year < 1583:
        raise ValueError("the tables begin in 1583, not in %d" % year)
    moon = datetime.date(year, 3, 1) + datetime.timedelta(days=paschal_moon(year))
    wait = 6 - moon.weekday() or 7
    return moon + datetime.timedelta(days=wait)


def feast(name, year):
    """Date of a movable feast.

    Raises KeyError for a feast that is not in OFFSETS.
    """
    return easter(year) + datetime.timedelta(days=OFFSETS[name])


def feasts(year):
    """All movable feasts of a year, the earliest first."""
    found = [(feast(name, year), name) for name in OFFSETS]
    return sorted(found)
