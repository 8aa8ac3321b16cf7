#!/usr/bin/env python3
"""Plays a scene file in the terminal: python -m lanternfall caves.scene"""

import argparse
import shutil
import sys
import textwrap

from lanternfall.engine import Game
from lanternfall.scene_files import SceneError, load_world

PROMPT = '> '
MAX_WIDTH = 76


def wrap(text: str, width: int) -> str:
  """Wraps each line by itself, so that lists stay lists."""
  return '\n'.join(textwrap.fill(line, width) for line in text.splitlines())


def play(game: Game, read=input, write=print) -> int:
  """Runs until the player quits or the input ends; returns the turns taken."""
  width = min(MAX_WIDTH, shutil.get_terminal_size().columns)
  write(wrap(game.here.describe(game.has_light), width))
  while not game.over:
    try:
      line = read(PROMPT)
    except EOFError:
      break
    write(wrap(game.turn(line), width))
  return game.turns


def main(argv=None) -> int:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('scene', help='file with the rooms')
  parser.add_argument('--check', action='store_true', help='only look for mistakes')
  options = parser.parse_args(argv)
  try:
    world = load_world(options.scene)
  except (OSError, SceneError) as error:
    print('%s: %s' % (options.scene, error), file=sys.stderr)
    return 2
  if options.check:
    problems = world.problems()
    print('\n'.join(problems) or 'no problems found')
    return 1 if problems else 0
  try:
    play(Game(world))
  except KeyboardInterrupt:
    print()
  return 0


if __name__ == '__main__':
  sys.exit(main())
