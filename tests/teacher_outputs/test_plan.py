"""Plans, and what they say of each other."""

from __future__ import annotations

import pytest
from refusals import assert_refused
from small_teacher_outputs import SCHEMA, small_plan

from code_t5.teacher_outputs import plan


def test_fingerprint_hangs_on_each_part_and_on_nothing_else():
    found = {small_plan().fingerprint}
    for change in (
        {"teacher": "another"},
        {"data": None},
        {"vocabulary": "abc"},
        {"options": {"k": 4}},
        {"seed": None},
        {"schema": plan.OutputSchema(SCHEMA.fields[:2])},
    ):
        found.add(small_plan(**change).fingerprint)
    assert len(found) == 7
    assert small_plan(num_samples=3, samples_per_shard=1).fingerprint in found
    assert tuple(small_plan().parts) == plan.PART_NAMES


def test_the_last_shard_is_shorter():
    made = small_plan()
    assert made.num_shards == 3
    assert [list(made.samples_of(index)) for index in (0, 2)] == [[0, 1, 2, 3], [8, 9]]
    assert_refused(lambda: made.samples_of(3), match="found the shard 3; wanted one of 0 to 2")
    assert_refused(lambda: made.samples_of(-1), match="shard's index is -1")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"num_samples": 0}, "num_samples is 0; wanted a whole number of 1 or more"),
        ({"samples_per_shard": 0}, "samples_per_shard is 0"),
        ({"num_samples": 2.5}, "num_samples is 2.5"),
        ({"num_samples": 10**9, "samples_per_shard": 1}, "1,000,000,000 shards"),
        ({"teacher": {"weights": b"raw"}}, "'teacher' cannot be JSON"),
        ({"options": {"k": float("nan")}}, "'options' cannot be JSON"),
    ],
)
def test_plans_that_cannot_be_are_refused(change, match):
    assert_refused(lambda: small_plan(**change), match=match)


def test_differences_name_what_was_found_and_wanted():
    found = {"teacher": {"a": 1, "b": [1, 2]}, "seed": None, "options": {}}
    assert plan.differences(found, {"teacher": {"a": 1, "b": [1, 3]}}) == (
        "teacher.b[1] is 2, wanted 3"
    )
    assert plan.differences(found, {"teacher": {"a": 1}, "seed": 0}) == (
        "teacher.b is [1, 2], wanted absent; seed is null, wanted 0"
    )
    assert plan.differences(found, {"options": {"new": "x" * 100}}) == (
        'options.new is absent, wanted "' + "x" * 59 + "..."
    )
    assert plan.differences({"data": 1.0}, {"data": 1}) == ""
    assert plan.differences({"data": True}, {"data": 1}) == "data is true, wanted 1"
    many = plan.differences({"data": {}}, {"data": {str(n): n for n in range(9)}})
    assert many.endswith("data.5 is absent, wanted 5; and 3 more")


def test_names_of_parts_are_shown_harmlessly():
    line = plan.differences({"data": {"\x1b[2J": 1}}, {"data": {}})
    assert line.isprintable()


def test_parts_are_checked_by_name():
    assert_refused(lambda: plan.as_json({"teachers": 1}), match="no part 'teachers'")
    assert plan.as_json({"schema": SCHEMA}) == {"schema": SCHEMA.to_json()}
    assert plan.as_json({"data": (1, 2)}) == {"data": [1, 2]}
