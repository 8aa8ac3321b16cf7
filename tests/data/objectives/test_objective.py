"""What holds for every objective."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import numpy as np
import objective_requests
import pytest

from code_t5 import errors
from code_t5.data.objectives import OBJECTIVES, Requests, headers

_ROOT = pathlib.Path(__file__).resolve().parents[3]
LENGTHS = {"inputs": 100, "targets": 90}
VARIANTS = [
    *((name, {}) for name in OBJECTIVES),
    ("infilling", {"unit": "lines", "rate": 1.0}),
    ("infilling", {"unit": "ast", "rate": 1.0}),
    ("line_completion", {"redraw": True, "bytes_per_cursor": 80}),
]
every_objective = pytest.mark.parametrize(("name", "settings"), VARIANTS)


@pytest.fixture
def documents(model, texts, make_documents):
    return make_documents(model, texts)


@every_objective
@pytest.mark.parametrize("with_path", [False, True])
def test_examples_fit_and_targets_are_never_empty(model, documents, name, settings, with_path):
    objective = OBJECTIVES[name](LENGTHS, model=model, with_path=with_path, **settings)
    counts = objective.num_examples(documents)
    assert counts.dtype == np.int64
    assert ((counts > 0) == (documents.lengths > 0)).all()
    rows = objective_requests.make_all(objective, documents)
    assert len(rows) == counts.sum()
    assert max(len(inputs) for inputs, _ in rows) <= LENGTHS["inputs"] - 1
    assert max(len(targets) for _, targets in rows) <= LENGTHS["targets"] - 1
    assert min(len(targets) for _, targets in rows) >= 1


@every_objective
def test_an_example_does_not_depend_on_its_batch(model, documents, name, settings):
    objective = OBJECTIVES[name](LENGTHS, model=model, **settings)
    requests = objective_requests.requests_of(objective, documents, seed=3)
    together = objective_requests.rows_of(objective.make_examples(documents, requests))
    order = np.random.default_rng(0).permutation(len(together))
    for chunk in np.array_split(order, 40):
        part = Requests(requests.documents[chunk], requests.numbers[chunk], requests.keys[chunk])
        other = OBJECTIVES[name](LENGTHS, model=model, **settings)
        rows = objective_requests.rows_of(other.make_examples(documents, part))
        assert rows == [together[index] for index in chunk]


@every_objective
def test_no_request_gives_no_example(model, documents, name, settings):
    objective = OBJECTIVES[name](LENGTHS, model=model, **settings)
    nothing = np.zeros(0, dtype=np.int64)
    requests = Requests(nothing, nothing, nothing.astype(np.uint64))
    examples = objective.make_examples(documents, requests)
    assert examples.inputs.num_rows == examples.targets.num_rows == 0
    assert examples.inputs.values.dtype == examples.targets.values.dtype == np.int32


@every_objective
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int32])
def test_tokens_may_be_a_memory_map_of_any_dtype(model, documents, tmp_path, name, settings, dtype):
    objective = OBJECTIVES[name](LENGTHS, model=model, **settings)
    np.save(tmp_path / "tokens.npy", documents.tokens.astype(dtype))
    tokens = np.load(tmp_path / "tokens.npy", mmap_mode="r")
    mapped = type(documents)(tokens, documents.offsets, documents.sizes, documents.names)
    rows = objective_requests.make_all(objective, mapped)
    assert rows == objective_requests.make_all(objective, documents)
    requests = objective_requests.requests_of(objective, mapped)
    assert objective.make_examples(mapped, requests).inputs.values.dtype == np.int32


@every_objective
@pytest.mark.parametrize("number", [-1, 1])
def test_an_example_that_is_not_there_is_refused(model, documents, name, settings, number):
    objective = OBJECTIVES[name](LENGTHS, model=model, **settings)
    last = objective.num_examples(documents)[:1]
    wrong = number if number < 0 else last
    requests = Requests(np.zeros(1, int), np.zeros(1, int) + wrong, np.zeros(1, np.uint64))
    with pytest.raises(errors.InputError, match="num_examples"):
        objective.make_examples(documents, requests)


@every_objective
def test_lengths_too_short_are_refused_with_the_least(model, name, settings):
    objective_class = OBJECTIVES[name]
    least = {
        "inputs": objective_class.least_inputs,
        "targets": objective_class.least_targets,
    }
    assert objective_class(least, model=model, **settings).targets_room >= 1
    for feature, length in least.items():
        short = {**least, feature: length - 1}
        with pytest.raises(errors.InputError) as caught:
            objective_class(short, model=model, **settings)
        message = str(caught.value).splitlines()[0]
        assert message.startswith(f"the length of {feature} is {length - 1}, too short for")
        assert f"wanted at least {length};" in message
    with pytest.raises(errors.InputError, match=f"wanted at least {least['inputs'] + 64};"):
        objective_class(least, model=model, with_path=True, **settings)


@every_objective
def test_shortest_lengths_give_examples_that_fit(model, documents, name, settings):
    objective_class = OBJECTIVES[name]
    least = {
        "inputs": objective_class.least_inputs,
        "targets": objective_class.least_targets,
    }
    rows = objective_requests.make_all(objective_class(least, model=model, **settings), documents)
    assert max(len(inputs) for inputs, _ in rows) <= least["inputs"] - 1
    assert {len(targets) for _, targets in rows} <= set(range(1, least["targets"]))


@every_objective
def test_settings_say_everything_that_decides_on_an_example(model, name, settings):
    objective = OBJECTIVES[name](LENGTHS, model=model, with_path=True, **settings)
    found = json.loads(json.dumps(objective.settings))
    assert found["objective"] == name
    assert found["sequence_length"] == LENGTHS
    assert found["with_path"] is True
    assert {key: found[key] for key in settings} == settings
    assert OBJECTIVES[name](LENGTHS, model=model).settings != found


@every_objective
def test_the_header_stands_in_front_of_the_inputs(model, documents, name, settings):
    objective = OBJECTIVES[name](LENGTHS, model=model, with_path=True, **settings)
    bare = OBJECTIVES[name]({**LENGTHS, "inputs": LENGTHS["inputs"] - 64}, model=model, **settings)
    requests = objective_requests.requests_of(objective, documents)
    rows = objective_requests.rows_of(objective.make_examples(documents, requests))
    bare_rows = objective_requests.rows_of(bare.make_examples(documents, requests))
    for document, (inputs, targets), (bare_inputs, bare_targets) in zip(
        requests.documents.tolist(), rows, bare_rows
    ):
        header = model.encode(f"# octocat/hello: src/file_{document}.py\n")
        assert inputs == header[-64:] + bare_inputs
        assert targets == bare_targets


def test_of_a_long_header_the_end_stays(model):
    rows = headers.Headers(model).of_documents(
        lambda index: ("organisation/" * 30, "folder/" * 30 + "file.py"), np.array([0])
    )
    assert rows.lengths.tolist() == [64]
    assert model.decode(rows.row(0).tolist()).endswith("/file.py\n")


def test_a_line_end_in_a_path_does_not_end_the_header():
    assert headers.header_text("a", "b\nc\r\nd.py") == "# a: b c d.py\n"


def test_headers_are_remembered_in_bounded_memory(model, monkeypatch):
    monkeypatch.setattr(headers, "_MAX_REMEMBERED", 3)
    found = headers.Headers(model)
    names = [("r", f"{number}.py") for number in range(10)]
    rows = found.of_documents(lambda index: names[index], np.arange(10))
    assert [model.decode(rows.row(i).tolist()) for i in range(10)] == [
        f"# r: {number}.py\n" for number in range(10)
    ]
    assert len(found._remembered) <= 3


def test_objectives_need_no_tensorflow():
    code = "import sys, code_t5.data.objectives; print({*sys.modules} & {'tensorflow', 't5'})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT
    )
    assert done.stdout.strip() == "set()"
