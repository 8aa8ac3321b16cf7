from __future__ import annotations

import subprocess
import sys

from code_t5.data import near_names

_KNOWN = ["dev", "dev_prefix_lm", "dev_span_corruption", "Mine", "fl_py_50stars_2019"]


def test_near_names_come_nearest_first_and_three_at_most():
    assert near_names.near_names("dev_prefix", _KNOWN) == ["dev_prefix_lm"]
    many = [f"dev_{number}" for number in range(9)]
    assert len(near_names.near_names("dev_x", many)) == 3
    assert near_names.near_names("dev_4", many)[0] == "dev_4"


def test_case_does_not_make_a_name_distant():
    assert near_names.near_names("mine", _KNOWN) == ["Mine"]


def test_a_hint_lists_what_is_near_and_is_silent_otherwise():
    known = ["ab_1", "ab_2", "ab_3"]
    assert near_names.near_hint("ab_3x", known) == "; did you mean ab_3, ab_2 or ab_1?"
    assert near_names.near_hint("qqq", known) == ""
    assert near_names.near_hint("", known) == ""


def test_asking_for_names_and_definitions_loads_no_tensorflow():
    script = (
        "import sys, code_t5.data.near_names, code_t5.data.mixture_definitions\n"
        "print(sorted({'tensorflow', 'seqio', 't5'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
