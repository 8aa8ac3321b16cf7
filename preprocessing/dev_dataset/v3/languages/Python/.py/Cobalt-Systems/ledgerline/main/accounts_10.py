"""The chart of accounts: a tree of names such as ``assets:bank:giro``."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Dict, Iterator, Optional, Tuple

SEPARATOR = ':'


class Kind(Enum):
    """What an account measures, and so which side makes it grow."""

    ASSETS = 'assets'
    EXPENSES = 'expenses'
    EQUITY = 'equity'
    INCOME = 'income'
    LIABILITIES = 'liabilities'

    @property
    def grows_by_debit(self) -> bool:
        return self in (Kind.ASSETS, Kind.EXPENSES)

    @property
    def sign(self) -> int:
        """Multiplier that shows a stored balance the way people expect it."""
        return 1 if self.grows_by_debit else -1


class UnknownAccount(LookupError):
    """No account has this name."""


class ClosedAccount(ValueError):
    """The account exists but takes no further postings."""


@dataclass
class Account:
    """One node of the chart.

    Attributes:
        name: Full name with every parent.
        currency: Currency of its postings; None for accounts that only group.
        closed: Whether postings are refused.
    """

    name: str
    currency: Optional[str] = None
    closed: bool = False
    children: Dict[str, 'Account'] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> Kind:
        return Kind(self.name.split(SEPARATOR, 1)[0])

    @property
    def depth(self) -> int:
        return self.name.count(SEPARATOR)

    @property
    def short_name(self) -> str:
        return self.name.rsplit(SEPARATOR, 1)[-1]


class Chart:
    """All accounts of one set of books."""

    def __init__(self) -> None:
        self._by_name: Dict[str, Account] = {
            kind.value: Account(kind.value) for kind in Kind
        }

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Account:
        try:
            return self._by_name[name]
        except KeyError:
            hint = self._closest(name)
            extra = f'; did you mean {hint}?' if hint else ''
            raise UnknownAccount(f'no account {name!r}{extra}') from None

    def open(self, name: str, currency: str) -> Account:
        """Opens an account and every group above it that is missing.

        Args:
            name: Full name; the first part must be one of the five kinds.
            currency: Currency of its postings.

        Returns:
            The new account.

        Raises:
            ValueError: The name is malformed or already taken.
        """
        parts = name.split(SEPARATOR)
        if len(parts) < 2 or not all(part.strip() == part and part for part in parts):
            raise ValueError(f'malformed account name {name!r}')
        if parts[0] not in self._by_name:
            raise ValueError(f'{parts[0]!r} is not a kind of account')
        if name in self._by_name and self._by_name[name].currency is not None:
            raise ValueError(f'{name} is open already')
        parent = self._by_name[parts[0]]
        for end in range(2, len(parts) + 1):
            path = SEPARATOR.join(parts[:end])
            account = self._by_name.setdefault(path, Account(path))
            parent.children[parts[end - 1]] = account
            parent = account
        parent.currency = currency
        return parent

    def require_open(self, name: str) -> Account:
        account = self[name]
        if account.currency is None:
            raise ClosedAccount(f'{name} only groups other accounts')
        if account.closed:
            raise ClosedAccount(f'{name} is closed')
        return account

    def walk(self, start: Optional[str] = None) -> Iterator[Tuple[int, Account]]:
        """Yields ``(depth, account)`` parents first, in order of their names."""
        if start is None:
            roots = [self._by_name[kind.value] for kind in Kind]
        else:
            roots = [self[start]]
        stack = list(reversed(roots))
        while stack:
            account = stack.pop()
            yield account.depth, account
            stack.extend(child for _, child in sorted(account.children.items(), reverse=True))

    def _closest(self, name: str) -> Optional[str]:
        tail = name.rsplit(SEPARATOR, 1)[-1].lower()
        for candidate in sorted(self._by_name):
            if candidate.rsplit(SEPARATOR, 1)[-1].lower() == tail:
                return candidate
        return None
