"""Things a player can carry, open, light or read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional


@dataclass
class Item:
  """A thing with a name, other names it answers to, and a weight."""

  name: str
  description: str
  aliases: List[str] = field(default_factory=list)
  weight: int = 1
  fixed: bool = False
  states: Dict[str, bool] = field(default_factory=dict)

  def answers_to(self, word: str) -> bool:
    return word == self.name or word in self.aliases

  def toggle(self, state: str) -> bool:
    """Flips a state such as `lit`; returns its new value."""
    if state not in self.states:
      raise KeyError(f'{self.name} cannot be {state}')
    self.states[state] = not self.states[state]
    return self.states[state]

  def article(self) -> str:
    return ('an ' if self.name[0] in 'aeiou' else 'a ') + self.name


@dataclass
class Container(Item):
  """An item with others inside, which show only while it is open."""

  contents: List[Item] = field(default_factory=list)
  capacity: int = 10
  key: Optional[str] = None

  def __post_init__(self):
    self.states.setdefault('open', False)

  def unlock_with(self, item: Item) -> bool:
    if self.key is not None and item.name == self.key:
      self.key = None
      return True
    return False

  def put(self, item: Item) -> None:
    used = sum(inner.weight for inner in self.contents)
    if used + item.weight > self.capacity:
      raise OverflowError(f'the {item.name} does not fit into the {self.name}')
    self.contents.append(item)

  def visible(self) -> Iterator[Item]:
    if self.states['open']:
      yield from self.contents


class Inventory:
  """What the player holds; too much weight makes it refuse."""

  def __init__(self, limit: int = 12):
    self.limit = limit
    self._items: List[Item] = []

  def __iter__(self) -> Iterator[Item]:
    return iter(self._items)

  def __contains__(self, name: str) -> bool:
    return self.find(name) is not None

  @property
  def weight(self) -> int:
    return sum(item.weight for item in self._items)

  def find(self, word: str) -> Optional[Item]:
    for item in self._items:
      if item.answers_to(word):
        return item
    return None

  def add(self, item: Item) -> bool:
    if item.fixed or self.weight + item.weight > self.limit:
      return False
    self._items.append(item)
    return True

  def remove(self, word: str) -> Optional[Item]:
    item = self.find(word)
    if item is not None:
      self._items.remove(item)
    return item

  def describe(self) -> str:
    if not self._items:
      return 'Your hands are empty.'
    return 'You carry ' + join_words([item.article() for item in self._items]) + '.'


def join_words(words: List[str]) -> str:
  """Joins words as a person would: commas, and "and" before the last."""
  if len(words) < 2:
    return ''.join(words)
  return ', '.join(words[:-1]) + ' and ' + words[-1]
