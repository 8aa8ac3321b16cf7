from __future__ import annotations

import numpy as np
import objective_requests
import pytest

from code_t5 import errors
from code_t5.data.objectives import LineCompletion

LENGTHS = {"inputs": 20_000, "targets": 10_000}


def _cursors(model, texts, make_documents, *, seed=0, **settings):
    """Returns the text before and behind each cursor, by document."""
    documents = make_documents(model, texts)
    objective = LineCompletion(LENGTHS, model=model, **settings)
    requests = objective_requests.requests_of(objective, documents, seed=seed)
    rows = objective_requests.rows_of(objective.make_examples(documents, requests))
    return [
        (document, model.decode(inputs), model.decode(targets))
        for document, (inputs, targets) in zip(requests.documents.tolist(), rows)
    ]


def test_context_and_target_are_the_file_up_to_the_end_of_a_line(model, texts, make_documents):
    for document, before, behind in _cursors(model, texts, make_documents, bytes_per_cursor=60):
        text = texts[document]
        if not text.strip(" \t\r\n\f\v"):
            continue
        assert text.startswith(before + behind)
        rest = text[len(before + behind) :]
        assert rest == "" or rest[0] == "\n"
        assert behind.strip(" \t\r\f\v")
        assert "\n" not in behind


def test_cursors_stand_behind_the_indentation(model, texts, make_documents):
    for _, before, behind in _cursors(model, texts[:1], make_documents, bytes_per_cursor=10):
        line = before.rpartition("\n")[2]
        if not line.strip():
            assert not behind[0].isspace()


def test_both_sides_of_a_cursor_have_the_ids_of_their_text(model, texts, make_documents):
    documents = make_documents(model, texts)
    objective = LineCompletion(LENGTHS, model=model, bytes_per_cursor=50)
    for inputs, targets in objective_requests.make_all(objective, documents):
        assert model.encode(model.decode(inputs)) == inputs
        assert model.encode(model.decode(targets)) == targets


def test_number_of_cursors_follows_from_the_size(model, texts, make_documents):
    documents = make_documents(model, ["x = 1\n" * count for count in (0, 1, 16, 17, 170)])
    objective = LineCompletion(LENGTHS, model=model, bytes_per_cursor=100)
    assert documents.sizes.tolist() == [0, 6, 96, 102, 1020]
    assert objective.num_examples(documents).tolist() == [0, 1, 1, 1, 10]


def test_cursors_stand_at_the_same_places_with_another_vocabulary(
    model, other_model, texts, make_documents
):
    found = [_cursors(m, texts, make_documents, bytes_per_cursor=40) for m in (model, other_model)]
    assert len(found[0]) > 50
    assert found[0] == found[1]


def test_cursors_of_a_known_text_stay_where_they_are(model, make_documents):
    """A validation split asks the same questions for ever: these are them."""
    text = "import os\n\n\ndef f(x):\n    return os.path.join(x, 'y')\n"
    found = _cursors(model, [text], make_documents, bytes_per_cursor=18)
    assert [(len(before), behind) for _, before, behind in found] == [
        (4, "rt os"),
        (12, "def f(x):"),
        (26, "return os.path.join(x, 'y')"),
    ]


def test_keys_change_nothing_unless_cursors_are_drawn_anew(model, texts, make_documents):
    def cursors(seed, redraw):
        return _cursors(
            model, texts, make_documents, seed=seed, redraw=redraw, bytes_per_cursor=100
        )

    assert cursors(0, False) == cursors(1, False)
    assert cursors(0, True) != cursors(1, True)
    assert cursors(1, True) == cursors(1, True)


def test_cursors_are_spread_over_the_lines_of_a_file(model, make_documents):
    text = "".join(f"line {number}\n" for number in range(100))
    found = _cursors(model, [text], make_documents, bytes_per_cursor=len(text) // 10)
    lines = [before.count("\n") for _, before, _ in found]
    assert [line // 10 for line in lines] == list(range(10))


def test_lines_are_drawn_from_the_text(model, make_documents):
    lines = "".join(f"x{number}\n" for number in range(10))
    texts = ["y" * number + lines for number in range(60)]
    found = _cursors(model, texts, make_documents, line_start_share=1.0)
    counts = np.bincount([before.count("\n") for _, before, _ in found], minlength=10)
    assert counts.sum() == 60
    assert (counts > 0).all()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_share_of_cursors_at_a_line_start_is_as_set(model, make_documents, share):
    text = "".join(f"    line {number}\n" for number in range(1000))
    found = _cursors(model, [text], make_documents, bytes_per_cursor=20, line_start_share=share)
    at_start = [before.rpartition("\n")[2].strip() == "" for _, before, _ in found]
    assert len(at_start) > 600
    assert np.mean(at_start) == pytest.approx(share, abs=0.1 if share == 0.5 else 0)


def test_long_contexts_keep_their_end_and_long_lines_their_start(model, texts, make_documents):
    documents = make_documents(model, texts)
    short = LineCompletion({"inputs": 20, "targets": 6}, model=model, bytes_per_cursor=50)
    whole = LineCompletion(LENGTHS, model=model, bytes_per_cursor=50)
    rows = objective_requests.make_all(short, documents)
    all_rows = objective_requests.make_all(whole, documents)
    assert any(len(inputs) > 19 for inputs, _ in all_rows)
    assert any(len(targets) > 5 for _, targets in all_rows)
    assert rows == [(inputs[-19:], targets[:5]) for inputs, targets in all_rows]


def test_a_file_of_blank_lines_asks_for_its_first(model, make_documents):
    found = _cursors(model, ["\n\n", "  \n"], make_documents)
    assert found == [(0, "", "\n"), (1, "  ", "\n")]


def test_settings_out_of_range_are_refused(model):
    for settings in ({"bytes_per_cursor": 0}, {"line_start_share": 1.1}):
        with pytest.raises(errors.InputError, match="LineCompletion.bytes_per_cursor"):
            LineCompletion(LENGTHS, model=model, **settings)
