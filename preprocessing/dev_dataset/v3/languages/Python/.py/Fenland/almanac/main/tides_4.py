"""Tide tables from a handful of measured constituents."""

import bisect
import math
from datetime import datetime, timedelta

from almanac._vendor import dial  # noqa: F401  (re-exported for the web page)

EPOCH = datetime(2010, 1, 1)

# Speed in degrees per hour.
SPEEDS = {"M2": 28.9841042, "S2": 30.0, "N2": 28.4397295, "K1": 15.0410686, "O1": 13.9430356}


class Harbour:
    def __init__(self, name, mean_level, constituents):
        unknown = set(constituents) - set(SPEEDS)
        if unknown:
            raise KeyError(f"no speed for {', '.join(sorted(unknown))}")
        self.name = name
        self.mean_level = mean_level
        self.constituents = dict(constituents)

    def level(self, moment):
        """Metres above the harbour's own zero."""
        hours = (moment - EPOCH) / timedelta(hours=1)
        level = self.mean_level
        for key, (amplitude, phase) in self.constituents.items():
            level += amplitude * math.cos(math.radians(SPEEDS[key] * hours - phase))
        return level

    def turns(self, start, end, step=timedelta(minutes=6)):
        """Yields moment and level of every high and low water."""
        before, here = self.level(start), self.level(start + step)
        moment = start + step
        while moment < end:
            after = self.level(moment + step)
            if (here - before) * (after - here) < 0:
                yield moment, here
            before, here = here, after
            moment += step


def next_high(harbour, moment):
    turns = list(harbour.turns(moment, moment + timedelta(hours=26)))
    heights = [level for _, level in turns]
    return max(turns, key=lambda turn: turn[1]) if heights else None


def nearest(moments, moment):
    """Index of the moment in a sorted list that is closest to another."""
    place = bisect.bisect_left(moments, moment)
    if place == 0:
        return 0
    if place == len(moments):
        return place - 1
    left, right = moments[place - 1], moments[place]
    return place if right - moment < moment - left else place - 1
