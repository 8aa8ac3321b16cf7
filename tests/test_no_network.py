"""The tests' own guard against the network."""

from __future__ import annotations

import os
import socket

import pytest


def test_connecting_to_another_machine_is_an_error():
    with socket.socket() as connection, pytest.raises(RuntimeError, match=r"192\.0\.2\.1"):
        connection.connect(("192.0.2.1", 80))


def test_looking_up_another_machine_is_an_error():
    with pytest.raises(RuntimeError, match="example.org"):
        socket.create_connection(("example.org", 80))


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as connection:
            connection.sendall(b"ten tokens")
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(10) == b"ten tokens"


def test_default_directories_of_the_libraries_are_empty():
    for name in ("TFDS_DATA_DIR", "HF_HOME"):
        assert not os.path.exists(os.environ[name])
