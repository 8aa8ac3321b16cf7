"""Rooms, the exits between them, and the map they form together."""

from __future__ import annotations

import collections
from typing import Deque, Dict, List, Optional, Set

from lanternfall.items import Container, Item, join_words

OPPOSITE = {
    'north': 'south',
    'east': 'west',
    'up': 'down',
    'in': 'out',
}
OPPOSITE.update({back: there for there, back in list(OPPOSITE.items())})


class Room:

  def __init__(self, key: str, title: str, text: str, dark: bool = False):
    self.key = key
    self.title = title
    self.text = text
    self.dark = dark
    self.visited = False
    self.items: List[Item] = []
    self.exits: Dict[str, str] = {}
    self.locked: Dict[str, str] = {}

  def find(self, word: str) -> Optional[Item]:
    """Looks for an item in the room and in its open containers."""
    for item in self.items:
      if item.answers_to(word):
        return item
      if isinstance(item, Container):
        for inner in item.visible():
          if inner.answers_to(word):
            return inner
    return None

  def take(self, item: Item) -> None:
    if item in self.items:
      self.items.remove(item)
      return
    for holder in self.items:
      if isinstance(holder, Container) and item in holder.contents:
        holder.contents.remove(item)
        return
    raise LookupError(f'no {item.name} in {self.key}')

  def describe(self, has_light: bool, brief: bool = False) -> str:
    if self.dark and not has_light:
      return 'It is pitch dark. Something drips.'
    lines = [self.title]
    if not (brief and self.visited):
      lines.append(self.text)
    loose = [item.article() for item in self.items if not item.fixed]
    if loose:
      lines.append(f'Here lies {join_words(loose)}.')
    if self.exits:
      lines.append('Ways lead ' + join_words(sorted(self.exits)) + '.')
    return '\n'.join(lines)


class World:
  """All rooms by key."""

  def __init__(self, start: str):
    self.start = start
    self.rooms: Dict[str, Room] = {}

  def add(self, room: Room) -> Room:
    if room.key in self.rooms:
      raise ValueError(f'two rooms are called {room.key}')
    self.rooms[room.key] = room
    return room

  def connect(self, first: str, direction: str, second: str, one_way: bool = False) -> None:
    self.rooms[first].exits[direction] = second
    if not one_way:
      self.rooms[second].exits[OPPOSITE[direction]] = first

  def unreachable(self) -> Set[str]:
    """Keys of rooms that no path from the start leads to."""
    seen: Set[str] = {self.start}
    queue: Deque[str] = collections.deque([self.start])
    while queue:
      for neighbour in self.rooms[queue.popleft()].exits.values():
        if neighbour not in seen:
          seen.add(neighbour)
          queue.append(neighbour)
    return set(self.rooms) - seen

  def problems(self) -> List[str]:
    found = []
    for room in self.rooms.values():
      for direction, target in room.exits.items():
        if target not in self.rooms:
          found.append(f'{room.key}: exit {direction} leads to unknown room {target}')
    if not found:
      found.extend(f'{key}: cannot be reached' for key in sorted(self.unreachable()))
    return found
