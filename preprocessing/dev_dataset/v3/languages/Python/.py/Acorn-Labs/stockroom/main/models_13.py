"""What the stockroom talks about: articles, shelves and movements."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import re
from decimal import Decimal
from typing import Any, Dict, Optional

_ARTICLE_NUMBER = re.compile(r"^[A-Z]{2,4}-\d{4,6}$")


class InvalidArticleNumber(ValueError):
    """Raised when an article number does not look like `AB-1234`."""


class MovementKind(enum.Enum):
    """Why the count of an article changed."""

    RECEIVED = "received"
    SHIPPED = "shipped"
    RETURNED = "returned"
    SCRAPPED = "scrapped"
    COUNTED = "counted"

    @property
    def sign(self) -> int:
        """+1 when stock grows, -1 when it shrinks, 0 for a recount."""
        if self in (MovementKind.RECEIVED, MovementKind.RETURNED):
            return 1
        if self in (MovementKind.SHIPPED, MovementKind.SCRAPPED):
            return -1
        return 0


@dataclasses.dataclass(frozen=True)
class Shelf:
    """A place in the building, written as aisle, bay and level."""

    aisle: str
    bay: int
    level: int

    @classmethod
    def parse(cls, label: str) -> "Shelf":
        aisle, bay, level = label.strip().split("/")
        return cls(aisle.upper(), int(bay), int(level))

    def __str__(self) -> str:
        return f"{self.aisle}/{self.bay:02d}/{self.level}"


@dataclasses.dataclass(frozen=True)
class Article:
    """One kind of thing that can be counted."""

    number: str
    title: str
    unit_price: Decimal = Decimal("0.00")
    reorder_point: int = 0
    reorder_quantity: int = 0
    shelf: Optional[Shelf] = None

    def __post_init__(self) -> None:
        if not _ARTICLE_NUMBER.match(self.number):
            raise InvalidArticleNumber(self.number)
        if self.reorder_point < 0 or self.reorder_quantity < 0:
            raise ValueError("reorder settings must not be negative")

    def value_of(self, quantity: int) -> Decimal:
        """What `quantity` pieces of this article are worth."""
        return (self.unit_price * quantity).quantize(Decimal("0.01"))

    def to_json(self) -> Dict[str, Any]:
        return {
            "number": self.number,
            "title": self.title,
            "unitPrice": str(self.unit_price),
            "reorderPoint": self.reorder_point,
            "reorderQuantity": self.reorder_quantity,
            "shelf": str(self.shelf) if self.shelf else None,
        }


@dataclasses.dataclass(frozen=True)
class Movement:
    """A change of stock; `quantity` is always positive, the kind has the sign."""

    article_number: str
    kind: MovementKind
    quantity: int
    when: datetime.datetime
    note: str = ""

    def __post_init__(self) -> None:
        if self.quantity < 0:
            raise ValueError(f"quantity {self.quantity} is negative; choose another kind instead")
        if self.when.tzinfo is None:
            raise ValueError("movements need a time zone")

    @property
    def delta(self) -> int:
        return self.kind.sign * self.quantity
