"""Key packages: about 20 for each suite at the relay, so that others can add this device while it is away."""

import hashlib

from secure_chat.client.engine import spaces
from secure_chat.client.engine.device import SUITE_CLASSICAL, SUITE_HYBRID, Device, leaf_identity
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import StoredKeyPackage
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.errors import SecureChatError
from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.credential.extensions import Lifetime
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.errors import MLSError
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.welcome import Welcome
from secure_chat.mls.tree.leaf_node import LeafIdentity
from secure_chat.wire.messages import LoggedIn, Ok, PublishKeyPackages

__all__ = ["LAST_RESORT_GRACE", "KeyPackages", "Opener", "ReplayedWelcome"]

PER_SUITE = 20
LOW = 10
"""Fewer than these at the relay: publish more."""
REPLACE_AFTER = 7 * 86_400_000
"""Milliseconds after which all are replaced, like the keys in rooms: what was stolen of them is good for no longer."""
REPLACE_JITTER = 86_400_000
"""Milliseconds over which clients that were set up together spread that."""
LAST_RESORT_GRACE = 10 * 60_000
"""Milliseconds for which a last resort's private key outlives its first use: other Welcomes to it may be on their way.

After that nobody who steals the store opens the Welcome any more; who is added by it even later asks to be added anew.
"""
MAX_OPENED = 1_000
"""Groups entered by one last-resort package; after that it opens nothing more."""
DIGEST_LENGTH = 16
KEEP_PRIVATE = 40 * 86_400_000
"""Milliseconds for which private keys of packages are kept: a Welcome may wait at the relay for 30 days."""


class ReplayedWelcome(SecureChatError):
    """A Welcome by which this device has entered before."""


class Opener:
    """A key package of one's own with all that joining by it needs."""

    def __init__(self, stored: StoredKeyPackage) -> None:
        self.stored = stored
        self.bundle = KeyPackageBundle.decode(stored.bundle)
        self.identity: LeafIdentity = leaf_identity(
            SUITES[stored.suite], BasicCredential(stored.credential), stored.device_seed
        )


