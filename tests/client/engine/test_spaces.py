"""Records in rows: there and back, damaged ones and those of later versions refused."""

import msgspec
import pytest

from secure_chat.client.engine import spaces
from secure_chat.client.engine.content import Envelope, Text, encode_body
from secure_chat.client.engine.spaces import (
    Chain,
    Outgoing,
    Room,
    StoredStateError,
    decode,
    encode,
    forget_encryption,
    group_space,
    order_key,
)


def test_records_come_back_as_they_were() -> None:
    """With their defaults."""
    room = Room(1, bytes(16), "open", "lobby", notes=[b"note"], generation=3)
    assert decode(Room, encode(room)) == room


def test_fields_that_an_older_version_did_not_have_get_their_defaults() -> None:
    """Records are only ever appended to."""
    fields = msgspec.msgpack.decode(encode(Room(1, bytes(16), "open", "lobby")))
    older = {name: fields[name] for name in ("version", "channel", "kind", "name", "phase")}
    assert decode(Room, msgspec.msgpack.encode(older)).milestones == []


@pytest.mark.parametrize("value", [b"", b"\xc1", b"\x80", msgspec.msgpack.encode({"version": 1, "channel": "x"})])
def test_a_damaged_row_is_refused(value: bytes) -> None:
    """In words for a person."""
    with pytest.raises(StoredStateError, match="damaged"):
        decode(Room, value)


def test_a_record_of_a_later_version_is_refused() -> None:
    """Rather than misread."""
    with pytest.raises(StoredStateError, match="later version"):
        decode(Chain, encode(Chain(spaces.FORMAT + 1, 0, b"")))


def test_keys_sort_as_their_numbers() -> None:
    """The store returns rows in key order."""
    numbers = [0, 1, 255, 256, 2**40]
    assert sorted(order_key(number) for number in numbers) == [order_key(number) for number in numbers]
    assert group_space(bytes(16), 2) != group_space(bytes(16), 12)


def test_what_is_encrypted_anew_keeps_its_id_and_body() -> None:
    """Its old place in a chain is given up."""
    body = encode_body(Text("hello"))
    envelope = Envelope(1, bytes(16), bytes(8), 4, bytes(16), 0, "text", "", msgspec.Raw(body))
    item = Outgoing(1, 1, bytes(16), bytes(16), "text", b"", 0, True, 4, 9, 3, b"ciphertext", False, envelope.encode())
    forget_encryption(item)
    assert (item.body, item.counter, item.append, item.payload, item.envelope) == (body, 0, 0, b"", b"")
