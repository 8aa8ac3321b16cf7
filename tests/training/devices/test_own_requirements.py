from __future__ import annotations

import pytest

from code_t5.training.devices import distributions, own_requirements


def test_this_checkouts_setup_file_is_understood_whole():
    found = own_requirements.read()
    assert found is not None
    assert 'tensorflow==2.12.1; extra == "train"' in found.requires
    assert "tensorflow-datasets==4.9.9; (python_version >= '3.10') and extra == \"train\"" in (
        found.requires
    )
    extras = {one.rpartition("extra == ")[2].strip('"') for one in found.requires if "extra" in one}
    assert extras == {*distributions.NEEDED_EXTRAS, *distributions.OPTIONAL_EXTRAS}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no Python",
        "setup()",
        "setup(**read())",
        'setup(name="other", version="1", install_requires=[], extras_require={})',
        'setup(name="code_t5", version="1", install_requires=MISSING, extras_require={})',
        'setup(name="code_t5", version="1", install_requires=read(), extras_require={})',
        'setup(name="code_t5", version="1", install_requires=[], extras_require=read())',
        'setup(name="code_t5", version="1", install_requires=[], extras_require={**read()})',
    ],
)
def test_file_that_is_not_ours_or_not_plain_says_nothing(tmp_path, text):
    path = tmp_path / "setup.py"
    path.write_text(text)
    assert own_requirements.read(path) is None
    path.unlink()
    assert own_requirements.read(path) is None


def test_file_is_not_run(tmp_path):
    path = tmp_path / "setup.py"
    mark = tmp_path / "ran"
    path.write_text(
        f"open({str(mark)!r}, 'w')\n"
        'setup(name="code_t5", version="1", install_requires=["a"], extras_require={"b": ["c"]})'
    )
    assert own_requirements.read(path) == ("1", ("a", 'c; extra == "b"'))
    assert not mark.exists()
