import datetime
import unittest
from decimal import Decimal

from stockroom.ledger import Ledger, NotEnoughStock
from stockroom.models import Article, Movement, MovementKind
from stockroom.reorder import DaysOfCoverRule, FixedPointRule, propose, within_budget

NOON = datetime.datetime(2021, 3, 14, 12, tzinfo=datetime.timezone.utc)


def movement(kind, quantity, days=0, number="BO-1001"):
    return Movement(number, MovementKind(kind), quantity, NOON + datetime.timedelta(days=days))


class LedgerTest(unittest.TestCase):
    def test_receiving_and_shipping_change_the_count(self):
        ledger = Ledger()
        self.assertEqual(ledger.record(movement("received", 10)), 10)
        self.assertEqual(ledger.record(movement("shipped", 4, days=1)), 6)

    def test_shipping_more_than_there_is_fails_and_changes_nothing(self):
        ledger = Ledger([movement("received", 2)])
        with self.assertRaises(NotEnoughStock) as caught:
            ledger.record(movement("shipped", 3, days=1))
        self.assertEqual(caught.exception.available, 2)
        self.assertEqual(ledger.count("BO-1001"), 2)

    def test_a_recount_replaces_the_count(self):
        ledger = Ledger([movement("received", 10), movement("counted", 7, days=2)])
        self.assertEqual(ledger.count("BO-1001"), 7)
        self.assertEqual(ledger.shrinkage("BO-1001"), 3)

    def test_late_entries_are_sorted_into_place(self):
        ledger = Ledger([movement("counted", 7, days=2)])
        ledger.record(movement("received", 100, days=1))
        self.assertEqual(ledger.count("BO-1001"), 7)

    def test_counts_at_a_moment_ignore_the_future(self):
        ledger = Ledger([movement("received", 5), movement("received", 5, days=3)])
        self.assertEqual(ledger.count("BO-1001", at=NOON + datetime.timedelta(days=1)), 5)


class ReorderTest(unittest.TestCase):
    def setUp(self):
        self.bolt = Article("BO-1001", "Hex bolt", Decimal("0.10"), 20, 50)
        self.saw = Article("SA-2002", "Hand saw", Decimal("18.00"), 1, 2)

    def test_articles_at_the_point_are_ordered_dearest_first(self):
        ledger = Ledger([movement("received", 20)])
        lines = propose([self.bolt, self.saw], ledger, FixedPointRule())
        self.assertEqual([line.article.number for line in lines], ["SA-2002", "BO-1001"])
        self.assertEqual(lines[1].quantity, 50)

    def test_days_of_cover_follow_demand(self):
        ledger = Ledger([movement("received", 100), movement("shipped", 84, days=1)])
        rule = DaysOfCoverRule(NOON + datetime.timedelta(days=20))
        self.assertEqual(rule.quantity_for(self.bolt, ledger), 42 - 16)

    def test_budget_skips_what_is_too_dear(self):
        lines = propose([self.bolt, self.saw], Ledger(), FixedPointRule())
        self.assertEqual(
            [line.article.number for line in within_budget(lines, Decimal("10.00"))], ["BO-1001"]
        )


if __name__ == "__main__":
    unittest.main()
