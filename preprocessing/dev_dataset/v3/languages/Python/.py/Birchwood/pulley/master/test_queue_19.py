import datetime
import random

import pytest

from pulley import backoff
from pulley.broker import MemoryBroker, SqliteBroker
from pulley.job import IllegalTransition, Job, Registry, State
from pulley.metrics import Histogram, Metrics
from pulley.schedule import BadSchedule, Schedule
from pulley.worker import Worker


@pytest.fixture(params=["memory", "sqlite"])
def broker(request, tmp_path):
    if request.param == "memory":
        return MemoryBroker()
    return SqliteBroker(str(tmp_path / "jobs.db"))


@pytest.fixture
def registry():
    tasks = Registry()
    tasks.calls = []

    @tasks.task("remember")
    def remember(word):
        tasks.calls.append(word)

    @tasks.task("stumble")
    def stumble():
        raise OSError("the network is down")

    return tasks


def worker_for(broker, registry, **options):
    options.setdefault("retry_after", backoff.constant(0.0))
    return Worker(broker, registry, queues=["default"], metrics=Metrics(), **options)


def test_urgent_jobs_go_first(broker, registry):
    broker.put(Job("remember", {"word": "later"}))
    broker.put(Job("remember", {"word": "first"}, priority=5))
    assert worker_for(broker, registry).drain() == 2
    assert registry.calls == ["first", "later"]


def test_jobs_wait_for_their_time(broker):
    broker.put(Job("remember", {"word": "x"}, run_after=1000.0))
    assert broker.claim("default", now=999.0) is None
    assert broker.claim("default", now=1000.0).state is State.RUNNING


def test_failing_jobs_are_tried_again_then_given_up(broker, registry):
    job = Job("stumble", max_attempts=3)
    broker.put(job)
    assert worker_for(broker, registry).drain() == 3
    stored = broker.get(job.id)
    assert (stored.state, stored.attempts) == (State.FAILED, 3)
    assert stored.error == "OSError: the network is down"


def test_cancelled_jobs_never_run(broker, registry):
    job = Job("remember", {"word": "no"})
    broker.put(job)
    assert broker.cancel(job.id)
    assert worker_for(broker, registry).drain() == 0
    with pytest.raises(IllegalTransition):
        broker.get(job.id).become(State.RUNNING)


def test_jobs_survive_json():
    job = Job("remember", {"word": "é"}, queue="mail", priority=2)
    assert Job.from_json(job.to_json()) == job


def test_backoff_strategies():
    assert [backoff.fibonacci()(n) for n in range(1, 7)] == [1, 1, 2, 3, 5, 8]
    wait = backoff.jittered(backoff.capped(backoff.exponential(), 60), rng=random.Random(1))
    assert all(45 <= wait(n) <= 75 for n in range(7, 30))


def test_retry_sleeps_between_calls():
    pauses, outcomes = [], [OSError(), OSError(), "fine"]

    @backoff.retry(backoff.linear(2.0), sleep=pauses.append)
    def flaky():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert flaky() == "fine"
    assert pauses == [2.0, 4.0]


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("*/15 * * * *", datetime.datetime(2021, 12, 31, 23, 45)),
        ("@monthly", datetime.datetime(2022, 1, 1)),
        ("30 6 29 2 *", datetime.datetime(2024, 2, 29, 6, 30)),
    ],
)
def test_schedules_find_the_next_minute(expression, expected):
    assert Schedule(expression).next_after(datetime.datetime(2021, 12, 31, 23, 30)) == expected


def test_bad_schedules_say_which_field():
    with pytest.raises(BadSchedule, match="hour"):
        Schedule("0 24 * * *")


def test_histogram_quantiles():
    histogram = Histogram([1.0, 2.0, 4.0])
    for value in (0.5, 1.5, 1.5, 3.0):
        histogram.observe(value)
    assert histogram.quantile(0.75) == 2.0
    assert histogram.count == 4
