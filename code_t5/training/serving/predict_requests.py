"""Reads the body of a prediction request, in TensorFlow Serving's two forms.

The *row form* is `{"instances": [...]}`, one value per prompt; the *column form* `{"inputs": ...}`,
one list per name. A prompt is a text (`"prompt"`, with `"suffix"` behind the cursor if a model
reads one) or token ids (`"input_ids"`). The body comes from anybody, so what is read is bounded in
number, size and depth before it is used.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, NoReturn

from code_t5.training.serving.answers import RequestError, shown
from code_t5.training.serving.predictions import Prediction, Prompt

TEXT = "prompt"
SUFFIX = "suffix"
IDS = "input_ids"
SIGNATURE = "serving_default"
_FORMS = 'wanted {"instances": [{"prompt": "..."}, ...]} or {"inputs": {"prompt": ["...", ...]}}'
_KEYS = {"instances", "inputs", "signature_name"}
# 64 bits and a sign; longer numbers take Python's time and are no ids.
_MAX_NUMBER_CHARACTERS = 20
_PADDING_ID = 0


class RequestLimits(NamedTuple):
    """What one request may hold.

    Attributes:
      max_prompts: Most prompts.
      max_prompt_tokens: Most ids of a prompt that is given in ids.
      vocab_size: Ids are below it.
    """

    max_prompts: int
    max_prompt_tokens: int
    vocab_size: int


class PredictRequest(NamedTuple):
    """What is asked for.

    Attributes:
      prompts: At least one.
      in_columns: Whether the request is in the column form, and so is the answer.
    """

    prompts: tuple[Prompt, ...]
    in_columns: bool


def _bounded_number(text: str) -> int:
    if len(text) > _MAX_NUMBER_CHARACTERS:
        raise RequestError(f"found a number of {len(text)} digits; wanted token ids")
    return int(text)


def _no_constant(text: str) -> NoReturn:
    raise RequestError(f"found {text}, which is no JSON; wanted token ids or texts")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RequestError("found a name twice in one object; wanted each once")
    return found


def _read_json(body: bytes) -> dict[str, Any]:
    """Returns the object that a body holds.

    Raises:
      RequestError: It is no JSON, or no object.
    """
    try:
        found = json.loads(
            body.decode("utf-8"),
            parse_int=_bounded_number,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_keys,
        )
    except UnicodeDecodeError as error:
        raise RequestError(f"byte {error.start} of the body is no UTF-8; wanted JSON") from error
    except RecursionError as error:
        raise RequestError(f"the JSON is nested too deep; {_FORMS}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RequestError(f"the body is no JSON at {where}: {error.msg}; {_FORMS}") from error
    if not isinstance(found, dict):
        raise RequestError(f"found JSON that is no object; {_FORMS}")
    return found


def _check_text(value: object, *, name: str) -> str:
    """Returns a text as it is.

    Raises:
      RequestError: It is no text that can be encoded.
    """
    if not isinstance(value, str):
        raise RequestError(f"found {shown(value)} as {name}; wanted a text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError(
            f"found half a surrogate pair at character {error.start} of {name}; wanted Unicode text"
        ) from error
    return value


def _text_prompt(value: object, suffix: object = "") -> Prompt:
    """Returns a prompt given as text.

    Raises:
      RequestError: It is none, or empty.
    """
    prompt = Prompt(_check_text(value, name=TEXT), _check_text(suffix, name=SUFFIX))
    if not prompt.text and not prompt.suffix:
        raise RequestError(f"found an empty {TEXT}; wanted at least one character")
    return prompt


def _ids_prompt(value: object, limits: RequestLimits) -> Prompt:
    """Returns a prompt given as ids, the padding at its end left out.

    Raises:
      RequestError: They are no ids of the vocabulary, none or too many.
    """
    if not isinstance(value, list) or len(value) > limits.max_prompt_tokens:
        found = f"{len(value)} numbers" if isinstance(value, list) else shown(value)
        raise RequestError(
            f"found {found} as {IDS}; wanted a list of 1 to {limits.max_prompt_tokens} token ids"
        )
    for one in value:
        # True is an int to Python.
        if type(one) is not int or not 0 <= one < limits.vocab_size:
            raise RequestError(
                f"found {shown(one)} in {IDS}; wanted whole numbers from 0 to "
                f"{limits.vocab_size - 1}"
            )
    length = len(value)
    while length and value[length - 1] == _PADDING_ID:
        length -= 1
    if not length:
        raise RequestError(f"found no token in {IDS}; wanted at least one that is no padding")
    return Prompt(token_ids=tuple(value[:length]))


def _row(value: object, limits: RequestLimits) -> Prompt:
    """Returns the prompt of one instance.

    Raises:
      RequestError: It is none.
    """
    if isinstance(value, str):
        return _text_prompt(value)
    if isinstance(value, list):
        return _ids_prompt(value, limits)
    if isinstance(value, dict) and TEXT in value and set(value) <= {TEXT, SUFFIX}:
        return _text_prompt(value[TEXT], value.get(SUFFIX, ""))
    if isinstance(value, dict) and set(value) == {IDS}:
        return _ids_prompt(value[IDS], limits)
    found = f"the names {shown(sorted(value))}" if isinstance(value, dict) else shown(value)
    raise RequestError(f'found {found}; wanted {{"{TEXT}": "..."}} or {{"{IDS}": [...]}}')


def _rows(found: dict[str, Any], limits: RequestLimits) -> list[object]:
    """Returns one value per prompt.

    Raises:
      RequestError: There are both forms, none, columns that are no lists, or too many prompts.
    """
    if ("instances" in found) == ("inputs" in found) or not set(found) <= _KEYS:
        raise RequestError(f"found the names {shown(sorted(found))}; {_FORMS}")
    signature = found.get("signature_name", SIGNATURE)
    if signature not in ("", SIGNATURE):
        raise RequestError(
            f"Serving signature name: {shown(signature)} not found in signature def; wanted "
            f'"{SIGNATURE}"'
        )
    rows = found.get("instances", found.get("inputs"))
    if "inputs" in found and isinstance(rows, dict):
        if set(rows) not in ({TEXT}, {TEXT, SUFFIX}, {IDS}):
            raise RequestError(
                f'found the inputs {shown(sorted(rows))}; wanted "{TEXT}", with "{SUFFIX}" if '
                f'there is one, or "{IDS}"'
            )
        columns = list(rows.values())
        if not all(isinstance(one, list) and len(one) == len(columns[0]) for one in columns):
            raise RequestError("found inputs that are no lists of one length; wanted such lists")
        _check_number(columns[0], limits)
        rows = [dict(zip(rows, values)) for values in zip(*columns)]
    if not isinstance(rows, list):
        raise RequestError(f"found prompts that are no list; {_FORMS}")
    _check_number(rows, limits)
    return rows


def _check_number(rows: list[object], limits: RequestLimits) -> None:
    """Looks at how many prompts there are.

    Raises:
      RequestError: There are none, or too many.
    """
    if not 1 <= len(rows) <= limits.max_prompts:
        raise RequestError(
            f"found {len(rows)} prompts; wanted 1 to {limits.max_prompts}; send the others in "
            "another request"
        )


def read_request(body: bytes, limits: RequestLimits) -> PredictRequest:
    """Reads a request's body.

    Args:
      body: JSON in UTF-8, of bounded size.
      limits: What it may hold.

    Returns:
      The prompts.

    Raises:
      RequestError: It is not what it should be; the message says where.

    >>> read_request(b'{"instances": ["a = "]}', RequestLimits(8, 16, 100)).prompts[0].text
    'a = '
    """
    found = _read_json(body)
    rows = _rows(found, limits)
    prompts = tuple(_row(value, limits) for value in rows)
    return PredictRequest(prompts, in_columns="inputs" in found)


def _row_answer(prompt: Prompt, prediction: Prediction) -> dict[str, Any]:
    """Returns one prediction; whoever asks in ids gets the export's own outputs too."""
    answer: dict[str, Any] = {
        "candidates": [{"text": one.text, "score": one.score} for one in prediction.candidates]
    }
    if prompt.token_ids is not None:
        answer["output_ids"] = prediction.output_ids
        answer["scores"] = prediction.scores
    return answer


def answer_to(request: PredictRequest, predictions: list[Prediction]) -> dict[str, Any]:
    """Returns the answer, in the form of the request.

    Args:
      request: What was asked.
      predictions: One per prompt.

    Returns:
      `{"predictions": [...]}` or `{"outputs": {...}}`.
    """
    rows = [_row_answer(*pair) for pair in zip(request.prompts, predictions)]
    if not request.in_columns:
        return {"predictions": rows}
    # Rows asked for in texts and in ids hold other names: columns have those that all have.
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {"outputs": {name: [row[name] for row in rows] for name in names}}
