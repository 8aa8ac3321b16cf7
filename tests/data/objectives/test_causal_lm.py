from __future__ import annotations

import objective_requests
import token_documents


def test_targets_are_the_windows_and_inputs_are_empty():
    documents = token_documents.documents_of([11, 0, 4])
    objective = token_documents.causal_lm({"inputs": 1, "targets": 6})
    assert objective.num_examples(documents).tolist() == [3, 0, 1]
    assert objective_requests.make_all(objective, documents) == [
        ([], list(range(10, 15))),
        ([], list(range(15, 20))),
        ([], [20]),
        ([], list(range(21, 25))),
    ]
