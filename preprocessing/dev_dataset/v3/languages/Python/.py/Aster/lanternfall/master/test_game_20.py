import textwrap

import pytest

from lanternfall.__main__ import play
from lanternfall.engine import Game
from lanternfall.items import Container, Inventory, Item
from lanternfall.parser import Command, ParseError, parse
from lanternfall.scene_files import SceneError, SceneReader

HOUSE = textwrap.dedent('''\
    # two rooms are enough for a test
    room kitchen
      title  The kitchen
      text   A cold stove
             and a warm cat.
      exit   down cellar
      item   lamp: An old oil lamp. [lit=no]

    room cellar (dark)
      text   Bottles.
      exit   up kitchen
    ''')


@pytest.fixture
def game():
  return Game(SceneReader().read(HOUSE.splitlines()))


@pytest.mark.parametrize('line, expected', [
    ('n', Command('go', 'north', None, None)),
    ('Pick up the Lamp!', Command('take', 'lamp', None, None)),
    ('unlock chest with rusty key', Command('unlock', 'chest', 'with', 'rusty key')),
    ('look at the cat', Command('examine', 'cat', None, None)),
])
def test_parser_understands(line, expected):
  assert parse(line) == expected


def test_parser_guesses_what_was_meant():
  with pytest.raises(ParseError, match='Did you mean "examine"'):
    parse('exmaine stove')


def test_text_goes_on_over_several_lines(game):
  assert game.here.text == 'A cold stove and a warm cat.'


def test_dark_rooms_need_a_lit_lamp(game):
  game.turn('take lamp')
  assert 'pitch dark' in game.turn('down')
  assert game.turn('light lamp') == 'The lamp is lit.'
  assert 'Bottles.' in game.turn('look')


def test_locked_containers_open_with_their_key(game):
  coin = Item('coin', 'A silver coin.')
  game.here.items.append(Container('chest', 'Oak.', fixed=True, contents=[coin], key='key'))
  game.inventory.add(Item('key', 'Small and rusty.'))
  assert game.turn('open chest') == 'The chest is locked.'
  assert game.turn('unlock chest with key') == 'The chest clicks.'
  assert game.turn('open chest') == 'Inside the chest: a coin.'
  assert game.turn('take coin') == 'You take the coin.'


def test_heavy_things_stay_where_they_are():
  pockets = Inventory(limit=3)
  assert pockets.add(Item('anvil', 'Iron.', weight=4)) is False
  assert pockets.describe() == 'Your hands are empty.'


def test_scene_errors_name_the_line():
  with pytest.raises(SceneError) as caught:
    SceneReader().read(['room attic', '  exit north'])
  assert caught.value.line_number == 2


def test_play_stops_at_the_end_of_the_input(game):
  lines = iter(['look', 'inventory'])

  def read(prompt):
    try:
      return next(lines)
    except StopIteration:
      raise EOFError from None

  assert play(game, read=read, write=lambda text: None) == 2
