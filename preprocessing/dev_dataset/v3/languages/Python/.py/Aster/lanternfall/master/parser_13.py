"""Turns what the player typed into a verb, an object and perhaps a second one.

The grammar is tiny on purpose:

    command   = verb [ object [ preposition object ] ]
    object    = [ article ] word { word }

Synonyms are folded (`get` and `grab` are `take`), articles are dropped, and
bare directions are read as `go`.
"""

import collections
import difflib

Command = collections.namedtuple('Command', 'verb object preposition target')

ARTICLES = frozenset(['a', 'an', 'the', 'my', 'some'])
PREPOSITIONS = frozenset(['with', 'in', 'into', 'on', 'at', 'to', 'from', 'under'])

DIRECTIONS = {
    'n': 'north', 's': 'south', 'e': 'east', 'w': 'west', 'u': 'up', 'd': 'down',
}
DIRECTIONS.update({name: name for name in list(DIRECTIONS.values()) + ['in', 'out']})

SYNONYMS = {
    'take': ['get', 'grab', 'pick', 'collect'],
    'drop': ['leave', 'discard'],
    'look': ['l', 'watch'],
    'examine': ['x', 'inspect', 'read', 'study'],
    'go': ['walk', 'run', 'climb', 'enter'],
    'open': ['unseal'],
    'unlock': [],
    'light': ['ignite', 'kindle'],
    'inventory': ['i', 'inv', 'pockets'],
    'save': [],
    'quit': ['q', 'exit', 'bye'],
}
VERBS = {word: verb for verb, others in SYNONYMS.items() for word in [verb] + others}


class ParseError(ValueError):
  """Says, in words meant for the player, what was not understood."""


def parse(line):
  """Reads one line.

  Raises:
    ParseError: the line is empty, or its verb is unknown.
  """
  words = _words(line)
  if not words:
    raise ParseError('Pardon?')
  if len(words) == 1 and words[0] in DIRECTIONS:
    return Command('go', DIRECTIONS[words[0]], None, None)
  verb, rest = words[0], words[1:]
  if verb not in VERBS:
    raise ParseError(_unknown(verb))
  verb = VERBS[verb]
  if verb == 'take' and rest[:1] == ['up']:
    rest = rest[1:]
  first, preposition, second = _split_objects(rest)
  if verb == 'look' and preposition == 'at':
    verb, first, preposition, second = 'examine', second, None, None
  if verb == 'go' and first in DIRECTIONS:
    first = DIRECTIONS[first]
  return Command(verb, first, preposition, second)


def _words(line):
  cleaned = ''.join(c if c.isalnum() or c in "-'" else ' ' for c in line.lower())
  return [word for word in cleaned.split() if word not in ARTICLES]


def _split_objects(words):
  for position, word in enumerate(words):
    # "go in" has a direction where other commands have a preposition.
    if word in PREPOSITIONS and position + 1 < len(words):
      first = ' '.join(words[:position]) or None
      return first, word, ' '.join(words[position + 1:])
  return ' '.join(words) or None, None, None


def _unknown(verb):
  close = difflib.get_close_matches(verb, VERBS, n=1, cutoff=0.75)
  if close:
    return 'I do not know how to %s. Did you mean "%s"?' % (verb, close[0])
  return 'I do not know how to %s.' % verb
