"""The bundled data set through the whole build: everything planned for it comes out as planned."""

from __future__ import annotations

import ast
import dataclasses

import pytest

from code_t5.storage import tfrecords
from preprocessing import build, build_config, decontamination, dev_dataset, ledger, redaction
from preprocessing.dedup import near

_FINDINGS = dev_dataset.planned_findings()
_BENCHMARK = (str(dev_dataset.benchmark_path()),)
_ALLOW = (str(dev_dataset.benchmark_allow_path()),)
# What is changed of the default options for each dry run.
_DRY_RUNS = {
    "plain": {},
    "benchmark": {"decontamination": decontamination.DecontaminationConfig(_BENCHMARK)},
    "allow": {
        "decontamination": decontamination.DecontaminationConfig(
            _BENCHMARK, allow_list_paths=_ALLOW
        )
    },
    "truncate": {
        "decontamination": decontamination.DecontaminationConfig(_BENCHMARK, action="truncate")
    },
    "permissive": {"license_policy": "permissive"},
    "or_unknown": {"license_policy": "permissive_or_unknown"},
    "no_redaction": {"redact": "off"},
    "no_near_dup": {"near_duplicates": near.NearDupConfig(enabled=False)},
}


@pytest.fixture(scope="module")
def bundled_config(tmp_path_factory):
    """Options of a build of all languages of the bundled data set."""
    folder = tmp_path_factory.mktemp("bundled")
    dev_dataset.materialize(folder / "in")
    return build_config.BuildConfig(
        input_dir=str(folder / "in"),
        data_dir=str(folder / "data"),
        name="bundled",
        languages=("all",),
        num_workers=2,
        vocabulary=build_config.VocabularyConfig(vocab_size=1000),
    )


@pytest.fixture(scope="module")
def built(bundled_config):
    """The report, the ledger and the examples of the bundled data set."""
    config = bundled_config
    report = build.build_dataset(config, clock=build.StageClock())
    final = build_config.dataset_dir(config.data_dir, config.name)
    examples = [
        tfrecords.decode_example(data)
        for path in sorted(final.glob("flcc-*"))
        for data in tfrecords.read_records(path)
    ]
    return report, ledger.read_rows(final / "ledger.parquet"), examples


@pytest.fixture(scope="module")
def dry_run_fn(bundled_config):
    """Returns the ledger of a dry run, by file; each is made once."""
    done = {}

    def run(name):
        if name not in done:
            config = dataclasses.replace(
                bundled_config, name=name, dry_run=True, num_workers=1, **_DRY_RUNS[name]
            )
            build.build_dataset(config, clock=build.StageClock())
            folder = build_config.dry_run_dir(config.data_dir, name)
            done[name] = _by_file(ledger.read_rows(folder / "ledger.parquet"))
        return done[name]

    return run


_EXTENSIONS = {"Python": ".py", "Java": ".java", "JavaScript": ".js"}


def _key(row: dict) -> str:
    extension = _EXTENSIONS[row["language"]]
    folder = f"{row['language']}/{extension}/{row['repository']}/{row['branch']}"
    return f"{folder}/{row['flat_name']}"


def _by_file(rows: list[dict]) -> dict[str, dict]:
    return {_key(row): row for row in rows}


def _changed(rows: dict[str, dict], plain: dict[str, dict], column: str = "verdict") -> dict:
    return {name: row[column] for name, row in rows.items() if row[column] != plain[name][column]}


def test_every_planned_oddity_gets_its_verdict_and_every_other_file_is_kept(built):
    _, rows, _ = built
    found = {_key(row): row["verdict"] for row in rows}
    planned = dev_dataset.planned_verdicts()
    assert set(planned) <= set(found)
    assert found == {name: planned.get(name, "kept") for name in found}
    assert len(found) == len(rows) == 137


def test_counts_add_up(built):
    report, rows, examples = built
    assert sum(report["files_by_verdict"].values()) == report["num_files"] == len(rows)
    assert len(examples) == report["files_by_verdict"]["kept"]
    assert set(report["splits"]) == {"train", "validation", "test"}


def test_no_file_differs_after_encoding_and_decoding(built):
    report, _, examples = built
    assert report["lossless"] == {"num_texts": len(examples), "num_differing": 0}


def test_odd_characters_survive_in_the_records(built):
    _, _, examples = built
    texts = b"".join(example["text"] for example in examples)
    for odd in ("\u010a", "\u2581", "<extra_id_0>", "\x00", "\t", "</s>"):
        assert odd.encode() in texts
    assert b"\r" not in texts
    assert not any(example["text"].startswith(b"\xef\xbb\xbf") for example in examples)


