"""Where a server listens: on this machine's own address, unless it is told otherwise."""

from __future__ import annotations

import ipaddress
import socket

from code_t5 import errors

LOOPBACK = "127.0.0.1"
BACKLOG = 256


def is_loopback(host: str) -> bool:
    """Says whether only this machine reaches an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def take_port(host: str, port: int) -> socket.socket:
    """Takes a port, without listening yet.

    Args:
      host: The address.
      port: 0 for any that is free.

    Returns:
      The socket.

    Raises:
      InputError: It cannot be taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        taken = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise errors.InputError(
            f"found no address for the host {host!r}; wanted one of this machine, such as "
            f"{LOOPBACK}; give another --host"
        ) from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        # Another server on the same port shows here, not when the model is loaded.
        taken.listen(BACKLOG)
    except OSError as error:
        taken.close()
        raise errors.InputError(
            f"cannot listen on port {port} of {host}: {error.strerror}; wanted one that is free; "
            "give another --port, or 0 for any"
        ) from error
    return taken


def address_of(taken: socket.socket) -> str:
    """Returns the address of the page, as a browser on this machine opens it.

    Args:
      taken: A socket that is bound.
    """
    host, port = taken.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else LOOPBACK
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
