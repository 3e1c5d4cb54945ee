"""The pre-shared keys that a member can name in commits and Welcomes (RFC 9420 §8.4, §8.6)."""

import os
from collections.abc import Iterable, Mapping

from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.messages.proposals import PreSharedKey
from secure_chat.mls.schedule.psk import (
    ExternalPSK,
    PreSharedKeyID,
    ResumptionPSK,
    psk_secret,
)

__all__ = ["PSKStore", "fresh_psk"]


class PSKStore:
    """External PSKs by their name, resumption PSKs by group and epoch, of this group and of others."""

    __slots__ = ("external", "resumption")

    def __init__(
        self,
        external: Mapping[bytes, bytes] | None = None,
        resumption: Mapping[tuple[bytes, int], bytes] | None = None,
    ) -> None:
        self.external = {name: Secret(psk) for name, psk in (external or {}).items()}
        self.resumption = {place: Secret(psk) for place, psk in (resumption or {}).items()}

    def with_external(self, psks: Mapping[bytes, bytes]) -> "PSKStore":
        """This store and some external PSKs more."""
        return PSKStore({**self.external, **psks}, self.resumption)

    def secret(self, suite: CipherSuite, psk_ids: Iterable[PreSharedKeyID]) -> Secret:
        """The `psk_secret` of §8.4; ValidationError if one of the keys is not here."""
        found: list[tuple[PreSharedKeyID, bytes]] = []
        for psk_id in psk_ids:
            psk = psk_id.psk
            if isinstance(psk, ExternalPSK):
                value = self.external.get(psk.psk_id)
            else:
                value = self.resumption.get((psk.psk_group_id, psk.psk_epoch))
            if value is None:
                raise ValidationError("a pre-shared key in use is not available (RFC 9420 §12.4.2)")
            found.append((psk_id, value))
        return psk_secret(suite, found)


def fresh_psk(suite: CipherSuite, psk: ExternalPSK | ResumptionPSK) -> PreSharedKey:
    """A proposal for one use of a PSK, with a fresh nonce (§8.4)."""
    return PreSharedKey(PreSharedKeyID(psk, os.urandom(suite.hash_length)))
