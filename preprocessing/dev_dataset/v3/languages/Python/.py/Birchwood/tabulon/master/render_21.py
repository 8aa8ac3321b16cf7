# -*- coding: utf-8 -*-
'''Showing a table: plain text, Markdown or HTML.'''
from __future__ import absolute_import, division, print_function

import datetime
from decimal import Decimal
from html import escape

NUMERIC = (int, float, Decimal)


def format_cell(value, decimals=2):
    if value is None:
        return ''
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (float, Decimal)):
        return '{:,.{}f}'.format(value, decimals)
    if isinstance(value, int):
        return '{:,}'.format(value)
    return str(value)


class TextRenderer(object):
    '''Columns padded with spaces; numbers to the right, all else to the left.'''

    separator = '  '

    def __init__(self, decimals=2, max_width=40):
        self.decimals = decimals
        self.max_width = max_width

    def shorten(self, text):
        if len(text) <= self.max_width:
            return text
        return text[:self.max_width - 3] + '...'

    def cells(self, table):
        return [
            [self.shorten(format_cell(value, self.decimals)) for value in row]
            for row in table.rows
        ]

    def alignments(self, table):
        result = []
        for position in range(len(table.header)):
            values = [row[position] for row in table.rows if row[position] is not None]
            numeric = bool(values) and all(isinstance(value, NUMERIC) for value in values)
            result.append('>' if numeric else '<')
        return result

    def line(self, cells, widths, alignments):
        padded = ['{:{}{}}'.format(c, a, w) for c, a, w in zip(cells, alignments, widths)]
        return self.separator.join(padded).rstrip()

    def render(self, table):
        body = self.cells(table)
        columns = zip(*([table.header] + body))
        widths = [max(len(cell) for cell in column) for column in columns]
        alignments = self.alignments(table)
        lines = [self.line(table.header, widths, alignments)]
        lines.append(self.separator.join('-' * width for width in widths))
        lines.extend(self.line(cells, widths, alignments) for cells in body)
        return '\n'.join(lines) + '\n'


class MarkdownRenderer(TextRenderer):
    def render(self, table):
        marks = ['---:' if a == '>' else ':---' for a in self.alignments(table)]
        rows = [table.header, marks] + self.cells(table)
        return ''.join('| %s |\n' % ' | '.join(c.replace('|', r'\|') for c in r) for r in rows)


class HtmlRenderer(TextRenderer):
    def render(self, table):
        parts = ['<table>', '<tr>']
        parts.extend('<th>%s</th>' % escape(title) for title in table.header)
        parts.append('</tr>')
        classes = ['number' if a == '>' else 'text' for a in self.alignments(table)]
        for cells in self.cells(table):
            parts.append('<tr>')
            for css_class, cell in zip(classes, cells):
                parts.append('<td class="%s">%s</td>' % (css_class, escape(cell)))
            parts.append('</tr>')
        parts.append('</table>')
        return '\n'.join(parts) + '\n'


RENDERERS = {'text': TextRenderer, 'markdown': MarkdownRenderer, 'html': HtmlRenderer}
