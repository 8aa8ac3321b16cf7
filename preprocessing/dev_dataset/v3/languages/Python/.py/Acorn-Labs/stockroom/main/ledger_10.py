"""The append-only list of movements and the counts that follow from it."""

from __future__ import annotations

import bisect
import collections
import datetime
from typing import DefaultDict, Dict, Iterable, Iterator, List, Optional

from stockroom.models import Movement, MovementKind


class NotEnoughStock(Exception):
    """Raised when more pieces would leave than the ledger knows of."""

    def __init__(self, article_number: str, wanted: int, available: int) -> None:
        super().__init__(f"{article_number}: {wanted} wanted, {available} in stock")
        self.article_number = article_number
        self.wanted = wanted
        self.available = available


class Ledger:
    """Keeps movements sorted by time and answers questions about counts.

    A `COUNTED` movement does not add to the count, it replaces it: what a
    person counted on the shelf is right, whatever the books said before.
    """

    def __init__(self, movements: Iterable[Movement] = ()) -> None:
        self._by_article: DefaultDict[str, List[Movement]] = collections.defaultdict(list)
        for movement in movements:
            self._insert(movement)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._by_article.values())

    def __iter__(self) -> Iterator[Movement]:
        everything = [row for rows in self._by_article.values() for row in rows]
        return iter(sorted(everything, key=lambda row: (row.when, row.article_number)))

    def record(self, movement: Movement) -> int:
        """Adds one movement and returns the new count of its article.

        Raises:
            NotEnoughStock: the movement would make the count negative.
        """
        if movement.delta < 0:
            available = self.count(movement.article_number, at=movement.when)
            if available < movement.quantity:
                raise NotEnoughStock(movement.article_number, movement.quantity, available)
        self._insert(movement)
        return self.count(movement.article_number)

    def count(self, article_number: str, at: Optional[datetime.datetime] = None) -> int:
        """Number of pieces in stock, now or at some moment in the past."""
        total = 0
        for movement in self._by_article.get(article_number, []):
            if at is not None and movement.when > at:
                break
            if movement.kind is MovementKind.COUNTED:
                total = movement.quantity
            else:
                total += movement.delta
        return total

    def counts(self) -> Dict[str, int]:
        """Current count of every article that ever moved."""
        return {number: self.count(number) for number in sorted(self._by_article)}

    def shrinkage(self, article_number: str) -> int:
        """Pieces that went missing without a movement, found by recounts.

        A positive number means that fewer pieces lay on the shelf than the
        books promised.
        """
        missing, expected = 0, 0
        for movement in self._by_article.get(article_number, []):
            if movement.kind is MovementKind.COUNTED:
                missing += expected - movement.quantity
                expected = movement.quantity
            else:
                expected += movement.delta
        return missing

    def turnover(self, since: datetime.datetime) -> Dict[str, int]:
        """Pieces shipped per article after `since`."""
        shipped: Dict[str, int] = {}
        for number, rows in self._by_article.items():
            pieces = sum(
                row.quantity
                for row in rows
                if row.kind is MovementKind.SHIPPED and row.when > since
            )
            if pieces:
                shipped[number] = pieces
        return shipped

    def _insert(self, movement: Movement) -> None:
        rows = self._by_article[movement.article_number]
        moments = [row.when for row in rows]
        rows.insert(bisect.bisect_right(moments, movement.when), movement)
