"""The game loop: reads commands, changes the world, says what happened."""

from __future__ import annotations

from typing import Callable, Dict, Optional

from lanternfall.items import Container, Inventory, Item
from lanternfall.parser import Command, ParseError, parse
from lanternfall.world import Room, World

Handler = Callable[[Command], str]


class Game:
  """One play-through; `turn` takes a line and returns the answer."""

  def __init__(self, world: World, inventory: Optional[Inventory] = None):
    self.world = world
    self.inventory = inventory or Inventory()
    self.here: Room = world.rooms[world.start]
    self.turns = 0
    self.over = False
    self._handlers: Dict[str, Handler] = {
        'look': lambda command: self.here.describe(self.has_light),
        'inventory': lambda command: self.inventory.describe(),
        'go': self.do_go,
        'take': self.do_take,
        'drop': self.do_drop,
        'examine': self.do_examine,
        'open': self.do_open,
        'unlock': self.do_unlock,
        'light': self.do_light,
        'quit': self.do_quit,
    }

  @property
  def has_light(self) -> bool:
    nearby = list(self.inventory) + self.here.items
    return any(item.states.get('lit') for item in nearby)

  def turn(self, line: str) -> str:
    try:
      command = parse(line)
    except ParseError as error:
      return str(error)
    self.turns += 1
    handler = self._handlers.get(command.verb)
    if handler is None:
      return f'You cannot {command.verb} here.'
    return handler(command)

  def _find(self, word: Optional[str]) -> Optional[Item]:
    if word is None:
      return None
    return self.inventory.find(word) or self.here.find(word)

  def do_go(self, command: Command) -> str:
    direction = command.object or command.target
    if direction not in self.here.exits:
      return 'No way leads there.'
    if direction in self.here.locked:
      return 'The door is locked.'
    self.here.visited = True
    self.here = self.world.rooms[self.here.exits[direction]]
    return self.here.describe(self.has_light, brief=True)

  def do_take(self, command: Command) -> str:
    item = self.here.find(command.object) if command.object else None
    if item is None:
      return 'Nothing of that name lies here.'
    if not self.inventory.add(item):
      return f'The {item.name} will not budge.' if item.fixed else 'You carry too much.'
    self.here.take(item)
    return f'You take the {item.name}.'

  def do_drop(self, command: Command) -> str:
    item = self.inventory.remove(command.object or '')
    if item is None:
      return 'You do not hold that.'
    self.here.items.append(item)
    return f'You put down the {item.name}.'

  def do_examine(self, command: Command) -> str:
    item = self._find(command.object)
    return item.description if item else 'You see no such thing.'

  def do_open(self, command: Command) -> str:
    item = self._find(command.object)
    if not isinstance(item, Container):
      return 'That does not open.'
    if item.key is not None:
      return f'The {item.name} is locked.'
    item.states['open'] = True
    inside = ', '.join(inner.article() for inner in item.contents) or 'nothing'
    return f'Inside the {item.name}: {inside}.'

  def do_unlock(self, command: Command) -> str:
    lock, key = self._find(command.object), self.inventory.find(command.target or '')
    if not isinstance(lock, Container) or lock.key is None:
      return 'There is nothing to unlock about that.'
    if key is None or not lock.unlock_with(key):
      return 'You need another key.'
    return f'The {lock.name} clicks.'

  def do_light(self, command: Command) -> str:
    item = self._find(command.object)
    if item is None or 'lit' not in item.states:
      return 'That does not burn.'
    return f'The {item.name} is ' + ('lit.' if item.toggle('lit') else 'out.')

  def do_quit(self, command: Command) -> str:
    self.over = True
    return f'You leave after {self.turns} turns.'
