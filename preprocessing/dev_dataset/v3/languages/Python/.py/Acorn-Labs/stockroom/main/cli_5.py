"""The `stockroom` command.

Examples:

    stockroom add AB-1234 "Hex bolt M6" --price 0.12 --shelf a/3/2
    stockroom move AB-1234 received 500
    stockroom list --low
"""

from __future__ import annotations

import argparse
import datetime
import sys
from decimal import Decimal, InvalidOperation
from typing import List, Optional

from stockroom import reorder
from stockroom.ledger import NotEnoughStock
from stockroom.models import Article, InvalidArticleNumber, Movement, MovementKind, Shelf
from stockroom.store import Store


def _money(text: str) -> Decimal:
    try:
        return Decimal(text).quantize(Decimal("0.01"))
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of money") from None


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stockroom", description="Keep track of what lies where.")
    parser.add_argument("--database", default="stockroom.sqlite3", help="path of the database")
    commands = parser.add_subparsers(dest="command", required=True)

    add = commands.add_parser("add", help="add an article or change it")
    add.add_argument("number")
    add.add_argument("title")
    add.add_argument("--price", type=_money, default=Decimal("0.00"))
    add.add_argument("--shelf", type=Shelf.parse)
    add.add_argument("--reorder-point", type=int, default=0)
    add.add_argument("--reorder-quantity", type=int, default=0)

    move = commands.add_parser("move", help="record a movement of stock")
    move.add_argument("number")
    move.add_argument("kind", choices=[kind.value for kind in MovementKind])
    move.add_argument("quantity", type=int)
    move.add_argument("--note", default="")

    listing = commands.add_parser("list", help="show counts")
    listing.add_argument("--low", action="store_true", help="only what should be ordered")
    return parser


def run_add(store: Store, options: argparse.Namespace) -> None:
    store.save_article(
        Article(
            number=options.number,
            title=options.title,
            unit_price=options.price,
            reorder_point=options.reorder_point,
            reorder_quantity=options.reorder_quantity,
            shelf=options.shelf,
        )
    )
    print(f"saved {options.number}")


def run_move(store: Store, options: argparse.Namespace) -> None:
    movement = Movement(
        article_number=options.number,
        kind=MovementKind(options.kind),
        quantity=options.quantity,
        when=datetime.datetime.now(datetime.timezone.utc),
        note=options.note,
    )
    count = store.load_ledger().record(movement)
    store.append(movement)
    print(f"{options.number}: {count} in stock")


def run_list(store: Store, options: argparse.Namespace) -> None:
    ledger = store.load_ledger()
    if options.low:
        for line in reorder.propose(store.articles(), ledger, reorder.FixedPointRule()):
            print(f"{line.article.number:<12}{line.quantity:>6}  {line.cost:>10}  {line.reason}")
        return
    for article in store.articles():
        where = article.shelf or "-"
        print(f"{article.number:<12}{ledger.count(article.number):>6}  {where!s:<9}{article.title}")


def main(argv: Optional[List[str]] = None) -> int:
    options = build_parser().parse_args(argv)
    store = Store(options.database)
    try:
        {"add": run_add, "move": run_move, "list": run_list}[options.command](store, options)
    except (InvalidArticleNumber, NotEnoughStock) as error:
        print(f"stockroom: {error}", file=sys.stderr)
        return 1
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
