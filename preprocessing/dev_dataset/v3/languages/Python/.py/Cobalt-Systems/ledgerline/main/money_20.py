"""Amounts of money that can not be mixed up or rounded by accident."""

from decimal import Decimal, InvalidOperation, ROUND_HALF_EVEN
from functools import total_ordering
from typing import Iterable, List, Union

# Digits after the point. Currencies that are not listed are refused: guessing
# two digits is how a thousand yen becomes ten.
MINOR_UNITS = {
    'CHF': 2,
    'EUR': 2,
    'GBP': 2,
    'JPY': 0,
    'KWD': 3,
    'SEK': 2,
    'USD': 2,
}


class CurrencyMismatch(TypeError):
    """Two amounts of different currencies were combined."""


@total_ordering
class Money:
    """An exact amount in one currency, stored as a count of minor units.

    Attributes:
        minor: Whole number of the smallest unit (cents, for example).
        currency: Three letters, upper case.
    """

    __slots__ = ('minor', 'currency')

    def __init__(self, minor: int, currency: str) -> None:
        if currency not in MINOR_UNITS:
            raise ValueError(f'unknown currency {currency!r}')
        if not isinstance(minor, int) or isinstance(minor, bool):
            raise TypeError('minor units must be a whole number')
        self.minor = minor
        self.currency = currency

    @classmethod
    def parse(cls, text: str) -> 'Money':
        """Reads ``'12.50 EUR'``.

        Args:
            text: Amount and currency with a space between them.

        Returns:
            The amount.

        Raises:
            ValueError: The text has another form, or more digits after the
                point than the currency has.
        """
        try:
            number, currency = text.split()
            value = Decimal(number.replace('_', ''))
        except (ValueError, InvalidOperation):
            raise ValueError(f'not an amount of money: {text!r}') from None
        currency = currency.upper()
        if currency not in MINOR_UNITS:
            raise ValueError(f'unknown currency {currency!r}')
        scaled = value.scaleb(MINOR_UNITS[currency])
        if scaled != scaled.to_integral_value():
            raise ValueError(f'{text!r} has more digits than {currency} allows')
        return cls(int(scaled), currency)

    def _same(self, other: 'Money') -> None:
        if not isinstance(other, Money):
            raise TypeError(f'expected Money, got {type(other).__name__}')
        if other.currency != self.currency:
            raise CurrencyMismatch(f'{self.currency} and {other.currency}')

    def __add__(self, other: 'Money') -> 'Money':
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: 'Money') -> 'Money':
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> 'Money':
        return Money(-self.minor, self.currency)

    def __mul__(self, factor: Union[int, Decimal]) -> 'Money':
        exact = Decimal(self.minor) * Decimal(factor)
        return Money(int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN)), self.currency)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return (self.minor, self.currency) == (other.minor, other.currency)

    def __lt__(self, other: 'Money') -> bool:
        self._same(other)
        return self.minor < other.minor

    def __hash__(self) -> int:
        return hash((self.minor, self.currency))

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        digits = MINOR_UNITS[self.currency]
        return f'{Decimal(self.minor).scaleb(-digits):.{digits}f} {self.currency}'

    def __repr__(self) -> str:
        return f'Money.parse({str(self)!r})'

    def split(self, weights: Iterable[int]) -> List['Money']:
        """Divides without losing a cent; the first shares get what is left over."""
        weights = list(weights)
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError('weights must not be negative, and not all zero')
        shares = [self.minor * weight // total for weight in weights]
        for index in range(self.minor - sum(shares)):
            shares[index % len(shares)] += 1
        return [Money(share, self.currency) for share in shares]
