"""The names and addresses under which others on the network reach this machine."""

import ipaddress
import socket

__all__ = ["local_hosts"]

_TARGETS = (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET, "10.255.255.254"),
    (socket.AF_INET, "172.31.255.254"),
    (socket.AF_INET, "192.168.255.254"),
    (socket.AF_INET6, "2001:db8::1"),
    (socket.AF_INET6, "fd00::1"),
)
"""One destination per kind of network: the internet (documentation addresses, RFC 5737 and RFC 3849) and the private
ranges. Connecting a UDP socket sends nothing; it only asks the kernel which of our addresses it would use."""


def local_hosts() -> list[str]:
    """This machine's host name and addresses, the likeliest first; without loopback, scopes and duplicates."""
    found: dict[str, None] = {}
    for family, target in _TARGETS:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                address = ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
        except OSError:
            continue  # no such family or no way there
        if not (address.is_loopback or address.is_unspecified or address.is_link_local):
            found[str(address)] = None
    name = socket.gethostname().lower().rstrip(".")
    if name and name.isascii() and name != "localhost":
        found[name] = None
    return list(found)
