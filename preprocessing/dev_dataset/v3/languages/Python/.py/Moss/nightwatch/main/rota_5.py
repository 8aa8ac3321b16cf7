"""Who has the night shift: everybody in turn, and nobody twice in a week."""

import datetime
import itertools


class Rota:
    """Nights dealt out to a list of people, from a first night on."""

    def __init__(self, people, first):
        if len(set(people)) < 2:
            raise ValueError("one alone cannot take turns")
        self.people = list(people)
        self.first = first
        self.swaps = {}

    def on_duty(self, night):
        """Whose night it is, swaps included."""
        if night in self.swaps:
            return self.swaps[night]
        return self.people[(night - self.first).days % len(self.people)]

    def swap(self, one, other):
        """Two people change nights; a swap can be undone by the same swap."""
        first, second = self.on_duty(one), self.on_duty(other)
        self.swaps[one], self.swaps[other] = second, first

    def nights(self, person, start, count):
        """The next nights of one person."""
        days = (start + datetime.timedelta(days=n) for n in itertools.count())
        mine = (day for day in days if self.on_duty(day) == person)
        return list(itertools.islice(mine, count))


def is_fair(rota, start, days):
    """Whether nobody has more than one night more than anybody else."""
    counts = dict.fromkeys(rota.people, 0)
    for n in range(days):
        counts[rota.on_duty(start + datetime.timedelta(days=n))] += 1
    return max(counts.values()) - min(counts.values()) <= 1
