"""Balance sheet, income statement and account statements as plain text."""

import datetime
from typing import Dict, Iterator, List, NamedTuple, Optional

from ledgerline.accounts import Account, Kind
from ledgerline.journal import Journal
from ledgerline.money import Money

INDENT = '  '


class Line(NamedTuple):
    """One line of a report; an amount of None makes it a heading."""

    depth: int
    label: str
    amount: Optional[Money]


class StatementRow(NamedTuple):
    date: datetime.date
    description: str
    amount: Money
    running: Money


def subtotals(journal: Journal, currency: str, until: Optional[datetime.date]) -> Dict[str, Money]:
    """Balance of each account including everything below it."""
    totals: Dict[str, Money] = {}
    for name, amount in journal.balances(until).items():
        if amount.currency != currency:
            continue
        parts = name.split(':')
        for end in range(1, len(parts) + 1):
            path = ':'.join(parts[:end])
            totals[path] = totals.get(path, Money(0, currency)) + amount
    return totals


def _section(journal: Journal, kind: Kind, totals: Dict[str, Money]) -> Iterator[Line]:
    for depth, account in journal.chart.walk(kind.value):
        amount = totals.get(account.name)
        if amount is None or (not amount and account.closed):
            continue
        yield Line(depth, account.short_name, amount * kind.sign)


def balance_sheet(journal: Journal, currency: str, until: Optional[datetime.date] = None):
    """Assets on one side, liabilities and equity on the other.

    Income and expenses of the period appear as a single line, so that both
    sides agree even before the books of the year are closed.
    """
    totals = subtotals(journal, currency, until)
    zero = Money(0, currency)
    lines: List[Line] = []
    for kind in (Kind.ASSETS, Kind.LIABILITIES, Kind.EQUITY):
        lines.extend(_section(journal, kind, totals))
    earned = -(totals.get('income', zero) + totals.get('expenses', zero))
    lines.append(Line(1, 'result of the period', earned))
    return lines


def income_statement(journal: Journal, currency: str) -> List[Line]:
    totals = subtotals(journal, currency, None)
    zero = Money(0, currency)
    lines = list(_section(journal, Kind.INCOME, totals))
    lines.extend(_section(journal, Kind.EXPENSES, totals))
    net = -(totals.get('income', zero) + totals.get('expenses', zero))
    lines.append(Line(0, 'profit' if net.minor >= 0 else 'loss', net))
    return lines


def statement(journal: Journal, account: Account) -> Iterator[StatementRow]:
    """Every posting of one account with the balance after it."""
    running = Money(0, account.currency)
    for transaction in journal:
        for posting in transaction.postings:
            if posting.account == account.name:
                running = running + posting.amount
                text = posting.memo or transaction.description
                yield StatementRow(transaction.date, text, posting.amount, running)


def render(lines: List[Line], width: int = 60) -> str:
    """Lays lines out with the amounts flush right."""
    out = []
    for line in lines:
        label = INDENT * line.depth + line.label
        if line.amount is None:
            out.append(label)
            continue
        amount = str(line.amount)
        room = width - len(amount) - 1
        if len(label) > room:
            label = label[: room - 1] + '…'
        out.append(f'{label:<{room}} {amount}')
    return '\n'.join(out)
