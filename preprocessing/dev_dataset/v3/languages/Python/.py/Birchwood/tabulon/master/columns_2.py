# -*- coding: utf-8 -*-
'''Guessing what kind of value a column holds, and turning text into it.'''
from __future__ import absolute_import, division, print_function

import re
from decimal import Decimal, InvalidOperation

from tabulon import dates

MISSING = frozenset(['', '-', '--', 'n/a', 'na', 'null', 'none', '?'])

TRUE_WORDS = frozenset(['yes', 'y', 'true', 'x'])
FALSE_WORDS = frozenset(['no', 'n', 'false'])

_PLAIN = re.compile(r'^[+-]?\d+(\.\d+)?$')
_ENGLISH = re.compile(r'^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$')
_CONTINENTAL = re.compile(r'^[+-]?\d{1,3}(\.\d{3})*(,\d+)$')


def is_missing(cell):
    return cell.strip().lower() in MISSING


def parse_number(cell):
    '''Reads 1234.5, 1,234.5 and 1.234,5; a percent sign divides by 100.'''
    text = cell.strip().replace(u'\u00a0', '').replace(' ', '')
    divisor = 1
    if text.endswith('%'):
        text, divisor = text[:-1], 100
    if _PLAIN.match(text):
        pass
    elif _ENGLISH.match(text):
        text = text.replace(',', '')
    elif _CONTINENTAL.match(text):
        text = text.replace('.', '').replace(',', '.')
    else:
        raise ValueError('%r is not a number' % cell)
    try:
        return Decimal(text) / divisor
    except InvalidOperation:
        raise ValueError('%r is not a number' % cell)


def parse_boolean(cell):
    word = cell.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError('%r is neither yes nor no' % cell)


PARSERS = [
    ('boolean', parse_boolean),
    ('number', parse_number),
    ('date', dates.parse_date),
    ('text', lambda cell: cell.strip()),
]


def guess_kind(cells, tolerance=0.0):
    '''The first kind that reads all cells but a fraction `tolerance`.

    Missing cells count neither way. A column without any value is text.
    '''
    present = [cell for cell in cells if not is_missing(cell)]
    if not present:
        return 'text'
    for kind, parser in PARSERS:
        failures = 0
        for cell in present:
            try:
                parser(cell)
            except ValueError:
                failures += 1
        if failures <= tolerance * len(present):
            return kind
    return 'text'


def convert(cells, kind):
    '''Values of a column; None where a cell is missing or unreadable.'''
    parser = dict(PARSERS)[kind]
    values = []
    for cell in cells:
        if is_missing(cell):
            values.append(None)
            continue
        try:
            values.append(parser(cell))
        except ValueError:
            values.append(None)
    return values
