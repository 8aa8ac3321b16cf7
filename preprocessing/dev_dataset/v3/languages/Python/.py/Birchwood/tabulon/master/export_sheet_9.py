# -*- coding: utf-8 -*-
'''Writes a table as a spreadsheet in the flat XML form that office programs open.'''
from __future__ import absolute_import, division, print_function

import datetime
import io
from decimal import Decimal
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = 'urn:schemas-microsoft-com:office:spreadsheet'
HEADER = '<?xml version="1.0"?>\n<Workbook xmlns="%s" xmlns:ss="%s">\n' % (NAMESPACE, NAMESPACE)


def cell_type(value):
    '''Name of the type as the format spells it, and the text of the value.'''
    if isinstance(value, bool):
        return 'Boolean', '1' if value else '0'
    if isinstance(value, (int, float, Decimal)):
        return 'Number', str(value)
    if isinstance(value, datetime.date):
        return 'DateTime', value.strftime('%Y-%m-%dT00:00:00.000')
    return 'String', '' if value is None else str(value)


def sheet_name(title, taken):
    '''At most 31 characters, none of []:*?/\\ and no name twice.'''
    name = ''.join(' ' if c in '[]:*?/\\' else c for c in title)[:31].strip() or 'Sheet'
    number, candidate = 2, name
    while candidate.lower() in taken:
        suffix = ' %d' % number
        candidate = name[:31 - len(suffix)] + suffix
        number += 1
    taken.add(candidate.lower())
    return candidate


def write_row(stream, values):
    stream.write('<Row>')
    for value in values:
        kind, text = cell_type(value)
        stream.write('<Cell><Data ss:Type="%s">%s</Data></Cell>' % (kind, escape(text)))
    stream.write('</Row>\n')


def write_workbook(path, tables):
    '''`tables` is a list of pairs of a title and a table.'''
    taken = set()
    with io.open(path, 'w', encoding='utf-8', newline='\n') as stream:
        stream.write(HEADER)
        for title, table in tables:
            name = quoteattr(sheet_name(title, taken))
            stream.write('<Worksheet ss:Name=%s>\n<Table>\n' % name)
            write_row(stream, table.header)
            for row in table.rows:
                write_row(stream, row)
            stream.write('</Table>\n</Worksheet>\n')
        stream.write('</Workbook>\n')
