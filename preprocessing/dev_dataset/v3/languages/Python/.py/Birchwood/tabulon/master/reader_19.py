# -*- coding: utf-8 -*-
'''Reading delimited text of unknown make.

People send files with semicolons, tabs, blank lines on top and a different
number of cells in every row. `read_table` copes with all of that and returns a
`Table`; what it had to mend is listed in `Table.warnings`.
'''
from __future__ import absolute_import, division, print_function

import csv
import io

CANDIDATES = ',;\t|'
SAMPLE_LINES = 20


class TableError(Exception):
    '''The file cannot be understood as a table at all.'''


class Table(object):
    '''Named columns over rows of text.'''

    def __init__(self, header, rows, warnings=None):
        self.header = list(header)
        self.rows = [list(row) for row in rows]
        self.warnings = list(warnings or [])

    def __len__(self):
        return len(self.rows)

    def index(self, name):
        try:
            return self.header.index(name)
        except ValueError:
            known = ', '.join(self.header)
            raise TableError('no column %r; there are: %s' % (name, known))

    def column(self, name):
        position = self.index(name)
        return [row[position] for row in self.rows]

    def select(self, names):
        positions = [self.index(name) for name in names]
        rows = [[row[p] for p in positions] for row in self.rows]
        return Table(names, rows, self.warnings)

    def where(self, name, predicate):
        position = self.index(name)
        return Table(self.header, [r for r in self.rows if predicate(r[position])], self.warnings)

    def sorted_by(self, name, key=None, reverse=False):
        position = self.index(name)
        key = key or (lambda cell: cell)
        rows = sorted(self.rows, key=lambda row: key(row[position]), reverse=reverse)
        return Table(self.header, rows, self.warnings)


def guess_delimiter(lines):
    '''The candidate that splits most lines into the same number of cells.'''
    best, best_score = ',', 0
    for candidate in CANDIDATES:
        counts = [line.count(candidate) for line in lines]
        present = [count for count in counts if count]
        if not present:
            continue
        commonest = max(set(present), key=present.count)
        score = counts.count(commonest) * (1 + commonest)
        if score > best_score:
            best, best_score = candidate, score
    return best


def _unique(names):
    seen, result = {}, []
    for position, name in enumerate(names):
        name = name.strip() or 'column %d' % (position + 1)
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else '%s (%d)' % (name, seen[name]))
    return result


def read_table(text, delimiter=None):
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise TableError('the file holds no rows')
    delimiter = delimiter or guess_delimiter(lines[:SAMPLE_LINES])
    rows = list(csv.reader(io.StringIO('\n'.join(lines)), delimiter=delimiter))
    header, body, warnings = _unique(rows[0]), [], []
    for number, row in enumerate(rows[1:], 2):
        if len(row) < len(header):
            warnings.append('row %d is short by %d' % (number, len(header) - len(row)))
            row = row + [''] * (len(header) - len(row))
        elif len(row) > len(header):
            warnings.append('row %d has %d cells too many' % (number, len(row) - len(header)))
            row = row[:len(header)]
        body.append(row)
    return Table(header, body, warnings)
