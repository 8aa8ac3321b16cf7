"""Turn-based fights with dice that can be loaded for tests."""

import random
import re

_DICE = re.compile(r'^(?P<count>\d*)d(?P<sides>\d+)(?P<bonus>[+-]\d+)?$')


class Dice:
  """Dice in the usual notation: `2d6+1` is two six-sided dice and one more."""

  def __init__(self, notation, rng=None):
    match = _DICE.match(notation.replace(' ', ''))
    if match is None:
      raise ValueError('%r is no dice notation' % notation)
    self.count = int(match.group('count') or 1)
    self.sides = int(match.group('sides'))
    self.bonus = int(match.group('bonus') or 0)
    self._rng = rng or random.Random()

  def roll(self):
    return sum(self._rng.randint(1, self.sides) for _ in range(self.count)) + self.bonus

  @property
  def average(self):
    return self.count * (self.sides + 1) / 2.0 + self.bonus


class Fighter:
  def __init__(self, name, health, armour, damage):
    self.name = name
    self.health = health
    self.max_health = health
    self.armour = armour
    self.damage = damage

  @property
  def alive(self):
    return self.health > 0

  def suffer(self, points):
    self.health = max(0, self.health - points)

  def condition(self):
    share = self.health / self.max_health
    for limit, word in ((0.75, 'unhurt'), (0.4, 'bruised'), (0.1, 'bleeding'), (0, 'staggering')):
      if share > limit:
        return word
    return 'defeated'


class Fight:
  """Two fighters take turns; whoever has more health begins."""

  MAX_ROUNDS = 100

  def __init__(self, first, second, rng=None):
    self._rng = rng or random.Random()
    self.order = sorted([first, second], key=lambda f: f.health, reverse=True)
    self.log = []

  def attack(self, attacker, defender):
    luck = self._rng.randint(1, 20)
    if luck != 20 and luck <= defender.armour:
      self.log.append('%s misses.' % attacker.name)
      return 0
    points = max(1, attacker.damage.roll())
    if luck == 20:
      points *= 2
    defender.suffer(points)
    self.log.append('%s hits %s, now %s.' % (attacker.name, defender.name, defender.condition()))
    return points

  def run(self):
    """Returns the winner, or None when nobody falls in the longest fight."""
    for turn in range(2 * self.MAX_ROUNDS):
      attacker, defender = self.order[turn % 2], self.order[(turn + 1) % 2]
      self.attack(attacker, defender)
      if not defender.alive:
        return attacker
    return None


def odds(make_first, make_second, trials=500, seed=0):
  """Share of fights that the first one wins, by trying."""
  rng = random.Random(seed)
  wins = 0
  for _ in range(trials):
    first = make_first(rng)
    if Fight(first, make_second(rng), rng).run() is first:
      wins += 1
  return wins / float(trials)
