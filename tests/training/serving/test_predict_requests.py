"""Bodies of prediction requests: what they mean, and what they must not be."""

from __future__ import annotations

import json

import pytest

from code_t5.training.serving import predict_requests
from code_t5.training.serving.answers import RequestError
from code_t5.training.serving.predictions import Prediction, Prompt, ScoredText

_LIMITS = predict_requests.RequestLimits(max_prompts=3, max_prompt_tokens=4, vocab_size=100)


def _read(content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return predict_requests.read_request(body, _LIMITS)


@pytest.mark.parametrize(
    ("content", "prompts", "in_columns"),
    [
        ({"instances": ["a", {"prompt": "b"}]}, ["a", "b"], False),
        ({"instances": [[1, 2], {"input_ids": [3, 0, 4, 0]}]}, [(1, 2), (3, 0, 4)], False),
        ({"inputs": {"prompt": ["a", "b"]}}, ["a", "b"], True),
        ({"inputs": {"input_ids": [[1], [2]]}}, [(1,), (2,)], True),
        ({"inputs": ["a"]}, ["a"], True),
        ({"signature_name": "serving_default", "instances": ["\u00e9\U0001f600\0"]}, None, False),
    ],
)
def test_both_forms_say_which_prompts_are_meant(content, prompts, in_columns):
    found = _read(content)
    wanted = prompts or ["\u00e9\U0001f600\0"]
    assert found.prompts == tuple(
        Prompt(text=one) if isinstance(one, str) else Prompt(token_ids=one) for one in wanted
    )
    assert found.in_columns is in_columns


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no JSON at line 1, column 1"),
        (b'{"instances": ["a"}', "no JSON at line 1, column 19"),
        (b"\xff{}", "byte 0 of the body is no UTF-8"),
        ("x".encode("utf-16"), "no UTF-8"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"instances": ' * 200_000, "nested too deep"),
        (b'{"instances": [[NaN]]}', "found NaN"),
        (b'{"instances": [[-Infinity]]}', "found -Infinity"),
        (b'{"instances": [[1e999]]}', "found inf in input_ids"),
        (b'{"instances": [[' + b"9" * 100_000 + b"]]}", "a number of 100000 digits"),
        (b'{"instances": ["a"], "instances": ["b"]}', "a name twice"),
        (b'{"instances": ["\\ud800"]}', "half a surrogate pair at character 0"),
        ([], "no object"),
        ({}, "found the names []"),
        ({"instances": ["a"], "inputs": ["a"]}, "['inputs', 'instances']"),
        ({"instances": ["a"], "evil": 1}, "['evil', 'instances']"),
        ({"instances": "a"}, "no list"),
        ({"inputs": {"prompt": "a"}}, "no lists of one length"),
        ({"inputs": {"prompt": ["a"], "suffix": []}}, "no lists of one length"),
        ({"inputs": {"prompt": ["a"], "input_ids": [[1]]}}, "['input_ids', 'prompt']"),
        ({"inputs": {}}, "found the inputs []"),
        ({"instances": [{"suffix": "a"}]}, "the names ['suffix']"),
        ({"instances": [{"prompt": "a", "suffix": 1}]}, "found 1 as suffix"),
        ({"instances": []}, "found 0 prompts"),
        ({"instances": ["a"] * 4}, "found 4 prompts; wanted 1 to 3"),
        ({"instances": [""]}, "an empty prompt"),
        ({"instances": [None]}, "found None"),
        ({"instances": [{"prompt": 1}]}, "found 1 as prompt"),
        ({"instances": [{"prompt": "a", "input_ids": [1]}]}, "the names"),
        ({"instances": [{"x" * 10_000: "a"}]}, "xxx..."),
        ({"instances": [[]]}, "no token"),
        ({"instances": [[0, 0]]}, "no token"),
        ({"instances": [[1] * 5]}, "found 5 numbers as input_ids"),
        ({"instances": [[True]]}, "found True"),
        ({"instances": [[1.0]]}, "found 1.0"),
        ({"instances": [[100]]}, "from 0 to 99"),
        ({"instances": [[-1]]}, "found -1"),
        ({"instances": [[[1]]]}, "found [1] in input_ids"),
        ({"instances": ["a"], "signature_name": "other"}, "'other' not found in signature def"),
        ({"instances": ["a"], "signature_name": []}, "[] not found in signature def"),
    ],
)
def test_anything_else_is_refused_in_one_short_line(content, says):
    with pytest.raises(RequestError) as caught:
        _read(content)
    assert says in str(caught.value)
    assert caught.value.status == 400
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_stands_behind_the_cursor_is_read_too():
    rows = _read({"instances": [{"prompt": "", "suffix": "b"}, {"prompt": "a"}]})
    columns = _read({"inputs": {"suffix": ["b", ""], "prompt": ["", "a"]}})
    assert rows.prompts == columns.prompts == (Prompt("", "b"), Prompt("a", ""))


def test_an_answer_has_the_form_of_its_request():
    prediction = Prediction((ScoredText("b", -1.5),), [[7, 0]], [-1.5], 1, 1)
    texts = _read({"instances": ["a"]})
    candidates = [{"text": "b", "score": -1.5}]
    answer = predict_requests.answer_to(texts, [prediction])
    assert answer == {"predictions": [{"candidates": candidates}]}
    ids = _read({"inputs": {"input_ids": [[1], [2]]}})
    assert predict_requests.answer_to(ids, [prediction, prediction]) == {
        "outputs": {
            "candidates": [candidates] * 2,
            "output_ids": [[[7, 0]]] * 2,
            "scores": [[-1.5]] * 2,
        }
    }
