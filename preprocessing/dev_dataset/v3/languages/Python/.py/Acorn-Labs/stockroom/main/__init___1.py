"""Stockroom: a small inventory service for workshops and warehouses.

The package keeps three ideas apart:

* `models` says what an article, a shelf and a movement are;
* `ledger` is the append-only list of movements from which every count follows;
* `store`, `web` and `cli` put a database, an HTTP interface and a terminal
  around it.
"""

from stockroom.ledger import Ledger, NotEnoughStock
from stockroom.models import Article, Movement, MovementKind, Shelf

__all__ = [
    "Article",
    "Ledger",
    "Movement",
    "MovementKind",
    "NotEnoughStock",
    "Shelf",
]

__version__ = "0.7.2"


def version_tuple() -> tuple:
    """Returns the version as numbers, so that it can be compared."""
    return tuple(int(part) for part in __version__.split("."))
