"""Invite links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.identity.errors import InviteLinkError
from secure_chat.identity.invite import DEFAULT_PORT, InviteLink, encode_token, format_address, parse_address

PIN = "A" * 43
TOKEN = "B" * 21 + "A"
GOOD = f"secure-chat://chat.lan:7443/#v1.{PIN}.{TOKEN}"

names = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,10}[a-z0-9])?){1,3}\Z")
hosts = st.one_of(names, st.ip_addresses().map(str))
links = st.builds(
    InviteLink,
    host=hosts,
    port=st.integers(1, 65535),
    ca_pin=st.none() | st.binary(min_size=32, max_size=32),
    token=st.binary(min_size=16, max_size=16).map(encode_token),
    inviter=st.none() | st.binary(min_size=32, max_size=32),
)


@given(links)
def test_round_trip(link: InviteLink) -> None:
    """Whatever is formatted is read back the same, IPv6 included."""
    assert InviteLink.parse(str(link)) == link


def test_link_is_fixed() -> None:
    """A link printed today is read by every later version."""
    link = InviteLink("fd00::1", 7443, bytes(range(32)), encode_token(bytes(range(16))), b"\xff" * 32)
    assert str(link) == (
        "secure-chat://[fd00::1]:7443/#v1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
        ".AAECAwQFBgcICQoLDA0ODw.__________________________________________8"
    )


def test_forgiving_where_it_is_safe() -> None:
    """White space around, upper-case scheme and host, no port and no slash are understood."""
    link = InviteLink.parse(f"  SECURE-CHAT://Chat.LAN#v1.system.{TOKEN}\n")
    assert (link.host, link.port, link.ca_pin, link.inviter) == ("chat.lan", DEFAULT_PORT, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "starts with secure-chat://"),
        ("https://chat.lan/#v1.a.b", "starts with secure-chat://"),
        ("secure-chat:chat.lan#v1.a.b", "starts with secure-chat://"),
        ("secure-chat://chat.lan:7443/", "the part after # is missing"),
        ("secure-chat://chat.lan:7443/#", "the part after # is missing"),
        (f"secure-chat://chat.lan/path/#v1.{PIN}.{TOKEN}", "only host:port"),
        (f"secure-chat://me@chat.lan/#v1.{PIN}.{TOKEN}", "only host:port"),
        (f"secure-chat://chat.lan/?q#v1.{PIN}.{TOKEN}", "only host:port"),
        (GOOD.replace("v1", "v2"), "another version"),
        (GOOD.replace(f".{TOKEN}", ""), "was cut"),
        (GOOD + ".a.b", "was cut"),
        (GOOD[:-1], "token part is damaged"),
        (GOOD[:-1] + "B", "token part is damaged"),
        (GOOD + "=", "token part is damaged"),
        (GOOD.replace(PIN, PIN[1:]), "CA part is damaged"),
        (GOOD.replace(PIN, "é" * 43), "CA part is damaged"),
        (GOOD.replace(PIN, ""), "CA part is damaged"),
        (GOOD + ".short", "inviter part is damaged"),
        (GOOD + "." + "A" * 2000, "longer than any real one"),
        (GOOD.replace("7443", "0"), "port is a number"),
        (GOOD.replace("7443", "65536"), "port is a number"),
        (GOOD.replace("7443", "²"), "port is a number"),
        (GOOD.replace("7443", ""), "port is a number"),
        (GOOD.replace("chat.lan", "fd00::1"), "stands in brackets"),
        (GOOD.replace("chat.lan", "[fd00::1"), "stands in brackets"),
        (GOOD.replace("chat.lan", "[chat.lan]"), "no IPv6 address"),
        (GOOD.replace("chat.lan", "[::1]x"), "stands in brackets"),
        (GOOD.replace("chat.lan", ""), "no host name"),
        (GOOD.replace("chat.lan", "chat..lan"), "no host name"),
        (GOOD.replace("chat.lan", "-chat.lan"), "no host name"),
        (GOOD.replace("chat.lan", "chät.lan"), "no host name"),
        (GOOD.replace("chat.lan", "chat lan"), "no host name"),
        (GOOD.replace("chat.lan", "a" * 64), "no host name"),
        (GOOD.replace("chat.lan", "192.168.1.256"), "nor an IPv4"),
        (GOOD.replace("chat.lan", "192.168.1"), "nor an IPv4"),
    ],
)
def test_damaged_link_says_what_is_wrong(text: str, message: str) -> None:
    """One clear line for each malformation, which never repeats the secret token."""
    with pytest.raises(InviteLinkError, match=message) as caught:
        InviteLink.parse(text)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


@given(st.one_of(st.text(), st.text().map(lambda tail: f"secure-chat://{tail}")))
def test_any_text_gives_a_link_or_the_typed_error(text: str) -> None:
    """No input raises anything else."""
    try:
        link = InviteLink.parse(text)
    except InviteLinkError:
        return
    assert InviteLink.parse(str(link)) == link


def test_repr_keeps_the_token() -> None:
    """A link in a log line shows its address only."""
    assert TOKEN not in repr(InviteLink.parse(GOOD))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("chat.lan", ("chat.lan", 7443)),
        ("localhost:1", ("localhost", 1)),
        ("[::1]", ("::1", 7443)),
        ("[0:0::1]:99", ("::1", 99)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
    ],
)
def test_addresses_are_read_and_written(text: str, address: tuple[str, int]) -> None:
    """Hosts with and without port, IPv6 in its shortest form."""
    assert parse_address(text) == address
    assert parse_address(format_address(*address)) == address


def test_token_has_one_length() -> None:
    """A caller can't make a short, guessable token."""
    with pytest.raises(ValueError, match="16 bytes"):
        encode_token(b"short")
