"""Puzzles about shelves of books."""

# Two shelves hold books in order of their width, and every book goes
# onto a new one. Here it may be any number of shelves.


def fold_shelves(shelves):
    """Merge all shelves pairwise, as a tournament does."""
    rounds = [list(shelf) for shelf in shelves] or [[]]
    while len(rounds) > 1:
        pairs = zip(rounds[::2], rounds[1::2])
        rest = rounds[len(rounds) // 2 * 2 :]
        rounds = [weave(left, right) for left, right in pairs] + rest
    return rounds[0]


def weave(left, right):
    woven = []
    left, right = left[::-1], right[::-1]
    while left and right:
        woven.append((left if left[-1] <= right[-1] else right).pop())
    return woven + left[::-1] + right[::-1]


def width(shelf, gap=0):
    """Room that a shelf's books need, with a gap between each two."""
    return sum(shelf) + gap * max(0, len(shelf) - 1)
