"""HPKE base mode, RFC 9180: single-shot seal and open with empty AAD, and the exporter, as MLS uses them.

Seal and open go through the library where it has the KEM. X448, the exporter (RFC 9420 §8.3) and Welcomes, whose
`info` is long and the same for all receivers, run the key schedule of RFC 9180 §5.1 here.
"""

from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from secure_chat.mls.codec import OPAQUE, Struct
from secure_chat.mls.crypto.kem import KEM, HPKEPrivateKey, labeled_expand, labeled_extract
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.errors import CryptoError

__all__ = ["AEADS", "HPKE", "KDF_NUMBERS", "LONG_INFO", "AEADAlgorithm", "HPKECiphertext", "Sealer"]


@dataclass(frozen=True, slots=True)
class HPKECiphertext(Struct):
    """An encapsulated key and what it encrypts (RFC 9420 §7.6)."""

    kem_output: Annotated[bytes, OPAQUE]
    ciphertext: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True)
class AEADAlgorithm:
    """An AEAD: its HPKE number, lengths in bytes and implementation."""

    aead_id: int
    key_length: int
    cipher: type[AESGCM] | type[ChaCha20Poly1305]
    library: hpke.AEAD
    nonce_length: int = 12


AEADS = {
    "AES128GCM": AEADAlgorithm(1, 16, AESGCM, hpke.AEAD.AES_128_GCM),
    "AES256GCM": AEADAlgorithm(2, 32, AESGCM, hpke.AEAD.AES_256_GCM),
    "CHACHA20POLY1305": AEADAlgorithm(3, 32, ChaCha20Poly1305, hpke.AEAD.CHACHA20_POLY1305),
}
KDF_NUMBERS = {"sha256": 1, "sha384": 2, "sha512": 3}
_LIBRARY_KDFS = {
    "sha256": hpke.KDF.HKDF_SHA256,
    "sha384": hpke.KDF.HKDF_SHA384,
    "sha512": hpke.KDF.HKDF_SHA512,
}


LONG_INFO = 16 << 10
"""Bytes of `info` from which hashing it once for all receivers saves more than our own key schedule costs."""

_LibraryPublicKey = x25519.X25519PublicKey | ec.EllipticCurvePublicKey | hpke.MLKEM768X25519PublicKey
_LibraryPrivateKey = x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey | hpke.MLKEM768X25519PrivateKey


