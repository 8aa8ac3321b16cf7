# -*- coding: utf-8 -*-
import datetime
from decimal import Decimal
from unittest import TestCase, main

from tabulon.aggregate import Measure, group_by, pivot, with_share
from tabulon.columns import guess_kind, parse_number
from tabulon.dates import business_days, parse_date, period
from tabulon.main import parse_arguments, report
from tabulon.reader import TableError, guess_delimiter, read_table
from tabulon.render import HtmlRenderer, MarkdownRenderer, TextRenderer

SALES = u'''\
region;month;amount
north;2020-01;1.200,50
south;2020-01;300,00
north;2020-02;99,50
south;2020-02
'''


class ReadingTest(TestCase):
    def test_semicolons_are_noticed(self):
        self.assertEqual(guess_delimiter(SALES.splitlines()), ';')

    def test_short_rows_are_filled_and_reported(self):
        table = read_table(SALES)
        self.assertEqual(table.rows[-1], ['south', '2020-02', ''])
        self.assertEqual(table.warnings, ['row 5 is short by 1'])

    def test_repeated_titles_get_numbers(self):
        self.assertEqual(read_table(u'a,a,\n1,2,3\n').header, ['a', 'a (2)', 'column 3'])

    def test_unknown_columns_are_named(self):
        with self.assertRaisesRegex(TableError, 'there are: region, month, amount'):
            read_table(SALES).column('price')


class ValuesTest(TestCase):
    def test_numbers_of_both_worlds(self):
        for text in ('1234.5', '1,234.5', '1.234,5', '123450%'):
            self.assertEqual(parse_number(text), Decimal('1234.5'))

    def test_kinds(self):
        self.assertEqual(guess_kind(['1', '2', 'n/a']), 'number')
        self.assertEqual(guess_kind(['yes', 'no']), 'boolean')
        self.assertEqual(guess_kind(['3. 4. 21', '2021-04-05']), 'date')
        self.assertEqual(guess_kind(['-', '']), 'text')

    def test_dates(self):
        expected = datetime.date(2021, 4, 3)
        for text in ('2021-04-03', '3.4.2021', '03/04/21', '3rd Apr 2021'):
            self.assertEqual(parse_date(text), expected)
        self.assertEqual(period(expected, 'week'), '2021 W13')
        self.assertEqual(business_days(expected, datetime.date(2021, 4, 12)), 5)


class ReportTest(TestCase):
    def test_group_by_sums_what_is_there(self):
        result = group_by(read_table(SALES), ['region'], [Measure.parse('sum(amount)')])
        self.assertEqual(result.rows, [['north', Decimal('1300.00')], ['south', Decimal('300.00')]])
        self.assertEqual(with_share(result, 'sum(amount)').column('% of sum(amount)'), [81.2, 18.8])

    def test_pivot_fills_the_gaps(self):
        table = read_table(u'who,day,hours\nann,mon,3\nbob,tue,4\n')
        result = pivot(table, 'who', 'day', Measure('sum', 'hours'), fill=0)
        self.assertEqual(result.rows, [['ann', 3, 0], ['bob', 0, 4]])

    def test_renderers(self):
        table = group_by(read_table(u'k,v\na|b,1\n'), ['k'], [Measure('sum', 'v')])
        self.assertIn('---  ------', TextRenderer().render(table))
        self.assertIn(r'| a\|b | 1.00 |', MarkdownRenderer().render(table))
        self.assertIn('<td class="number">1.00</td>', HtmlRenderer().render(table))

    def test_the_whole_way(self):
        settings = parse_arguments(['--where', 'region=south', '--group', 'month', 'sales.csv'])
        text, warnings = report(settings, SALES)
        self.assertEqual(text.splitlines()[2].split(), ['2020-01', '1'])


if __name__ == '__main__':
    main()
