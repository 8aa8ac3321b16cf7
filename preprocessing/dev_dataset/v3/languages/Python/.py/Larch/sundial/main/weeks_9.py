# This file is part of the southern sundial.
#
# It may be used under the terms of the MIT license, see LICENSE.

"""Weeks that begin on a Monday, and what offices count in them."""

import collections
import datetime

ONE_DAY = datetime.timedelta(days=1)
ONE_WEEK = datetime.timedelta(weeks=1)

Week = collections.namedtuple("Week", "year number")


def week_of(date):
    """The week that a date lies in."""
    year, number, _ = date.isocalendar()
    return Week(year, number)


def monday(week):
    """The first day of a week; 4 January is always in week 1."""
    anchor = datetime.date(week.year, 1, 4)
    first = anchor - ONE_DAY * anchor.weekday()
    return first + ONE_WEEK * (week.number - 1)


def weeks_in_year(year):
    """52 or 53: as many as the week of 28 December says."""
    return week_of(datetime.date(year, 12, 28)).number


def shift(week, count):
    """The week that comes so many weeks later, or earlier."""
    return week_of(monday(week) + ONE_WEEK * count)


def days(week):
    """The seven dates of a week."""
    start = monday(week)
    return [start + ONE_DAY * offset for offset in range(7)]


def workdays(week, holidays=()):
    """Dates from Monday to Friday on which the office is open."""
    closed = set(holidays)
    return [day for day in days(week)[:5] if day not in closed]


def between(first, last, holidays=()):
    """Number of working days from one date up to another, both included."""
    if last < first:
        raise ValueError("the last day comes before the first")
    total = 0
    week = week_of(first)
    while monday(week) <= last:
        open_days = workdays(week, holidays)
        total += sum(1 for day in open_days if first <= day <= last)
        week = shift(week, 1)
    return total


def parse(text):
    """Read `2019-W07`; a week that its year does not have is refused."""
    year, _, number = text.partition("-W")
    week = Week(int(year), int(number))
    if not 1 <= week.number <= weeks_in_year(week.year):
        raise ValueError("%d has no week %d" % week)
    return week


def label(week):
    """The inverse of parse."""
    return "%04d-W%02d" % week
