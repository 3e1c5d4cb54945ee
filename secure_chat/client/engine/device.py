"""This device: its key, its certificate, and what it puts into its MLS leaves.

The account key certifies the device key. Serials are the time in milliseconds, so that every certificate of an
account is above the earlier ones even where stores were lost or several devices certify themselves.
"""

from secure_chat.client.engine.policy import ROLES_EXTENSION
from secure_chat.client.engine.state import State
from secure_chat.identity import binding as bindings
from secure_chat.identity import certificate as certificates
from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.credential import encode_credential
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.credential.extensions import Capabilities, Lifetime
from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.tree.leaf_node import LeafIdentity

__all__ = ["DEFAULT_SUITE", "SUITE_CLASSICAL", "SUITE_HYBRID", "Device", "certify", "leaf_identity"]

SUITE_CLASSICAL = 3
SUITE_HYBRID = 0xF00E
DEFAULT_SUITE = SUITE_HYBRID
"""Post-quantum unless somebody asks for less."""

CERTIFICATE_LIFETIME = 365 * 86_400
"""Seconds. The account key is in the store, so renewal needs nobody."""
RENEW_BEFORE = 120 * 86_400
"""Seconds before the end from which on a new certificate is made at login."""
CLOCK_SKEW = 86_400
"""Seconds by which a certificate or key package is valid before it is made: clocks differ."""
KEY_PACKAGE_LIFETIME = 90 * 86_400
"""Seconds; three times the relay's retention."""


def certify(
    account: AccountKey, *, handle: str, device_key: bytes, device_id: bytes, serial: int, now: int
) -> DeviceCertificate:
    """A certificate of an account for a key of one of its devices; `now` in milliseconds."""
    seconds = now // 1000
    return certificates.issue(
        account,
        handle=handle,
        device_key=device_key,
        device_id=device_id,
        serial=serial,
        issued=max(seconds - CLOCK_SKEW, 0),
        expires=seconds + CERTIFICATE_LIFETIME,
    )


class Device:
    """Key, certificate and leaf identity of this installation."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._load()

    def _load(self) -> None:
        self.key = DeviceKey(self._state.profile.device_seed)
        self.certificate = certificates.verify(self._state.profile.certificate)
        self._credential: BasicCredential | None = None

    def renew(self, *, fresh_key: bool, above: int = 0) -> None:
        """Another certificate with a higher serial, at least `above`; for a rejoin with a fresh device key."""
        state, profile = self._state, self._state.profile
        if fresh_key:
            profile.device_seed = state.random.randbytes(32)
        serial = max(state.now, self.certificate.serial + 1, above)
        key = DeviceKey(profile.device_seed)
        certificate = certify(
            state.account_key,
            handle=profile.handle,
            device_key=key.public,
            device_id=profile.device_id,
            serial=serial,
            now=state.now,
        )
        profile.certificate = certificate.encode()
        profile.publish_all = True
        state.save_profile()
        self._load()

    def renew_if_due(self) -> None:
        """At login: replaced is a certificate that will end within months, or begins only after now.

        The latter was made while this computer's clock was ahead; the relay would refuse it until then.
        """
        now = self._state.now // 1000
        if self.certificate.expires - now < RENEW_BEFORE or self.certificate.issued > now:
            self.renew(fresh_key=False)

    def credential(self) -> BasicCredential:
        """Certificate and directory binding, as leaves carry them."""
        if self._credential is None:
            binding = bindings.verify(self._state.profile.binding, self._state.profile.directory_key)
            self._credential = BasicCredential(encode_credential(self.certificate, binding))
        return self._credential

    def leaf(self, suite: CipherSuite) -> LeafIdentity:
        """What goes into this device's leaves and key packages now."""
        return leaf_identity(suite, self.credential(), self.key.seed)

    def lifetime(self) -> Lifetime:
        """Of a key package or founder's leaf made now."""
        seconds = self._state.now // 1000
        return Lifetime(max(seconds - CLOCK_SKEW, 0), seconds + KEY_PACKAGE_LIFETIME)


def leaf_identity(suite: CipherSuite, credential: BasicCredential, seed: bytes) -> LeafIdentity:
    """The identity for a leaf with this credential and device key."""
    capabilities = Capabilities.of((SUITE_CLASSICAL, SUITE_HYBRID), extensions=(ROLES_EXTENSION,))
    return LeafIdentity(credential, SignaturePrivateKey.from_bytes(suite, seed), capabilities)
