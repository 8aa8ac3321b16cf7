"""The steps for near-duplicates find what the local search finds, and count what it counts."""

from __future__ import annotations

import functools
import json
import pathlib
import random

import numpy as np
import pytest

from code_t5 import parallel
from fakes import write_flcc
from preprocessing import build_config, decisions, flcc_layout, stages, unit_store
from preprocessing.beam import beam_near, beam_pool, beam_runner
from preprocessing.dedup import apply, exact, near

pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")


def _family(seed: int, num_members: int) -> list[str]:
    """Texts that differ from each other in a few lines, some in more than others."""
    rng = random.Random(seed)

    def line() -> str:
        return " ".join(f"word{rng.randrange(10_000)}" for _ in range(8))

    base = [line() for _ in range(60)]
    members = []
    for _ in range(num_members):
        lines = list(base)
        for place in rng.sample(range(60), rng.randrange(1, 9)):
            lines[place] = line()
        members.append("\n".join(lines) + "\n")
    return members


def _scanned(tmp_path: pathlib.Path, files: dict[str, str], monkeypatch):
    write_flcc(tmp_path / "in", files)
    monkeypatch.setattr(
        flcc_layout, "work_units", functools.partial(flcc_layout.work_units, max_files=7)
    )
    config = build_config.BuildConfig(str(tmp_path / "in"), str(tmp_path / "data"), "small")
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    root = flcc_layout.find_v3_root(config.input_dir)
    pool = parallel.WorkerPool(1)
    return work_dir, stages.scan_input(config, root=root, work_dir=work_dir, pool=pool)


def _prepare(work_dir: pathlib.Path, totals: unit_store.ScanTotals, config: near.NearDupConfig):
    with beam_runner.StepRunner("") as runner:
        beam_near.prepare_near_duplicates(
            beam_pool.BeamPool(runner, work_dir / "beam"),
            work_dir=str(work_dir),
            num_units=totals.num_units,
            num_candidates=totals.num_candidates,
            config=config,
        )


def _compare_locally(work_dir: pathlib.Path, totals: unit_store.ScanTotals, config):
    """Returns counts and decisions, from what lies in the work directory if it is there."""
    decided = decisions.create(work_dir, totals.num_files)
    exact.find_exact_duplicates(
        str(work_dir),
        num_units=totals.num_units,
        num_candidates=totals.num_candidates,
        decided=decided,
    )
    counts = apply.find_near_duplicates(
        str(work_dir),
        num_units=totals.num_units,
        decided=decided,
        config=config,
    )
    return counts, np.array(decided.duplicate_of), np.array(decided.cluster_id)


@pytest.mark.parametrize("threshold", [0.7, 0.8])
def test_chains_of_copies_make_the_same_clusters_and_counts(tmp_path, monkeypatch, threshold):
    files = {
        f"org/repo{number}/master/f{index}.py": text
        for index in range(6)
        for number, text in enumerate(_family(index, 12))
    }
    config = near.NearDupConfig(threshold=threshold)
    work_dir, totals = _scanned(tmp_path, files, monkeypatch)
    assert totals.num_units > 5
    wanted = _compare_locally(work_dir, totals, config)
    for path in work_dir.glob("near-*"):
        path.unlink()
    _prepare(work_dir, totals, config)
    # Both steps had something to say, so that both are compared here.
    for phase in (beam_near.STARS, beam_near.CROSSING):
        tables = [np.load(path) for path in work_dir.glob(f"beam/*/{phase}-*.npy")]
        assert sum(map(len, tables)) > 0
    with monkeypatch.context() as patch:
        patch.delattr(near, "find_clusters")
        found = _compare_locally(work_dir, totals, config)
    assert found[0] == wanted[0]
    assert found[0]["num_removed"] > 20
    assert found[1].tolist() == wanted[1].tolist()
    assert found[2].tolist() == wanted[2].tolist()


def test_texts_too_short_to_compare_leave_no_cluster(tmp_path, monkeypatch):
    files = {f"org/repo/master/f{index}.py": f"alpha = {index}\n" for index in range(9)}
    config = near.NearDupConfig()
    work_dir, totals = _scanned(tmp_path, files, monkeypatch)
    assert totals.num_candidates == 9
    _prepare(work_dir, totals, config)
    (counts,) = work_dir.glob("near-*.json")
    assert json.loads(counts.read_bytes())["num_candidate_pairs"] == 0
    assert _compare_locally(work_dir, totals, config)[0]["num_removed"] == 0


@pytest.mark.parametrize("config", [near.NearDupConfig(False), near.NearDupConfig(verify=False)])
def test_nothing_is_prepared_where_no_text_would_be_read(tmp_path, monkeypatch, config):
    files = {f"org/repo/master/f{index}.py": text for index, text in enumerate(_family(1, 4))}
    work_dir, totals = _scanned(tmp_path, files, monkeypatch)
    _prepare(work_dir, totals, config)
    assert list(work_dir.glob("near-*")) == []


def test_the_launcher_reads_no_text():
    with pytest.raises(Exception, match="asked for 2 texts; wanted none"):
        beam_near._read_nothing(np.arange(2))
