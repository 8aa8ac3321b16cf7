# Line formats we know how to read.
#
# A format is a regular expression with named groups plus a few conversions.
# New formats go into FORMATS; `guess` tries them on the head of a file.

import datetime
import json
import re
from collections import namedtuple

Event = namedtuple('Event', 'time level source message fields')

LEVELS = {
  'debug': 10,
  'info': 20,
  'notice': 25,
  'warn': 30,
  'warning': 30,
  'err': 40,
  'error': 40,
  'crit': 50,
  'critical': 50,
  'fatal': 50,
}

UNKNOWN_LEVEL = 20
PAIR = re.compile(r'(?P<key>\w[\w.-]*)=(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')


def level_number(name):
  """'WARN' -> 30. Names nobody heard of count as info."""
  return LEVELS.get((name or '').lower(), UNKNOWN_LEVEL)


def pairs(message):
  """Collect key=value pairs from free text."""
  found = {}
  for m in PAIR.finditer(message):
    quoted = m.group('quoted')
    found[m.group('key')] = m.group('plain') if quoted is None else quoted
  return found


class RegexFormat:

  def __init__(self, name, pattern, time_format):
    self.name = name
    self.regex = re.compile(pattern)
    self.time_format = time_format

  def parse(self, line):
    """Return an Event, or None when the line is not of this format."""
    m = self.regex.match(line)
    if m is None:
      return None
    groups = m.groupdict()
    try:
      when = datetime.datetime.strptime(groups.pop('time'), self.time_format)
    except ValueError:
      return None
    message = groups.pop('message', '').strip()
    level = level_number(groups.pop('level', None))
    source = groups.pop('source', None) or '-'
    fields = pairs(message)
    fields.update((k, v) for k, v in groups.items() if v is not None)
    status = fields.get('status', '')
    if status.startswith('5'):
      level = max(level, LEVELS['error'])
    elif status.startswith('4'):
      level = max(level, LEVELS['warning'])
    return Event(when, level, source, message, fields)


class JsonFormat:
  """One JSON object per line; the usual spellings of the usual keys."""

  name = 'json'
  TIME_KEYS = ('time', 'ts', 'timestamp', '@timestamp')
  MESSAGE_KEYS = ('message', 'msg', 'event')

  def parse(self, line):
    if not line.startswith('{'):
      return None
    try:
      obj = json.loads(line)
    except ValueError:
      return None
    stamp = self._take(obj, self.TIME_KEYS)
    when = self._time(stamp)
    if when is None:
      return None
    message = str(self._take(obj, self.MESSAGE_KEYS) or '')
    level = level_number(str(obj.pop('level', '')))
    source = str(obj.pop('logger', obj.pop('service', '-')))
    return Event(when, level, source, message, {k: str(v) for k, v in obj.items()})

  @staticmethod
  def _take(obj, keys):
    for key in keys:
      if key in obj:
        return obj.pop(key)
    return None

  @staticmethod
  def _time(stamp):
    if isinstance(stamp, (int, float)):
      utc = datetime.timezone.utc
      return datetime.datetime.fromtimestamp(stamp, utc).replace(tzinfo=None)
    try:
      return datetime.datetime.fromisoformat(str(stamp).rstrip('Z'))
    except ValueError:
      return None


FORMATS = [
  JsonFormat(),
  RegexFormat(
    'access',
    r'(?P<client>\S+) \S+ \S+ \[(?P<time>[^\] ]+)[^\]]*\] '
    r'"(?P<message>[^"]*)" (?P<status>\d{3}) (?P<bytes>\d+|-)',
    '%d/%b/%Y:%H:%M:%S',
  ),
  RegexFormat(
    'service',
    r'(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:[.,]\d+)? '
    r'\[?(?P<level>[A-Za-z]+)\]? (?P<source>[\w./-]+):? (?P<message>.*)',
    '%Y-%m-%d %H:%M:%S',
  ),
]


def guess(lines, needed=0.6):
  """Pick the format that reads most of the lines, if any reads enough."""
  lines = [line for line in lines if line.strip()]
  if not lines:
    return None
  scores = [(sum(f.parse(line) is not None for line in lines), f) for f in FORMATS]
  best, fmt = max(scores, key=lambda pair: pair[0])
  return fmt if best >= needed * len(lines) else None
