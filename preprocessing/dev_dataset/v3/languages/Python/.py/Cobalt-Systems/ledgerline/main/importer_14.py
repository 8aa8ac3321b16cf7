"""Turning bank statements (CSV) into transactions.

Each bank exports other column names; a `Profile` describes one of them. Rows
that were imported before are recognised by their fingerprint, so importing an
overlapping statement twice is harmless.
"""

import csv
import datetime
import hashlib
import io
import logging
import re
from dataclasses import dataclass, field
from typing import Iterable, Iterator, List, Pattern, Set, Tuple

from ledgerline.journal import Transaction, transfer
from ledgerline.money import Money

logger = logging.getLogger(__name__)

FALLBACK_ACCOUNT = 'expenses:uncategorised'


@dataclass(frozen=True)
class Profile:
    """How one bank writes its statements.

    Attributes:
        decimal_comma: Whether ``1.234,56`` is meant where others write ``1,234.56``.
    """

    account: str
    currency: str
    date_column: str = 'Date'
    date_format: str = '%Y-%m-%d'
    amount_column: str = 'Amount'
    text_column: str = 'Description'
    delimiter: str = ','
    decimal_comma: bool = False

    def read_amount(self, raw: str) -> Money:
        cleaned = raw.strip().replace('\u00a0', '').replace(' ', '')
        if self.decimal_comma:
            cleaned = cleaned.replace('.', '').replace(',', '.')
        else:
            cleaned = cleaned.replace(',', '')
        return Money.parse(f'{cleaned} {self.currency}')


@dataclass
class Rules:
    """Ordered patterns that choose the other side of a transaction."""

    patterns: List[Tuple[Pattern, str]] = field(default_factory=list)

    def add(self, pattern: str, account: str) -> None:
        self.patterns.append((re.compile(pattern, re.IGNORECASE), account))

    def classify(self, text: str) -> str:
        for pattern, account in self.patterns:
            if pattern.search(text):
                return account
        return FALLBACK_ACCOUNT


def fingerprint(profile: Profile, row: dict, occurrence: int) -> str:
    """Identity of a statement row.

    Two equal coffees on one day are two payments, so the row's position among
    its equals is part of the identity.
    """
    parts = [
        profile.account,
        row[profile.date_column],
        row[profile.amount_column],
        ' '.join(row[profile.text_column].split()),
        str(occurrence),
    ]
    return hashlib.sha256('\x1f'.join(parts).encode('utf-8')).hexdigest()


class Importer:
    """Reads statements of one profile, remembering what it has seen."""

    def __init__(self, profile: Profile, rules: Rules, seen: Iterable[str] = ()) -> None:
        self.profile = profile
        self.rules = rules
        self.seen: Set[str] = set(seen)
        self.skipped = 0

    def read(self, text: str) -> Iterator[Transaction]:
        """Yields a transaction for each new row.

        Args:
            text: The whole statement.

        Raises:
            ValueError: A column is missing, or a row can not be read; the
                message names the line.
        """
        profile = self.profile
        reader = csv.DictReader(io.StringIO(text), delimiter=profile.delimiter)
        wanted = {profile.date_column, profile.amount_column, profile.text_column}
        absent = wanted - set(reader.fieldnames or ())
        if absent:
            raise ValueError(f'statement lacks the columns {sorted(absent)}')
        equals: dict = {}
        for row in reader:
            key = tuple(row[column] for column in sorted(wanted))
            equals[key] = equals.get(key, 0) + 1
            identity = fingerprint(profile, row, equals[key])
            if identity in self.seen:
                self.skipped += 1
                continue
            try:
                transaction = self._convert(row)
            except ValueError as error:
                raise ValueError(f'line {reader.line_num}: {error}') from error
            self.seen.add(identity)
            yield transaction
        logger.info('%s: %d rows were known already', profile.account, self.skipped)

    def _convert(self, row: dict) -> Transaction:
        profile = self.profile
        date = datetime.datetime.strptime(row[profile.date_column], profile.date_format).date()
        amount = profile.read_amount(row[profile.amount_column])
        text = ' '.join(row[profile.text_column].split())
        other = self.rules.classify(text)
        if amount.minor < 0:
            return transfer(date, profile.account, other, -amount, text)
        return transfer(date, other, profile.account, amount, text)
