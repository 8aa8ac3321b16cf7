"""The queue in front of the model."""

from __future__ import annotations

import asyncio

import pytest
from training.serving.fake_served_model import FakeServedModel

from code_t5.training.serving.answers import RequestError
from code_t5.training.serving.batching import Batcher
from code_t5.training.serving.predictions import Prompt


class _Seen:
    def __init__(self):
        self.sizes = []

    def observe_batch(self, predictions, *, size, seconds):
        assert seconds >= 0
        self.sizes.append((len(predictions), size))


def _run(use, **settings):
    """Runs `use(batcher, model)` in a loop of its own; returns the model and what was counted."""
    model, seen = FakeServedModel(), _Seen()

    async def run():
        settings.setdefault("max_wait_seconds", 0.01)
        settings.setdefault("max_queue", 100)
        batcher = Batcher(model.predict, batch_size=4, observer=seen, **settings)
        batcher.start()
        try:
            await asyncio.wait_for(use(batcher, model), 20)
        finally:
            model.release.set()
            await batcher.close()

    asyncio.run(run())
    return model, seen


def _texts(model):
    return [[prompt.text for prompt in batch] for batch in model.batches]


async def _started(model):
    while not model.started.is_set():
        await asyncio.sleep(0.001)


def test_what_waits_while_the_model_runs_is_run_together_in_order():
    async def use(batcher, model):
        first = batcher.submit([Prompt("hold")])
        await _started(model)
        others = [batcher.submit([Prompt(str(number))])[0] for number in range(6)]
        assert batcher.num_waiting == 6
        model.release.set()
        found = await asyncio.gather(*first, *others)
        assert [one.candidates[0].text for one in found[1:3]] == ["0<0>\n", "1<0>\n"]

    model, seen = _run(use)
    assert _texts(model) == [["hold"], ["0", "1", "2", "3"], ["4", "5"]]
    assert seen.sizes == [(1, 1), (4, 4), (2, 2)]


def test_a_batch_waits_for_as_many_as_there_were_lately():
    async def use(batcher, model):
        await asyncio.gather(*batcher.submit([Prompt("a"), Prompt("b")]))
        later = batcher.submit([Prompt("c")])
        await asyncio.sleep(0.05)
        later += batcher.submit([Prompt("d")])
        await asyncio.gather(*later)

    model, _ = _run(use, max_wait_seconds=5.0)
    assert _texts(model)[-1] == ["c", "d"]


def test_a_lone_client_waits_for_nobody():
    async def use(batcher, model):
        for text in "abc":
            await asyncio.gather(*batcher.submit([Prompt(text)]))

    # Each would wait past the test's own patience.
    model, _ = _run(use, max_wait_seconds=60.0)
    assert _texts(model) == [["a"], ["b"], ["c"]]


def test_a_prompt_whose_client_is_gone_is_not_run():
    async def use(batcher, model):
        first = batcher.submit([Prompt("hold")])
        await _started(model)
        gone, stays = batcher.submit([Prompt("gone"), Prompt("stays")])
        gone.cancel()
        await asyncio.sleep(0)
        assert batcher.num_waiting == 1
        model.release.set()
        await asyncio.gather(*first, stays)

    model, _ = _run(use)
    assert _texts(model) == [["hold"], ["stays"]]


def test_too_many_are_refused_all_or_none():
    async def use(batcher, model):
        batcher.submit([Prompt("hold")])
        await _started(model)
        batcher.submit([Prompt("a")])
        with pytest.raises(RequestError, match="1 prompts wait and 2 more came") as caught:
            batcher.submit([Prompt("b"), Prompt("c")])
        assert caught.value.status == 429
        assert caught.value.headers == {"Retry-After": "1"}
        assert batcher.num_waiting == 1

    _run(use, max_queue=2)


def test_nobody_is_refused_for_a_prompt_of_another_one():
    async def use(batcher, model):
        futures = batcher.submit([Prompt("raise"), Prompt("good")])
        found = await asyncio.gather(*futures, return_exceptions=True)
        assert isinstance(found[0], RequestError)
        assert (found[0].status, str(found[0])) == (500, "the model failed")
        assert found[1].candidates[0].text == "good<0>\n"

    _, seen = _run(use)
    assert seen.sizes == [(1, 2)]


def test_an_answer_too_few_is_a_failure_of_all(monkeypatch):
    async def use(batcher, model):
        with pytest.raises(RequestError, match="the model failed"):
            await batcher.submit([Prompt("a")])[0]

    monkeypatch.setattr(FakeServedModel, "predict", lambda self, prompts: [])
    _, seen = _run(use)
    assert seen.sizes == [(0, 1)]


def test_closing_tells_those_who_wait():
    async def use(batcher, model):
        batcher.submit([Prompt("hold")])
        await _started(model)
        (waits,) = batcher.submit([Prompt("waits")])
        model.release.set()
        await batcher.close()
        with pytest.raises(RequestError, match="closing") as caught:
            await waits
        assert caught.value.status == 503
        with pytest.raises(RequestError, match="closing"):
            batcher.submit([Prompt("late")])

    model, _ = _run(use)
    assert _texts(model) == [["hold"]]
