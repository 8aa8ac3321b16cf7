from __future__ import annotations

import numpy as np
import objective_requests
import pytest

from code_t5.data.objectives import Requests, line_windows, token_tables, windows


@pytest.fixture(scope="module")
def tables(model):
    return token_tables.TokenTables(model)


class _Counting:
    """Counts windows as an objective would."""

    def num_examples(self, documents):
        return windows.count_windows(documents.lengths, window=30)


def _bounds(documents, tables):
    requests = objective_requests.requests_of(_Counting(), documents)
    return requests, *line_windows.line_window_bounds(
        documents, requests=requests, window=30, slack=20, tables=tables
    )


def test_windows_tile_every_document(model, tables, texts, make_documents):
    documents = make_documents(model, texts)
    requests, starts, lengths = _bounds(documents, tables)
    for document in range(len(texts)):
        mine = requests.documents == document
        ends = starts[mine] + lengths[mine]
        bounds = documents.offsets[document : document + 2].tolist()
        assert [bounds[0], *ends.tolist()] == [*starts[mine].tolist(), bounds[1]]
    assert lengths.min() > 0
    assert lengths.max() <= 30 + 20


def test_windows_begin_with_a_line_and_else_with_a_character(model, tables, texts, make_documents):
    documents = make_documents(model, texts)
    requests, starts, _ = _bounds(documents, tables)
    begins = tables.is_newline[documents.tokens[np.maximum(starts - 1, 0)]]
    begins |= np.isin(starts, documents.offsets)
    tokens = documents.tokens.astype(np.int64)
    assert tables.begins_character[tokens[starts]].all()
    firsts = documents.offsets[requests.documents]
    borders = firsts + 30 * requests.numbers
    for first, border in zip(firsts[~begins].tolist(), borders[~begins].tolist()):
        assert not tables.is_newline[tokens[max(first, border - 20) : border]].any()
    assert begins.mean() > 0.4


def test_a_border_moves_no_further_than_the_slack(model, tables, make_documents):
    documents = make_documents(model, ["x\n" + "a1" * 200])
    _, starts, lengths = _bounds(documents, tables)
    assert starts.tolist()[:3] == [0, 30, 60]
    assert lengths.tolist()[:2] == [30, 30]


def test_windows_of_other_documents_are_out_of_reach(model, tables, make_documents):
    # The line end before the second document is the first one's.
    documents = make_documents(model, ["a\n", "b" * 500])
    requests = Requests(np.array([1]), np.array([0]), np.zeros(1, dtype=np.uint64))
    starts, _ = line_windows.line_window_bounds(
        documents, requests=requests, window=30, slack=20, tables=tables
    )
    assert starts.tolist() == [documents.offsets[1]]
