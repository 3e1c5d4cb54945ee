"""This machine's own names and addresses."""

import ipaddress

from secure_chat import certificates
from secure_chat.transport.addresses import local_hosts


def test_hosts_are_reachable_from_outside() -> None:
    """No loopback, each once, and a certificate can carry all of them."""
    hosts = local_hosts()
    assert len(set(hosts)) == len(hosts)
    for host in hosts:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            assert host != "localhost"
        else:
            assert not address.is_loopback
            assert not address.is_unspecified
    assert certificates.DEFAULT_HOSTS[0] not in hosts
