"""What members have in common, counted."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.mls.credential.credential import UnknownCredential
from secure_chat.mls.credential.extensions import Capabilities, Extension, RequiredCapabilities
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.tree.leaf_node import LeafNode
from secure_chat.mls.tree.members import KeyCount, MemberCount
from tests.mls.suites import FAST
from tests.mls.tree.party import person

PLAIN = person("plain").leaf
RICH = person(
    "rich", capabilities=Capabilities.of([FAST.number], extensions=[0xF001], proposals=[0xF002], credentials=[1, 9])
).leaf
STRANGE: LeafNode = replace(RICH, credential=UnknownCredential(9, b""), _encoded=b"")


def members(*leaves: LeafNode) -> MemberCount:
    count = MemberCount()
    for leaf in leaves:
        count.replace(None, leaf)
    return count


def test_what_all_support_is_supported() -> None:
    """Listed by every member, or a default."""
    count = members(RICH, RICH)
    assert count.supports_extension(0xF001)
    assert count.supports_proposal(0xF002)
    assert count.supports_extension(1)
    assert count.supports_proposal(1)


def test_one_member_without_support_is_enough() -> None:
    """And its removal, or its update, mends that."""
    count = members(RICH, PLAIN)
    assert not count.supports_extension(0xF001)
    assert not count.supports_proposal(0xF002)
    count.replace(PLAIN, RICH)
    assert count.supports_extension(0xF001)
    count.replace(None, PLAIN)
    assert not count.supports_extension(0xF001)
    count.replace(PLAIN, None)
    assert count.supports_proposal(0xF002)
    assert count.total == 2


def test_a_type_listed_twice_counts_once() -> None:
    """A sloppy list must not stand in for another member's support."""
    sloppy = replace(RICH.capabilities, extensions=(0xF001, 0xF001))
    count = members(replace(RICH, capabilities=sloppy, _encoded=b""), PLAIN)
    assert not count.supports_extension(0xF001)


def test_credential_types_in_use_are_supported_by_all() -> None:
    """§7.3, in both directions."""
    members(RICH, STRANGE).check_credentials()
    count = members(PLAIN, STRANGE)
    with pytest.raises(ValidationError, match=r"0x0009.*§7\.3"):
        count.check_credentials()
    count.replace(STRANGE, None)
    count.check_credentials()


def test_group_extensions_are_supported_by_all() -> None:
    """§13.4."""
    extensions = (Extension(0xF001, b""), Extension(5, b""))
    members(RICH).check_extensions(extensions)
    with pytest.raises(ValidationError, match=r"0xf001.*§13\.4"):
        members(RICH, PLAIN).check_extensions(extensions)


@pytest.mark.parametrize(
    "required",
    [RequiredCapabilities((0xF001,)), RequiredCapabilities((), (0xF002,)), RequiredCapabilities((), (), (9,))],
)
def test_required_capabilities_are_supported_by_all(required: RequiredCapabilities) -> None:
    """§11.1, each kind."""
    members(RICH).check_required(required)
    with pytest.raises(ValidationError, match=r"§11\.1"):
        members(RICH, PLAIN).check_required(required)


def test_nothing_required_is_supported_by_all() -> None:
    """A group without the extension."""
    members(PLAIN).check_required(None)


def test_a_copy_counts_on_its_own() -> None:
    """Staging must leave no trace."""
    count = members(RICH)
    other = count.copy()
    other.replace(None, PLAIN)
    assert count.supports_extension(0xF001)
    assert not other.supports_extension(0xF001)
    assert (count.total, other.total) == (1, 2)


def test_repeated_keys_are_noticed_and_forgotten() -> None:
    """Counted up and down, and copies are independent."""
    count = KeyCount()
    for key in (b"a", b"b", b"a", b"a"):
        count.add(key)
    assert count.repeated == 1
    other = count.copy()
    count.remove(b"a")
    assert count.repeated == 1
    count.remove(b"a")
    assert count.repeated == 0
    count.remove(b"a")
    assert [count.count(key) for key in (b"a", b"b", b"c")] == [0, 1, 0]
    assert other.repeated == 1
    assert other.count(b"a") == 3


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "copy", "back"]), st.sampled_from(b"abcdefgh"))))
def test_copies_of_counts_never_see_each_other(steps: list[tuple[str, int]]) -> None:
    """Any sequence of changes and copies counts like a plain Counter for each copy."""
    pairs = [(KeyCount(), Counter[bytes]())]
    for action, number in steps:
        count, model = pairs[-1]
        key = bytes([number])
        if action == "add":
            count.add(key)
            model[key] += 1
        elif action == "remove" and model[key]:
            count.remove(key)
            model[key] -= 1
        elif action == "copy":
            pairs.append((count.copy(), model.copy()))
        elif action == "back" and len(pairs) > 1:
            pairs.pop()
        for count, model in pairs:
            assert [count.count(bytes([n])) for n in b"abcdefgh"] == [model[bytes([n])] for n in b"abcdefgh"]
            assert count.repeated == sum(value > 1 for value in model.values())
