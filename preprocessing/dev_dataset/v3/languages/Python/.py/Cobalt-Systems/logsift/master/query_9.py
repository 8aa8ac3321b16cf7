"""A small filter language for events.

    level >= warning and (source = db or message ~ "time.?out") and not status = 404

Comparison: = != < <= > >= and ~ for regular expressions. Names are time, level,
source, message or any field of the event. Values
with spaces are quoted.
"""

import operator
import re

from logsift.formats import LEVELS

TOKEN = re.compile(r'''
  \s*(?:
    (?P<paren>[()])
  | (?P<op><=|>=|!=|=|<|>|~)
  | "(?P<quoted>(?:[^"\\]|\\.)*)"
  | (?P<word>[^\s()=!<>~"]+)
  )''', re.VERBOSE)

OPERATORS = {
  '=': operator.eq, '!=': operator.ne, '<': operator.lt,
  '<=': operator.le, '>': operator.gt, '>=': operator.ge,
}


class QueryError(ValueError):
  """The text is no query; the message says where."""


def tokenize(text):
  tokens, position = [], 0
  text = text.rstrip()
  while position < len(text):
    m = TOKEN.match(text, position)
    if m is None:
      raise QueryError('can not read the query at column %d' % (position + 1))
    kind = m.lastgroup
    value = m.group(kind)
    if kind == 'quoted':
      value = re.sub(r'\\(["\\])', r'\1', value)
    tokens.append((kind, value))
    position = m.end()
  return tokens


def get(event, name):
  """Text of a part of the event; a field that is absent is empty."""
  if name in ('time', 'source', 'message'):
    return str(getattr(event, name))
  return event.fields.get(name, '')


def as_number(value):
  try:
    return float(value)
  except ValueError:
    return None


def comparison(name, op, value):
  if op == '~':
    try:
      regex = re.compile(value)
    except re.error as e:
      raise QueryError('bad pattern %r: %s' % (value, e))
    return lambda event: bool(regex.search(get(event, name)))
  compare = OPERATORS[op]
  if name == 'level':
    if value.lower() not in LEVELS:
      raise QueryError('no such level: ' + value)
    wanted = LEVELS[value.lower()]
    return lambda event: compare(event.level, wanted)
  number = as_number(value)

  def check(event):
    actual = get(event, name)
    n = None if number is None else as_number(actual)
    return compare(actual, value) if n is None else compare(n, number)

  return check


class Parser:
  """expr := term (or term)*;  term := factor (and factor)*;  factor := not factor | ..."""

  def __init__(self, text):
    self.tokens = tokenize(text)
    self.at = 0

  def parse(self):
    result = self.expr()
    if self.at < len(self.tokens):
      raise QueryError('did not expect %r' % self.tokens[self.at][1])
    return result

  def next_is(self, kind, value):
    if self.at < len(self.tokens) and self.tokens[self.at] == (kind, value):
      self.at += 1
      return True
    return False

  def take(self, *kinds):
    if self.at == len(self.tokens):
      raise QueryError('the query ends too early')
    kind, value = self.tokens[self.at]
    if kind not in kinds:
      raise QueryError('did not expect %r' % value)
    self.at += 1
    return value

  def expr(self):
    parts = [self.term()]
    while self.next_is('word', 'or'):
      parts.append(self.term())
    return parts[0] if len(parts) == 1 else lambda e: any(p(e) for p in parts)

  def term(self):
    parts = [self.factor()]
    while self.next_is('word', 'and'):
      parts.append(self.factor())
    return parts[0] if len(parts) == 1 else lambda e: all(p(e) for p in parts)

  def factor(self):
    if self.next_is('word', 'not'):
      inner = self.factor()
      return lambda e: not inner(e)
    if self.next_is('paren', '('):
      inner = self.expr()
      if not self.next_is('paren', ')'):
        raise QueryError('a parenthesis is not closed')
      return inner
    return comparison(self.take('word'), self.take('op'), self.take('word', 'quoted'))


def compile_query(text):
  """Query text -> predicate on events. An empty query accepts everything."""
  return Parser(text).parse() if text.strip() else lambda event: True
