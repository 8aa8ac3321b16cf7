# Reads plain and compressed logs, following rotation and joining tracebacks.

import bz2
import gzip
import heapq
import io
import itertools
import os
import re
import sys
import time

from logsift import formats

OPENERS = {'.gz': gzip.open, '.bz2': bz2.open}
CONTINUATION = re.compile(r'^(\s+|Traceback|Caused by:|\w+(\.\w+)*(Error|Exception)\b)')
SNIFF_LINES = 50


class UnknownFormat(Exception):
  pass


def open_log(path):
  """Open for reading text; '-' is standard input. Bad bytes are kept visible."""
  if path == '-':
    return io.TextIOWrapper(sys.stdin.buffer, 'utf-8', errors='backslashreplace')
  opener = OPENERS.get(os.path.splitext(path)[1], open)
  return opener(path, 'rt', encoding='utf-8', errors='backslashreplace')


def rotation_order(path):
  """app.log.10.gz is older than app.log.2, which is older than app.log."""
  m = re.search(r'\.(\d+)(\.\w+)?$', path)
  return -int(m.group(1)) if m else 0


def join_lines(lines, fmt):
  """Yield (first line, [continuation lines])."""
  head, tail = None, []
  for line in lines:
    line = line.rstrip('\r\n')
    if head is not None and CONTINUATION.match(line) and fmt.parse(line) is None:
      tail.append(line)
      continue
    if head is not None:
      yield head, tail
    head, tail = line, []
  if head is not None:
    yield head, tail


class LogFile:
  """Iterates over the events of one file and counts what it could not read."""

  def __init__(self, path, fmt=None):
    self.path = path
    self.fmt = fmt
    self.bad_lines = 0
    self.events = 0

  def __iter__(self):
    with open_log(self.path) as stream:
      head = list(itertools.islice(stream, SNIFF_LINES))
      if not head:
        return
      fmt = self.fmt or formats.guess([line for line in head if not CONTINUATION.match(line)])
      if fmt is None:
        raise UnknownFormat('%s: first line is %r' % (self.path, head[0][:80]))
      self.fmt = fmt
      for line, rest in join_lines(itertools.chain(head, stream), fmt):
        event = fmt.parse(line)
        if event is None:
          self.bad_lines += 1
          continue
        if rest:
          event.fields['trace'] = '\n'.join(rest)
          event = event._replace(message=event.message + ' | ' + rest[-1].strip())
        self.events += 1
        yield event


def merge(files):
  """All events of several files in order of time. Each file must be in order."""
  keyed = ((((e.time, n), e) for e in f) for n, f in enumerate(files))
  for _, event in heapq.merge(*keyed, key=lambda pair: pair[0]):
    yield event


def follow(path, fmt, poll=0.5, stop=None):
  """Like tail -f, and starts again when the file is replaced or cut short."""
  stream = open_log(path)
  inode = os.stat(path).st_ino
  stream.seek(0, os.SEEK_END)
  pending = ''
  try:
    while stop is None or not stop():
      chunk = stream.readline()
      if chunk:
        pending += chunk
        if pending.endswith('\n'):
          event = fmt.parse(pending.rstrip('\r\n'))
          pending = ''
          if event is not None:
            yield event
        continue
      time.sleep(poll)
      try:
        now = os.stat(path)
      except FileNotFoundError:
        continue  # between the rename and the new file
      if now.st_ino != inode or now.st_size < stream.tell():
        stream.close()
        stream = open_log(path)
        inode = now.st_ino
        pending = ''
  finally:
    stream.close()
