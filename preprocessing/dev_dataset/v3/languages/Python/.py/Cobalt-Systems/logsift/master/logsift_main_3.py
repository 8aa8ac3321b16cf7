#!/usr/bin/env python3
"""logsift: ask questions about log files.

  logsift_main.py grep  'level >= error and source ~ "^db"' app.log*
  logsift_main.py top   --count 20 app.log
  logsift_main.py rate  --slot 300 app.log access.log
  logsift_main.py times --field took_ms app.log
"""

import argparse
import sys

from logsift import reader, stats
from logsift.formats import LEVELS
from logsift.query import QueryError, compile_query

LEVEL_NAMES = {number: name for name, number in sorted(LEVELS.items())}
COLOURS = {'fatal': '35', 'error': '31', 'warning': '33'}


def show(event, colour):
  name = LEVEL_NAMES.get(event.level, '?')
  text = '%s %-8s %s: %s' % (event.time, name, event.source, event.message)
  if colour and name in COLOURS:
    return '\x1b[%sm%s\x1b[0m' % (COLOURS[name], text)
  return text


def cmd_grep(args, events):
  colour = sys.stdout.isatty()
  found = 0
  for event in events:
    print(show(event, colour))
    found += 1
    if args.limit and found >= args.limit:
      break
  return 0 if found else 1


def cmd_top(args, events):
  top = stats.TopTemplates()
  for event in events:
    top.add(stats.template(event.message))
  for key, count in top.most_common(args.count):
    error = top.error(key)
    print('%8d%s %s' % (count, ' (-%d)' % error if error else '', key))
  return 0


def cmd_rate(args, events):
  line = stats.Timeline(args.slot)
  for event in events:
    line.add(event.time)
  print('|%s|' % line.sparkline())
  for slot, count in line.bursts():
    print('burst: %s  %d events' % (slot, count))
  return 0


def cmd_times(args, events):
  histogram = stats.Histogram()
  ignored = 0
  for event in events:
    try:
      histogram.add(float(event.fields[args.field]))
    except (KeyError, ValueError):
      ignored += 1
  if not histogram.total:
    print('no event has a number in %r' % args.field, file=sys.stderr)
    return 1
  for p in (50, 90, 99):
    print('p%d  %10.2f' % (p, histogram.percentile(p)))
  print('of %d events, %d without the field' % (histogram.total, ignored))
  return 0


def make_parser():
  p = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  sub = p.add_subparsers(dest='command')
  sub.required = True
  for name, function in (
      ('grep', cmd_grep), ('top', cmd_top), ('rate', cmd_rate), ('times', cmd_times)):
    s = sub.add_parser(name)
    s.set_defaults(function=function)
    if name == 'grep':
      s.add_argument('query')
      s.add_argument('--limit', type=int, default=0)
    else:
      s.add_argument('--query', default='')
    if name == 'top':
      s.add_argument('--count', type=int, default=10)
    if name == 'rate':
      s.add_argument('--slot', type=int, default=60, help='seconds')
    if name == 'times':
      s.add_argument('--field', required=True)
    s.add_argument('files', nargs='+')
  return p


def main(argv=None):
  args = make_parser().parse_args(argv)
  try:
    accept = compile_query(args.query)
    files = [reader.LogFile(f) for f in sorted(args.files, key=reader.rotation_order)]
    code = args.function(args, filter(accept, reader.merge(files)))
  except (QueryError, reader.UnknownFormat, OSError) as e:
    print('logsift: %s' % e, file=sys.stderr)
    return 2
  bad = sum(f.bad_lines for f in files)
  if bad:
    print('logsift: %d lines could not be read' % bad, file=sys.stderr)
  return code


if __name__ == '__main__':
  sys.exit(main())
