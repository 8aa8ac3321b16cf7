"""What holds for every test: no network but loopback, no GPU unless asked for, no user's data.

A test that needs a GPU is run with CUDA_VISIBLE_DEVICES set from outside.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import tempfile

import pytest

_SETTINGS = {
    # TensorFlow, quiet and off the network.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "NO_GCE_CHECK": "true",
    # Hugging Face libraries read what is there and ask nobody.
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Child processes are out of reach of the blocked sockets below: theirs end at a closed door.
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "no_proxy": "localhost,127.0.0.1,::1",
}


def pytest_configure() -> None:
    """Sets the environment before any test module, and so any library, is imported."""
    os.environ.update(_SETTINGS)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    # Scripts of the checkout run in the environment of the tests.
    os.environ["PYTHON"] = sys.executable
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    for name in ("CODE_T5_DATA_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True, scope="session")
def _no_data_of_the_user():
    """Points the libraries' default directories at an empty one."""
    with tempfile.TemporaryDirectory(prefix="code_t5_tests_") as directory:
        patch = pytest.MonkeyPatch()
        patch.setenv("TFDS_DATA_DIR", os.path.join(directory, "tensorflow_datasets"))
        patch.setenv("HF_HOME", os.path.join(directory, "huggingface"))
        yield
        patch.undo()


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(host: object) -> None:
    raise RuntimeError(f"tests reach no network, and this one asked for {host!r}: use a local fake")


@pytest.fixture(autouse=True, scope="session")
def _sockets_stay_on_this_machine():
    """Makes connecting to, or looking up, another machine an error."""

    def guarded(method):
        def call(self, *arguments):
            address = arguments[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
                _refuse(address[0])
            return method(self, *arguments)

        return call

    def guarded_lookup(host, *arguments, **options):
        if not _is_local(host):
            _refuse(host)
        return lookup(host, *arguments, **options)

    lookup = socket.getaddrinfo
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex", "sendto"):
        patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", guarded_lookup)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def small_data_dir(tmp_path_factory):
    """A data directory with the data set `small`: 60 files of 12 repositories, 400 pieces."""
    from made_once import made_once, session_folder

    folder = made_once(session_folder(tmp_path_factory), "small", _build_small)
    return folder / "data"


def _build_small(folder):
    from fakes import write_code_repositories
    from preprocessing import build, build_config, splits

    config = build_config.BuildConfig(
        input_dir=str(write_code_repositories(folder / "in", num_repositories=12)),
        data_dir=str(folder / "data"),
        name="small",
        num_workers=1,
        splits=splits.SplitConfig(0.2, 0.2),
        vocabulary=build_config.VocabularyConfig(vocab_size=400, max_sample_bytes=200_000),
    )
    build.build_dataset(config, clock=build.StageClock())


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser without a window (`headless_browser`)."""
    import headless_browser

    yield from headless_browser.started(tmp_path_factory.mktemp("profile"))
