"""Directory bindings."""

import msgspec
import pytest

from secure_chat.identity import binding
from secure_chat.identity.binding import DirectoryBinding
from secure_chat.identity.errors import HandleError, MalformedError, SignatureError
from secure_chat.identity.keys import AccountKey, DirectoryKey


def test_binding_verifies_under_its_directory(directory: DirectoryKey, alice_binding: DirectoryBinding) -> None:
    """What the directory signed, anybody with its key accepts."""
    assert binding.verify(alice_binding.encode(), directory.public) == alice_binding


def test_binding_of_another_directory_is_refused(alice_binding: DirectoryBinding) -> None:
    """Only the pinned directory's word counts."""
    with pytest.raises(SignatureError, match="directory binding"):
        binding.verify(alice_binding.encode(), DirectoryKey(b"\x09" * 32).public)


def test_changed_handle_is_refused(directory: DirectoryKey, alice_binding: DirectoryBinding) -> None:
    """A binding can't be moved to another name."""
    moved = msgspec.structs.replace(alice_binding, handle="mallory")
    with pytest.raises(SignatureError):
        binding.verify(moved.encode(), directory.public)


def test_malformed_binding_is_refused(directory: DirectoryKey, alice_binding: DirectoryBinding) -> None:
    """Cut or lengthened bytes are no binding."""
    for data in (b"", alice_binding.encode()[:-1], alice_binding.encode() + b"\x00"):
        with pytest.raises(MalformedError):
            binding.verify(data, directory.public)


def test_invalid_handle_is_never_bound(directory: DirectoryKey, alice: AccountKey) -> None:
    """The directory signs no impossible name."""
    with pytest.raises(HandleError):
        binding.bind(directory, "Not A Handle", alice.public)


def test_two_bindings_of_one_handle_prove_the_lie(
    directory: DirectoryKey, alice_binding: DirectoryBinding, bob: AccountKey
) -> None:
    """Both signatures verify, the keys differ: anybody can check the proof."""
    proof = binding.conflict(alice_binding, binding.bind(directory, "alice", bob.public), directory.public)
    assert proof is not None
    for each in (proof.first, proof.second):
        binding.require_signed(each, proof.directory_key)


def test_agreeing_and_unrelated_bindings_are_no_conflict(
    directory: DirectoryKey, alice_binding: DirectoryBinding, bob: AccountKey
) -> None:
    """The same binding twice, or two people, prove nothing."""
    assert binding.conflict(alice_binding, alice_binding, directory.public) is None
    other = binding.bind(directory, "bob", bob.public)
    assert binding.conflict(alice_binding, other, directory.public) is None


def test_forged_binding_accuses_nobody(
    directory: DirectoryKey, alice_binding: DirectoryBinding, bob: AccountKey
) -> None:
    """Evidence must be signed by the accused."""
    forged = DirectoryBinding("alice", bob.public, alice_binding.signature)
    with pytest.raises(SignatureError):
        binding.conflict(alice_binding, forged, directory.public)
    with pytest.raises(SignatureError):
        binding.conflict(forged, alice_binding, directory.public)