def test_both_branches_are_read_and_no_path_leaves_its_repository(built):
    _, rows, _ = built
    branches = {row["branch"] for row in rows if row["repository"] == "Aster/lanternfall"}
    assert branches == {"develop", "master"}
    assert not [row for row in rows if ".." in row["path"].split("/")]


def test_what_is_wrong_with_paths_json_is_reported(built):
    report, _, _ = built
    problems = "\n".join(report["problems"])
    assert "../../outside.py" in problems
    assert "vanished_99.py" in problems


def test_every_copy_points_at_the_kept_file_of_its_cluster(built):
    _, rows, _ = built
    by_file = _by_file(rows)
    planned = {}
    for cluster in _FINDINGS["clusters"]:
        members = [cluster["kept"], *cluster["copies"]]
        name = min(by_file[member]["file_id"] for member in members)
        planned.update(dict.fromkeys(members, name))
        for copy in cluster["copies"]:
            assert by_file[copy]["duplicate_of"] == by_file[cluster["kept"]]["file_id"], copy
    found = {
        file: row["cluster_id"] for file, row in by_file.items() if row["cluster_id"] is not None
    }
    assert found == planned
    dropped = {file for file, row in by_file.items() if row["duplicate_of"] is not None}
    assert dropped == {file for cluster in _FINDINGS["clusters"] for file in cluster["copies"]}


def test_the_better_licence_is_kept_whatever_the_order(built):
    by_file = _by_file(built[1])
    ranks = {"MIT": 0, None: 1, "GPL-3.0-only": 2, "GPL-3.0-or-later": 2}
    for kept, copy in (
        ("Larch/sundial/main/moon_6.py", "Heron/sundial/main/moon_8.py"),
        ("Heron/sundial/main/dial_5.py", "Fenland/almanac/main/dial_1.py"),
        ("Juniper/puzzlebox/main/__init___1.py", "Iris/nightwatch/main/__init___1.py"),
    ):
        kept_row, row = by_file[f"Python/.py/{kept}"], by_file[f"Python/.py/{copy}"]
        assert row["duplicate_of"] == kept_row["file_id"] > row["file_id"]
        assert ranks[kept_row["license"]] < ranks[row["license"]]


def test_licences_are_those_of_files_and_repositories(built):
    for name, row in _by_file(built[1]).items():
        of_repository = _FINDINGS["repository_licenses"].get(row["repository"])
        fallback = [of_repository, of_repository and "license_file"]
        planned = _FINDINGS["file_licenses"].get(name, fallback)
        assert [row["license"], row["license_source"]] == planned, name


def test_records_hold_the_licence_of_the_ledger(built):
    _, rows, examples = built
    planned = {row["content_hash"]: row["license"] or "" for row in rows if row["split"]}
    found = {ex["content_hash"].decode(): ex["license"].decode() for ex in examples}
    assert found == planned
    assert {"", "MIT", "BSD-3-Clause", "GPL-3.0-only", "Apache-2.0 OR MIT"} <= set(found.values())


def test_what_is_redacted_is_counted_and_nothing_else_is(built):
    for name, row in _by_file(built[1]).items():
        planned = _FINDINGS["redaction"].get(name, {})
        found = {kind: row[kind] for kind in redaction.KINDS if row[kind]}
        assert found == planned, name


def test_redacted_files_parse_and_hold_tokens_in_place_of_what_was_there(built):
    _, rows, examples = built
    texts = {ex["content_hash"].decode(): ex["text"].decode() for ex in examples}
    by_file = _by_file(rows)
    for name, planned in _FINDINGS["redaction"].items():
        text = texts[by_file[name]["content_hash"]]
        for kind, count in planned.items():
            found = text.count(redaction.TOKENS[kind].decode())
            # A private key is as many tokens as it has lines.
            assert found == (3 if kind == "private_key" else count), (name, kind)
        if name.endswith(".py"):
            ast.parse(text)
    for hidden in (
        *("nightwatch.test", "guardia.test", "moorland.test", "81.2.69.142", "2a02:ffc0"),
        *("w4termelon", "FAKEFAKE", "NEITHERxISx"),
    ):
        assert not [name for name, text in texts.items() if hidden in text], hidden


