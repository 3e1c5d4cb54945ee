"""Safety numbers, their QR codes and room codes."""

import hashlib

import pytest

from secure_chat.identity.errors import MalformedError, MismatchError
from secure_chat.identity.fingerprint import SafetyNumber, room_code, safety_number
from secure_chat.identity.keys import AccountKey


@pytest.fixture
def pair(alice: AccountKey, bob: AccountKey) -> tuple[SafetyNumber, SafetyNumber]:
    """What Alice computes, and what Bob computes."""
    return (
        safety_number("alice", alice.public, "bob", bob.public),
        safety_number("bob", bob.public, "alice", alice.public),
    )


def test_both_sides_see_the_same_number(pair: tuple[SafetyNumber, SafetyNumber]) -> None:
    """Sixty digits in twelve groups, whoever looks."""
    ours, theirs = pair
    assert str(ours) == str(theirs)
    assert [len(group) for group in str(ours).split()] == [5] * 12
    assert ours.digits.isdigit()


def test_number_is_fixed(pair: tuple[SafetyNumber, SafetyNumber]) -> None:
    """Two releases show the same number for the same pair."""
    assert str(pair[0]) == "39013 56754 10228 53986 05185 14456 41068 59591 62974 52600 72934 87843"


def test_number_follows_its_definition(alice: AccountKey, pair: tuple[SafetyNumber, SafetyNumber]) -> None:
    """Recomputed here from the documented construction."""
    digest = b"secure-chat 1 safety number\x00" + alice.public + b"alice"
    for _ in range(5200):
        digest = hashlib.sha512(digest + alice.public).digest()
    half = "".join(f"{int.from_bytes(digest[i : i + 5], 'big') % 100_000:05}" for i in range(0, 30, 5))
    assert half in pair[0].digits


def test_number_depends_on_key_and_handle(
    alice: AccountKey, bob: AccountKey, pair: tuple[SafetyNumber, SafetyNumber]
) -> None:
    """Another key or another name is another number."""
    assert safety_number("alice", alice.public, "bob", bytes(32)).digits != pair[0].digits
    assert safety_number("alice", alice.public, "bobby", bob.public).digits != pair[0].digits


def test_scanning_each_other_succeeds(pair: tuple[SafetyNumber, SafetyNumber]) -> None:
    """The usual case, also with the scanner's white space."""
    ours, theirs = pair
    ours.compare_qr(theirs.qr)
    theirs.compare_qr(f" {ours.qr}\n")


def test_qr_uses_the_alphanumeric_alphabet(pair: tuple[SafetyNumber, SafetyNumber]) -> None:
    """Only characters of QR's compact mode."""
    assert set(pair[0].qr) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


def test_substituted_keys_are_told_apart(
    alice: AccountKey, bob: AccountKey, pair: tuple[SafetyNumber, SafetyNumber]
) -> None:
    """Whose key was exchanged shows in the message."""
    ours, _ = pair
    with pytest.raises(MismatchError, match="another key than the one you have"):
        ours.compare_qr(safety_number("bob", b"\x08" * 32, "alice", alice.public).qr)
    with pytest.raises(MismatchError, match="another key for you"):
        ours.compare_qr(safety_number("bob", bob.public, "alice", b"\x08" * 32).qr)


def test_own_code_scanned_back_is_a_mismatch(pair: tuple[SafetyNumber, SafetyNumber]) -> None:
    """A reflected code proves nothing."""
    with pytest.raises(MismatchError):
        pair[0].compare_qr(pair[0].qr)


@pytest.mark.parametrize(
    "scanned",
    [
        "",
        "hello",
        "SECURE-CHAT:V2:A:B",
        "SECURE-CHAT:V1:A:B",
        "SECURE-CHAT:V1:0:1",
        "SECURE-CHAT:V1:é:é",
        "::",
    ],
)
def test_foreign_code_is_named_as_such(scanned: str, pair: tuple[SafetyNumber, SafetyNumber]) -> None:
    """A QR code of something else is no alarm."""
    with pytest.raises(MalformedError, match="no safety number"):
        pair[0].compare_qr(scanned)


def test_typed_digits_compare_in_any_grouping(pair: tuple[SafetyNumber, SafetyNumber]) -> None:
    """Spaces, dashes and lines don't matter; one wrong digit does."""
    ours, theirs = pair
    ours.compare_digits(str(theirs).replace(" ", "-"))
    ours.compare_digits(theirs.digits[:30] + "\n" + theirs.digits[30:])
    wrong = str((int(theirs.digits[0]) + 1) % 10) + theirs.digits[1:]
    for typed in (wrong, theirs.digits[:-1], "", "é"):
        with pytest.raises(MismatchError):
            ours.compare_digits(typed)


def test_key_of_wrong_length_is_a_callers_mistake(alice: AccountKey) -> None:
    """Nothing shorter than a key gets a number."""
    with pytest.raises(ValueError, match="32 bytes"):
        safety_number("alice", alice.public, "bob", b"")


def test_room_code_is_fixed_and_follows_the_authenticator() -> None:
    """Twenty digits, the same for all members, new with each epoch."""
    assert room_code(bytes(32)) == "48892 67724 47511 96376"
    assert room_code(bytes(31) + b"\x01") != room_code(bytes(32))