class KeyPackages:
    """Makes, publishes and finds this device's key packages."""

    def __init__(self, state: State, session: Session, device: Device) -> None:
        self._state = state
        self._session = session
        self._device = device
        self._publishing = False
        self._again = False
        """Another last resort was used while packages were being published."""
        state.set_timer("key_packages", b"", 0)

    def refill(self, answer: LoggedIn) -> None:
        """After login: what is missing or old is published."""
        profile = self._state.profile
        if profile.publish_all or self._state.now - profile.published_at > REPLACE_AFTER:
            self._replace_all()
        else:
            stored = dict(answer.key_packages)
            counts = {suite: stored.get(suite, 0) for suite in (SUITE_CLASSICAL, SUITE_HYBRID)}
            self._start({suite: count for suite, count in counts.items() if count < LOW})
        self.look_after()

    def low(self, suite: int, remaining: int) -> None:
        """The relay says that few are left."""
        if suite in (SUITE_CLASSICAL, SUITE_HYBRID) and remaining < LOW:
            self._start({suite: remaining})

    def _replace_all(self) -> None:
        self._state.profile.publish_all = True
        self._state.save_profile()
        self._again = self._publishing
        self._start(dict.fromkeys((SUITE_CLASSICAL, SUITE_HYBRID), 0))

    def _start(self, counts: dict[int, int]) -> None:
        if counts and not self._publishing:
            self._publishing = True
            self._state.tasks.start(self._publish(counts), lambda _: self._done())

    def _done(self) -> None:
        self._publishing = False
        if self._again:
            self._replace_all()

    def _publish(self, counts: dict[int, int]) -> Task[None]:
        state, profile = self._state, self._state.profile
        replace = profile.publish_all
        if replace:
            self._discard_old()
        for suite, count in counts.items():
            packages = tuple(self.make(suite).key_package.message() for _ in range(PER_SUITE - count))
            last_resort = self.make(suite, last_resort=True).key_package.message() if replace else None
            yield from self._session.ask(PublishKeyPackages(0, suite, packages, last_resort, replace), Ok)
        if replace:
            profile.publish_all, profile.published_at = False, state.now
            state.save_profile()
            self.look_after()

    def _discard_old(self) -> None:
        for reference, value in list(self._state.rows(spaces.KEY_PACKAGES).items()):
            if self._state.now - spaces.decode(StoredKeyPackage, value).created > KEEP_PRIVATE:
                self._state.delete(spaces.KEY_PACKAGES, reference)

    def make(
        self, suite: int, *, last_resort: bool = False, asked: bool = False, lifetime: Lifetime | None = None
    ) -> KeyPackageBundle:
        """A fresh key package, its private keys on disk with the effects of this input."""
        device = self._device
        identity = device.leaf(SUITES[suite])
        bundle = KeyPackageBundle.generate(SUITES[suite], identity, lifetime or device.lifetime())
        stored = StoredKeyPackage(
            version=spaces.FORMAT,
            suite=suite,
            bundle=bytes(bundle.encode()),
            created=self._state.now,
            last_resort=last_resort,
            device_key=device.key.public,
            device_seed=device.key.seed,
            credential=device.credential().identity,
            asked=asked,
            era=self._state.profile.era,
        )
        self._state.put(spaces.KEY_PACKAGES, bundle.reference, stored)
        return bundle

    def opener(self, welcome: bytes) -> Opener | None:
        """The own key package that a Welcome was encrypted to; None if it is not, or no longer, here."""
        try:
            message = MLSMessage.decode(welcome)
        except MLSError:
            return None
        if not isinstance(message.body, Welcome):
            return None
        for entry in message.body.secrets:
            value = self._state.row(spaces.KEY_PACKAGES, entry.new_member)
            if value is not None:
                stored = spaces.decode(StoredKeyPackage, value)
                if stored.suite == message.body.cipher_suite and stored.suite in SUITES:
                    return Opener(stored)
        return None

    def require_first(self, opener: Opener, authenticator: bytes) -> None:
        """A Welcome leads into a state of a group once: delivered again it would have keys of that state used twice.

        Other packages' private keys are gone by then; of a last resort it is remembered. Raises ReplayedWelcome.
        """
        stored = opener.stored
        if not stored.last_resort:
            return
        digest = hashlib.sha256(b"secure-chat 1 entered\x00" + authenticator).digest()[:DIGEST_LENGTH]
        if digest in stored.opened or len(stored.opened) >= MAX_OPENED:
            raise ReplayedWelcome("it has been used before")
        stored.opened.append(digest)
        self._state.put(spaces.KEY_PACKAGES, opener.bundle.reference, stored)

    def used(self, opener: Opener) -> None:
        """Its private keys are gone after this (RFC 9420 §16.8); a last resort's go soon, and a new one comes."""
        reference, stored = opener.bundle.reference, opener.stored
        if not stored.last_resort:
            self._state.delete(spaces.KEY_PACKAGES, reference)
        elif not stored.used:
            stored.used = self._state.now
            self._state.put(spaces.KEY_PACKAGES, reference, stored)
            self._replace_all()
            self.look_after()

    def look_after(self) -> None:
        """Deletes used last resorts whose time is over, replaces what is old, and comes back when more is due."""
        state = self._state
        for reference, value in list(state.rows(spaces.KEY_PACKAGES).items()):
            used = spaces.decode(StoredKeyPackage, value).used
            if used and state.now >= used + LAST_RESORT_GRACE:
                state.delete(spaces.KEY_PACKAGES, reference)
            elif used:
                state.set_timer("key_packages", b"", used + LAST_RESORT_GRACE)
        due = state.profile.published_at + REPLACE_AFTER
        if state.now < due:
            state.set_timer("key_packages", b"", due + state.jitter(1, REPLACE_JITTER))
        elif self._session.entered and not self._publishing:  # else the next login sees to it
            self._replace_all()