def test_without_redaction_a_copy_with_other_addresses_is_no_copy(dry_run_fn):
    rows = dry_run_fn("no_redaction")
    name = "Python/.py/Moss/nightwatch/main/notify_3.py"
    assert _changed(rows, dry_run_fn("plain")) == {name: "kept"}
    assert not any(row[kind] for row in rows.values() for kind in redaction.KINDS)


def test_what_looks_like_an_address_stays(built):
    _, rows, examples = built
    texts = {ex["content_hash"].decode(): ex["text"].decode() for ex in examples}
    hashes = {row["flat_name"]: row["content_hash"] for row in rows}
    blending = texts[hashes["blending_2.py"]]
    assert "design@b.co" in blending and "table[2001::4]" in blending
    hosts = texts[hashes["hosts_7.py"]]
    for address in (
        *("127.0.0.1", "10.20.0.7", "192.168.178.40", "192.0.2.15", "8.8.8.8", "4.11.3.20"),
        *("fd12:3456:789a::1", "fe80::1", "2001:db8::15"),
    ):
        assert f'{address}"' in hosts
    assert "127.0.0.1:8080" in texts[hashes["panel_9.js"]]


def test_a_dry_run_comes_to_the_same_ledger(built, dry_run_fn):
    assert dry_run_fn("plain") == _by_file(built[1])


def test_a_benchmark_drops_the_files_that_hold_parts_of_it(dry_run_fn):
    rows = dry_run_fn("benchmark")
    planned = _FINDINGS["contamination"]
    assert _changed(rows, dry_run_fn("plain")) == dict.fromkeys(planned, "benchmark")
    assert {name: row["contamination"] for name, row in rows.items() if row["contamination"]} == (
        planned
    )


def test_an_allow_list_lets_a_snippet_through(dry_run_fn):
    rows = dry_run_fn("allow")
    planned = set(_FINDINGS["contamination"]) - set(_FINDINGS["allowed"])
    assert len(planned) == 2 and _FINDINGS["allowed"]
    assert _changed(rows, dry_run_fn("plain")) == dict.fromkeys(planned, "benchmark")


def test_truncation_keeps_what_stands_before_the_first_match(dry_run_fn):
    rows, plain = dry_run_fn("truncate"), dry_run_fn("plain")
    planned = _FINDINGS["contamination"]
    assert _changed(rows, plain) == {}
    assert {name for name, row in rows.items() if row["truncated"]} == set(planned)
    assert set(_changed(rows, plain, "content_hash")) == set(planned)


@pytest.mark.parametrize(("policy", "keeps_unknown"), [("permissive", 0), ("or_unknown", 1)])
def test_a_licence_policy_drops_the_files_under_other_licences(dry_run_fn, policy, keeps_unknown):
    rows, plain = dry_run_fn(policy), dry_run_fn("plain")
    # No filter was against these, and nothing is known of their licence or it is the GPL.
    beyond = {"kept", "exact_duplicate", "near_duplicate"}
    bad = {"GPL-3.0-only", "GPL-3.0-or-later"} if keeps_unknown else {
        "GPL-3.0-only", "GPL-3.0-or-later", None
    }  # fmt: skip
    planned = {
        name for name, row in plain.items() if row["verdict"] in beyond and row["license"] in bad
    }
    assert {name for name, row in rows.items() if row["verdict"] == "license"} == planned
    kept = {row["license"] for row in rows.values() if row["verdict"] == "kept"}
    assert (
        kept == {None, "MIT", "BSD-3-Clause", "Apache-2.0", "Apache-2.0 OR MIT", "Unlicense"} - bad
    )


def test_without_near_dedup_near_duplicates_are_kept_on_their_own_side(dry_run_fn):
    rows = dry_run_fn("no_near_dup")
    changed = _changed(rows, dry_run_fn("plain"))
    planned = {
        name for name, verdict in dev_dataset.planned_verdicts().items()
        if verdict == "near_duplicate"
    }  # fmt: skip
    # The forks share exact copies with their originals, so that none of it leaks.
    assert changed == dict.fromkeys(planned, "kept")
    splits = {}
    for row in rows.values():
        if row["split"]:
            splits.setdefault(row["repository"], set()).add(row["split"])
    for fork, original in (
        ("zephyr-forks/planar", "Acorn-Labs/planar"),
        ("Gorse-Mirror/waypoint", "Ember/waypoint"),
        ("Larch/sundial", "Heron/sundial"),
    ):
        assert splits[fork] == splits[original]
