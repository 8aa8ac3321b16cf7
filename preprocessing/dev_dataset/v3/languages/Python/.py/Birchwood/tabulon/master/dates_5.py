# -*- coding: utf-8 -*-
'''Dates as people write them in tables, and periods to group them by.'''
from __future__ import absolute_import, division, print_function

import datetime
import re

MONTHS = [
    'january', 'february', 'march', 'april', 'may', 'june', 'july',
    'august', 'september', 'october', 'november', 'december',
]

_ISO = re.compile(r'^(\d{4})-(\d{1,2})-(\d{1,2})$')
_DOTTED = re.compile(r'^(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{2}|\d{4})$')
_SLASHED = re.compile(r'^(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})$')
_NAMED = re.compile(r'^(\d{1,2})(?:st|nd|rd|th)?\s+([A-Za-z]{3,9})\.?,?\s+(\d{4})$')


def _century(year):
    '''Two digits up to 68 belong to this century, the others to the last.'''
    if year >= 100:
        return year
    return year + (2000 if year <= 68 else 1900)


def _month_number(word):
    word = word.lower()
    for number, name in enumerate(MONTHS, 1):
        if name == word or (len(word) >= 3 and name.startswith(word)):
            return number
    raise ValueError('%r is not a month' % word)


def parse_date(cell, month_first=False):
    text = cell.strip()
    match = _ISO.match(text)
    if match:
        year, month, day = (int(part) for part in match.groups())
        return datetime.date(year, month, day)
    match = _DOTTED.match(text)
    if match:
        day, month, year = (int(part) for part in match.groups())
        return datetime.date(_century(year), month, day)
    match = _SLASHED.match(text)
    if match:
        first, second, year = (int(part) for part in match.groups())
        day, month = (second, first) if month_first else (first, second)
        return datetime.date(_century(year), month, day)
    match = _NAMED.match(text)
    if match:
        day, word, year = match.groups()
        return datetime.date(int(year), _month_number(word), int(day))
    raise ValueError('%r is not a date' % cell)


def period(date, length):
    '''Label of the week, month, quarter or year that a date falls into.

    >>> period(datetime.date(2020, 5, 17), 'quarter')
    '2020 Q2'
    '''
    if length == 'year':
        return '%d' % date.year
    if length == 'quarter':
        return '%d Q%d' % (date.year, (date.month - 1) // 3 + 1)
    if length == 'month':
        return '%d-%02d' % (date.year, date.month)
    if length == 'week':
        year, week, _ = date.isocalendar()
        return '%d W%02d' % (year, week)
    raise ValueError('unknown period %r' % length)


def business_days(start, end, holidays=()):
    '''Number of working days from `start` up to, and without, `end`.'''
    holidays = set(holidays)
    count, day = 0, start
    while day < end:
        if day.weekday() < 5 and day not in holidays:
            count += 1
        day += datetime.timedelta(days=1)
    return count
