# -*- coding: utf-8 -*-
'''Usage: tabulon [options] FILE

Options:
    --group COLUMN[,COLUMN...]   make one row per value
    --measure sum(COLUMN)        what to compute (may be repeated)
    --where COLUMN=VALUE         keep only matching rows (may be repeated)
    --sort COLUMN                order the result
    --format text|markdown|html
    --output FILE                write there instead of the terminal
'''
from __future__ import absolute_import, division, print_function

import getopt
import io
import sys

from tabulon.aggregate import Measure, group_by
from tabulon.reader import TableError, read_table
from tabulon.render import RENDERERS

LONG_OPTIONS = ['group=', 'measure=', 'where=', 'sort=', 'format=', 'output=', 'help']


class Settings(object):
    def __init__(self):
        self.group = []
        self.measures = []
        self.conditions = []
        self.sort = None
        self.format = 'text'
        self.output = None
        self.path = None


def parse_arguments(arguments):
    options, rest = getopt.gnu_getopt(arguments, 'h', LONG_OPTIONS)
    settings = Settings()
    for name, value in options:
        if name in ('-h', '--help'):
            print(__doc__)
            raise SystemExit(0)
        elif name == '--group':
            settings.group = [part.strip() for part in value.split(',')]
        elif name == '--measure':
            settings.measures.append(Measure.parse(value))
        elif name == '--where':
            column, equals, wanted = value.partition('=')
            if not equals:
                raise TableError('%r does not look like COLUMN=VALUE' % value)
            settings.conditions.append((column, wanted))
        else:
            setattr(settings, name[2:], value)
    if len(rest) != 1:
        raise TableError('expected one file, got %d' % len(rest))
    if settings.format not in RENDERERS:
        raise TableError('unknown format %r' % settings.format)
    settings.path = rest[0]
    return settings


def report(settings, text):
    '''Everything between the text of the input and the text of the output.'''
    table = read_table(text)
    for column, wanted in settings.conditions:
        table = table.where(column, lambda cell, wanted=wanted: cell.strip() == wanted)
    if settings.group:
        measures = settings.measures or [Measure('count', table.header[0])]
        table = group_by(table, settings.group, measures)
    if settings.sort:
        table = table.sorted_by(settings.sort, key=lambda cell: (cell is None, cell))
    return RENDERERS[settings.format]().render(table), table.warnings


def main(arguments=None):
    try:
        settings = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        with io.open(settings.path, encoding='utf-8-sig') as stream:
            output, warnings = report(settings, stream.read())
    except (getopt.GetoptError, TableError, IOError) as error:
        sys.stderr.write('tabulon: %s\n' % error)
        return 2
    for warning in warnings:
        sys.stderr.write('tabulon: warning: %s\n' % warning)
    if settings.output:
        with io.open(settings.output, 'w', encoding='utf-8') as stream:
            stream.write(output)
    else:
        sys.stdout.write(output)
    return 0


if __name__ == '__main__':
    sys.exit(main())
