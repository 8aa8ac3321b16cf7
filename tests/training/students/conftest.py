"""A small teacher and its student in the registries, and caches of what it said."""

from __future__ import annotations

import pathlib

import pytest
import small_student
import torch
from small_teacher import small_config

from code_t5.training.students import registry as student_registry
from code_t5.training.students import student_training
from code_t5.training.students.registry import StudentFamily
from code_t5.training.students.student_training import StudentTrainingConfig
from code_t5.training.teachers import generating
from code_t5.training.teachers import registry as teacher_registry
from code_t5.training.teachers.registry import Setting, TeacherFamily


@pytest.fixture(name="small_family", autouse=True)
def _small_family(monkeypatch):
    """9 is a small teacher, which has a student."""
    offset = Setting("offset", 0.0, "Is added.", kind="float")
    width = Setting("width", 4, "Of the student.", kind="integer")
    teachers = TeacherFamily(
        names={9: "small"}, make="small_teacher:open_small", settings=(offset,)
    )
    students = StudentFamily(("small",), make="small_student:open_small_student", settings=(width,))
    monkeypatch.setattr(teacher_registry, "FAMILIES", (*teacher_registry.FAMILIES, teachers))
    monkeypatch.setattr(student_registry, "FAMILIES", (*student_registry.FAMILIES, students))
    monkeypatch.setattr(small_student, "ON_STEP", [])


@pytest.fixture(name="one_thread", autouse=True)
def _one_thread():
    """Several threads that wait for a processor that others use take far longer than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(name="generate")
def _generate_fixture():
    """Asks the small teacher."""
    return _generate


def _generate(path: pathlib.Path, *, offset: float = 0.0, **changes) -> str:
    """Asks the small teacher, which the registry opens; returns the path."""
    spec = teacher_registry.teacher_spec("small", {"offset": offset})
    config = small_config(spec=spec, **changes)
    return str(generating.generate(config, output=str(path)).path)


@pytest.fixture(name="caches")
def _caches(tmp_path):
    """Paths of 20 training samples, drawn with the seed 7, and of all validation samples."""
    validation = {"split": "validation", "num_samples": None, "seed": None}
    return {
        "cached_train_path": _generate(tmp_path / "cached_train"),
        "cached_val_path": _generate(tmp_path / "cached_val", **validation),
    }


@pytest.fixture(name="train")
def _train(tmp_path, caches):
    """Trains the small student from the caches: 3 epochs of 4 batches."""

    def train(output="student", **changes):
        options = {"epochs": 3, "batch_size": 5, "seed": 7, "num_workers": 0, **caches}
        config = StudentTrainingConfig("small", tmp_path / output, **{**options, **changes})
        return student_training.train(config)

    return train
