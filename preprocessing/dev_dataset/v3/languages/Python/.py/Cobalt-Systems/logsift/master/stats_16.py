# Counting: message templates, rates over time, percentiles, bursts.

import collections
import datetime
import math
import re

# Order matters: longer things first, so that an address is not a row of numbers.
MASKS = [
  (re.compile(r'\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b'), '<uuid>'),
  (re.compile(r'\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b'), '<ip>'),
  (re.compile(r'\b0x[0-9a-f]+\b', re.I), '<hex>'),
  (re.compile(r'"[^"]*"'), '<str>'),
  (re.compile(r'(?<=[\s=])/[\w./-]+'), '<path>'),
  (re.compile(r'\b\d+(\.\d+)?(ms|s|kb|mb)?\b', re.I), '<n>'),
]


def template(message):
  """Replace what varies, so that messages of one origin become equal.

  >>> template('user 17 took 3.5s from 10.0.0.1:80')
  'user <n> took <n> from <ip>'
  """
  for regex, mask in MASKS:
    message = regex.sub(mask, message)
  return message


class TopTemplates:
  """Most frequent templates in bounded memory.

  When the table is full the rarest entry makes room and its count is inherited,
  so counts may be too high by at most `error(key)`, never too low.
  """

  def __init__(self, capacity=1000):
    self.capacity = capacity
    self.counts = {}
    self.errors = {}

  def add(self, key):
    if key in self.counts:
      self.counts[key] += 1
    elif len(self.counts) < self.capacity:
      self.counts[key] = 1
      self.errors[key] = 0
    else:
      rarest = min(self.counts, key=self.counts.get)
      floor = self.counts.pop(rarest)
      del self.errors[rarest]
      self.counts[key] = floor + 1
      self.errors[key] = floor

  def error(self, key):
    return self.errors.get(key, 0)

  def most_common(self, n):
    return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:n]


class Histogram:
  """Values in buckets that grow by 5 %, so percentiles are within 5 %."""

  GROWTH = math.log(1.05)

  def __init__(self):
    self.buckets = collections.Counter()
    self.total = 0

  def add(self, value):
    bucket = math.floor(math.log(value) / self.GROWTH) if value > 0 else None
    self.buckets[bucket] += 1
    self.total += 1

  def percentile(self, p):
    if not self.total:
      raise ValueError('no values')
    wanted = math.ceil(self.total * p / 100.0)
    seen = 0
    for bucket in sorted(self.buckets, key=lambda b: -math.inf if b is None else b):
      seen += self.buckets[bucket]
      if seen >= wanted:
        return 0.0 if bucket is None else math.exp((bucket + 0.5) * self.GROWTH)


class Timeline:
  """Events per slot of time; finds slots that stand out."""

  def __init__(self, slot_seconds=60):
    self.slot_seconds = slot_seconds
    self.slots = collections.Counter()

  def add(self, when):
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    seconds = (when - midnight).seconds
    self.slots[midnight + datetime.timedelta(seconds=seconds - seconds % self.slot_seconds)] += 1

  def filled(self):
    """(slot, count) in order, quiet slots included."""
    if not self.slots:
      return
    slot, last = min(self.slots), max(self.slots)
    while slot <= last:
      yield slot, self.slots.get(slot, 0)
      slot += datetime.timedelta(seconds=self.slot_seconds)

  def bursts(self, factor=4.0, at_least=10):
    """Slots with more than `factor` times the median of all slots."""
    rows = list(self.filled())
    if not rows:
      return []
    counts = sorted(count for _, count in rows)
    limit = max(factor * counts[len(counts) // 2], at_least)
    return [(slot, count) for slot, count in rows if count > limit]

  def sparkline(self, width=60):
    marks = ' .:-=+*#'
    counts = [count for _, count in self.filled()][-width:]
    top = max(counts, default=0) or 1
    return ''.join(marks[(len(marks) - 1) * count // top] for count in counts)
