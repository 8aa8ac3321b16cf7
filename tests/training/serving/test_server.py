"""What the server is told at its start."""

from __future__ import annotations

import contextlib
import pathlib
import socket

import pytest
from training.serving.fake_served_model import FakeServedModel
from training.serving.running_server import running

from code_t5 import errors
from code_t5.training.serving import listening, self_check, server


def test_the_newest_version_is_served_or_the_one_that_is_named():
    folder = pathlib.Path("exports/toy")
    assert server.choose_version(folder, version="newest", found=[9, 10]) == 10
    assert server.choose_version(folder, version="9", found=[9, 10]) == 9


@pytest.mark.parametrize(
    ("folder", "version", "found", "says"),
    [
        ("exports/toy", "11", [9, 10], "the versions 9, 10 in exports/toy; wanted 11"),
        ("exports/toy", "-9", [9], "wanted -9"),
        ("exports/toy", "\u0669", [9], "give --version one of them"),
        ("exports/toy", "newest", [], "no exported version in exports/toy; wanted numbered"),
        ("exports/toy/300", "newest", [], "it is itself a version: name the folder above"),
    ],
)
def test_a_version_that_is_not_there_is_told(folder, version, found, says):
    with pytest.raises(errors.InputError, match=says):
        server.choose_version(pathlib.Path(folder), version=version, found=found)


def test_a_port_is_taken_once():
    with listening.take_port("127.0.0.1", 0) as taken:
        host, port = taken.getsockname()
        assert listening.address_of(taken) == f"http://127.0.0.1:{port}/"
        with pytest.raises(errors.InputError, match=f"cannot listen on port {port} of {host}"):
            listening.take_port(host, port)
    with listening.take_port(host, port) as again:
        assert again.getsockname() == (host, port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_a_host_that_is_not_this_machine_is_told(monkeypatch, host):
    def look_up(name, port, **options):
        if not name[0].isdigit():
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, port))]

    # Looking names up is not for tests.
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(errors.InputError, match="give another"):
        listening.take_port(host, 0)


def test_the_page_of_all_addresses_is_opened_on_this_machine():
    with listening.take_port("0.0.0.0", 0) as taken:  # noqa: S104 - what is tested
        port = taken.getsockname()[1]
        assert listening.address_of(taken) == f"http://127.0.0.1:{port}/"
    with contextlib.closing(socket.socket(socket.AF_INET6)) as other:
        other.bind(("::1", 0))
        assert listening.address_of(other) == f"http://[::1]:{other.getsockname()[1]}/"


def test_a_server_without_a_screen_says_so_and_opens_nothing(monkeypatch):
    opened, said = [], []
    monkeypatch.setattr(server.webbrowser, "open", opened.append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    config = server.ServeConfig(pathlib.Path("x"), host="0.0.0.0", open_page=True)  # noqa: S104
    server._announce(config, "http://127.0.0.1:1/", name="toy", say=said.append)
    assert said[:2] == [
        "page:    http://127.0.0.1:1/",
        "predict: http://127.0.0.1:1/v1/models/toy:predict",
    ]
    assert said[2].startswith("warning: 0.0.0.0 can be reached from other machines")
    assert said[3] == "there is no screen here: open the page in a browser yourself"
    assert opened == []


def test_the_check_asks_the_page_and_a_prediction():
    with running(FakeServedModel()) as served:
        lines = self_check.check_server(served.address, name="toy")
        assert lines[0].startswith("checked: the page has ")
        assert lines[1] == "checked: 'def main():\\n    ' -> 'main():\\n    <0>\\n' (-0.50)"
        assert len(lines) == 4
        with pytest.raises(errors.ArtifactError, match="answered 200 for its page and 404"):
            self_check.check_server(served.address, name="other")
    with pytest.raises(errors.ArtifactError, match="failed its check"):
        self_check.check_server(served.address, name="toy")
