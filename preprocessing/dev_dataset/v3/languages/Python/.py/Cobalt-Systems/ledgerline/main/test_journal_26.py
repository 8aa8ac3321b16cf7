import datetime
from decimal import Decimal

import pytest

from ledgerline.accounts import Chart, ClosedAccount, UnknownAccount
from ledgerline.importer import FALLBACK_ACCOUNT, Importer, Profile, Rules
from ledgerline.journal import Journal, Posting, Transaction, UnbalancedTransaction, transfer
from ledgerline.money import CurrencyMismatch, Money
from ledgerline.reports import balance_sheet, income_statement, render

MARCH = datetime.date(2020, 3, 2)
APRIL = datetime.date(2020, 4, 2)


def eur(text):
    return Money.parse(text + ' EUR')


@pytest.fixture
def journal():
    chart = Chart()
    for name in ('assets:bank:giro', 'assets:cash', 'expenses:food', 'income:salary'):
        chart.open(name, 'EUR')
    chart.open(FALLBACK_ACCOUNT, 'EUR')
    return Journal(chart)


class TestMoney:

    def test_round_trip(self):
        assert str(eur('12.50')) == '12.50 EUR'
        assert str(Money.parse('1000 JPY')) == '1000 JPY'

    def test_too_many_digits(self):
        with pytest.raises(ValueError, match='more digits'):
            eur('0.001')

    def test_currencies_do_not_mix(self):
        with pytest.raises(CurrencyMismatch):
            eur('1') + Money.parse('1 USD')

    def test_split_keeps_every_cent(self):
        shares = eur('1.00').split([1, 1, 1])
        assert [share.minor for share in shares] == [34, 33, 33]

    def test_multiplication_rounds_to_even(self):
        assert (eur('0.05') * Decimal('0.5')).minor == 2


class TestJournal:

    def test_transfer_moves_money(self, journal):
        journal.record(transfer(MARCH, 'income:salary', 'assets:bank:giro', eur('2000'), 'pay'))
        journal.record(transfer(APRIL, 'assets:bank:giro', 'expenses:food', eur('30'), 'lunch'))
        assert journal.balances()['assets:bank:giro'] == eur('1970')
        assert journal.balances(until=MARCH)['assets:bank:giro'] == eur('2000')

    def test_unbalanced_is_refused_and_leaves_no_trace(self, journal):
        broken = Transaction(
            MARCH,
            'typo',
            (Posting('assets:cash', eur('10')), Posting('income:salary', eur('-1'))),
        )
        with pytest.raises(UnbalancedTransaction, match='9.00 EUR'):
            journal.record(broken)
        assert len(journal) == 0

    def test_reversal_restores_and_happens_once(self, journal):
        entry = journal.record(
            transfer(MARCH, 'assets:cash', 'expenses:food', eur('5'), 'cake')
        )
        journal.reverse(entry.number, APRIL)
        assert not any(journal.balances().values())
        with pytest.raises(ValueError, match='already by 2'):
            journal.reverse(entry.number, APRIL)

    def test_closed_period(self, journal):
        journal.lock(MARCH)
        with pytest.raises(ValueError, match='closed up to 2020-03-02'):
            journal.record(transfer(MARCH, 'assets:cash', 'expenses:food', eur('5'), 'late'))

    def test_groups_take_no_postings(self, journal):
        with pytest.raises(ClosedAccount):
            journal.record(transfer(MARCH, 'assets:bank', 'expenses:food', eur('5'), 'x'))

    def test_unknown_account_gives_a_hint(self, journal):
        with pytest.raises(UnknownAccount, match='did you mean assets:bank:giro'):
            journal.chart['assets:giro']


def test_importing_twice_adds_nothing(journal):
    profile = Profile('assets:bank:giro', 'EUR', delimiter=';', decimal_comma=True)
    rules = Rules()
    rules.add(r'bakery|grocer', 'expenses:food')
    importer = Importer(profile, rules)
    text = 'Date;Amount;Description\n2020-03-02;-3,20;BAKERY 12\n2020-03-02;-3,20;BAKERY 12\n'
    for transaction in importer.read(text):
        journal.record(transaction)
    assert journal.balances()['expenses:food'] == eur('6.40')
    assert list(importer.read(text)) == []
    assert importer.skipped == 2


def test_reports_agree(journal):
    journal.record(transfer(MARCH, 'income:salary', 'assets:cash', eur('100'), 'pay'))
    journal.record(transfer(MARCH, 'assets:cash', 'expenses:food', eur('40'), 'food'))
    assert income_statement(journal, 'EUR')[-1].amount == eur('60')
    text = render(balance_sheet(journal, 'EUR'), width=40)
    assert text.splitlines()[-1].endswith(' 60.00 EUR')
