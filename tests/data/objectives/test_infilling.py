from __future__ import annotations

import platform

import numpy as np
import objective_requests
import pytest

from code_t5 import errors
from code_t5.data.objectives import Infilling
from code_t5.encoding import ragged

LENGTHS = {"inputs": 128, "targets": 128}


def _parts(model, inputs, targets):
    """Returns prefix, middle and suffix as ids, and the kind of the example."""
    here, suffix_mark = model.vocab_size - 1, model.vocab_size - 2
    if here not in inputs:
        return inputs, targets, [], "prefix_lm"
    place = inputs.index(here)
    if inputs[0] == suffix_mark:
        return inputs[place + 1 :], targets, inputs[1:place], "suffix_first"
    return inputs[:place], targets, inputs[place + 1 :], "prefix_first"


def _made(model, texts, make_documents, **settings):
    documents = make_documents(model, texts)
    objective = Infilling(LENGTHS, model=model, **settings)
    rows = objective_requests.make_all(objective, documents)
    return [(_parts(model, *row)) for row in rows]


def _join(model, made):
    """Returns the text of all parts; without a sentinel, characters may be cut in two."""
    return "".join(
        model.decode([*prefix, *middle])
        if kind == "prefix_lm"
        else model.decode(prefix) + model.decode(middle) + model.decode(suffix)
        for prefix, middle, suffix, kind in made
    )


@pytest.mark.parametrize("unit", ["characters", "lines", "ast"])
def test_parts_joined_are_the_documents(model, texts, make_documents, unit):
    made = _made(model, texts, make_documents, unit=unit)
    assert all(middle for _, middle, _, _ in made)
    assert _join(model, made) == "".join(texts)


@pytest.mark.parametrize("unit", ["characters", "lines", "ast"])
def test_each_part_has_the_ids_of_its_text(model, texts, make_documents, unit):
    made = _made(model, texts, make_documents, unit=unit, rate=1.0)
    num_infilled = 0
    for prefix, middle, suffix, kind in made:
        if kind != "prefix_lm":
            num_infilled += 1
            for part in (prefix, middle, suffix):
                assert model.encode(model.decode(part)) == part
    assert num_infilled > len(made) / 2


def test_the_orders_and_the_rest_are_drawn_as_often_as_set(model, texts, make_documents):
    made = _made(model, texts[:1] * 400, make_documents)
    kinds = [kind for *_, kind in made]
    assert len(kinds) > 1000
    spread = 5 * np.sqrt(0.25 / len(kinds))
    for kind, share in (("prefix_lm", 0.5), ("prefix_first", 0.25), ("suffix_first", 0.25)):
        assert kinds.count(kind) / len(kinds) == pytest.approx(share, abs=spread)
    assert {kind for *_, kind in _made(model, texts[:1] * 20, make_documents, rate=0.0)} == {
        "prefix_lm"
    }


def test_sentinels_stand_where_the_middle_belongs(model, make_documents):
    documents = make_documents(model, ["one\ntwo\nthree\n"])
    here, suffix_mark = model.vocab_size - 1, model.vocab_size - 2
    found = set()
    for seed in range(60):
        for share in (0.0, 1.0):
            objective = Infilling(
                LENGTHS, model=model, unit="lines", rate=1.0, suffix_first_rate=share
            )
            ((inputs, targets),) = objective_requests.make_all(objective, documents, seed=seed)
            if model.decode(targets) == "two\n":
                found.add(tuple(inputs))
    one, three = model.encode("one\n"), model.encode("three\n")
    assert found == {(*one, here, *three), (suffix_mark, *three, here, *one)}


def test_lines_are_cut_where_lines_begin(model, texts, make_documents):
    for prefix, middle, suffix, kind in _made(model, texts[:1], make_documents, unit="lines"):
        if kind != "prefix_lm":
            text = model.decode(prefix)
            assert text == "" or text.endswith("\n")
            assert suffix == [] or model.decode(middle).endswith("\n")


def test_characters_cut_inside_words_too(model, texts, make_documents):
    made = _made(model, texts[:1] * 50, make_documents, rate=1.0)
    ends = [model.decode(prefix)[-1:] + model.decode(middle)[:1] for prefix, middle, *_ in made]
    assert sum(end.isalpha() and len(end) == 2 for end in ends) > len(ends) / 5


