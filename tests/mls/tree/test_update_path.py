"""The structures of an update path, and the undivided form of its ciphertexts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.mls.codec import Reader, StructCodec, Vector
from secure_chat.mls.crypto.hpke import HPKECiphertext
from secure_chat.mls.errors import DecodeError
from secure_chat.mls.tree.update_path import UpdatePath, UpdatePathNode
from tests.mls.tree.party import person

ITEMS = Vector(StructCodec(HPKECiphertext))
uniform = st.tuples(st.integers(0, 130), st.integers(0, 130), st.integers(0, 6)).flatmap(
    lambda shape: st.lists(
        st.builds(
            HPKECiphertext,
            st.binary(min_size=shape[0], max_size=shape[0]),
            st.binary(min_size=shape[1], max_size=shape[1]),
        ),
        min_size=shape[2],
        max_size=shape[2],
    )
)
mixed = st.lists(st.builds(HPKECiphertext, st.binary(max_size=70), st.binary(max_size=70)), max_size=6)


@given(uniform | mixed)
def test_path_nodes_survive_a_round_trip(items: list[HPKECiphertext]) -> None:
    """Whether all ciphertexts have one form or each its own."""
    node = UpdatePathNode(b"key", tuple(items))
    encoded = node.encode()
    again = UpdatePathNode.decode(encoded)
    assert tuple(again.encrypted_path_secret) == tuple(items)
    assert len(again.encrypted_path_secret) == len(items)
    assert again.encode() == encoded
    assert again == node
    for place, item in enumerate(items):
        assert again.encrypted_path_secret[place] == item
        assert again.encrypted_path_secret[place - len(items)] == item
    assert tuple(again.encrypted_path_secret[1:]) == tuple(items[1:])


@given(uniform, st.integers(0, 2000), st.integers(1, 255))
def test_the_undivided_form_accepts_what_the_plain_one_accepts(items: list[HPKECiphertext], at: int, mask: int) -> None:
    """An altered byte is found alike, wherever it stands: a wrong header is no shortcut."""
    out = bytearray()
    ITEMS.write(tuple(items), out)
    data = bytearray(b"\1k" + out)
    data[2 + at % len(out)] ^= mask
    try:
        expected = ITEMS.read(Reader(bytes(data), 2))
        plain = len(bytes(data)) - 2 == len(UpdatePathNode(b"k", expected).encode()) - 2
    except DecodeError:
        plain = False
    if plain:
        assert tuple(UpdatePathNode.decode(bytes(data)).encrypted_path_secret) == expected
    else:
        with pytest.raises(DecodeError):
            UpdatePathNode.decode(bytes(data))


def test_a_missing_ciphertext_is_an_index_error() -> None:
    """As with any sequence."""
    node = UpdatePathNode.decode(UpdatePathNode(b"k", (HPKECiphertext(b"a", b"b"),) * 3).encode())
    for place in (3, -4):
        with pytest.raises(IndexError):
            node.encrypted_path_secret[place]


def test_undivided_ciphertexts_behave_like_a_tuple() -> None:
    """Equal to the same items however they are held, with the same hash, and without printing them."""
    items = (HPKECiphertext(b"a", b"b"), HPKECiphertext(b"c", b"d"))
    held = UpdatePathNode.decode(UpdatePathNode(b"k", items).encode()).encrypted_path_secret
    other = UpdatePathNode.decode(UpdatePathNode(b"k", items[:1]).encode()).encrypted_path_secret
    assert held == items
    assert held == UpdatePathNode.decode(UpdatePathNode(b"l", items).encode()).encrypted_path_secret
    assert held != other
    assert hash(held) == hash(items)
    assert repr(held) == "<2 HPKECiphertexts>"


def test_update_paths_survive_a_round_trip() -> None:
    """Leaf and nodes, in the RFC's order (§7.6)."""
    path = UpdatePath(person().leaf, (UpdatePathNode(b"k", (HPKECiphertext(b"a", b"b"),)), UpdatePathNode(b"l", ())))
    again = UpdatePath.decode(path.encode())
    assert again == path
    assert again.encode() == path.encode()
