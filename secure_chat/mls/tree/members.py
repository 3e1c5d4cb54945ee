"""What all members have in common, counted leaf by leaf so that no commit has to look at every member again."""

from collections.abc import Iterable

from secure_chat.mls.credential.extensions import (
    DEFAULT_EXTENSION_TYPES,
    DEFAULT_PROPOSAL_TYPES,
    Capabilities,
    Extension,
    RequiredCapabilities,
)
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.tree.leaf_node import LeafNode

__all__ = ["KeyCount", "MemberCount"]


class KeyCount:
    """How often each public key occurs in the tree.

    Copies share what they have in common: a commit that is staged changes a few keys among thousands.
    """

    __slots__ = ("_changed", "_shared", "repeated")

    def __init__(self) -> None:
        self._shared: dict[bytes, int] = {}  # never changed once a copy may see it
        self._changed: dict[bytes, int] = {}
        self.repeated = 0
        """Keys that occur more than once."""

    def count(self, key: bytes) -> int:
        """How many nodes have this key."""
        count = self._changed.get(key)
        return self._shared.get(key, 0) if count is None else count

    def add(self, key: bytes) -> None:
        """One more node has this key."""
        count = self.count(key) + 1
        self._changed[key] = count
        if count == 2:
            self.repeated += 1

    def remove(self, key: bytes) -> None:
        """One node with this key is gone."""
        count = self.count(key) - 1
        self._changed[key] = count
        if count == 1:
            self.repeated -= 1

    def copy(self) -> "KeyCount":
        """An independent copy; now and then what has changed becomes shared."""
        if 4 * len(self._changed) > len(self._shared):
            self._shared = {key: count for key, count in (self._shared | self._changed).items() if count}
            self._changed = {}
        other = KeyCount()
        other._shared = self._shared
        other._changed = self._changed.copy()
        other.repeated = self.repeated
        return other


class MemberCount:
    """How many members there are, which credential types they use, and how many support what."""

    __slots__ = ("_credentials", "_extensions", "_proposals", "_used", "total")

    def __init__(self) -> None:
        self.total = 0
        # How many members by registry number: plain dicts, since they are copied with every staged commit.
        self._used: dict[int, int] = {}
        self._credentials: dict[int, int] = {}
        self._extensions: dict[int, int] = {}
        self._proposals: dict[int, int] = {}

    def replace(self, old: LeafNode | None, new: LeafNode | None) -> None:
        """A leaf of the tree changes from `old` to `new`."""
        if old is not None:
            self.total -= 1
            _step(self._used, old.credential.credential_type, -1)
        if new is not None:
            self.total += 1
            _step(self._used, new.credential.credential_type, 1)
        before = None if old is None else old.capabilities
        after = None if new is None else new.capabilities
        if before != after:
            self._count(before, -1)
            self._count(after, 1)

    def _count(self, capabilities: Capabilities | None, step: int) -> None:
        if capabilities is None:
            return
        for counter, types in (
            (self._credentials, capabilities.credentials),
            (self._extensions, capabilities.extensions),
            (self._proposals, capabilities.proposals),
        ):
            for kind in set(types):
                _step(counter, kind, step)

    def copy(self) -> "MemberCount":
        """An independent copy."""
        other = MemberCount()
        other.total = self.total
        other._used = self._used.copy()
        other._credentials = self._credentials.copy()
        other._extensions = self._extensions.copy()
        other._proposals = self._proposals.copy()
        return other

    def supports_proposal(self, proposal_type: int) -> bool:
        """Whether every member supports this proposal type (§12.2)."""
        return proposal_type in DEFAULT_PROPOSAL_TYPES or self._proposals.get(proposal_type) == self.total

    def supports_extension(self, extension_type: int) -> bool:
        """Whether every member supports this extension type (§13.4)."""
        return extension_type in DEFAULT_EXTENSION_TYPES or self._extensions.get(extension_type) == self.total

    def check_credentials(self) -> None:
        """§7.3: every credential type in use is supported by every member; ValidationError otherwise."""
        for kind, users in self._used.items():
            if users and self._credentials.get(kind) != self.total:
                raise ValidationError(f"credential type {kind:#06x} is not supported by every member (RFC 9420 §7.3)")

    def check_extensions(self, extensions: Iterable[Extension]) -> None:
        """§13.4: every GroupContext extension is supported by every member; ValidationError otherwise."""
        for extension in extensions:
            if not self.supports_extension(extension.extension_type):
                raise ValidationError(
                    f"extension type {extension.extension_type:#06x} is not supported by every member "
                    "(RFC 9420 §12.1.7, §13.4)"
                )

    def check_required(self, required: RequiredCapabilities | None) -> None:
        """§7.3, §11.1: every member supports what the group requires; ValidationError otherwise."""
        if required is None:
            return
        for kind in required.extension_types:
            if not self.supports_extension(kind):
                raise ValidationError(f"not every member supports extension type {kind:#06x} (RFC 9420 §11.1)")
        for kind in required.proposal_types:
            if not self.supports_proposal(kind):
                raise ValidationError(f"not every member supports proposal type {kind:#06x} (RFC 9420 §11.1)")
        for kind in required.credential_types:
            if self._credentials.get(kind) != self.total:
                raise ValidationError(f"not every member supports credential type {kind:#06x} (RFC 9420 §11.1)")


def _step(counts: dict[int, int], kind: int, step: int) -> None:
    counts[kind] = counts.get(kind, 0) + step
