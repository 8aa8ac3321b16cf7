# -*- coding: utf-8 -*-
'''Group-by and pivot over tables.'''
from __future__ import absolute_import, division, print_function

from collections import OrderedDict

from tabulon.columns import convert, guess_kind
from tabulon.reader import Table, TableError


def _median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


# Every function gets the values of a group without the missing ones.
FUNCTIONS = {
    'count': len,
    'sum': sum,
    'min': lambda values: min(values) if values else None,
    'max': lambda values: max(values) if values else None,
    'mean': lambda values: sum(values) / len(values) if values else None,
    'median': lambda values: _median(values) if values else None,
    'distinct': lambda values: len(set(values)),
}


class Measure(object):
    '''What to compute over a group, written as "sum(amount)".'''

    def __init__(self, function, column):
        if function not in FUNCTIONS:
            raise TableError('unknown function %r' % function)
        self.function = function
        self.column = column

    @classmethod
    def parse(cls, text):
        function, bracket, rest = text.partition('(')
        if not bracket or not rest.endswith(')'):
            raise TableError('%r does not look like sum(column)' % text)
        return cls(function.strip(), rest[:-1].strip())

    @property
    def title(self):
        return '%s(%s)' % (self.function, self.column)

    def compute(self, values):
        return FUNCTIONS[self.function]([value for value in values if value is not None])


def group_by(table, keys, measures):
    '''A table with one row per combination of the key columns, in order of
    first appearance. Measured columns are read as whatever they look like.
    '''
    positions = [table.index(key) for key in keys]
    converted = {}
    for measure in measures:
        if measure.column not in converted:
            cells = table.column(measure.column)
            converted[measure.column] = convert(cells, guess_kind(cells, tolerance=0.05))
    groups = OrderedDict()
    for number, row in enumerate(table.rows):
        groups.setdefault(tuple(row[p] for p in positions), []).append(number)
    rows = []
    for key, members in groups.items():
        results = [
            measure.compute([converted[measure.column][n] for n in members])
            for measure in measures
        ]
        rows.append(list(key) + results)
    return Table(list(keys) + [measure.title for measure in measures], rows)


def pivot(table, row_key, column_key, measure, fill=None):
    '''Spreads the values of `column_key` over columns.'''
    long_form = group_by(table, [row_key, column_key], [measure])
    titles = sorted(set(long_form.column(column_key)))
    lines = OrderedDict()
    for row_label, column_label, value in long_form.rows:
        lines.setdefault(row_label, {})[column_label] = value
    rows = [
        [label] + [cells.get(title, fill) for title in titles]
        for label, cells in lines.items()
    ]
    return Table([row_key] + titles, rows)


def with_share(table, column):
    '''Adds what part of the column's total each row makes up, in percent.'''
    values = table.column(column)
    total = sum(value for value in values if value is not None)
    if not total:
        raise TableError('the total of %s is zero' % column)
    rows = []
    for row, value in zip(table.rows, values):
        share = None if value is None else round(100.0 * float(value) / float(total), 1)
        rows.append(row + [share])
    return Table(table.header + ['% of ' + column], rows)
