"""Archives made for tests, good and hostile, and a server that may misbehave."""

from __future__ import annotations

import contextlib
import http.server
import io
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping

LANGUAGES = "set/v3/languages/Python/.py"


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """Returns one entry of a tar archive."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar_bytes(members, *, mode: str = "w:gz", **options: object) -> bytes:
    """Returns a tar archive of entries made by `member`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **options) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def flcc_members(files: Mapping[str, bytes], *, top: str = "set") -> list:
    """Returns entries of a data set; keys are `org/repository/branch/flat name`."""
    entries = [member(f"{top}/v3/languages/Python/.py/{k}", v) for k, v in files.items()]
    branches = sorted({key.rsplit("/", 1)[0] for key in files})
    entries += [member(f"{top}/v3/repositories/{b}/paths.json", b"{}") for b in branches]
    return entries


class Server:
    """What the server serves, how it misbehaves, and what it was asked.

    Attributes:
      content: The file.
      etag: Sent if not empty.
      ranges: Whether it answers requests for a part.
      drop_after: For each request in turn, bytes after which it hangs up; then never.
      statuses: For each request in turn, a status to answer instead; then none.
      hold_after: Bytes after which it says nothing more, without hanging up; None for never.
      lengths: Whether it says how long the answer is.
      requests: The headers of every request.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag = '"one"'
        self.ranges = True
        self.drop_after: list[int] = []
        self.statuses: list[int] = []
        self.hold_after: int | None = None
        self.closing = threading.Event()
        self.lengths = True
        self.requests: list[dict[str, str]] = []
        self.address = ""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answers one request."""
        self.requests.append(dict(handler.headers))
        if self.statuses:
            handler.send_error(self.statuses.pop(0))
            return
        start, asked = 0, re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        same = handler.headers.get("If-Range", self.etag) == self.etag
        if asked and self.ranges and same:
            start = int(asked.group(1))
            handler.send_response(206)
            total = len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            handler.send_response(200)
        body = self.content[start:]
        if self.etag:
            handler.send_header("ETag", self.etag)
        if self.lengths:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.hold_after is not None:
            handler.wfile.write(body[: self.hold_after])
            self.closing.wait(60)
            return
        handler.wfile.write(body[: self.drop_after.pop(0)] if self.drop_after else body)


@contextlib.contextmanager
def serve(content: bytes) -> Iterator[Server]:
    """Serves a file on this machine for the length of the block."""
    served = Server(content)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.address = f"http://127.0.0.1:{server.server_address[1]}/sets/set.tar.gz"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served
        finally:
            served.closing.set()
            server.shutdown()
            thread.join()
