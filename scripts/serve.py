"""Serves an exported model: TensorFlow Serving's REST form, and a page to try it."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors
from code_t5.training.serving import listening, server

_MODEL = flags.DEFINE_string("model", None, "EXPORT_DIR/NAME, with its versions.", required=True)
_VERSION = flags.DEFINE_string("version", server.NEWEST, "Its number, or newest.")
_HOST = flags.DEFINE_string("host", listening.LOOPBACK, "Address to listen on.")
_PORT = flags.DEFINE_integer("port", 8501, "Port; 0 for any.", lower_bound=0, upper_bound=65535)
_ALLOWED_HOSTS = flags.DEFINE_list("allowed_hosts", [], "Names of this machine in requests.")
_OPEN = flags.DEFINE_bool("open", False, "Show the page in a browser.")
_CHECK = flags.DEFINE_bool("check", False, "Ask the page and one prediction, then end.")
_WAIT_MS = flags.DEFINE_float(
    "max_batch_wait_ms", 4.0, "How long a prompt waits for others.", 0.0, 1000.0
)
_MAX_QUEUE = flags.DEFINE_integer("max_queue", 256, "Most prompts that wait.", lower_bound=1)
_MAX_BYTES = flags.DEFINE_integer(
    "max_request_bytes", 1 << 20, "Most bytes of a request.", lower_bound=1024
)
_TIMEOUT_S = flags.DEFINE_float(
    "timeout_s", 30.0, "How long an answer may take.", lower_bound=0.1, upper_bound=3600.0
)


def main(argv: Sequence[str]) -> None:
    """Serves until it is interrupted.

    Raises:
      InputError: There are arguments that are no flags.
    """
    if argv[1:]:
        raise errors.InputError(f"found {argv[1]!r} after the flags; wanted flags only; see --help")
    config = server.ServeConfig(
        model_dir=pathlib.Path(_MODEL.value),
        version=_VERSION.value,
        host=_HOST.value,
        port=_PORT.value,
        allowed_hosts=tuple(_ALLOWED_HOSTS.value),
        open_page=_OPEN.value,
        check=_CHECK.value,
        max_batch_wait_ms=_WAIT_MS.value,
        max_queue=_MAX_QUEUE.value,
        max_request_bytes=_MAX_BYTES.value,
        timeout_s=_TIMEOUT_S.value,
    )
    server.serve(config, say=functools.partial(print, flush=True))


if __name__ == "__main__":
    command_line.run(main, list_flags=["allowed_hosts"])
