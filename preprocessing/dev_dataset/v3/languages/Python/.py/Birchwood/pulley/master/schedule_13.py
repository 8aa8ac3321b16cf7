"""Cron-like schedules: "at which minute is this due next?"

An expression has five fields: minute, hour, day of month, month, weekday
(0 is Monday here, unlike in cron). Each is `*`, a number, a range `2-5`, a step
`*/15` or `10-40/10`, or several of these with commas in between.
"""

import datetime

FIELDS = [
	("minute", 0, 59),
	("hour", 0, 23),
	("day", 1, 31),
	("month", 1, 12),
	("weekday", 0, 6),
]

SHORTCUTS = {
	"@hourly": "0 * * * *",
	"@daily": "0 0 * * *",
	"@weekly": "0 0 * * 0",
	"@monthly": "0 0 1 * *",
}

# No expression can be due less often than on the 29th of February.
HORIZON_DAYS = 8 * 366


class BadSchedule(ValueError):
	"""An expression that cannot be read."""


def parse_field(text, name, low, high):
	"""The set of numbers that one field allows."""
	allowed = set()
	for part in text.split(","):
		span, slash, step = part.partition("/")
		if slash and not (step.isdigit() and int(step) > 0):
			raise BadSchedule("%s: bad step %r" % (name, step))
		if span == "*":
			first, last = low, high
		else:
			start, dash, end = span.partition("-")
			if not start.isdigit() or (dash and not end.isdigit()):
				raise BadSchedule("%s: cannot read %r" % (name, part))
			first = int(start)
			last = int(end) if dash else (high if slash else first)
		if not low <= first <= last <= high:
			raise BadSchedule("%s: %r is not within %d-%d" % (name, part, low, high))
		allowed.update(range(first, last + 1, int(step) if slash else 1))
	return frozenset(allowed)


class Schedule(object):
	def __init__(self, expression):
		parts = SHORTCUTS.get(expression, expression).split()
		if len(parts) != len(FIELDS):
			raise BadSchedule("expected %d fields, got %d" % (len(FIELDS), len(parts)))
		self.expression = expression
		self.minutes, self.hours, self.days, self.months, self.weekdays = [
			parse_field(part, *field) for part, field in zip(parts, FIELDS)
		]

	def allows_day(self, day):
		return (
			day.month in self.months
			and day.day in self.days
			and day.weekday() in self.weekdays
		)

	def next_after(self, moment):
		"""The first matching minute strictly after `moment`."""
		start = moment.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
		for offset in range(HORIZON_DAYS):
			day = start.date() + datetime.timedelta(days=offset)
			if not self.allows_day(day):
				continue
			for hour in sorted(self.hours):
				for minute in sorted(self.minutes):
					candidate = datetime.datetime.combine(day, datetime.time(hour, minute))
					if candidate >= start:
						return candidate
		raise BadSchedule("%r is never due" % self.expression)

	def upcoming(self, moment, count):
		for _ in range(count):
			moment = self.next_after(moment)
			yield moment

	def __repr__(self):
		return "Schedule(%r)" % self.expression
