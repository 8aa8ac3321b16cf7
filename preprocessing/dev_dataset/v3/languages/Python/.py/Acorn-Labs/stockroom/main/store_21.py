"""SQLite storage for articles and movements."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Iterator, List, Optional, Union

from stockroom.ledger import Ledger
from stockroom.models import Article, Movement, MovementKind, Shelf

_SCHEMA = """
CREATE TABLE IF NOT EXISTS article (
    number TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    unit_price TEXT NOT NULL DEFAULT '0.00',
    reorder_point INTEGER NOT NULL DEFAULT 0,
    reorder_quantity INTEGER NOT NULL DEFAULT 0,
    shelf TEXT
);
CREATE TABLE IF NOT EXISTS movement (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    article_number TEXT NOT NULL REFERENCES article(number),
    kind TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity >= 0),
    happened_at TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS movement_by_article ON movement (article_number, happened_at);
"""


class Store:
    """All reading and writing of the database goes through here."""

    def __init__(self, path: Union[str, Path] = ":memory:") -> None:
        self._connection = sqlite3.connect(str(path))
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits when the block ends well and rolls back when it does not."""
        try:
            yield self._connection
        except Exception:
            self._connection.rollback()
            raise
        else:
            self._connection.commit()

    def save_article(self, article: Article) -> None:
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO article VALUES (?, ?, ?, ?, ?, ?)",
                (
                    article.number,
                    article.title,
                    str(article.unit_price),
                    article.reorder_point,
                    article.reorder_quantity,
                    str(article.shelf) if article.shelf else None,
                ),
            )

    def find_article(self, number: str) -> Optional[Article]:
        row = self._connection.execute(
            "SELECT * FROM article WHERE number = ?", (number,)
        ).fetchone()
        return _article_from(row) if row else None

    def articles(self) -> List[Article]:
        rows = self._connection.execute("SELECT * FROM article ORDER BY number")
        return [_article_from(row) for row in rows]

    def append(self, movement: Movement) -> None:
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO movement (article_number, kind, quantity, happened_at, note)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    movement.article_number,
                    movement.kind.value,
                    movement.quantity,
                    movement.when.isoformat(),
                    movement.note,
                ),
            )

    def load_ledger(self) -> Ledger:
        rows = self._connection.execute("SELECT * FROM movement ORDER BY happened_at, id")
        return Ledger(_movement_from(row) for row in rows)


def _article_from(row: sqlite3.Row) -> Article:
    return Article(
        number=row["number"],
        title=row["title"],
        unit_price=Decimal(row["unit_price"]),
        reorder_point=row["reorder_point"],
        reorder_quantity=row["reorder_quantity"],
        shelf=Shelf.parse(row["shelf"]) if row["shelf"] else None,
    )


def _movement_from(row: sqlite3.Row) -> Movement:
    return Movement(
        article_number=row["article_number"],
        kind=MovementKind(row["kind"]),
        quantity=row["quantity"],
        when=datetime.datetime.fromisoformat(row["happened_at"]),
        note=row["note"],
    )
