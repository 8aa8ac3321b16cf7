"""Decides what to buy: which articles ran low, and how many to order.

Two rules are offered. The *fixed point* rule orders a set quantity as soon as
the count falls to the reorder point. The *days of cover* rule looks at how fast
an article left in the last weeks and orders enough for a number of days.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from decimal import Decimal
from typing import Iterable, List, Protocol

from stockroom.ledger import Ledger
from stockroom.models import Article


@dataclasses.dataclass(frozen=True)
class Proposal:
    """One line of a purchase order."""

    article: Article
    quantity: int
    reason: str

    @property
    def cost(self) -> Decimal:
        return self.article.value_of(self.quantity)


class ReorderRule(Protocol):
    """Says how many pieces of an article should be bought; 0 for none."""

    def quantity_for(self, article: Article, ledger: Ledger) -> int:
        ...

    def reason(self) -> str:
        ...


class FixedPointRule:
    """Orders `reorder_quantity` whenever the count is at or below the point."""

    def quantity_for(self, article: Article, ledger: Ledger) -> int:
        in_stock = ledger.count(article.number)
        if article.reorder_quantity == 0 or in_stock > article.reorder_point:
            return 0
        shortfall = article.reorder_point - in_stock + 1
        batches = math.ceil(shortfall / article.reorder_quantity)
        return max(1, batches) * article.reorder_quantity

    def reason(self) -> str:
        return "at or below the reorder point"


class DaysOfCoverRule:
    """Orders what is missing to cover the demand of the coming days."""

    def __init__(self, today: datetime.datetime, cover_days: int = 21, look_back_days: int = 42):
        if cover_days <= 0 or look_back_days <= 0:
            raise ValueError("both periods must be positive")
        self._today = today
        self._cover_days = cover_days
        self._look_back_days = look_back_days

    def quantity_for(self, article: Article, ledger: Ledger) -> int:
        since = self._today - datetime.timedelta(days=self._look_back_days)
        shipped = ledger.turnover(since).get(article.number, 0)
        per_day = shipped / self._look_back_days
        needed = math.ceil(per_day * self._cover_days)
        return max(0, needed - ledger.count(article.number))

    def reason(self) -> str:
        return f"covers {self._cover_days} days of demand"


def propose(articles: Iterable[Article], ledger: Ledger, rule: ReorderRule) -> List[Proposal]:
    """Applies a rule to every article; the dearest lines come first."""
    proposals = []
    for article in articles:
        quantity = rule.quantity_for(article, ledger)
        if quantity > 0:
            proposals.append(Proposal(article, quantity, rule.reason()))
    proposals.sort(key=lambda line: (-line.cost, line.article.number))
    return proposals


def within_budget(proposals: Iterable[Proposal], budget: Decimal) -> List[Proposal]:
    """Keeps lines, in their order, for as long as the money lasts."""
    chosen, left = [], budget
    for line in proposals:
        if line.cost <= left:
            chosen.append(line)
            left -= line.cost
    return chosen
