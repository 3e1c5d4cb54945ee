"""Directory bindings: the relay's signed word that a handle belongs to an account key.

The directory key is pinned together with the relay's CA. Who wants to lie about a handle needs the relay, and
two bindings of one handle with different keys prove the lie to anybody (`conflict`).
"""

import msgspec

from secure_chat.identity import labels
from secure_chat.identity.encoding import Handle, PublicKey, Signature, decode_exact, encode
from secure_chat.identity.handle import require_handle
from secure_chat.identity.keys import DirectoryKey
from secure_chat.identity.labels import Purpose

__all__ = ["BindingConflict", "DirectoryBinding", "bind", "conflict", "require_signed", "verify"]


class DirectoryBinding(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Handle and account key under the directory's signature; made by `bind`, read by `verify`."""

    handle: Handle
    account_key: PublicKey
    signature: Signature

    def encode(self) -> bytes:
        """The canonical bytes, as `verify` takes them."""
        return encode(self)


class BindingConflict(msgspec.Struct, frozen=True):
    """Proof that a directory bound one handle to two accounts: both bindings verify under its key."""

    directory_key: bytes
    first: DirectoryBinding
    second: DirectoryBinding


def bind(directory: DirectoryKey, handle: str, account_key: bytes) -> DirectoryBinding:
    """The directory's binding; a handle is bound once and never moves to another key."""
    signature = labels.sign(directory, Purpose.DIRECTORY_BINDING, require_handle(handle), account_key)
    return DirectoryBinding(handle, account_key, signature)


def verify(data: bytes, directory_key: bytes) -> DirectoryBinding:
    """The binding in `data` if the directory signed it; raises MalformedError or SignatureError."""
    binding = decode_exact(DirectoryBinding, data, "directory binding")
    require_signed(binding, directory_key)
    return binding


def require_signed(binding: DirectoryBinding, directory_key: bytes) -> None:
    """Raises SignatureError unless the directory signed this binding."""
    labels.verify(directory_key, Purpose.DIRECTORY_BINDING, binding.signature, binding.handle, binding.account_key)


def conflict(first: DirectoryBinding, second: DirectoryBinding, directory_key: bytes) -> BindingConflict | None:
    """The proof of a lie, or None where two bindings agree or speak of different handles.

    Both signatures are checked: a forged binding accuses nobody (SignatureError).
    """
    require_signed(first, directory_key)
    require_signed(second, directory_key)
    if first.handle != second.handle or first.account_key == second.account_key:
        return None
    return BindingConflict(directory_key, first, second)
