"""Families about encoding and cryptographic basics: deserialization, crypto-basics."""

from collections.abc import Callable

from secure_chat.mls.codec import Reader, encode_varint
from secure_chat.mls.crypto.hpke import HPKECiphertext
from secure_chat.mls.crypto.labels import (
    decrypt_with_label,
    derive_secret,
    derive_tree_secret,
    encrypt_with_label,
    expand_with_label,
    ref_hash,
    sign_with_label,
    verify_with_label,
)
from secure_chat.mls.crypto.suite import HPKEPrivateKey, SignaturePrivateKey, suite_of
from tests.vectors.families import Vector

__all__ = ["VERIFY"]

unhex = bytes.fromhex


def deserialization(vector: Vector) -> None:
    """The header states the length, and is what we write for it."""
    header = unhex(vector["vlbytes_header"])
    reader = Reader(header)
    assert reader.varint() == vector["length"]
    reader.finish()
    assert encode_varint(vector["length"]) == header


def crypto_basics(vector: Vector) -> None:
    """The labelled functions of §5, §8 and §9; signing and sealing also with fresh randomness."""
    suite = suite_of(vector["cipher_suite"])

    case = vector["ref_hash"]
    assert ref_hash(suite, case["label"], unhex(case["value"])) == unhex(case["out"])

    case = vector["expand_with_label"]
    secret, context = unhex(case["secret"]), unhex(case["context"])
    assert expand_with_label(suite, secret, case["label"], context, case["length"]) == unhex(case["out"])

    case = vector["derive_secret"]
    assert derive_secret(suite, unhex(case["secret"]), case["label"]) == unhex(case["out"])

    case = vector["derive_tree_secret"]
    derived = derive_tree_secret(suite, unhex(case["secret"]), case["label"], case["generation"], case["length"])
    assert derived == unhex(case["out"])

    case = vector["sign_with_label"]
    public, content = unhex(case["pub"]), unhex(case["content"])
    verify_with_label(suite, public, case["label"], content, unhex(case["signature"]))
    key = SignaturePrivateKey.from_bytes(suite, unhex(case["priv"]))
    assert key.public == public
    verify_with_label(suite, public, case["label"], content, sign_with_label(key, case["label"], content))

    case = vector["encrypt_with_label"]
    private, context = HPKEPrivateKey.from_bytes(suite, unhex(case["priv"])), unhex(case["context"])
    plaintext, public = unhex(case["plaintext"]), unhex(case["pub"])
    assert private.public == public
    given = HPKECiphertext(unhex(case["kem_output"]), unhex(case["ciphertext"]))
    assert decrypt_with_label(suite, private, case["label"], context, given) == plaintext
    own = encrypt_with_label(suite, public, case["label"], context, plaintext)
    assert decrypt_with_label(suite, private, case["label"], context, own) == plaintext


VERIFY: dict[str, Callable[[Vector], None]] = {
    "deserialization": deserialization,
    "crypto-basics": crypto_basics,
}
