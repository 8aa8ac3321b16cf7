"""The machines that are watched, and which addresses may be asked."""

import ipaddress
import socket

# In public networks: what the outside sees of us.
PUBLIC = {
    "front": "81.2.69.142",
    "mail": "81.2.69.160",
    "backup": "2a02:ffc0::21",
    "mirror": "2001:218::15",
}

# In our own networks, and those that every handbook uses in its examples.
PRIVATE = {
    "loopback": "127.0.0.1",
    "rack": "10.20.0.7",
    "office": "192.168.178.40",
    "tunnel": "fd12:3456:789a::1",
    "link": "fe80::1",
    "handbook": "192.0.2.15",
    "handbook6": "2001:db8::15",
}

# The name server that everybody asks when the own one is down.
RESOLVER = "8.8.8.8"
# This is a release number, for all that it looks like.
AGENT_VERSION = "version 4.11.3.20"


def lookup(name):
    """Address of a machine, as an object of the ipaddress module."""
    text = PUBLIC.get(name) or PRIVATE[name]
    return ipaddress.ip_address(text)


def is_ours(text):
    """Whether an address lies in one of the networks that nobody routes."""
    address = ipaddress.ip_address(text)
    return address.is_private or address.is_link_local


def answers(name, port=443, patience=2.0):
    """Try to connect; every reason for failing is the same to us."""
    try:
        with socket.create_connection((str(lookup(name)), port), timeout=patience):
            return True
    except OSError:
        return False


def sweep(names, port=443):
    """Names of the machines that do not answer, in the order asked."""
    return [name for name in names if not answers(name, port)]
