"""What stands inside a message: every kind there and back, what is unknown survives, what is broken is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.engine.content import (
    CHAIN_LENGTH,
    MAX_CODES,
    MAX_ENVELOPE,
    MAX_FORMERS,
    MAX_MILESTONES,
    Accepted,
    Body,
    ContentError,
    Delete,
    Edit,
    Envelope,
    Former,
    Milestone,
    Progress,
    Reaction,
    Receipt,
    RoomState,
    Text,
    TypingNow,
    UnknownBody,
    encode_body,
    encode_typing,
    fits,
    hash_envelope,
    kind_of,
    open_envelope,
    read_typing,
)
from secure_chat.mls.messages.private import padded_length
from secure_chat.wire.limits import MAX_APPLICATION_PAYLOAD

ID = bytes(range(16))
BODIES: list[Body] = [
    Text("hello"),
    Text("hello", ID),
    Edit(ID, "hullo"),
    Delete(ID),
    Reaction(ID, "👍"),
    Reaction(ID, "👍", remove=True),
    Receipt((Progress(bytes(8), 7, 3, ((2, 4),)),)),
    Accepted(),
]


def envelope(kind: str, body: bytes, **changes: object) -> Envelope:
    made = Envelope(1, ID, bytes(8), 1, bytes(16), 5, kind, "", msgspec.Raw(body))
    return msgspec.structs.replace(made, **changes)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_every_kind_comes_back_as_it_was(body: Body) -> None:
    """With its envelope."""
    sent = envelope(
        kind_of(body), encode_body(body), codes=(RoomState(ID, 1, 2, ID),), milestones=(Milestone(1, 2, 3),)
    )
    opened = open_envelope(sent.encode())
    assert opened.body == body
    assert (opened.envelope.id, opened.envelope.codes, opened.envelope.milestones) == (ID, sent.codes, sent.milestones)


def test_an_unknown_kind_keeps_its_fallback() -> None:
    """A later version's message is shown in the words that it brings along."""
    opened = open_envelope(envelope("poll", b"\x93\x01\x02\x03", fallback="a poll: tea or coffee?").encode())
    assert opened.body == UnknownBody("poll")
    assert opened.envelope.fallback == "a poll: tea or coffee?"


def test_a_later_version_is_unknown_as_a_whole() -> None:
    """Its known kinds may mean something else."""
    assert open_envelope(envelope("text", encode_body(Text("x")), version=2).encode()).body == UnknownBody("text")


def test_further_fields_are_ignored() -> None:
    """A later minor version appends some."""
    fields = msgspec.msgpack.decode(envelope("text", encode_body(Text("x"))).encode())
    body = [*fields[8], "bold"]
    longer = msgspec.msgpack.encode([*fields[:8], body, *fields[9:], "something new"])
    assert open_envelope(longer).body == Text("x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"hello",
        envelope("text", b"\x90").encode(),
        envelope("text", encode_body(Text("x")), counter=0).encode(),
        envelope("text", encode_body(Text("x")), id=b"short").encode(),
        envelope("reaction", encode_body(Reaction(ID, "x" * 33))).encode(),
        envelope("receipt", encode_body(Receipt(tuple(Progress(bytes(8), 1) for _ in range(65))))).encode(),
        envelope("", b"\x90").encode(),
    ],
)
def test_what_is_broken_is_refused(data: bytes) -> None:
    """ContentError, and nothing else."""
    with pytest.raises(ContentError):
        open_envelope(data)


@given(st.binary(max_size=400))
def test_no_bytes_do_harm(data: bytes) -> None:
    """Whatever a member encrypts."""
    try:
        open_envelope(data)
    except ContentError:
        return


@given(st.text(max_size=300), st.one_of(st.none(), st.just(ID)))
def test_every_text_survives(text: str, reply: bytes | None) -> None:
    """Any Unicode that MessagePack carries."""
    sent = Text(text, reply)
    assert open_envelope(envelope("text", encode_body(sent)).encode()).body == sent


def test_the_longest_message_fits_the_relays_limit() -> None:
    """With everything an envelope can carry, padding and MLS framing."""
    longest = Text("x" * 50_000)
    assert fits(longest)
    assert not fits(Text("x" * MAX_ENVELOPE))
    milestones = (Milestone(2**63 - 1, 2**63 - 1, 2**63 - 1),) * MAX_MILESTONES
    full = envelope(
        "text",
        encode_body(longest),
        codes=tuple(RoomState(ID, 2**63 - 1, 2**63 - 1, ID) for _ in range(MAX_CODES)),
        milestones=milestones,
        formers=(Former(bytes(CHAIN_LENGTH), 2**63 - 1, milestones),) * MAX_FORMERS,
    ).encode()
    assert len(full) <= MAX_ENVELOPE
    signature, framing = 70, 300
    assert padded_length(MAX_ENVELOPE + signature) + framing <= MAX_APPLICATION_PAYLOAD


def test_different_envelopes_have_different_hashes() -> None:
    """The chain depends on every field."""
    one, other = envelope("text", encode_body(Text("a"))), envelope("text", encode_body(Text("b")))
    assert hash_envelope(one.encode()) != hash_envelope(other.encode())
    assert len(hash_envelope(one.encode())) == 16


def test_typing_notices_come_back_or_are_refused() -> None:
    """Ephemeral plaintext."""
    assert read_typing(encode_typing(7, 5, bytes(64))) == TypingNow(1, 7, 5, bytes(64))
    with pytest.raises(ContentError):
        read_typing(b"\x90")
