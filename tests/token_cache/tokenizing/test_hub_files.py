"""Tokenizers by name, asked of a Hub on loopback by processes of their own."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import fake_hub
import pytest
import small_hub

from code_t5.token_cache.tokenizing import hub_files

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Waits of the Hub's library between two tries are counted in place of waiting.
LOAD = """
import json, sys, time
waits = []
time.sleep = waits.append
from code_t5 import errors
from code_t5.token_cache.tokenizing import tokenizer_files
try:
    stored = tokenizer_files.store_tokenizer(
        None, tokenizer_name="gpt2", folder=sys.argv[1], local_files_only="local" in sys.argv)
    found = ["stored", stored.identity, stored.decode([0])]
except errors.CodeT5Error as error:
    found = [type(error).__name__, str(error)]
print(json.dumps([*found, sum(waits)]))
"""


@pytest.fixture
def load(tmp_path):
    """A function that stores the tokenizer `gpt2` of a Hub in a process of its own."""
    numbers = iter(range(99))

    def call(hub: fake_hub.FakeHub, *more: str, **environment: str):
        done = subprocess.run(
            [sys.executable, "-c", LOAD, str(tmp_path / f"made{next(numbers)}"), *more],
            cwd=ROOT,
            env={
                **hub.environment(tmp_path / "home"),
                "PYTHONPATH": str(ROOT),
                "HF_HUB_ETAG_TIMEOUT": "5",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return *json.loads(done.stdout.splitlines()[-1]), done.stderr

    return call


def test_a_name_is_loaded_of_one_commit(load):
    with fake_hub.serve() as hub:
        _, repository = small_hub.fill(hub)
        commit = repository.commit({"model.safetensors": b"weights"})
        kind, identity, text, waited, _ = load(hub)
    assert (kind, text, waited) == ("stored", small_hub.END_OF_TEXT, 0)
    assert identity["class"] == "GPT2TokenizerFast"
    # What does not decide on ids is asked for at the commit of what does; weights are not.
    assert any(f"/{commit}/vocab.json" in path for path in hub.paths())
    assert not any("/main/vocab.json" in path for path in hub.paths())
    assert hub.paths("safetensors") == []


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_the_hub_fails_to_give_is_named(load, name):
    with fake_hub.serve() as hub:
        small_hub.fill(hub)
        hub.fail(f"/{name}", status=503, times=99)
        kind, message, _, _ = load(hub)
    assert kind == "InputError"
    assert f"does not give {name} of the tokenizer 'gpt2' (status 503 at" in message
    assert message.endswith("run the same command again")
    assert "\n" not in message


def test_a_file_that_stays_behind_its_commit_is_named(load):
    with fake_hub.serve() as hub:
        _, tokenizer = small_hub.fill(hub)
        assert load(hub)[0] == "stored"
        # The older file is in the library's cache, and would be taken in its place.
        moved = tokenizer.commit(small_hub.tokenizer_files(vocab_size=390))
        hub.fail("/tokenizer.json", status=503, times=99)
        kind, message, _, _ = load(hub)
    assert kind == "InputError"
    assert (
        f"does not give tokenizer.json of the tokenizer 'gpt2' (not of commit {moved})" in message
    )


def test_nobody_answers_and_what_was_fetched_before_is_loaded_at_once(load):
    with fake_hub.serve() as hub:
        small_hub.fill(hub)
        wanted = load(hub)
    kind, identity, _, waited, warnings = load(hub)
    assert (kind, identity) == ("stored", wanted[1])
    assert waited < 1
    assert "tokenizer gpt2: ConnectionError at" in warnings
    assert "it is loaded as it was fetched before" in warnings
    assert load(hub, "local")[1] == wanted[1]


def test_a_hub_that_is_out_of_order_is_as_good_as_none(load):
    with fake_hub.serve() as hub:
        small_hub.fill(hub)
        hub.fail("/api/models/", status=503, times=99)
        kind, message, _, _ = load(hub)
        assert kind == "InputError"
        assert "status 503 at" in message
        assert "and it was not fetched before" in message
        assert hub.paths("/resolve/") == []


def test_nobody_answers_and_nothing_was_fetched(load):
    with fake_hub.serve() as hub:
        pass
    kind, message, waited, _ = load(hub)
    assert kind == "InputError"
    assert "'gpt2': ConnectionError at" in message
    assert "and it was not fetched before" in message
    assert waited < 1


def test_offline_mode_asks_nobody(load):
    with fake_hub.serve() as hub:
        small_hub.fill(hub)
        kind, message, _, _ = load(hub, HF_HUB_OFFLINE="1")
    assert kind == "InputError"
    assert "offline mode is on" in message
    assert hub.requests == []


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("tokenizer.json", True),
        ("tokenizer.4.0.0.json", True),
        ("tokenizer_config.json", True),
        ("special_tokens_map.json", True),
        ("added_tokens.json", True),
        ("onnx/tokenizer.json", False),
        ("model.safetensors", False),
        ("config.json", False),
    ],
)
def test_files_that_decide_on_ids(name, decides):
    assert hub_files._decides(name) is decides