def test_all_pairs_of_places_are_alike_likely(model, make_documents):
    documents = make_documents(model, ["abcd"])
    objective = Infilling(LENGTHS, model=model, rate=1.0)
    counts = np.zeros((5, 5))
    requests = objective_requests.requests_of(objective, documents)
    num = 6000
    requests = type(requests)(
        np.zeros(num, int),
        np.zeros(num, int),
        objective_requests.mix_keys(4, np.arange(num)),
    )
    for row in objective_requests.rows_of(objective.make_examples(documents, requests)):
        prefix, middle, _, kind = _parts(model, *row)
        assert kind != "prefix_lm"
        low = len(model.decode(prefix))
        counts[low, low + len(model.decode(middle))] += 1
    found = counts[np.triu_indices(5, 1)]
    assert found.sum() == num
    assert abs(found - num / 10).max() < 5 * np.sqrt(num * 0.09)


def test_nodes_are_left_out_whole_where_the_window_parses(model, make_documents):
    documents = make_documents(model, ["value = first(second)\n"])
    objective = Infilling(LENGTHS, model=model, unit="ast", rate=1.0)
    found = set()
    for seed in range(100):
        ((_, targets),) = objective_requests.make_all(objective, documents, seed=seed)
        found.add(model.decode(targets))
    nodes = {"value", "first(second)", "first", "second", "value = first(second)"}
    assert found == nodes


def test_files_that_do_not_parse_are_cut_at_lines(model, make_documents):
    documents = make_documents(model, ["{{ not\npython }\n"])
    objective = Infilling(LENGTHS, model=model, unit="ast", rate=1.0)
    for seed in range(30):
        ((_, targets),) = objective_requests.make_all(objective, documents, seed=seed)
        assert model.decode(targets) in ("{{ not\n", "python }\n", "{{ not\npython }\n")


@pytest.mark.parametrize("targets_length", [4, 16, 40])
@pytest.mark.parametrize("unit", ["characters", "lines", "ast"])
def test_short_targets_hold_whole_middles(model, texts, make_documents, unit, targets_length):
    documents = make_documents(model, texts)
    objective = Infilling(
        {"inputs": 128, "targets": targets_length}, model=model, unit=unit, rate=1.0
    )
    rows = objective_requests.make_all(objective, documents)
    assert max(len(targets) for _, targets in rows) <= targets_length - 1
    made = [_parts(model, *row) for row in rows]
    assert _join(model, made) == "".join(texts)


def test_a_cut_that_needs_more_tokens_than_there_is_room_takes_the_start_of_the_prefix(
    model, make_documents
):
    # Most of the room is taken by one line; a cut in it costs tokens.
    documents = make_documents(model, [("value" * 7 + "\n") * 40])
    objective = Infilling({"inputs": 20, "targets": 128}, model=model, rate=1.0)
    rows = objective_requests.make_all(objective, documents)
    assert max(len(inputs) for inputs, _ in rows) <= 19


def test_settings_out_of_range_are_refused(model):
    for settings in ({"unit": "words"}, {"rate": 1.5}, {"suffix_first_rate": -0.1}):
        with pytest.raises(errors.InputError, match="wanted one of characters, lines, ast"):
            Infilling(LENGTHS, model=model, **settings)


def test_the_version_of_python_belongs_to_the_settings_where_it_decides(model):
    settings = Infilling(LENGTHS, model=model, unit="ast").settings
    assert settings["python"] == ".".join(platform.python_version_tuple()[:2])
    assert "python" not in Infilling(LENGTHS, model=model, unit="lines").settings


def test_a_window_of_half_a_line_is_no_trouble(model, make_documents):
    documents = make_documents(model, ["word " * 900, "\U0001f642\u65e5" * 300])
    objective = Infilling(LENGTHS, model=model, rate=1.0)
    assert objective.num_examples(documents).min() > 5
    made = [_parts(model, *row) for row in objective_requests.make_all(objective, documents)]
    assert _join(model, made) == "word " * 900 + "\U0001f642\u65e5" * 300
    assert ragged.offsets_of(np.array([len(m) for _, m, _, _ in made]))[-1] > 0


def test_middles_too_long_for_the_targets_are_drawn_anew(model, texts, make_documents):
    documents = make_documents(model, texts[:1] * 100)
    objective = Infilling({"inputs": 128, "targets": 24}, model=model, rate=1.0)
    made = [_parts(model, *row) for row in objective_requests.make_all(objective, documents)]
    lengths = [len(middle) for _, middle, _, kind in made if kind != "prefix_lm"]
    assert len(lengths) > 0.97 * len(made)
    # Short and long ones alike.
    assert np.mean(np.array(lengths) < 12) == pytest.approx(0.5, abs=0.15)
