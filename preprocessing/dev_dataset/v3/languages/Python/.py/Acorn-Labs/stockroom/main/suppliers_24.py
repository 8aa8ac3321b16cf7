"""Suppliers, their delivery times, and who is the cheapest for an order."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Dict, Iterable, List, Optional


@dataclasses.dataclass(frozen=True)
class Offer:
    """A price for pieces of one article, perhaps only from some quantity on."""

    article_number: str
    unit_price: Decimal
    minimum_quantity: int = 1


class Supplier:
    def __init__(self, name: str, delivery_days: int, shipping: Decimal = Decimal("0")) -> None:
        self.name = name
        self.delivery_days = delivery_days
        self.shipping = shipping
        self._offers: Dict[str, List[Offer]] = {}

    def add(self, offer: Offer) -> None:
        offers = self._offers.setdefault(offer.article_number, [])
        offers.append(offer)
        offers.sort(key=lambda entry: entry.minimum_quantity)

    def quote(self, article_number: str, quantity: int) -> Optional[Decimal]:
        """Total with shipping, or None when nothing is offered for so few pieces."""
        price = None
        for offer in self._offers.get(article_number, []):
            if offer.minimum_quantity <= quantity:
                price = offer.unit_price
        return None if price is None else price * quantity + self.shipping

    def arrival(self, ordered_on: datetime.date) -> datetime.date:
        """Day of delivery; weekends do not count."""
        day, left = ordered_on, self.delivery_days
        while left > 0:
            day += datetime.timedelta(days=1)
            if day.weekday() < 5:
                left -= 1
        return day


def cheapest(
    suppliers: Iterable[Supplier],
    article_number: str,
    *,
    quantity: int,
    needed_by: Optional[datetime.date] = None,
    today: Optional[datetime.date] = None,
) -> Optional[Supplier]:
    """The supplier with the lowest total among those that deliver in time."""
    today = today or datetime.date.today()
    best, best_total = None, None
    for supplier in suppliers:
        total = supplier.quote(article_number, quantity)
        if total is None or (needed_by is not None and supplier.arrival(today) > needed_by):
            continue
        if best_total is None or total < best_total:
            best, best_total = supplier, total
    return best
