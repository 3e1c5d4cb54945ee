"""The keys that a client has in its store, for searches of places where they must not be."""

import shutil
from pathlib import Path

from secure_chat.client.engine import spaces
from secure_chat.client.engine.spaces import Outgoing, Profile, Room, StoredKeyPackage, decode, group_space
from secure_chat.client.store.store import Store
from secure_chat.client.vault import Vault
from secure_chat.identity.keys import AccountKey, encode_recovery_code
from secure_chat.mls.group.group import Group
from secure_chat.mls.messages.key_package import KeyPackageBundle
from tests.policies import AcceptAll

__all__ = ["contents_of", "keys_of", "opened"]


def opened(profile: Path, scratch: Path, passphrase: str | None) -> Store:
    """A profile's store, from a copy: the profile itself may be in use."""
    copy = scratch / f"copy-{len(list(scratch.glob('copy-*')))}"
    copy.mkdir()
    for name in ("store.db", "store.db-wal"):
        if (profile / name).exists():
            shutil.copy(profile / name, copy / name)
    return Store.open(copy / "store.db", Vault(profile).unlock(passphrase))


def contents_of(store: Store) -> bytes:
    """All values in all rows and all lines of history, decrypted."""
    rows = [value for space in store.spaces() for _, value in store.scan(space)]
    lines = [repr(line).encode() for line in store.history(None, 100_000)]
    return b"\n".join(rows + lines)


def keys_of(store: Store) -> dict[str, bytes]:
    """Every private key and secret in a store, by a name that says what it is."""
    row = store.get(spaces.PROFILE, b"profile")
    assert row is not None
    profile = decode(Profile, row)
    keys = {
        "store key": store.key,
        "account seed": profile.account_seed,
        "recovery code": encode_recovery_code(AccountKey(profile.account_seed)).encode(),
        "device seed": profile.device_seed,
    }
    for reference, value in store.scan(spaces.KEY_PACKAGES):
        stored = decode(StoredKeyPackage, value)
        bundle = KeyPackageBundle.decode(stored.bundle)
        name = f"key package {reference.hex()[:8]}"
        keys[f"{name} init key"] = bundle.init_key.private_bytes
        keys[f"{name} encryption key"] = bundle.encryption_key.private_bytes
    for _, value in store.scan(spaces.OUTBOX):
        keys["queued message"] = decode(Outgoing, value).body
    for channel, value in store.scan(spaces.ROOMS):
        room = decode(Room, value)
        rows = dict(store.scan(group_space(channel, room.group)))
        if rows:
            keys |= {f"{room.name or 'direct'} {name}": key for name, key in _group_keys(rows).items()}
    return {name: key for name, key in keys.items() if len(key) >= 16}


def _group_keys(rows: dict[bytes, bytes]) -> dict[str, bytes]:
    group = Group.load(rows, AcceptAll())
    state = group._epochs.current
    secrets = state.secrets
    keys = {
        "signature key": state.signature_key.private_bytes,
        "sender data secret": bytes(secrets.sender_data_secret),
        "exporter secret": bytes(secrets.exporter_secret),
        "external secret": bytes(secrets.external_secret),
        "confirmation key": bytes(secrets.confirmation_key),
        "membership key": bytes(secrets.membership_key),
        "resumption secret": bytes(secrets.resumption_psk),
        "epoch authenticator": bytes(secrets.epoch_authenticator),
        "init secret": bytes(secrets.init_secret),
    }
    for key, value in rows.items():
        # A row's value holds the secret with a length or a generation before it: its end is nothing but key.
        if key.startswith((b"private/", b"keys/")) and len(value) >= 32:
            keys[f"row {key.hex()}"] = value[-32:]
    return keys
