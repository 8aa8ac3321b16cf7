"""A pool of a Beam runner's workers is a pool; what goes wrong is one line."""

from __future__ import annotations

import socket

import pytest

from code_t5 import errors, parallel
from preprocessing import flcc_layout, normalize
from preprocessing.beam import beam_pool, beam_runner

pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")


@pytest.mark.parametrize("options", ["--runner='DirectRunner", "--runner=NoSuchRunner"])
def test_options_that_mean_nothing_are_one_line(options, tmp_path):
    with pytest.raises(errors.CodeT5Error, match="--pipeline_options|NoSuchRunner"):
        with beam_runner.StepRunner(options) as runner:
            list(beam_pool.BeamPool(runner, tmp_path).map(normalize.normalize, [b"a"]))


def test_a_pool_gives_results_in_order_and_leaves_no_files(tmp_path):
    with beam_runner.StepRunner("") as runner:
        pool = beam_pool.BeamPool(runner, tmp_path / "shared")
        inputs = [b"%d\r\n" % number for number in range(20)]
        assert list(pool.map(normalize.normalize, inputs)) == [b"%d\n" % n for n in range(20)]
        assert list(pool.map(normalize.normalize, [])) == []
    assert list((tmp_path / "shared").iterdir()) == []


def test_an_error_of_a_worker_arrives_as_what_it_was(tmp_path):
    with beam_runner.StepRunner("") as runner:
        pool = beam_pool.BeamPool(runner, tmp_path / "shared")
        with pytest.raises(errors.InputError, match="cannot read the input directory"):
            list(pool.map(flcc_layout.find_v3_root, [str(tmp_path / "nowhere")]))


def test_a_defect_in_a_worker_names_the_step(tmp_path):
    with beam_runner.StepRunner("") as runner:
        pool = beam_pool.BeamPool(runner, tmp_path / "shared")
        with pytest.raises(errors.CodeT5Error, match="'normalize' failed with .*Error"):
            list(pool.map(normalize.normalize, [5]))


def test_a_server_that_is_not_there_is_one_line(tmp_path):
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port = opened.getsockname()[1]
    options = f"--runner=PortableRunner --job_endpoint=localhost:{port}"
    with beam_runner.StepRunner(f"{options} --job_server_timeout=1") as runner:
        pool = beam_pool.BeamPool(runner, tmp_path)
        with pytest.raises(errors.CodeT5Error, match="the Beam step 'normalize' failed") as caught:
            list(pool.map(normalize.normalize, [b"a"]))
    assert "\n" not in str(caught.value)


def test_a_beam_pool_is_a_pool(tmp_path):
    with beam_runner.StepRunner("") as runner:
        assert isinstance(beam_pool.BeamPool(runner, tmp_path), parallel.WorkerPool)
