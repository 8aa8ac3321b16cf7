"""Deals cards, for the puzzles about hands and tricks."""

import random

# A short deck: the faces do not matter, only their order.
DECK = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]


def deal(players, seed=None):
    """Hands of equal size; what is left over stays on the table."""
    deck = list(DECK)
    random.Random(seed).shuffle(deck)
    size = len(deck) // players
    hands = [sorted(deck[size * place : size * (place + 1)]) for place in range(players)]
    return hands, deck[size * players :]


def tricks(first, second):
    """How many cards of the first hand beat the card of the second that is laid on them."""
    return sum(mine > theirs for mine, theirs in zip(first, second))


def best_order(mine, theirs):
    """Lay the own cards so that as many as possible win against a known order."""
    left = sorted(mine)
    laid = []
    for card in theirs:
        winners = [own for own in left if own > card]
        laid.append(winners[0] if winners else left[0])
        left.remove(laid[-1])
    return laid
