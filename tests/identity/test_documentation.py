"""docs/identity.md says what the code does."""

from pathlib import Path

from secure_chat.identity import binding, certificate, labels
from secure_chat.identity.credential import account_fingerprint, encode_credential, verify_credential
from secure_chat.identity.fingerprint import room_code, safety_number
from secure_chat.identity.invite import InviteLink, encode_token
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey, encode_recovery_code
from secure_chat.identity.labels import Purpose
from secure_chat.identity.login import sign_login, sign_registration, token_hash

DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "identity.md").read_text()


def documented() -> dict[str, str]:
    """The lines of the example."""
    block = DOCUMENT.split("```text\n")[1].split("```")[0]
    return dict(line.split(" = ", 1) for line in block.splitlines())


def test_example_is_recomputed() -> None:
    """Every line, and no other."""
    account, device, directory = AccountKey(b"\x01" * 32), DeviceKey(b"\x03" * 32), DirectoryKey(b"\x04" * 32)
    bob = AccountKey(b"\x02" * 32)
    issued = certificate.issue(
        account, handle="alice", device_key=device.public, device_id=b"\x05" * 16, serial=7, issued=1000, expires=2000
    )
    bound = binding.bind(directory, "alice", account.public)
    connection = {"client_nonce": b"\x06" * 32, "server_nonce": b"\x07" * 32, "server_certificate": b"\x08" * 32}
    token = encode_token(b"\x0a" * 16)
    fingerprint = account_fingerprint(account.public)
    number = safety_number("alice", account.public, "bob", bob.public)
    assert documented() == {
        "account seed": account.seed.hex(),
        "account key": account.public.hex(),
        "device seed": device.seed.hex(),
        "device key": device.public.hex(),
        "directory seed": directory.seed.hex(),
        "directory key": directory.public.hex(),
        "recovery code": encode_recovery_code(account),
        "device certificate": issued.encode().hex(),
        "directory binding": bound.encode().hex(),
        "credential": encode_credential(issued, bound).hex(),
        "revocation below serial 8": certificate.revoke(account, 8).encode().hex(),
        "token hash": token_hash(token).hex(),
        "registration": sign_registration(account, certificate=issued, token=token, **connection).hex(),
        "login": sign_login(device, device_id=b"\x05" * 16, store_id=b"\x09" * 16, **connection).hex(),
        "account fingerprint": fingerprint.hex(),
        "safety number": str(number),
        "safety number QR": number.qr,
        "room code": room_code(bytes(32)),
        "invite link": str(InviteLink("chat.lan", 7443, b"\x0b" * 32, token, fingerprint)),
    }


def test_documented_structures_verify() -> None:
    """A reader of the document can check their own code against its bytes."""
    lines = {name: value for name, value in documented().items() if " " not in value}
    identity = verify_credential(bytes.fromhex(lines["credential"]), bytes.fromhex(lines["directory key"]))
    assert identity.handle == "alice"
    certificate.verify_revocation(bytes.fromhex(lines["revocation below serial 8"]))
    binding.verify(bytes.fromhex(lines["directory binding"]), bytes.fromhex(lines["directory key"]))


def test_every_purpose_is_documented() -> None:
    """The table of signatures is complete."""
    for purpose in Purpose:
        assert f"| `{purpose.value}` |" in DOCUMENT
    assert labels.to_be_signed(Purpose.LOGIN).startswith(b"secure-chat 1 login\x00")
