"""Double-entry bookkeeping: transactions, and the journal that holds them.

A posting with a positive amount is a debit, a negative one a credit. The
postings of a transaction add up to zero in each currency; a journal is
append-only and mistakes are undone by reversing entries, never by deletion.
"""

import datetime
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from ledgerline.accounts import Chart
from ledgerline.money import Money


class UnbalancedTransaction(ValueError):
    """Debits and credits differ."""


@dataclass(frozen=True)
class Posting:
    account: str
    amount: Money
    memo: str = ''


@dataclass(frozen=True)
class Transaction:
    """Several postings that happen together or not at all.

    Attributes:
        number: Position in the journal from 1; 0 before it is recorded.
        reverses: Number of the transaction that this one takes back.
    """

    date: datetime.date
    description: str
    postings: Tuple[Posting, ...]
    number: int = 0
    reverses: Optional[int] = None

    def imbalance(self) -> Dict[str, Money]:
        """What is missing per currency; empty when the transaction is sound."""
        totals: Dict[str, Money] = {}
        for posting in self.postings:
            currency = posting.amount.currency
            totals[currency] = totals.get(currency, Money(0, currency)) + posting.amount
        return {currency: total for currency, total in totals.items() if total}


class Journal:
    """Every transaction of one chart, in the order of recording."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self._transactions: List[Transaction] = []
        self._reversed: Dict[int, int] = {}
        self._locked_until = datetime.date.min

    def __len__(self) -> int:
        return len(self._transactions)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._transactions)

    def lock(self, date: datetime.date) -> None:
        """Closes the books up to and including a day; locks only move forward."""
        self._locked_until = max(self._locked_until, date)

    def record(self, transaction: Transaction) -> Transaction:
        """Checks a transaction and appends it.

        Args:
            transaction: The transaction; its number is ignored.

        Returns:
            The same transaction with its number.

        Raises:
            UnbalancedTransaction: The postings do not add up to zero.
            ValueError: The period is closed, an account does not take the
                currency, or there are fewer than two postings.
        """
        if len(transaction.postings) < 2:
            raise ValueError('a transaction needs at least two postings')
        if transaction.date <= self._locked_until:
            raise ValueError(f'the books are closed up to {self._locked_until}')
        missing = transaction.imbalance()
        if missing:
            listed = ', '.join(str(amount) for amount in missing.values())
            raise UnbalancedTransaction(f'{transaction.description!r} is off by {listed}')
        for posting in transaction.postings:
            account = self.chart.require_open(posting.account)
            if account.currency != posting.amount.currency:
                raise ValueError(f'{account.name} takes {account.currency}, not {posting.amount}')
        recorded = replace(transaction, number=len(self._transactions) + 1)
        self._transactions.append(recorded)
        return recorded

    def reverse(self, number: int, date: datetime.date) -> Transaction:
        """Takes a transaction back by recording its mirror image."""
        if not 1 <= number <= len(self._transactions):
            raise LookupError(f'no transaction {number}')
        if number in self._reversed:
            raise ValueError(f'{number} was reversed already by {self._reversed[number]}')
        original = self._transactions[number - 1]
        mirrored = tuple(
            Posting(posting.account, -posting.amount, posting.memo)
            for posting in original.postings
        )
        text = f'reversal: {original.description}'
        recorded = self.record(Transaction(date, text, mirrored, reverses=number))
        self._reversed[number] = recorded.number
        return recorded

    def balances(self, until: Optional[datetime.date] = None) -> Dict[str, Money]:
        """Sum of the postings of every account that has any."""
        totals: Dict[str, Money] = {}
        for transaction in self._transactions:
            if until is not None and transaction.date > until:
                continue
            for posting in transaction.postings:
                start = totals.get(posting.account, Money(0, posting.amount.currency))
                totals[posting.account] = start + posting.amount
        return totals


def transfer(
    date: datetime.date, source: str, target: str, amount: Money, description: str
) -> Transaction:
    """The most common transaction: an amount moves from one account to another."""
    return Transaction(date, description, (Posting(target, amount), Posting(source, -amount)))


def group_by_month(transactions: Iterable[Transaction]) -> Dict[str, List[Transaction]]:
    months: Dict[str, List[Transaction]] = defaultdict(list)
    for transaction in transactions:
        months[transaction.date.strftime('%Y-%m')].append(transaction)
    return dict(months)
