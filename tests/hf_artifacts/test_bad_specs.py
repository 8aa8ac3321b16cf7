"""Lists of what is wanted that are none: one line each, before anything is asked."""

from __future__ import annotations

import fake_hub
import hf_programs
import pytest


@pytest.fixture(scope="module")
def hub():
    """A Hub with nothing on it."""
    with fake_hub.serve() as made:
        yield made


_SPECS = {
    "a key that is not known": ("modells: [a/b]", ["modells", "models", "did you mean"]),
    "a key of an entry": ("datasets: [{name: a/b, config: en}]", ["config", "configs", "entry 1"]),
    "no mapping": ("[a/b]", ["models", "datasets", "metrics"]),
    "nothing": ("", ["models", "datasets", "metrics"]),
    "no list": ("models: a/b", ["models", "list"]),
    "twice": ("models: [a/b, a/b]", ["a/b", "entry 2"]),
    "an object": ("models: [!!python/object/apply:os.system ['touch /tmp/x']]", ["YAML"]),
    "a path as a name": ("models: [../../etc]", ["../../etc"]),
    "an absolute path as a name": ("models: [/etc/passwd]", ["/etc/passwd"]),
    "a name that a terminal obeys": ('models: ["a/\\e[31mb"]', ["a/", "[31mb"]),
    "aliases": ("a: &a [x,x]\nb: &b [*a,*a]\nmodels: [*b]", ["alias"]),
    "deep": ("models: " + "[" * 20000, ["YAML"]),
    "half a mapping": ("models: [{name: a/b", ["YAML"]),
    "a pattern that is a number": ("models: [{name: a/b, patterns: [1]}]", ["patterns", "1"]),
}


@pytest.mark.parametrize("case", _SPECS)
def test_a_spec_that_is_not_one_is_one_line_that_names_the_entry(tmp_path, case):
    text, wanted = _SPECS[case]
    spec = tmp_path / "artefacts.yaml"
    spec.write_text(text, encoding="utf-8")
    environment = hf_programs.offline(tmp_path / "home")
    ran = hf_programs.run(
        "precache.py", "--cache_dir", tmp_path / "root", "--spec", spec, environment=environment
    )
    assert ran.status == 1
    assert "artefacts.yaml" in ran.error
    for word in wanted:
        assert word in ran.error
    assert "\x1b" not in ran.all
    assert len(ran.error) < 1000
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("content", [b"#" * (64 << 20), b"models: [\xff\xfe]", b"models: [a\0b]"])
def test_a_spec_that_is_huge_or_no_text_is_one_line(tmp_path, content):
    spec = tmp_path / "artefacts.yaml"
    spec.write_bytes(content)
    environment = hf_programs.offline(tmp_path / "home")
    ran = hf_programs.run(
        "precache.py", "--cache_dir", tmp_path / "root", "--spec", spec, environment=environment
    )
    assert ran.status == 1
    assert "artefacts.yaml" in ran.error
    assert len(ran.error) < 1000


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "a/b/c", "a--b", "a b", "", "a\x1bb"])
def test_a_name_that_is_none_is_refused_before_the_hub_is_asked(hub, tmp_path, name):
    asked = len(hub.requests)
    ran = hf_programs.run(
        "precache.py", "--cache_dir", tmp_path / "root", "--no_conll2003", "--no_wikiann",
        f"--models={name}", environment=hf_programs.online(hub, tmp_path / "home"),
    )  # fmt: skip
    assert ran.status == 1
    assert "\x1b" not in ran.all
    assert ran.error
    assert len(hub.requests) == asked
    assert not (tmp_path / "root").exists()
