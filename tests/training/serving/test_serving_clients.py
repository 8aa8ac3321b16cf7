"""What the benchmark of the server makes of the times that its clients saw."""

from __future__ import annotations

import pytest
from training.serving.fake_served_model import FakeServedModel
from training.serving.running_server import running

from benchmarks import serving_clients


@pytest.mark.parametrize(
    ("slow", "lost", "says"),
    [
        # One answer in twenty may be slow, and no more.
        (5, 0, "within 20.0 ms and 0 were lost; wanted less than 100 ms and none lost: reached"),
        (6, 0, "within 100.0 ms and 0 were lost; wanted less than 100 ms and none lost: missed"),
        (0, 1, "within 20.0 ms and 1 were lost; wanted less than 100 ms and none lost: missed"),
    ],
)
def test_the_verdict_is_about_nineteen_in_twenty_and_none_lost(slow, lost, says):
    seconds = [0.02] * (100 - slow) + [0.1] * slow
    line, is_good = serving_clients.verdict(serving_clients.Load(seconds, lost, 1.0), clients=4)
    assert line == f"verdict: with 4 clients 95 per cent of the answers came {says}"
    assert is_good == says.endswith("reached")


def test_no_answer_at_all_is_no_good_one():
    line, is_good = serving_clients.verdict(serving_clients.Load([], 0, 1.0), clients=4)
    assert (line.endswith("missed"), is_good) == (True, False)


def test_answers_that_are_no_predictions_count_as_lost():
    with running(FakeServedModel()) as server:
        address, asked = (server.host, server.port), ["a ", "raise ", "b ", "c "]
        # The stand-in's last score is no number in the ids form only.
        load = serving_clients.run_load(address, name="toy", asked=asked, clients=2)
    assert (len(load.seconds), load.num_lost) == (3, 1)
