from __future__ import annotations

import pytest
from refusals import assert_refused

from code_t5.hf_artifacts import online
from code_t5.hf_artifacts.cache_root import OFFLINE_FLAGS


@pytest.mark.parametrize("name", OFFLINE_FLAGS)
def test_an_offline_flag_is_refused_with_the_command_that_switches_it_off(name):
    command = ["scripts/precache.py", "--cache_dir", "/a b"]
    assert_refused(
        lambda: online.check_online({name: "true"}, arguments=command),
        match=rf"^{name}=true is set.*; run {name}=0 python .*precache.py --cache_dir '/a b'$",
    )


def test_all_flags_that_are_set_are_named_and_no_other():
    assert_refused(
        lambda: online.check_online(
            {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "YES"},
            arguments=["p.py"],
        ),
        match="run HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=0 python p.py$",
    )


def test_no_flag_and_flags_that_are_off_are_let_through():
    online.check_online({}, arguments=["p.py"])
    online.check_online(dict.fromkeys(OFFLINE_FLAGS, "0"), arguments=["p.py"])
