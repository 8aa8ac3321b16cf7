"""Which root a program means."""

from __future__ import annotations

import os

import offline_children
import pytest

from code_t5 import errors
from code_t5.hf_artifacts import cache_root

_PROGRAMS = {
    "precache.py": ("--dry_run",),
    "check_hf_cache.py": (),
    "check_hf_cache.py --dataset": ("--dataset=wikiann",),
    "build_dataset.py": ("--dataset=wikiann", "--output_dir=built"),
    "slurm_env.py": (),
}


@pytest.mark.parametrize("program", _PROGRAMS)
def test_every_program_refuses_an_empty_root_and_none_takes_another_for_it(program, tmp_path):
    # The shell's variable in `--cache_dir="$HF_CACHE_ROOT"` is not set.
    (tmp_path / "hf-cache").mkdir()
    done = offline_children.run_script(
        program.split()[0], "--cache_dir=", *_PROGRAMS[program], cwd=tmp_path,
        environment={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].endswith(
        "--cache_dir is empty; wanted a directory; name one, or leave the flag out"
    )
    assert os.listdir(tmp_path) == ["hf-cache"]


def test_a_root_is_the_one_named_or_where_no_flag_is_given_the_usual_one(tmp_path):
    named = cache_root.root_of_flag(str(tmp_path / "x"), environment={"HF_HOME": str(tmp_path)})
    assert named.path == tmp_path / "x"
    usual = cache_root.root_of_flag(None, environment={"HF_HOME": str(tmp_path)})
    assert usual.path == tmp_path
    for empty in ("", " "):
        with pytest.raises(errors.InputError, match="--cache_dir is empty"):
            cache_root.root_of_flag(empty)
    with pytest.raises(errors.InputError, match="cannot be a directory"):
        cache_root.root_of_flag("a" * 300)