class HPKE:
    """HPKE with a fixed KEM, KDF (HKDF with `hash_name`) and AEAD."""

    def __init__(self, kem: KEM, hash_name: str, hash_length: int, aead: AEADAlgorithm) -> None:
        self.kem = kem
        self.hash_name = hash_name
        self.hash_length = hash_length
        self.aead = aead
        self._suite_id = b"HPKE" + b"".join(
            number.to_bytes(2, "big") for number in (kem.kem_id, KDF_NUMBERS[hash_name], aead.aead_id)
        )
        self._library = hpke.Suite(kem.library, _LIBRARY_KDFS[hash_name], aead.library) if kem.library else None
        self._psk_id_hash = self._extract(b"", b"psk_id_hash", b"")

    def sealer(self, info: bytes) -> "Sealer":
        """`SealBase` with empty AAD to any number of receivers under one `info`."""
        if self._library is None or len(info) > LONG_INFO:
            return _OwnSealer(self, info)
        return _LibrarySealer(self.kem, self._library, info)

    def seal(self, public_key: bytes, info: bytes, plaintext: bytes) -> HPKECiphertext:
        """`SealBase` with empty AAD; CryptoError for an unusable public key."""
        return self.sealer(info).seal(public_key, plaintext)

    def open(self, private_key: HPKEPrivateKey, info: bytes, sealed: HPKECiphertext) -> Secret:
        """`OpenBase` with empty AAD; CryptoError if it was not sealed to this key under this info."""
        # The library splits at this length: without the check, bytes could move between the two fields.
        if len(sealed.kem_output) != self.kem.enc_length:
            raise CryptoError("encapsulated key of a wrong length")
        try:
            if self._library is None:
                shared = self.kem.decap(private_key, sealed.kem_output)
                key, nonce = self.key_and_nonce(shared, self.context(info))
                return Secret(self.aead.cipher(key).decrypt(nonce, sealed.ciphertext, b""))
            native = cast(_LibraryPrivateKey, private_key.native)
            return Secret(self._library.decrypt(sealed.kem_output + sealed.ciphertext, native, info))
        except (InvalidTag, ValueError):
            raise CryptoError("HPKE ciphertext cannot be opened") from None

    def setup_export_sender(
        self, public_key: bytes, exporter_context: bytes, length: int, info: bytes = b""
    ) -> tuple[bytes, Secret]:
        """`SetupBaseS` and `Context.Export`: the encapsulated key and the exported secret (RFC 9420 §8.3)."""
        shared, enc = self.kem.encap(public_key)
        return enc, self._export(shared, exporter_context, length, info)

    def setup_export_receiver(
        self,
        private_key: HPKEPrivateKey,
        kem_output: bytes,
        exporter_context: bytes,
        length: int,
        info: bytes = b"",
    ) -> Secret:
        """`SetupBaseR` and `Context.Export`; CryptoError for a malformed encapsulated key."""
        return self._export(self.kem.decap(private_key, kem_output), exporter_context, length, info)

    def _export(self, shared: bytes, exporter_context: bytes, length: int, info: bytes) -> Secret:
        secret = self._extract(shared, b"secret", b"")
        exporter_secret = self._expand(secret, b"exp", self.context(info), self.hash_length)
        return Secret(self._expand(exporter_secret, b"sec", exporter_context, length))

    def context(self, info: bytes) -> bytes:
        """The key schedule's context in base mode (RFC 9180 §5.1)."""
        return b"\0" + self._psk_id_hash + self._extract(b"", b"info_hash", info)

    def key_and_nonce(self, shared: bytes, context: bytes) -> tuple[bytes, bytes]:
        """The AEAD key and base nonce (RFC 9180 §5.1)."""
        secret = self._extract(shared, b"secret", b"")
        return (
            self._expand(secret, b"key", context, self.aead.key_length),
            self._expand(secret, b"base_nonce", context, self.aead.nonce_length),
        )

    def _extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return labeled_extract(self.hash_name, self._suite_id, salt, label, ikm)

    def _expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return labeled_expand(self.hash_name, self._suite_id, prk, label, info, length)


class Sealer(Protocol):
    """Seals to one receiver after the other under one `info`."""

    def seal(self, public_key: bytes, plaintext: bytes) -> HPKECiphertext:
        """The plaintext for the owner of this key; CryptoError if the key is unusable."""


class _LibrarySealer:
    """The library does all of it, hashing `info` each time."""

    __slots__ = ("_encrypt", "_info", "_kem", "_length")

    def __init__(self, kem: KEM, library: hpke.Suite, info: bytes) -> None:
        self._kem = kem
        self._encrypt = library.encrypt
        self._info = info
        self._length = kem.enc_length

    def seal(self, public_key: bytes, plaintext: bytes) -> HPKECiphertext:
        native = cast(_LibraryPublicKey, self._kem.public_key(public_key))
        try:
            sealed = self._encrypt(plaintext, native, self._info)
        except ValueError:
            raise CryptoError("unusable HPKE public key") from None
        return HPKECiphertext(sealed[: self._length], sealed[self._length :])


class _OwnSealer:
    """The key schedule runs here: for KEMs that the library lacks, and with `info` hashed once."""

    __slots__ = ("_context", "_hpke")

    def __init__(self, hpke: HPKE, info: bytes) -> None:
        self._hpke = hpke
        self._context = hpke.context(info)

    def seal(self, public_key: bytes, plaintext: bytes) -> HPKECiphertext:
        shared, enc = self._hpke.kem.encap(public_key)
        key, nonce = self._hpke.key_and_nonce(shared, self._context)
        return HPKECiphertext(enc, self._hpke.aead.cipher(key).encrypt(nonce, plaintext, b""))
