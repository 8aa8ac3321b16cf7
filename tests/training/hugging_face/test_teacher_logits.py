"""What a T5 teacher reckons with is what mesh-tensorflow says of the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from code_t5.training.hugging_face import export_hugging_face
from code_t5.training.hugging_face.opening import open_export
from code_t5.training.teachers.t5_inputs import TaskInput


@pytest.mark.slow
def test_logits_of_a_teacher_are_those_of_mesh_tensorflow(mesh_models, trained_small, tmp_path):
    from code_t5.encoding.token_model import load_token_model
    from code_t5.training.completing import loading
    from code_t5.training.teachers import t5_network

    t5_network.import_libraries()
    for name in ("trained", "t5_1_1"):
        model = mesh_models[name]
        export = open_export(
            export_hugging_face(
                model.model_dir,
                output_dir=tmp_path / name,
                step=model.step,
                data_dir=trained_small.data_dir,
            )
        )
        vocabulary = load_token_model(export.vocabulary_dir)
        network = t5_network.T5Network(
            loading.load_model(export, vocabulary=vocabulary), device="cpu"
        )
        for rows, wanted in model.logits.items():
            arrays = [model.rows[f"{rows}/{feature}"] for feature in ("inputs", "targets")]
            examples = [TaskInput(*(part[part > 0] for part in parts)) for parts in zip(*arrays)]
            found = np.concatenate(
                [part.numpy() for part in network.logits(network.states(examples))]
            )
            np.testing.assert_allclose(found, wanted[arrays[1] > 0], rtol=0, atol=1e-4)
            assert wanted.std() > 0.3
