"""Reads a world from a text file that authors can write without Python.

    room cellar (dark)
      title  The cellar
      text   Shelves of dusty bottles.
             A draught comes from the north.
      exit   up kitchen
      item   lamp: An old oil lamp. [lit=no]
"""

import re

from lanternfall.items import Item
from lanternfall.world import Room, World

_ROOM = re.compile(r'^room\s+(?P<key>\w+)(?P<dark>\s+\(dark\))?$')
_FIELD = re.compile(r'^\s+(?P<name>title|text|exit|item)\s+(?P<value>.*)$')
_STATE = re.compile(r'\[(\w+)=(yes|no)\]')


class SceneError(Exception):
  """A line of a scene file that makes no sense."""

  def __init__(self, line_number, message):
    Exception.__init__(self, 'line %d: %s' % (line_number, message))
    self.line_number = line_number


class SceneReader(object):

  def __init__(self):
    self.world = None
    self._room = None
    self._field = None
    self._pending_exits = []

  def read(self, lines):
    for number, line in enumerate(lines, start=1):
      line = line.rstrip()
      if not line or line.lstrip().startswith('#'):
        continue
      self._read_line(number, line)
    self._join_rooms()
    return self.world

  def _read_line(self, number, line):
    room = _ROOM.match(line)
    if room:
      self._start_room(room.group('key'), bool(room.group('dark')))
      return
    if self._room is None:
      raise SceneError(number, 'expected a room before anything else')
    field = _FIELD.match(line)
    if field:
      self._field = field.group('name')
      self._set(number, field.group('value'))
    elif self._field == 'text' and line[0].isspace():
      self._room.text += ' ' + line.strip()
    else:
      raise SceneError(number, 'cannot read %r' % line)

  def _start_room(self, key, dark):
    if self.world is None:
      self.world = World(start=key)
    self._room = self.world.add(Room(key, key.capitalize(), '', dark))
    self._field = None

  def _set(self, number, value):
    if self._field in ('title', 'text'):
      setattr(self._room, self._field, value)
    elif self._field == 'exit':
      parts = value.split()
      if len(parts) != 2:
        raise SceneError(number, 'an exit needs a direction and a room')
      self._pending_exits.append((number, self._room.key, parts[0], parts[1]))
    else:
      self._room.items.append(self._item(number, value))

  def _item(self, number, value):
    name, colon, rest = value.partition(':')
    if not colon:
      raise SceneError(number, 'an item needs a colon after its name')
    states = {state: answer == 'yes' for state, answer in _STATE.findall(rest)}
    return Item(name.strip(), _STATE.sub('', rest).strip(), states=states)

  def _join_rooms(self):
    for number, key, direction, target in self._pending_exits:
      if target not in self.world.rooms:
        raise SceneError(number, 'no room is called %s' % target)
      self.world.connect(key, direction, target, one_way=True)


def load_world(path):
  with open(path, encoding='utf-8') as stream:
    return SceneReader().read(stream)
