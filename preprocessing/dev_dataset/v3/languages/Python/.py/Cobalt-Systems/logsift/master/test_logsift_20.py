import datetime
import gzip

import pytest

from logsift import formats, query, reader, stats

SERVICE = '2021-06-01 12:00:0%d,123 [%s] db.pool: checkout took_ms=%d host="a b"'
ACCESS = '10.1.2.3 - - [01/Jun/2021:12:00:05 +0200] "GET /x HTTP/1.1" 503 17'


def service(second=0, level='INFO', took=5):
  return SERVICE % (second, level, took)


def event(**changes):
  base = formats.Event(
    datetime.datetime(2021, 6, 1), 20, 'db', 'connection timeout', {'status': '404'})
  return base._replace(**changes)


def test_service_line():
  e = formats.FORMATS[2].parse(service(level='WARN'))
  assert (e.level, e.source) == (30, 'db.pool')
  assert e.fields == {'took_ms': '5', 'host': 'a b'}


def test_server_errors_in_access_logs_are_errors():
  e = formats.FORMATS[1].parse(ACCESS)
  assert e.level == 40
  assert e.message == 'GET /x HTTP/1.1'
  assert e.fields['client'] == '10.1.2.3'


def test_json_line_with_unix_time():
  e = formats.FORMATS[0].parse('{"ts": 0, "msg": "up", "level": "error", "pid": 7}')
  assert e.time == datetime.datetime(1970, 1, 1)
  assert e.fields == {'pid': '7'}


@pytest.mark.parametrize('lines, name', [
  ([service()] * 3 + ['noise'], 'service'),
  ([ACCESS], 'access'),
])
def test_guess(lines, name):
  assert formats.guess(lines).name == name


def test_guess_gives_up():
  assert formats.guess(['hello', 'world', service()]) is None


@pytest.mark.parametrize('text, expected', [
  ('', True),
  ('level >= info', True),
  ('level > info', False),
  ('message ~ "time.?out"', True),
  ('status = 404 and not source = web', True),
  ('source = web or status < 500', True),
  ('(source = web or source = cache) and status = 404', False),
  ('absent = ""', True),
])
def test_query(text, expected):
  assert query.compile_query(text)(event()) is expected


@pytest.mark.parametrize('text', ['level >=', 'level = loud', '(a = b', 'a = b c', 'a ~ "("'])
def test_bad_queries(text):
  with pytest.raises(query.QueryError):
    query.compile_query(text)


def test_traceback_joins_its_event(tmp_path):
  path = tmp_path / 'app.log.1.gz'
  rows = [service(1, 'ERROR'), 'Traceback (most recent call last):', '  File "x"',
          'ValueError: no', service(2)]
  with gzip.open(str(path), 'wt') as f:
    f.write('\n'.join(rows) + '\n')
  events = list(reader.LogFile(str(path)))
  assert len(events) == 2
  assert events[0].message.endswith('| ValueError: no')


def test_merge_orders_by_time(tmp_path):
  for name, seconds in (('a.log', (1, 4)), ('b.log', (2, 3))):
    (tmp_path / name).write_text(''.join(service(s) + '\n' for s in seconds))
  files = [reader.LogFile(str(tmp_path / name)) for name in ('a.log', 'b.log')]
  assert [e.time.second for e in reader.merge(files)] == [1, 2, 3, 4]


def test_rotation_order():
  names = ['app.log', 'app.log.10.gz', 'app.log.2']
  assert sorted(names, key=reader.rotation_order) == ['app.log.10.gz', 'app.log.2', 'app.log']


def test_histogram_is_close():
  h = stats.Histogram()
  for value in range(1, 1001):
    h.add(value)
  assert h.percentile(50) == pytest.approx(500, rel=0.05)


def test_top_templates_never_undercounts():
  top = stats.TopTemplates(capacity=2)
  for key in 'aaabbc':
    top.add(key)
  assert top.most_common(1) == [('a', 3)]
  assert top.counts['c'] - top.error('c') <= 1 <= top.counts['c']


def test_burst():
  line = stats.Timeline(60)
  start = datetime.datetime(2021, 6, 1, 12)
  for minute in range(10):
    for _ in range(50 if minute == 7 else 2):
      line.add(start + datetime.timedelta(minutes=minute))
  assert line.bursts() == [(start + datetime.timedelta(minutes=7), 50)]
